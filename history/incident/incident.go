package incident

import (
	"time"

	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
)

// An Incident is one outage.
type Incident struct {
	ID int64 `json:"id"`
	// Opened is the start of the first probe of the run of failures that made it
	// an outage; Detected the snapshot whose verdict first said so.
	Opened   wire.Time `json:"opened"`
	Detected wire.Time `json:"detected"`
	// Mitigated is when builds worked again by whatever chain, Resolved when the
	// chain worked that was in force when it opened. Null until then.
	Mitigated wire.Time `json:"mitigated"`
	Resolved  wire.Time `json:"resolved"`
	// RTO is the time from Opened to Mitigated; null until then.
	RTO *wire.Millis `json:"rto_ms"`

	Headline  string        `json:"headline"`  // of the verdict when it was detected
	Scope     monitor.Scope `json:"scope"`     // of that verdict
	Causes    []probe.Class `json:"causes"`    // the classes that broke it, first seen first
	Endpoints []string      `json:"endpoints"` // redacted URLs of what was broken, first seen first
	Chain     string        `json:"chain"`     // redacted GOPROXY in force when it opened
	Note      string        `json:"note"`
	// Unobserved is how much of it nobody watched.
	Unobserved wire.Millis `json:"unobserved_ms"`
	Synthetic  bool        `json:"synthetic"` // made up, for the demo
	Imported   bool        `json:"imported"`  // it was seen on another machine
	Settings   Settings    `json:"settings"`  // in force when it opened
	Events     []Event     `json:"events,omitempty"`
}

// Open reports whether the incident still goes on.
func (i *Incident) Open() bool { return i.Resolved.IsZero() }

// Length is how long it was until Resolved, or until now.
func (i *Incident) Length(now time.Time) time.Duration {
	if !i.Open() {
		now = i.Resolved.Time
	}
	return max(now.Sub(i.Opened.Time), 0)
}

// Settings are the bounds that decided when it was detected.
type Settings struct {
	Interval  wire.Millis `json:"interval_ms"` // between two probes of a hop
	Timeout   wire.Millis `json:"timeout_ms"`  // of one probe
	Threshold int         `json:"threshold"`   // failures in a row that are down
	Lossy     int         `json:"lossy"`       // the same for an endpoint that loses single probes
	Strategy  string      `json:"strategy"`    // by which a chain is recommended
	Automatic bool        `json:"automatic"`   // whether gpx switched by itself
}

// An EventKind says what an [Event] tells.
type EventKind string

// The kinds of events.
const (
	Opened     EventKind = "opened"
	Detected   EventKind = "detected"
	Mitigated  EventKind = "mitigated"
	Resolved   EventKind = "resolved"
	Reopened   EventKind = "reopened"   // it broke again before it was over for a minute
	Verdict    EventKind = "verdict"    // the headline is another one
	Turned     EventKind = "endpoint"   // an endpoint's health or class is another one
	Action     EventKind = "action"     // a change of the journal, or its undoing
	Checksums  EventKind = "checksums"  // switched off or on
	Gap        EventKind = "unobserved" // nobody watched until this instant
	Environ    EventKind = "environment"
	RecorderIs EventKind = "recorder"   // another process records now
	StoodDown  EventKind = "stood_down" // gpx does not switch by itself any more: somebody else did
)

// An Event is something that happened in an incident.
type Event struct {
	At   wire.Time `json:"at"`
	Kind EventKind `json:"kind"`
	Text string    `json:"text"` // one line, clean

	Endpoint string         `json:"endpoint,omitempty"` // redacted URL
	Health   monitor.Health `json:"health,omitempty"`
	Class    probe.Class    `json:"class,omitempty"`
	Change   string         `json:"change,omitempty"` // id in the journal
	From     wire.Time      `json:"from,omitzero"`    // where a gap began
}

// An Endpoint is what was probed.
type Endpoint struct {
	URL  string     `json:"url"` // redacted; it identifies the endpoint together with its kind
	Kind probe.Kind `json:"kind"`
}

// A Sample is one probe. Its phases are zero where only the total was kept.
type Sample struct {
	At       wire.Time    `json:"at"`       // when it began
	Endpoint int          `json:"endpoint"` // index into [Recording.Endpoints]
	Class    probe.Class  `json:"class"`
	Status   int          `json:"http_status,omitempty"`
	Phases   probe.Phases `json:"phases"`
}

// Ended is when the outcome of s was known.
func (s *Sample) Ended() time.Time { return s.At.Add(time.Duration(s.Phases.Total)) }

// A Frame is a snapshot that differs from the one before in more than times and
// windows: those are made of the samples again. Its windows are empty.
type Frame struct {
	Snapshot monitor.Snapshot `json:"snapshot"`
}

// A Recording is an incident with all that was seen around it.
type Recording struct {
	Incident  Incident   `json:"incident"` // with its events
	From      wire.Time  `json:"from"`     // what was recorded: some time before it
	To        wire.Time  `json:"to"`       // and some after
	Endpoints []Endpoint `json:"endpoints"`
	Samples   []Sample   `json:"samples"` // by At
	Frames    []Frame    `json:"frames"`  // by their snapshot's At
}
