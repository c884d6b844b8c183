package proxies

import (
	"fmt"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/probe/monitor"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// autoNow is how automatic switching stands; off in a replay, which shows another
// time.
func (v *View) autoNow() view.Automatic {
	if v.c.Services.Automatic == nil || v.c.Player != nil {
		return view.Automatic{}
	}
	return v.c.Services.Automatic()
}

// automatic asks whether gpx is to switch by itself, or to leave that.
func (v *View) automatic() tea.Cmd {
	title, yes, text := "Switch automatically?", "Switch on (y)", []string{
		"While this screen is open gpx switches by itself to the recommended chain when yours is down, and back when yours has been well for a while (switch.quiet in the settings).",
		"Both are changes like any other: u takes one back, and gpx then leaves GOPROXY alone until your chain has worked and fails again.",
		"It shows no private module path to a public proxy that would not have seen it, and touches nothing that somebody else has set.",
	}
	on := !v.autoNow().On
	if st := v.autoNow(); st.On {
		title, yes, text = "No longer switch automatically?", "Switch off (y)", []string{"gpx then changes nothing by itself."}
		if st.Now != "" {
			text = append(text, "What it has switched to stays in force: "+st.Now, "u takes that back.")
		}
	}
	v.c.Dialogs.Push(dialog.NewConfirm(title, text, "Cancel", yes, func(agreed bool) tea.Cmd {
		if !agreed {
			return v.c.Say(theme.Dim, "automatic switching is as it was")
		}
		v.c.Services.SetAutomatic(on)
		if on {
			return v.c.Say(theme.Good, "automatic switching is on while this screen is open; A switches it off")
		}
		return v.c.Say(theme.Text, "automatic switching is off")
	}))
	return nil
}

// autoBand shows automatic switching while it is on: what it waits for.
func (v *View) autoBand(w int) []widget.Line {
	st := v.autoNow()
	if !st.On {
		return nil
	}
	g := &v.c.Theme.Glyphs
	glyph, role, text := g.Live, theme.Good, "if this chain goes down gpx switches by itself, and back"
	switch refused, not := strings.CutPrefix(st.Said, "not switched: "); {
	case st.Waits != "":
		glyph, role, text = g.Warn, theme.Warn, "it waits: "+st.Waits
	case st.StandsDown:
		glyph, role, text = g.Warn, theme.Warn, "it stands down: somebody else has set this chain, which has to work first"
	case st.Now != "":
		back := "back when well for " + widget.Age(st.Quiet)
		if !st.Well.IsZero() {
			back = "well again, back in " + widget.Age(max(st.Quiet-v.c.Now().Sub(st.Well), time.Second))
		}
		text = fmt.Sprintf("switched %s ago, %s: %s", widget.Age(v.c.Now().Sub(st.Since)), back, st.Own)
	case not && v.c.Snapshot.Verdict.State == monitor.StateOutage:
		glyph, role, text = g.Warn, theme.Warn, "not switched: "+refused
	}
	keys := widget.L(widget.S(theme.Key, "A"), widget.S(theme.Hint, " off"))
	return []widget.Line{widget.Spread(widget.L(widget.S(role, glyph+" automatic "), widget.S(theme.Text, " "+text)), keys, w, g.Ellipsis)}
}
