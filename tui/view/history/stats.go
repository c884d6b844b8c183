package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gpx/envctl/redact"
	"gpx/history"
	"gpx/probe"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

// periods are what statistics are made of, in the sequence in which p steps
// through them; a span of 0 is all that is kept.
var periods = []struct {
	name string
	span time.Duration
}{{"1 h", time.Hour}, {"24 h", 24 * time.Hour}, {"7 d", 7 * 24 * time.Hour}, {"all", 0}}

// day is the index of the period to begin with.
const day = 1

// The columns of the statistics by place.
const (
	colEndpoint = iota
	colKind
	colAvail
	colP50
	colP95
	colP99
	colSamples
	colWorstHour
	colBudget
	colTrend
)

func statColumns() []widget.Column {
	return []widget.Column{
		colEndpoint:  {Title: "ENDPOINT", Min: 16, Grow: 4, Max: 50, Middle: true},
		colKind:      {Title: "KIND", Min: 6, Drop: 6},
		colAvail:     {Title: "AVAIL", Min: 7, Right: true},
		colP50:       {Title: "p50", Min: 5, Right: true, Tight: true},
		colP95:       {Title: "p95", Min: 5, Right: true, Tight: true},
		colP99:       {Title: "p99", Min: 5, Right: true, Tight: true},
		colSamples:   {Title: "SAMPLES", Min: 7, Right: true, Tight: true, Drop: 5},
		colWorstHour: {Title: "WORST HOUR", Min: 16, Grow: 1, Max: 22, Drop: 4},
		colBudget:    {Title: "BUDGET", Min: 6, Right: true, Tight: true},
		colTrend:     {Title: "TREND", Min: 10, Grow: 3, Max: 48},
	}
}

// band says what the figures are of.
func (v *View) band() widget.Line {
	l := widget.L(widget.S(theme.Dim, "  Last "))
	for i, p := range periods {
		if i == v.period {
			l = append(l, widget.S(theme.Accent, "["+p.name+"]"))
		} else {
			l = append(l, widget.S(theme.Dim, " "+p.name+" "))
		}
	}
	return append(l, widget.S(theme.Dim, "  budget against "+percent(history.DefaultSLO)+"  "), widget.S(theme.Key, "p"), widget.S(theme.Hint, " period  "),
		widget.S(theme.Key, "s"), widget.S(theme.Hint, " incidents"))
}

// percent is a share of up to 1, more precise near 1: 99.95 % and 99.9 % are not
// the same.
func percent(share float64) string {
	if share < 0.99 {
		return fmt.Sprintf("%.1f%%", share*100)
	}
	s := fmt.Sprintf("%.3f", share*100)
	if share < 1 && s == "100.000" { // something was lost
		s = "99.999"
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".") + "%"
}

func availRole(share float64) theme.Role {
	switch {
	case share >= history.DefaultSLO:
		return theme.Good
	case share >= 0.95:
		return theme.Warn
	}
	return theme.Bad
}

// figureCells draws the statistics of one endpoint.
func (v *View) figureCells(n int, widths []int) []widget.Line {
	f := v.figures[n]
	out := make([]widget.Line, colTrend+1)
	ms := func(d time.Duration) widget.Line {
		if d <= 0 {
			return v.one(theme.Text, "")
		}
		return v.one(theme.Text, widget.Millis(d))
	}
	out[colEndpoint], out[colKind] = v.one(theme.Text, strings.TrimPrefix(f.name, "https://")), v.one(theme.Dim, f.kind)
	out[colAvail] = v.one(availRole(f.Availability), percent(f.Availability))
	out[colP50], out[colP95], out[colP99] = ms(time.Duration(f.P50)), ms(time.Duration(f.P95)), ms(time.Duration(f.P99))
	out[colSamples] = v.one(theme.Dim, fmt.Sprint(f.Samples))
	out[colWorstHour] = v.one(theme.Dim, v.worstHour(f))
	role := theme.Good
	switch {
	case f.BudgetLeft < 0:
		role = theme.Bad
	case f.BudgetLeft < 0.25:
		role = theme.Warn
	}
	left := fmt.Sprintf("%.0f%%", f.BudgetLeft*100)
	if f.BudgetLeft < -9.99 {
		left = "<-999%"
	}
	out[colBudget] = v.one(role, left)
	out[colTrend] = trend(v.c.Theme, f.Trend, widths[colTrend])
	return out
}

// worstHour is when the most was lost, and how much was not.
func (v *View) worstHour(f *figure) string {
	if f.WorstHour == nil {
		return ""
	}
	now := v.c.Now()
	at := f.WorstHour.At.In(now.Location())
	return dayOf(at, now) + " " + at.Format("15:04") + " " + percent(f.WorstHour.Availability)
}

// trend draws availability in w cells: the lowest step is half lost and more, a
// blank where nothing was measured. Each cell is the worst of what it stands for.
func trend(th *theme.Theme, parts []float64, w int) (out widget.Line) {
	steps := th.Glyphs.Spark
	for x := range w {
		from, to := x*len(parts)/w, (x+1)*len(parts)/w
		worst := -1.0
		for _, p := range parts[from:max(to, min(from+1, len(parts)))] {
			if p >= 0 && (worst < 0 || p < worst) {
				worst = p
			}
		}
		if worst < 0 {
			out = append(out, widget.S(theme.Faint, " "))
			continue
		}
		level := int((worst - 0.5) / 0.5 * float64(len(steps)-1))
		out = append(out, widget.S(availRole(worst), steps[min(max(level, 0), len(steps)-1)]))
	}
	return out
}

// figureDetail explains the selected endpoint's figures.
func (v *View) figureDetail(w int) (title widget.Line, lines []widget.Line) {
	i := v.table[statistics].Cursor()
	if i >= len(v.figures) {
		return nil, nil
	}
	f := v.figures[i]
	title = widget.L(widget.S(theme.Title, f.name), widget.S(theme.Dim, "  "+f.kind))
	lines = append(lines, say("Answered", availRole(f.Availability), fmt.Sprintf("%s of %s well, %d lost", percent(f.Availability), widget.Count(int(f.Samples), "probe"), f.Lost), w)...)
	lines = append(lines, say("Times", theme.Text, fmt.Sprintf("half of the answers came within %s, 95 of 100 within %s, 99 of 100 within %s",
		widget.Millis(time.Duration(f.P50)), widget.Millis(time.Duration(f.P95)), widget.Millis(time.Duration(f.P99))), w)...)
	budget, role := fmt.Sprintf("%.0f%% of what %s allows to be lost is left", f.BudgetLeft*100, percent(history.DefaultSLO)), theme.Text
	if f.BudgetLeft < 0 {
		budget, role = fmt.Sprintf("overspent: %.1f times what %s allows was lost", 1-f.BudgetLeft, percent(history.DefaultSLO)), theme.Bad
	}
	lines = append(lines, say("Budget", role, budget, w)...)
	if h := v.worstHour(f); h != "" {
		lines = append(lines, say("Worst", theme.Text, "the hour from "+h, w)...)
	}
	classes := make([]probe.Class, 0, len(f.Classes))
	for c := range f.Classes {
		classes = append(classes, c)
	}
	slices.SortFunc(classes, func(a, b probe.Class) int {
		return cmp.Or(cmp.Compare(f.Classes[b], f.Classes[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, c := range classes {
		parts = append(parts, fmt.Sprintf("%s %d", redact.Text(c.Words()), f.Classes[c]))
	}
	lines = append(lines, say("Outcomes", theme.Text, strings.Join(parts, ", "), w)...)
	return title, append(lines, say("", theme.Dim, "What nobody watched counts for nothing.", w)...)
}
