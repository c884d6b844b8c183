package proxies

import (
	"context"
	"fmt"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/dustin/go-humanize"

	"gpx/envctl/change"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// relayNow is the relay of this process; false while none runs, and in a replay,
// which shows another time.
func (v *View) relayNow() (view.RelayState, bool) {
	if v.c.Services.RelayNow == nil || v.c.Player != nil {
		return view.RelayState{}, false
	}
	return v.c.Services.RelayNow()
}

// relay starts the relay, or stops it. Either shows a plan first where GOPROXY
// changes.
func (v *View) relay() tea.Cmd {
	s := &v.c.Services
	if _, on := v.relayNow(); !on {
		return view.StartWhole(v.c, "relay", "starting the relay", s.StartRelay, func(p *change.Plan, err error) tea.Cmd {
			if err != nil {
				return v.c.Fail(err)
			}
			return v.c.Propose(view.Proposal{Plan: p, Cancelled: func() tea.Cmd { return v.stopRelay("cancelled: nothing was changed, and the relay has ended") }, Why: []string{
				"The relay has the deadlines that the go command lacks: what hangs costs half a second, wrong bytes are thrown away, the module cache comes first.",
				"It ends with this gpx, or with S, and GOPROXY is then what it was. Were gpx killed, the next start does that; until then go passes a relay that is gone and asks the chain behind it.",
			}})
		})
	}
	return view.Start(v.c, "relay", "", s.PlanRelayOff, func(p *change.Plan, err error) tea.Cmd {
		switch {
		case err != nil:
			return v.c.Fail(err)
		case p == nil:
			return v.stopRelay("the relay has ended; GOPROXY did not lead through it")
		}
		return v.c.Propose(view.Proposal{Plan: p, Why: []string{"The relay ends."}, Applied: func(change.Change) tea.Cmd {
			return v.stopRelay("the relay has ended, and GOPROXY is what it was")
		}})
	})
}

func (v *View) stopRelay(said string) tea.Cmd {
	return view.Start(v.c, "relay", "", func(ctx context.Context) (bool, error) { return true, v.c.Services.StopRelay(ctx) }, func(_ bool, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		return v.c.Say(theme.Text, "%s", said)
	})
}

// relayBand shows the relay while it runs: where it is, and what it has done.
func (v *View) relayBand(w int) []widget.Line {
	s, on := v.relayNow()
	if !on {
		return nil
	}
	g := &v.c.Theme.Glyphs
	where := widget.L(widget.S(theme.Good, g.Live+" relay "), widget.S(theme.Strong, s.URL), widget.S(theme.Dim, "  GOPROXY leads through it"))
	if !s.InForce {
		where = widget.L(widget.S(theme.Warn, g.Warn+" relay "), widget.S(theme.Strong, s.URL), widget.S(theme.Warn, "  GOPROXY does not lead through it"))
	}
	keys := widget.L(widget.S(theme.Key, "S"), widget.S(theme.Hint, " stop"))
	return []widget.Line{widget.Spread(where, keys, w, g.Ellipsis), relayCounts(g.Dot, s).Fit(w, g.Ellipsis)}
}

// relayCounts are what the relay did, in words; what should make somebody look
// stands out.
func relayCounts(dot string, s view.RelayState) widget.Line {
	between := widget.S(theme.Faint, " "+dot+" ")
	l := widget.L(widget.S(theme.Text, "  "+widget.Count(int(s.Requests), "request")), between,
		widget.S(theme.Text, fmt.Sprintf("%d rescued", s.Rescued)), between,
		widget.S(theme.Text, fmt.Sprintf("%d from cache", s.FromCache)), between,
		widget.S(theme.Text, humanize.IBytes(uint64(max(s.Bytes, 0)))), between)
	wrong := theme.Text
	if s.Wrong > 0 {
		wrong = theme.Bad
	}
	l = append(l, widget.S(wrong, fmt.Sprintf("%d with wrong bytes", s.Wrong)))
	if s.Failed > 0 {
		l = append(l, between, widget.S(theme.Bad, fmt.Sprintf("%d unanswered", s.Failed)))
	}
	return l
}
