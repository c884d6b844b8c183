package proxies

import (
	"fmt"
	"strings"
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// The columns by place.
const (
	colOrder = iota
	colSep
	colProxy
	colState
	colP50
	colP95
	colLoss
	colAge
	colSpark
	colNote
)

// columns are the table's columns. At 80 cells AGE, p95 and NOTE are left out:
// what NOTE says stands in the detail pane too.
var columns = []widget.Column{
	colOrder: {Title: "ORD", Min: 3, Right: true},
	colSep:   {Title: "SEP", Min: 3, Tight: true},
	colProxy: {Title: "PROXY", Min: 20, Grow: 4, Max: 60, Middle: true},
	colState: {Title: "STATE", Min: 9},
	colP50:   {Title: "p50", Min: 6, Right: true},
	colP95:   {Title: "p95", Min: 6, Right: true, Tight: true, Drop: 4},
	colLoss:  {Title: "LOSS", Min: 5, Right: true, Tight: true},
	colAge:   {Title: "AGE", Min: 4, Right: true, Tight: true, Drop: 5},
	colSpark: {Title: "LAST 2 MIN", Min: 10, Grow: 1, Max: 30, Drop: 1},
	colNote:  {Title: "NOTE", Min: 20, Grow: 4, Max: 44, Drop: 3},
}

// cells draws one row; it is a pure function of what it is given.
func cells(th *theme.Theme, r *row, now time.Time, span time.Duration, widths []int) []widget.Line {
	g := &th.Glyphs
	one := func(role theme.Role, s string) widget.Line { return widget.L(widget.S(role, s)) }
	none := one(theme.Faint, g.Dash)
	out := make([]widget.Line, len(columns))

	out[colOrder], out[colSep] = one(theme.Faint, g.Dash), nil
	name := theme.Text
	if r.n > 0 {
		mark, role := "", theme.Text
		if r.edited {
			mark, role = g.Pending, theme.Warn
		}
		out[colOrder] = one(role, fmt.Sprintf("%s%d", mark, r.n))
		out[colSep] = one(theme.Accent, " "+string(r.sep))
		if r.sep == chain.Last {
			out[colSep] = nil
		}
	} else {
		name = theme.Dim
	}
	if r.edited {
		name = theme.Warn
	}
	out[colProxy] = one(name, shown(r))
	out[colState] = widget.L(view.StateSpan(g, r.kind, r.health, r.class))
	out[colP50], out[colP95], out[colLoss], out[colAge], out[colSpark] = none, none, none, none, nil
	if st := r.status; st != nil {
		w := st.Window
		if w.P50 > 0 {
			out[colP50] = one(timeRole(time.Duration(w.P50)), widget.Millis(time.Duration(w.P50)))
		}
		if w.P95 > 0 {
			out[colP95] = one(timeRole(time.Duration(w.P95)), widget.Millis(time.Duration(w.P95)))
		}
		if w.Samples > 0 {
			out[colLoss] = one(lossRole(w.Lost), fmt.Sprintf("%.0f%%", w.Lost*100))
		}
		if !st.At.IsZero() {
			out[colAge] = one(theme.Dim, widget.Age(now.Sub(st.At.Time)))
		}
		if widths[colSpark] > 0 {
			out[colSpark] = widget.Sparkline(th, widget.Over(samples(r), now, span, widths[colSpark]), widths[colSpark])
		}
	}
	role := theme.Dim
	switch r.goWill {
	case probe.Stop, probe.Hang:
		role = theme.Bad
	case probe.Next:
		role = theme.Warn
	}
	if r.outside != "" {
		role = theme.Dim
	}
	out[colNote] = one(role, r.note())
	return out
}

// shown is the name of a row in the table. https is what every proxy should
// speak and is left out; http and file stay visible.
func shown(r *row) string { return strings.TrimPrefix(r.url, "https://") }

// spans are what the charts may show; a short one fills the columns soon after
// the start, the longest is what the monitor's window keeps of a hop.
var spans = []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute}

// spanOf is the shortest span that holds every sample of rows, so that all
// charts show the same instants above each other.
func spanOf(rows []row, now time.Time) time.Duration {
	oldest := now
	for i := range rows {
		if s := samples(&rows[i]); len(s) > 0 && s[0].At.Before(oldest) {
			oldest = s[0].At
		}
	}
	for _, s := range spans {
		if now.Sub(oldest) <= s {
			return s
		}
	}
	return spans[len(spans)-1]
}

// spanTitle heads a chart.
func spanTitle(span time.Duration) string {
	if span < time.Minute {
		return fmt.Sprintf("LAST %.0f S", span.Seconds())
	}
	return fmt.Sprintf("LAST %.0f MIN", span.Minutes())
}

// samples is the recent past of a row.
func samples(r *row) []widget.Sample {
	if r.status == nil {
		return nil
	}
	out := make([]widget.Sample, 0, len(r.status.Window.Recent))
	for _, s := range r.status.Window.Recent {
		if s.Class != probe.ClassUnknown {
			out = append(out, widget.Sample{At: s.At.Time, Value: time.Duration(s.Total), Lost: s.Class.Failed()})
		}
	}
	return out
}

func timeRole(d time.Duration) theme.Role {
	if d >= 800*time.Millisecond { // the rule for slow
		return theme.Warn
	}
	return theme.Text
}

func lossRole(lost float64) theme.Role {
	switch {
	case lost >= 0.5:
		return theme.Bad
	case lost > 0.05:
		return theme.Warn
	}
	return theme.Dim
}
