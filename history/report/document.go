package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

// A Document is everything that a report says, and its JSON form.
type Document struct {
	Format    string    `json:"format"` // "gpx-incident-report"
	Version   int       `json:"version"`
	Generated wire.Time `json:"generated"`

	Headline  string        `json:"headline"`
	State     string        `json:"state"` // open mitigated resolved
	Scope     monitor.Scope `json:"scope"`
	Chain     string        `json:"chain"`
	Note      string        `json:"note"`
	Synthetic bool          `json:"synthetic"`
	Imported  bool          `json:"imported"`

	Opened    wire.Time `json:"opened"`
	Detected  wire.Time `json:"detected"`
	Mitigated wire.Time `json:"mitigated"`
	Resolved  wire.Time `json:"resolved"`
	// TimeToDetect and RTO count from Opened; null until it was detected, and until
	// builds worked again. Length goes on until Generated while it is open.
	TimeToDetect *wire.Millis `json:"time_to_detect_ms"`
	RTO          *wire.Millis `json:"rto_ms"`
	Length       wire.Millis  `json:"length_ms"`
	Unobserved   wire.Millis  `json:"unobserved_ms"`

	Causes     []Cause           `json:"causes"`
	Endpoints  []Endpoint        `json:"endpoints"`
	Timeline   []incident.Event  `json:"timeline"`
	Actions    []incident.Event  `json:"actions"` // those of the timeline that gpx did, for somebody or by itself
	Settings   incident.Settings `json:"settings"`
	CannotTell []string          `json:"cannot_tell"`

	From    wire.Time `json:"from"` // what was recorded
	To      wire.Time `json:"to"`
	Samples int       `json:"samples"`
}

// A Cause is a class that broke it, in the words of the table of classes.
type Cause struct {
	Class   probe.Class `json:"class"`
	Meaning string      `json:"meaning"`
	GoDoes  string      `json:"go_does"`
	Advice  string      `json:"advice"`
}

// An Endpoint is how one endpoint did between Opened and the end.
type Endpoint struct {
	URL    string     `json:"url"`
	Kind   probe.Kind `json:"kind"`
	Broken bool       `json:"broken"` // it is among those that made it an incident
	// Samples are the probes; Availability is the share that did not fail, and the
	// times are of those: null where there is none.
	Samples      int          `json:"samples"`
	Failed       int          `json:"failed"`
	Availability *float64     `json:"availability"` // 0..1
	P50          *wire.Millis `json:"p50_ms"`
	P95          *wire.Millis `json:"p95_ms"`
	Classes      []ClassCount `json:"classes"` // most frequent first
}

// A ClassCount is how often a class came.
type ClassCount struct {
	Class   probe.Class `json:"class"`
	Samples int         `json:"samples"`
}

// JSON writes the document.
func JSON(w io.Writer, r *incident.Recording, now time.Time) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(Of(r, now))
}

// Of collects what there is to say about r as of now.
func Of(r *incident.Recording, now time.Time) Document { return document(cleaned(r), now) }

func document(r *incident.Recording, now time.Time) Document {
	i := &r.Incident
	d := Document{
		Format: "gpx-incident-report", Version: 1, Generated: wire.At(now),
		Headline: i.Headline, State: "open", Scope: i.Scope, Chain: i.Chain, Note: i.Note,
		Synthetic: i.Synthetic, Imported: i.Imported,
		Opened: i.Opened, Detected: i.Detected, Mitigated: i.Mitigated, Resolved: i.Resolved,
		TimeToDetect: since(i.Opened, i.Detected), RTO: since(i.Opened, i.Mitigated),
		Length: wire.Millis(i.Length(now)), Unobserved: i.Unobserved, Settings: i.Settings,
		From: r.From, To: r.To, Samples: len(r.Samples),
		Causes: []Cause{}, Timeline: append([]incident.Event{}, i.Events...), Actions: []incident.Event{},
	}
	switch {
	case !i.Open():
		d.State = "resolved"
	case !i.Mitigated.IsZero():
		d.State = "mitigated"
	}
	for _, c := range i.Causes {
		info := c.Info()
		d.Causes = append(d.Causes, Cause{c, info.Meaning, info.GoDoes, info.Advice})
	}
	slices.SortStableFunc(d.Timeline, func(a, b incident.Event) int { return a.At.Compare(b.At.Time) })
	for _, e := range d.Timeline {
		if e.Kind == incident.Action {
			d.Actions = append(d.Actions, e)
		}
	}
	d.Endpoints = endpoints(r, now)
	d.CannotTell = cannotTell(r, d)
	return d
}

// since is the time from one instant to another, null before there is one.
func since(from, to wire.Time) *wire.Millis {
	if from.IsZero() || to.IsZero() {
		return nil
	}
	d := wire.Millis(max(0, to.Sub(from.Time)))
	return &d
}

// endpoints counts the samples that began while the incident was open.
func endpoints(r *incident.Recording, now time.Time) []Endpoint {
	i := &r.Incident
	end := now
	if !i.Open() {
		end = i.Resolved.Time
	}
	all := make([]Endpoint, len(r.Endpoints))
	counts := make([]map[probe.Class]int, len(all))
	times := make([][]wire.Millis, len(all))
	for n, e := range r.Endpoints {
		all[n] = Endpoint{URL: e.URL, Kind: e.Kind, Broken: slices.Contains(i.Endpoints, e.URL), Classes: []ClassCount{}}
		counts[n] = map[probe.Class]int{}
	}
	for _, s := range r.Samples {
		if s.Endpoint < 0 || s.Endpoint >= len(all) || s.At.Before(i.Opened.Time) || !s.At.Before(end) {
			continue
		}
		e := &all[s.Endpoint]
		e.Samples++
		counts[s.Endpoint][class(s.Class)]++
		if s.Class.Failed() {
			e.Failed++
		} else {
			times[s.Endpoint] = append(times[s.Endpoint], s.Phases.Total)
		}
	}
	for n := range all {
		e := &all[n]
		if e.Samples > 0 {
			share := float64(e.Samples-e.Failed) / float64(e.Samples)
			e.Availability = &share
		}
		slices.Sort(times[n])
		e.P50, e.P95 = quantile(times[n], 50), quantile(times[n], 95)
		for c, count := range counts[n] {
			e.Classes = append(e.Classes, ClassCount{c, count})
		}
		slices.SortFunc(e.Classes, func(a, b ClassCount) int {
			return cmp.Or(cmp.Compare(b.Samples, a.Samples), cmp.Compare(a.Class, b.Class))
		})
	}
	slices.SortStableFunc(all, func(a, b Endpoint) int { // what broke first
		switch {
		case a.Broken == b.Broken:
			return 0
		case a.Broken:
			return -1
		}
		return 1
	})
	return all
}

// quantile is the nearest rank in sorted times.
func quantile(sorted []wire.Millis, percent int) *wire.Millis {
	if len(sorted) == 0 {
		return nil
	}
	return &sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

// cannotTell says what nobody should read out of the report.
func cannotTell(r *incident.Recording, d Document) []string {
	i := &r.Incident
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if i.Synthetic {
		say("It was made up for a demonstration.")
	}
	if i.Open() {
		say("It is not over: lengths and shares are as of %s.", clock(d.Generated))
	}
	if i.Unobserved > 0 {
		say("Nobody watched for %s of it. What happened then is not known and counts for nothing; the lengths above include it.", words(i.Unobserved))
	}
	switch {
	case len(r.Samples) == 0:
		say("No probe of it was kept: there are no shares, no times and no lanes.")
	case !goodBefore(r):
		say("No good answer from before it was recorded: it may have begun earlier.")
	}
	if i.Settings.Interval > 0 {
		say("A hop that works was asked about every %s: it may have begun that much earlier, and what happened between two probes is not known.", words(i.Settings.Interval))
	}
	for _, e := range d.Endpoints {
		if e.Broken && e.Samples == 0 && len(r.Samples) > 0 {
			say("%s was not probed while it lasted.", e.URL)
		}
	}
	if totalsOnly(r) {
		say("Only the whole time of each probe was kept: which phase was slow is not known.")
	}
	if i.Imported {
		say("It was recorded on another machine, by that machine's clock and through its network.")
	}
	say("These are the answers to gpx's own probes. Builds may have met failures that no probe met, and what was changed with other tools than gpx shows only by its effect.")
	return all
}

// goodBefore reports whether something that broke was seen to work before.
func goodBefore(r *incident.Recording) bool {
	return slices.ContainsFunc(r.Samples, func(s incident.Sample) bool {
		return s.At.Before(r.Incident.Opened.Time) && !s.Class.Failed() && s.Endpoint >= 0 && s.Endpoint < len(r.Endpoints) &&
			(len(r.Incident.Endpoints) == 0 || slices.Contains(r.Incident.Endpoints, r.Endpoints[s.Endpoint].URL))
	})
}

func totalsOnly(r *incident.Recording) bool {
	return len(r.Samples) > 0 && !slices.ContainsFunc(r.Samples, func(s incident.Sample) bool {
		return s.Phases.DNS != 0 || s.Phases.TCP != 0 || s.Phases.TLS != 0 || s.Phases.TTFB != 0
	})
}
