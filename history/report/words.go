package report

import (
	"fmt"
	"strings"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
)

// clock is an instant for people, always UTC.
func clock(t wire.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// words is a duration for people: two units are enough.
func words(d wire.Millis) string {
	t := time.Duration(d)
	switch {
	case t == 0:
		return "0 s"
	case t < time.Second:
		return fmt.Sprintf("%d ms", t.Milliseconds())
	case t < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", t.Truncate(100*time.Millisecond).Seconds()), ".0") + " s"
	case t < time.Hour:
		return pair(t, time.Minute, "min", time.Second, "s")
	case t < 24*time.Hour:
		return pair(t, time.Hour, "h", time.Minute, "min")
	default:
		return pair(t, 24*time.Hour, "d", time.Hour, "h")
	}
}

func pair(t, big time.Duration, bigName string, small time.Duration, smallName string) string {
	s := fmt.Sprintf("%d %s", t/big, bigName)
	if rest := t % big / small; rest > 0 {
		s += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return s
}

// maybe is a duration that may not be there.
func maybe(d *wire.Millis) string {
	if d == nil {
		return "–"
	}
	return words(*d)
}

// percent is a share. What is not all is never 100 %, what is not nothing never 0.
func percent(share *float64) string {
	switch {
	case share == nil:
		return "–"
	case *share > 0.999 && *share < 1:
		return ">99.9 %"
	case *share > 0 && *share < 0.001:
		return "<0.1 %"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", *share*100), ".0") + " %"
}

// offset is how long after the beginning something was.
func offset(opened, at wire.Time) string {
	switch d := at.Sub(opened.Time); {
	case d < 0:
		return "−" + words(wire.Millis(-d))
	case d == 0:
		return words(0)
	default:
		return "+" + words(wire.Millis(d))
	}
}

// kindWords is what kind of event it is.
func kindWords(k incident.EventKind) string {
	switch k {
	case incident.Turned:
		return "endpoint"
	case incident.Gap:
		return "not watched"
	default:
		return string(k)
	}
}

// maxRows bounds the events and endpoints in what people read; the JSON has all.
const maxRows = 300

// shown are the events for people: where there are too many, the turns of health
// and headline give way, the oldest of them last.
func shown(all []incident.Event) (kept []incident.Event, dropped int) {
	over := len(all) - maxRows
	if over <= 0 {
		return all, 0
	}
	minor := 0
	for _, e := range all {
		if isMinor(e) {
			minor++
		}
	}
	room := max(0, minor-over)
	for _, e := range all {
		if isMinor(e) {
			if room--; room < 0 {
				continue
			}
		}
		if len(kept) < maxRows {
			kept = append(kept, e)
		}
	}
	return kept, len(all) - len(kept)
}

func isMinor(e incident.Event) bool { return e.Kind == incident.Turned || e.Kind == incident.Verdict }
