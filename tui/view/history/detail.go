package history

import (
	"fmt"
	"strings"
	"time"

	"gpx/history/incident"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// labelWidth is the column of labels in the detail pane.
const labelWidth = 10

func say(label string, role theme.Role, text string, w int) []widget.Line {
	return widget.Labeled(label, labelWidth, role, text, w)
}

// detail explains the selected incident: the title of the pane, and its lines.
func (v *View) detail(w int) (title widget.Line, lines []widget.Line) {
	r := v.selected()
	if r == nil {
		return nil, nil
	}
	g := &v.c.Theme.Glyphs
	end := "open"
	if !r.Open() {
		end = clock(r.Resolved.Time, r.Opened.Time, v.c.Now())
	}
	title = widget.L(widget.S(theme.Title, fmt.Sprintf("#%d", r.ID)), widget.S(theme.Dim, "  "+r.start+" "+g.Arrow+" "+end))
	if m := marks(&r.Incident); len(m) > 0 {
		title = append(title, widget.S(theme.Warn, "  "+strings.Join(m, ", ")))
	}
	if w < 110 {
		return title, append(append(v.facts(r, w), nil), v.events(r, 0, w)...)
	}
	left := w * 45 / 100
	facts, events := v.facts(r, left-3), v.events(r, left, w)
	n := min(len(facts), len(events))
	lines = append(widget.Beside(facts[:n], cutLeft(events[:n], left, w), left, w), facts[n:]...)
	return title, append(lines, events[n:]...)
}

// cutLeft takes the room at the left away from lines of w cells.
func cutLeft(lines []widget.Line, left, w int) []widget.Line {
	out := make([]widget.Line, len(lines))
	for i, l := range lines {
		out[i] = l.Cut(left, w)
	}
	return out
}

// told is the timeline that was drawn last: an incident can have thousands of
// events, and a frame has 16 ms.
type told struct {
	id         int64
	left, w, n int
	lines      []widget.Line
}

// events is the timeline of r in w cells, of which left are blank.
func (v *View) events(r *row, left, w int) []widget.Line {
	indent := widget.S(theme.Text, widget.Pad("", left, false))
	if _, ok := v.known[r.ID]; !ok {
		return []widget.Line{widget.L(indent, widget.S(theme.Dim, "reading what happened"+v.c.Theme.Glyphs.Ellipsis))}
	}
	if t := &v.told; t.id != r.ID || t.left != left || t.w != w || t.n != len(r.Events) {
		*t = told{r.ID, left, w, len(r.Events), timeline(v.c, &r.Incident, w-left)}
		for i, l := range t.lines {
			t.lines[i] = append(widget.L(indent), l...)
		}
	}
	return v.told.lines
}

// facts are what the incident came to.
func (v *View) facts(r *row, w int) (out []widget.Line) {
	now := v.c.Now()
	add := func(label string, role theme.Role, text string) {
		if text != "" {
			out = append(out, say(label, role, text, w)...)
		}
	}
	add("What", theme.Strong, r.Headline)
	length := "goes on for " + widget.Age(r.Length(now))
	if !r.Open() {
		length = widget.Age(r.Length(now)) + " until the chain that it began with worked again"
	}
	if d := time.Duration(r.Unobserved); d > 0 {
		length += "; nobody watched for " + widget.Age(d) + " of it"
	}
	add("Length", theme.Text, length)
	switch {
	case r.RTO != nil:
		add("RTO", theme.Text, "builds worked again after "+widget.Age(time.Duration(*r.RTO)))
	case r.Open():
		add("RTO", theme.Bad, "builds do not work yet")
	}
	if d := r.Detected.Sub(r.Opened.Time); d > 0 {
		add("Detected", theme.Text, fmt.Sprintf("after %.1f s", d.Seconds()))
	}
	add("Broken", theme.Text, strings.Join(r.Endpoints, ", "))
	add("Because", theme.Text, r.causes())
	add("GOPROXY", theme.Text, r.Chain)
	note, role := r.Note, theme.Text
	if note == "" {
		note, role = "n writes one", theme.Dim
	}
	add("Note", role, note)
	if r.Imported {
		add("From", theme.Warn, "another machine: it was imported")
	}
	if r.Synthetic {
		add("From", theme.Warn, "the demo: it was made up")
	}
	if s := r.Settings; s.Interval > 0 {
		add("Settings", theme.Dim, fmt.Sprintf("a probe every %s, given up after %s; %s in a row are down",
			widget.Millis(time.Duration(s.Interval)), widget.Millis(time.Duration(s.Timeout)), widget.Count(s.Threshold, "failure")))
	}
	return out
}

// clock is the time of an instant, with its day where that is not the one of from.
func clock(t, from, now time.Time) string {
	t, from = t.In(now.Location()), from.In(now.Location())
	if t.Year() == from.Year() && t.YearDay() == from.YearDay() {
		return t.Format("15:04:05")
	}
	return dayOf(t, now) + " " + t.Format("15:04:05")
}

// eventWord names what an event is, in the colour of good or bad news.
func eventWord(e *incident.Event) (string, theme.Role) {
	switch e.Kind {
	case incident.Opened:
		return "opened", theme.Bad
	case incident.Detected:
		return "detected", theme.Bad
	case incident.Reopened:
		return "broke again", theme.Bad
	case incident.Mitigated:
		return "mitigated", theme.Good
	case incident.Resolved:
		return "resolved", theme.Good
	case incident.Action:
		return "done", theme.Accent
	case incident.Checksums:
		return "checksums", theme.Warn
	case incident.Gap:
		return "unobserved", theme.Warn
	case incident.Environ:
		return "settings", theme.Text
	case incident.StoodDown:
		return "stood down", theme.Warn
	case incident.RecorderIs:
		return "recorder", theme.Dim
	case incident.Turned:
		switch e.Health {
		case monitor.Down:
			return "endpoint", theme.Bad
		case monitor.Up:
			return "endpoint", theme.Good
		}
		return "endpoint", theme.Warn
	}
	return string(e.Kind), theme.Text
}

// timeline tells the events in their order.
func timeline(c *view.Common, i *incident.Incident, w int) (out []widget.Line) {
	const word = 11
	now := c.Now()
	day := ""
	for n := range i.Events {
		e := &i.Events[n]
		at := e.At.In(now.Location())
		if d := at.Format("2006-01-02"); d != day && day != "" {
			out = append(out, widget.L(widget.S(theme.Dim, dayOf(at, now))))
		}
		day = at.Format("2006-01-02")
		name, role := eventWord(e)
		lead := widget.L(widget.S(theme.Text, at.Format("15:04:05")), widget.S(theme.Dim, widget.Pad(offset(at.Sub(i.Opened.Time)), 9, true)+"  "),
			widget.S(role, widget.Pad(name, word, false)+" "))
		for _, s := range widget.Wrap(e.Text, max(w-lead.Width(), 8)) {
			out = append(out, append(lead, widget.S(theme.Text, s)))
			lead = widget.L(widget.S(theme.Text, widget.Pad("", lead.Width(), false)))
		}
	}
	return out
}

// offset is the time since an incident was opened, with its sign.
func offset(d time.Duration) string {
	if d <= -time.Second {
		return "-" + widget.Age(-d)
	}
	return "+" + widget.Age(d)
}
