package env

import (
	"fmt"
	"strings"

	goenv "gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// labelWidth is the column of labels in the detail pane.
const labelWidth = 11

func say(label string, role theme.Role, text string, w int) []widget.Line {
	return widget.Labeled(label, labelWidth, role, text, w)
}

// Render implements view.View.
func (v *View) Render(w, h int) view.Body {
	th := v.c.Theme
	g := &th.Glyphs
	b := view.Body{Splits: map[int]widget.Line{}}
	set := 0
	for _, r := range v.rows {
		if r.origin == goenv.OS || r.origin == goenv.User {
			set++
		}
	}
	status := fmt.Sprintf("order %s %s %d set %s ", v.order, g.Dot, set, g.Dot)
	if v.filter != "" {
		status += "filter " + v.filter + " " + g.Dot + " "
	}
	b.Status = widget.L(widget.S(theme.Dim, status+widget.Count(len(v.rows), "variable")))
	if n := len(v.pending); n > 0 {
		b.Status = append(widget.L(widget.S(theme.Warn, fmt.Sprintf("%s %d pending ", g.Pending, n)), widget.S(theme.Faint, g.Dot+" ")), b.Status...)
	}
	if h <= 0 {
		return b
	}
	var pane []widget.Line
	if r := v.selected(); r != nil {
		pane = v.detail(r, w)
	}
	// The pane gets what it needs, as long as five variables stay in sight.
	rows := max(min(len(v.rows)+1, h-1-min(len(pane), max(h/2, h-7))), 3)
	if h-rows < min(len(pane)+1, 5) { // too little of it to be worth a rule
		rows = h
	}
	if len(v.rows) == 0 {
		text := "reading go env" + g.Ellipsis
		switch {
		case v.filter != "":
			text = "nothing matches the filter; esc clears it"
		case v.c.EnvErr != nil:
			text = redact.Text(v.c.EnvErr.Error())
		}
		b.Lines = append(b.Lines, widget.L(widget.S(theme.Dim, "  "+text)).Fit(w, g.Ellipsis))
	} else {
		b.Lines = v.table.Render(th, w, rows, len(v.rows), func(i int, _ []int) []widget.Line { return cells(th, &v.rows[i]) })
		if unseen := v.table.Unseen(); unseen != "" {
			b.Status = append(b.Status, widget.S(theme.Dim, " "+g.Dot+" "+unseen))
		}
	}
	if r := v.selected(); r != nil && h-len(b.Lines) > 1 {
		b.Splits[len(b.Lines)] = widget.L(widget.S(theme.Title, r.name), widget.S(theme.Dim, "  "+originWord(r)))
		b.Lines = append(b.Lines, nil)
		for i, l := range pane {
			if len(b.Lines) == h {
				b.Foot = widget.L(widget.S(theme.Dim, fmt.Sprintf("%d more in a taller terminal", len(pane)-i)))
				break
			}
			b.Lines = append(b.Lines, l.Fit(w, g.Ellipsis))
		}
	}
	for len(b.Lines) < h {
		b.Lines = append(b.Lines, widget.Blank(w))
	}
	return b
}

// detail explains a variable.
func (v *View) detail(r *row, w int) []widget.Line {
	th := v.c.Theme
	var out []widget.Line
	value := r.value
	if value == "" {
		value = "(empty)"
	}
	out = append(out, say("Value", theme.Strong, value, w)...)
	if r.pending != nil {
		after := r.after()
		if after == "" {
			after = "(empty)"
		}
		out = append(out, say("Pending", theme.Warn, th.Glyphs.Pending+" "+after, w)...)
	}
	places := v.chain(r, true)
	if places.Width() > w { // those that say nothing go first
		places = v.chain(r, false)
	}
	out = append(out, places.Fit(w, th.Glyphs.Ellipsis))
	out = append(out, hides(r, w)...)
	if text := effect(r.name, rawAfter(r)); text != "" {
		role := theme.Text
		if strings.HasPrefix(text, "CHECKSUMS") || strings.HasPrefix(text, "The go command rejects") {
			role = theme.Bad
		}
		out = append(out, say("Effect", role, text, w)...)
	}
	switch {
	case r.origin == goenv.OS && r.pending != nil:
		out = append(out, say("Beware", theme.Warn, th.Glyphs.Shadow+" The shell sets "+r.name+": what is written takes effect only where that is unset.", w)...)
	case r.hidden:
		out = append(out, say("Beware", theme.Warn, th.Glyphs.Shadow+" The shell hides what the user file says. To see it take effect: unset "+r.name, w)...)
	}
	if why := cannotSet(r.name); why != "" {
		out = append(out, say("Change", theme.Dim, why+".", w)...)
	} else {
		out = append(out, say("Command", theme.Accent, command(r), w)...)
		if strings.Contains(command(r), redact.Mark) {
			out = append(out, say("", theme.Warn, "Its credentials are not shown: as it stands it does not run.", w)...)
		}
	}
	if u := v.c.Status.Unverifiable; len(u) > 0 && (r.name == "GOPROXY" || r.name == "GOSUMDB") {
		out = append(out, say("Note", theme.Warn, fmt.Sprintf("Offline mode cannot verify %d modules: %s", len(u), strings.Join(u, ", ")), w)...)
	}
	if e := v.c.Env; e != nil {
		for _, p := range e.Problems {
			if !aboutAnother(e, p, r.name) {
				out = append(out, say("Note", theme.Warn, redact.Text(p), w)...)
			}
		}
	}
	return out
}

// hides are the values that the one in force stands before, whole: the table
// has room for the first one only, and cuts it.
func hides(r *row, w int) []widget.Line {
	var out []widget.Line
	for _, s := range r.v.Shadowed {
		if s.Value == "" || s.Value == r.v.Value {
			continue
		}
		label := ""
		if len(out) == 0 {
			label = "Instead of"
		}
		out = append(out, say(label, theme.Dim, redact.Value(r.name, s.Value)+"  ("+view.OriginWord(s.Origin)+")", w)...)
	}
	return out
}

// aboutAnother reports whether a problem names variables, and not this one.
func aboutAnother(e *goenv.Env, problem, name string) bool {
	another := false
	for _, word := range strings.FieldsFunc(problem, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') }) {
		if word == name {
			return false
		}
		if _, ok := e.Lookup(word); ok {
			another = true
		}
	}
	return another
}

// rawAfter is the value whose effect is explained; it is not shown.
func rawAfter(r *row) string {
	switch {
	case r.pending == nil:
		return r.v.Value
	case r.pending.Unset:
		return r.after()
	}
	return r.pending.Value
}

// chain draws where a value can come from, and which place wins; empty also
// draws the places that hold none.
func (v *View) chain(r *row, empty bool) widget.Line {
	g := &v.c.Theme.Glyphs
	at := map[goenv.Origin]string{r.v.Origin: r.v.Value}
	for _, s := range r.v.Shadowed {
		if _, ok := at[s.Origin]; !ok {
			at[s.Origin] = s.Value
		}
	}
	file := "user file"
	if e := v.c.Env; e != nil {
		switch {
		case e.UserFileOff:
			file = "user file (GOENV=off)"
		case e.UserFile != "":
			file = redact.Text(view.Tilde(e, e.UserFile))
		}
	}
	places := []struct {
		origin goenv.Origin
		name   string
	}{{goenv.OS, "$" + r.name}, {goenv.User, file}, {goenv.GOROOT, "$GOROOT/go.env"}, {goenv.Derived, "derived"}, {goenv.Default, "default"}}
	out := widget.L(widget.S(theme.Dim, widget.Pad("Origin", labelWidth, false)))
	for _, p := range places {
		_, has := at[p.origin]
		if !has && (!empty || p.origin == goenv.Derived) {
			continue
		}
		if len(out) > 1 {
			out = append(out, widget.S(theme.Faint, " "+g.Cursor+" "))
		}
		switch {
		case p.origin == r.v.Origin:
			out = append(out, widget.S(theme.Good, g.Good+" "+p.name))
		case has:
			out = append(out, widget.S(theme.Warn, p.name+" (hidden)"))
		default:
			out = append(out, widget.S(theme.Faint, p.name+" (unset)"))
		}
	}
	return out
}
