package backtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe/failover"
)

// Options are the settings to be tried; what is zero is as it was.
type Options struct {
	Interval  time.Duration // between two probes of a hop
	Timeout   time.Duration // of one probe of a proxy
	Threshold int           // failures in a row that are down
	Strategy  string        // by which gpx chooses a chain when it switches by itself
	Chain     string        // a GOPROXY value in the place of the one that it opened with
	Automatic *bool         // whether gpx switches by itself
}

// An Outcome is how the incident goes with some settings.
type Outcome struct {
	Settings incident.Settings `json:"settings"`
	Chain    string            `json:"chain"` // redacted: the one that it opens with
	// Detected and Mitigated are null where that does not come to pass. A chain
	// that works throughout is never detected, and mitigated when it opened.
	Detected  wire.Time `json:"detected"`
	Mitigated wire.Time `json:"mitigated"`
	// TimeToDetect and RTO count from the start of the first probe that failed in
	// the recording.
	TimeToDetect *wire.Millis `json:"time_to_detect_ms"`
	RTO          *wire.Millis `json:"rto_ms"`
	// Outages is how often an outage was called in all that was recorded; Flaps are
	// those of them that were over before the incident or began after it.
	Outages int    `json:"outages"`
	Flaps   int    `json:"flaps"`
	Why     string `json:"why"` // one line
	// CannotTell is what the recording does not hold, a line each.
	CannotTell []string `json:"cannot_tell"`
}

// Run tells how the incident of r would have gone. Text of r and o is cleaned.
//
// Where in a coarser schedule an outage begins is chance; it is told when it is
// detected and mitigated at the latest.
func Run(r *incident.Recording, o Options) Outcome { return newTape(r).run(o) }

func (t *tape) run(o Options) Outcome {
	out := Outcome{Settings: t.in, Chain: redact.Text(t.Incident.Chain), CannotTell: []string{}}
	var say limits
	if o.Interval > 0 {
		out.Settings.Interval = millis(o.Interval)
	}
	if o.Timeout > 0 {
		out.Settings.Timeout = millis(o.Timeout)
	}
	if o.Threshold > 0 {
		out.Settings.Threshold = o.Threshold
		out.Settings.Lossy = o.Threshold + t.in.Lossy - t.in.Threshold
	}
	if o.Strategy != "" {
		out.Settings.Strategy = redact.Text(o.Strategy)
	}
	if o.Automatic != nil {
		out.Settings.Automatic = *o.Automatic
	}
	b := bounds{time.Duration(out.Settings.Interval), time.Duration(out.Settings.Timeout), out.Settings.Threshold, 0}
	was := bounds{time.Duration(t.in.Interval), time.Duration(t.in.Timeout), t.in.Threshold, 0}
	if b.interval < was.interval {
		say.add("what probes every %s would have seen: they were %s apart", short(b.interval), short(was.interval))
		b.interval = was.interval
	}
	if b.timeout > was.timeout {
		say.add("which answers would have come within %s: probes were given up after %s", short(b.timeout), short(was.timeout))
		b.timeout = was.timeout
	}
	c, other, ok := t.alternative(o.Chain, &out, &say)
	if !ok || len(t.Samples) == 0 {
		if len(t.Samples) == 0 {
			say.add("anything: the recording has no samples")
		}
		out.CannotTell = append(out.CannotTell, say...)
		out.Why = "the recording cannot tell"
		return out
	}
	if other && t.sums {
		say.add("whether the checksum database works through another chain: it is taken to have been as it was")
	}
	strategy, known := strategyOf(out.Settings.Strategy)
	if !known {
		say.add("what the strategy %q does: there is none of that name", out.Settings.Strategy)
	}
	byItself := out.Settings.Automatic && (!t.in.Automatic || other || out.Settings.Strategy != t.in.Strategy)
	if byItself && strategy == failover.Region {
		say.add("which region was wanted")
	}
	if !out.Settings.Automatic && t.in.Automatic {
		say.add("how fast a person would have switched: gpx did it by itself")
	}
	if u := time.Duration(t.Incident.Unobserved); u > 0 {
		say.add("what went on while nobody watched (%s)", u.Round(time.Second))
	}

	begin := func(b bounds, chain *chain.Chain, byItself bool) *course {
		course := newCourse(t, t.look(b), chain, byItself, strategy)
		course.alone = !out.Settings.Automatic && t.in.Automatic
		course.run()
		return course
	}
	worst := begin(b, c, byItself)
	detected := worst.detected
	for b.phase++; b.phase < min(int((b.interval+was.interval-1)/was.interval), phases); b.phase++ {
		course := begin(b, c, byItself)
		detected = later(detected, course.detected)
		if at := course.mitigated(); later(worst.mitigated(), at).Equal(at) {
			worst = course
		}
	}
	worst.detected = detected
	if s := worst.seen; s.stood > 0 {
		say.add("how %s would have ended that nobody sent: as those before and after, it is assumed", probes(s.stood))
	}
	if s := worst.seen; s.untold > 0 {
		say.add("how %s would have ended between a failure and an answer: they are left out", probes(s.untold))
	}
	for _, n := range worst.presumed {
		say.add("what %s was like before it was first probed: as it was then, it is assumed", redact.Text(t.Endpoints[n].URL))
	}
	worst.fill(&out)
	if len(worst.during()) == 0 && other && len(begin(was, c, false).during()) == 0 {
		avoid(t, &out)
	}
	worst.explain(&out)
	t.compare(o, &out, &say)
	out.CannotTell = append(out.CannotTell, say...)
	return out
}

// phases bounds how many places in a coarser schedule are tried.
const phases = 8

// alternative is the chain to be tried instead, nil for the recorded one; ok is false
// where it cannot be tried.
func (t *tape) alternative(value string, out *Outcome, say *limits) (c *chain.Chain, other, ok bool) {
	if value == "" {
		return nil, false, true
	}
	parsed, err := chain.Parse(value)
	if err != nil {
		out.Chain = redact.Value("GOPROXY", value)
		say.add("how this chain would have done: the go command rejects it: %s", redact.Text(err.Error()))
		return nil, true, false
	}
	if parsed.Redacted() == t.Incident.Chain {
		return nil, false, true
	}
	out.Chain = parsed.Redacted()
	ok = true
	for _, h := range parsed.Hops {
		if h.Kind != chain.Off && t.laneOf(h) < 0 {
			say.add("how %s was: it was not probed", h.Redacted())
			ok = false
		}
	}
	return &parsed, true, ok
}

func strategyOf(name string) (failover.Strategy, bool) {
	if name == "" {
		return failover.Latency, true
	}
	s := failover.Strategy(name)
	if !slices.Contains(failover.Strategies, s) {
		return failover.Latency, false
	}
	return s, true
}

// during are the outages of the incident.
func (c *course) during() []period {
	return slices.DeleteFunc(slices.Clone(c.outages), func(p period) bool {
		return p.from.After(c.t.over) || !p.to.IsZero() && !p.to.After(c.t.Incident.Opened.Time)
	})
}

// mitigated is when the last outage of the incident was over; zero where it was not,
// or where there was none.
func (c *course) mitigated() time.Time {
	if d := c.during(); len(d) > 0 {
		return d[len(d)-1].to
	}
	return time.Time{}
}

// later is the later one of two instants; zero is never.
func later(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && a.After(b) {
		return a
	}
	return b
}

// fill writes down how it went.
func (c *course) fill(out *Outcome) {
	out.Outages = len(c.outages)
	out.Flaps = out.Outages - len(c.during())
	opened := c.t.Incident.Opened.Time
	if !c.detected.IsZero() {
		out.Detected, out.TimeToDetect = wire.At(c.detected), after(c.detected, opened)
	}
	if at := c.mitigated(); !at.IsZero() && !c.detected.IsZero() {
		out.Mitigated, out.RTO = wire.At(at), after(at, opened)
	}
}

// avoid writes down that there is no outage.
func avoid(t *tape, out *Outcome) {
	out.Mitigated, out.RTO = t.Incident.Opened, after(t.Incident.Opened.Time, t.Incident.Opened.Time)
}

func after(at, opened time.Time) *wire.Millis {
	d := millis(max(at.Sub(opened), 0))
	return &d
}

// explain says in a line how it went.
func (c *course) explain(out *Outcome) {
	var say []string
	switch {
	case out.TimeToDetect == nil && out.RTO != nil:
		say = append(say, "no outage: the go command gets what it asks for throughout")
	case out.TimeToDetect == nil:
		say = append(say, "never called an outage")
	default:
		say = append(say, "detected after "+short(time.Duration(*out.TimeToDetect)))
		switch {
		case out.RTO == nil:
			say = append(say, "not mitigated in what was recorded")
		case len(c.chosen) > 0:
			say = append(say, fmt.Sprintf("mitigated after %s: gpx switches to %s", short(time.Duration(*out.RTO)), c.chosen[len(c.chosen)-1].value))
		default:
			say = append(say, "mitigated after "+short(time.Duration(*out.RTO)))
		}
	}
	if out.Flaps > 0 {
		word := "false alarm"
		if out.Flaps > 1 {
			word += "s"
		}
		say = append(say, fmt.Sprintf("%d %s outside the incident", out.Flaps, word))
	}
	out.Why = redact.Text(strings.Join(say, "; "))
}

// slack is how far what the samples say may be from what was recorded: snapshots
// come 100 ms apart, and times were cut.
const slack = time.Second

// compare says where the samples do not tell what was recorded, with the settings
// that were in force.
func (t *tape) compare(o Options, out *Outcome, say *limits) {
	if o != (Options{}) {
		return
	}
	i := &t.Incident
	for _, is := range []struct {
		name      string
		got, want time.Time
	}{{"detected", out.Detected.Time, i.Detected.Time}, {"mitigated", out.Mitigated.Time, i.Mitigated.Time}} {
		if is.got.IsZero() != is.want.IsZero() || is.got.Sub(is.want).Abs() > slack {
			say.add("why it was %s as the incident has it: the samples alone say otherwise", is.name)
		}
	}
}

// Limits are what cannot be told.
type limits []string

func (l *limits) add(format string, args ...any) {
	*l = append(*l, fmt.Sprintf(format, args...))
}

func millis(d time.Duration) wire.Millis { return wire.Millis(d) }

func probes(n int) string {
	if n == 1 {
		return "1 probe"
	}
	return fmt.Sprintf("%d probes", n)
}

// short is a duration as a person reads it.
func short(d time.Duration) string {
	if d >= 10*time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
