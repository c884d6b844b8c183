package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gpx/envctl/redact"
	"gpx/history"
	"gpx/history/incident"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// orderNames are the ways to sort each list, in the sequence in which o steps
// through them.
var orderNames = [lists][]string{
	incidents:  {"newest", "length", "rto", "endpoint"},
	statistics: {"availability", "p95", "name"},
}

// A row is one incident. Its texts are clean.
type row struct {
	incident.Incident
	start, worst, done string
}

// A figure is one endpoint's statistics, with clean texts.
type figure struct {
	history.EndpointStats
	name, kind string
}

// build makes the rows of both lists again, and keeps the cursor on its incident.
func (v *View) build() {
	now := v.c.Now()
	v.rows = v.rows[:0]
	for _, i := range v.all {
		if k, ok := v.known[i.ID]; ok {
			i.Events = k.Events
		}
		r := rowOf(i, now)
		if f := v.filter[incidents]; f == "" || matches(r.search(now), f) {
			v.rows = append(v.rows, r)
		}
	}
	slices.SortStableFunc(v.rows, func(a, b *row) int {
		switch v.order[incidents] {
		case 1:
			return cmp.Compare(b.Length(now), a.Length(now))
		case 2:
			return cmp.Compare(rto(b), rto(a))
		case 3:
			return cmp.Compare(a.worst, b.worst)
		}
		return b.Opened.Compare(a.Opened.Time)
	})
	t := &v.table[incidents]
	t.Sorted, t.Arrow = [...]int{colStart, colLength, colRTO, colWorst}[v.order[incidents]], v.c.Theme.Glyphs.Down
	t.SetRows(len(v.rows))
	t.Select(max(slices.IndexFunc(v.rows, func(r *row) bool { return r.ID == v.sel }), 0))

	v.figures = v.figures[:0]
	for _, s := range v.stats {
		f := &figure{s, redact.Text(s.URL), redact.Text(string(s.Kind))}
		if matches(strings.ToLower(f.name+" "+f.kind), v.filter[statistics]) {
			v.figures = append(v.figures, f)
		}
	}
	slices.SortStableFunc(v.figures, func(a, b *figure) int {
		switch v.order[statistics] {
		case 1:
			return cmp.Compare(b.P95, a.P95)
		case 2:
			return cmp.Compare(a.name, b.name)
		}
		return cmp.Compare(a.Availability, b.Availability)
	})
	t = &v.table[statistics]
	t.Sorted, t.Arrow = [...]int{colAvail, colP95, colEndpoint}[v.order[statistics]], v.c.Theme.Glyphs.Down
	t.SetRows(len(v.figures))
}

func rto(r *row) time.Duration {
	if r.RTO == nil {
		return -1
	}
	return time.Duration(*r.RTO)
}

// matches reports whether text has every word of query.
func matches(text, query string) bool {
	for _, w := range strings.Fields(strings.ToLower(query)) {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func rowOf(i incident.Incident, now time.Time) *row {
	r := &row{Incident: i, start: dayOf(i.Opened.Time, now) + " " + i.Opened.In(now.Location()).Format("15:04:05")}
	if len(i.Endpoints) > 0 {
		r.worst = view.HopName(i.Endpoints[0])
	}
	if len(i.Causes) > 0 {
		r.worst = strings.TrimPrefix(r.worst+": "+i.Causes[0].Words(), ": ")
	}
	if r.worst == "" {
		r.worst = i.Headline
	}
	var done []string
	for _, e := range i.Events {
		if e.Kind == incident.Action || e.Kind == incident.Checksums {
			done = append(done, e.Text)
		}
	}
	r.done = strings.Join(done, "; ")
	return r
}

// causes are the classes that broke it, as people read them.
func (r *row) causes() string {
	words := make([]string, len(r.Causes))
	for n, c := range r.Causes {
		words[n] = c.Words()
	}
	return strings.Join(words, ", ")
}

// search is all that a filter looks into, in small letters.
func (r *row) search(now time.Time) string {
	i := &r.Incident
	return strings.ToLower(strings.Join([]string{fmt.Sprintf("#%d", i.ID), r.start, lengthWord(i, now), i.Headline, string(i.Scope), i.Chain,
		strings.Join(i.Endpoints, " "), r.causes(), r.done, i.Note, strings.Join(marks(i), " ")}, " "))
}

// dayOf names the day of an instant.
func dayOf(t, now time.Time) string {
	t = t.In(now.Location())
	switch {
	case t.Year() != now.Year():
		return t.Format("2006-01-02")
	case t.YearDay() == now.YearDay():
		return "today"
	}
	return t.Format("Jan 02")
}

func lengthWord(i *incident.Incident, now time.Time) string {
	if i.Open() {
		return "open"
	}
	return widget.Age(i.Length(now))
}

// marks say what an incident is that this machine has not seen.
func marks(i *incident.Incident) (out []string) {
	if i.Imported {
		out = append(out, "imported")
	}
	if i.Synthetic {
		out = append(out, "made up")
	}
	return out
}
