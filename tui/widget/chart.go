package widget

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gpx/tui/theme"
)

// A Point is one cell of a chart.
type Point struct {
	Value time.Duration
	Lost  bool
	None  bool // nothing was measured
}

// A Sample is a measurement at an instant.
type Sample struct {
	At    time.Time
	Value time.Duration
	Lost  bool
}

// hold is how long a sample stands for what follows it: endpoints beside the
// chain are probed every 15 s.
const hold = 20 * time.Second

// Over spreads samples (oldest first) over w cells that end at end and span
// span, so that the charts of all rows show the same instants above each other.
// A cell with several samples shows the worst of them, one without shows the
// sample before it while that is fresh.
func Over(samples []Sample, end time.Time, span time.Duration, w int) []Point {
	out := make([]Point, max(w, 0))
	next := 0
	last := Sample{}
	for i := range out {
		until := end.Add(-span + span*time.Duration(i+1)/time.Duration(w))
		p := Point{None: true}
		for ; next < len(samples) && !samples[next].At.After(until); next++ {
			s := samples[next]
			if s.At.Before(until.Add(-span / time.Duration(w))) { // before the chart begins
				last = s
				continue
			}
			p.None = false
			p.Lost = p.Lost || s.Lost
			p.Value = max(p.Value, s.Value)
			last = s
		}
		if p.None && !last.At.IsZero() && until.Sub(last.At) < hold {
			p = Point{Value: last.Value, Lost: last.Lost}
		}
		out[i] = p
	}
	return out
}

// Sparkline draws the newest w points, one cell each. Heights are logarithmic
// between lo and hi, so that 5 ms and 500 ms can be told apart in eight steps.
// A lost sample has a mark of its own.
func Sparkline(th *theme.Theme, points []Point, w int) Line {
	g := &th.Glyphs
	if len(points) > w {
		points = points[len(points)-w:]
	}
	out := Line{{theme.Faint, strings.Repeat(" ", max(w-len(points), 0))}}
	for _, p := range points {
		switch {
		case p.None:
			out = append(out, Span{theme.Faint, " "})
		case p.Lost:
			out = append(out, Span{theme.Bad, g.Lost})
		default:
			level := Level(p.Value, len(g.Spark))
			role := theme.Good
			if p.Value >= slow {
				role = theme.Warn
			}
			out = append(out, Span{role, g.Spark[level]})
		}
	}
	return out
}

// slow is the time above which one sample is drawn as slow; the same figure
// as the floor of the rule for slow endpoints (800 ms).
const slow = 800 * time.Millisecond

// Level maps a time to one of n steps: 1 ms is the lowest, 4 s the highest,
// each step the same factor.
func Level(d time.Duration, n int) int {
	const lo, hi = float64(time.Millisecond), float64(4 * time.Second)
	f := math.Log(max(float64(d), lo)/lo) / math.Log(hi/lo)
	return min(int(f*float64(n)), n-1)
}

// Columns draws points as a chart of h lines, one cell a point, with the same
// scale as Sparkline and an axis at the left. A lost sample stands on the
// bottom line, so that it is no tower among the times.
func Columns(th *theme.Theme, points []Point, w, h int) []Line {
	g := &th.Glyphs
	w -= 6 // the axis
	if len(points) > w {
		points = points[len(points)-max(w, 0):]
	}
	steps := len(g.Spark)
	out := make([]Line, h)
	labels := []string{"4s", "1ms"}
	for y := range out {
		label := ""
		switch y {
		case 0:
			label = labels[0]
		case h - 1:
			label = labels[1]
		}
		out[y] = Line{{theme.Faint, Pad(label, 4, true) + " " + g.V}, {theme.Faint, strings.Repeat(" ", max(w-len(points), 0))}}
	}
	for _, p := range points {
		level := 0
		role := theme.Good
		switch {
		case p.Lost:
			role = theme.Bad
		case p.None:
			role = theme.Faint
		default:
			level = Level(p.Value, steps*h) + 1
			if p.Value >= slow {
				role = theme.Warn
			}
		}
		for y := range out {
			from := (h - 1 - y) * steps // levels below this line
			cell := " "
			switch {
			case p.Lost && y == h-1:
				cell = g.Lost
			case level-from >= steps:
				cell = g.Spark[steps-1]
			case level > from:
				cell = g.Spark[level-from-1]
			}
			out[y] = append(out[y], Span{role, cell})
		}
	}
	return out
}

// Bar draws value as a part of most, w cells wide.
func Bar[N ~int64](th *theme.Theme, role theme.Role, value, most N, w int) Line {
	n := 0
	if most > 0 {
		n = int(math.Round(float64(value) / float64(most) * float64(w)))
	}
	if value > 0 {
		n = max(n, 1)
	}
	n = min(n, w)
	return L(S(role, strings.Repeat(th.Glyphs.Bar, n)), S(theme.Faint, strings.Repeat(th.Glyphs.Track, w-n)))
}

// Millis prints a time of a request: 4ms, 184ms, 1.9s, 31s.
func Millis(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Round(time.Millisecond).Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	default:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
}

// Age prints how long ago or how long something has lasted: 3s, 14m32s, 2h05m, 3d.
func Age(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// Ago is how long before now an instant was, to one unit; "" when it is not known.
func Ago(now, t time.Time) string {
	const day = 24 * time.Hour
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh ago", d/time.Hour)
	}
	return fmt.Sprintf("%dd ago", d/day)
}

// Count is n of what, a noun whose plural takes an s: "1 edit", "3 edits".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
