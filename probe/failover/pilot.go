package failover

import (
	"fmt"
	"strings"
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/monitor"
)

// A PilotConfig holds the bounds of automatic switching.
type PilotConfig struct {
	// Quiet is how long the own chain must have been well before it comes back.
	Quiet time.Duration
	// MaxQuiet bounds what Quiet grows to, and is the time within which a chain that
	// came back and fails again has come back too soon: Quiet then doubles. A chain
	// that fails every twenty minutes is so left alone after the third time.
	MaxQuiet time.Duration
	// Pause is the least time from the second switch to the third while the own chain
	// is down, and before a switch that failed is tried again. It doubles each time, up
	// to MaxQuiet. The second comes at once: the first may have been to what the same
	// fault was about to take along.
	Pause time.Duration
	// Doubt is how long the checksum database may fail through the own chain before
	// that is unwell: a lost answer is asked for again within half of it.
	Doubt time.Duration
}

// DefaultPilotConfig returns the bounds of gpx.
func DefaultPilotConfig() PilotConfig {
	return PilotConfig{Quiet: 5 * time.Minute, MaxQuiet: time.Hour, Pause: 10 * time.Second, Doubt: 15 * time.Second}
}

// A Deed is what a [Pilot] wants to be done.
type Deed string

// The deeds.
const (
	Stay      Deed = ""
	Switch    Deed = "switch"     // make Step.Chain the chain in force
	Return    Deed = "return"     // bring the own chain back, which is Step.Chain
	StandDown Deed = "stand_down" // nothing, and say so: somebody else has changed GOPROXY
)

// A Step is what one snapshot comes to.
type Step struct {
	Deed  Deed
	Chain chain.Chain // raw
	Why   string      // one clean line; of Stay, why it does nothing in an outage
	News  bool        // Why was not said of the snapshot before
	// NoChain says that it stays because nothing better is known: another proxy that
	// is watched may change that.
	NoChain bool
}

// A Pilot decides when another chain is put in the place of the one that a person
// has chosen (the own chain), and when that comes back. It changes nothing, reads no
// clock and knows no machine: it is told what is seen, and what became of its steps.
//
//	          outage, and a chain is known that is sure to serve
//	own chain ─────────────────────────────────────────────────▶ substitute ──┐ it fails
//	   ▲ ▲                                                         │  │  ▲    │ too: another
//	   │ └───── the own chain has been well for the quiet time ────┘  │  └────┘
//	   │                                                              │ somebody else
//	   └── that chain has worked ── stands down ◀────── changes GOPROXY
//
// It switches for an outage alone that another chain can mend: one of a hop, or of
// the checksum database, that is down. It never switches to a chain that would show
// paths to a public host which the own chain keeps at home, never away from wrong
// bytes or a bad signature, which are for a person to look at, and never away from a
// value that somebody else has set and that has not worked yet.
type Pilot struct {
	cfg PilotConfig

	known   bool        // there was a snapshot
	current chain.Chain // in force; as this pilot left it, or as somebody else did
	proven  bool        // it has worked, or was in force at first, or is this pilot's

	flying   bool        // a substitute is in force
	own      chain.Chain // what comes back
	since    time.Time   // when the first substitute came
	sums     bool        // it came because of the checksum database
	switches int         // of this flight
	well     time.Time   // since when own is well; zero while it is not
	doubt    time.Time   // since when the database fails through own

	quiet    time.Duration
	acted    time.Time // when the last step was done
	returned time.Time // when own came back last
	fails    int       // steps in a row that could not be done
	rest     time.Time // no switch before that
	said     string
}

// NewPilot returns a pilot that has seen nothing.
func NewPilot(cfg PilotConfig) *Pilot {
	cfg.MaxQuiet = max(cfg.MaxQuiet, cfg.Quiet)
	return &Pilot{cfg: cfg, quiet: cfg.Quiet}
}

// A Flight is the time in which a substitute is in force.
type Flight struct {
	Own, Now chain.Chain // raw
	Since    time.Time
	Well     time.Time     // since when Own is well; zero while it is not
	Quiet    time.Duration // how long it has to be
}

// Flight returns the flight that goes on, if one does.
func (p *Pilot) Flight() (f Flight, ok bool) {
	return Flight{p.own, p.current, p.since, p.well, p.quiet}, p.flying
}

// StandsDown reports whether the chain in force is left alone, because somebody else
// has set it and it has not worked since.
func (p *Pilot) StandsDown() bool { return p.known && !p.proven }

// Resume goes on, at an instant before the first snapshot, with the flight of an
// earlier pilot: it put now in the place of own at since.
func (p *Pilot) Resume(own, now chain.Chain, since, at time.Time) {
	p.known, p.proven, p.flying = true, true, true
	p.own, p.current, p.since, p.switches, p.acted = own, now, since, 1, at
}

// Next says what to do about a snapshot. r is the request that was made of it;
// hidden says that the OS environment sets GOPROXY, so that no change would have an
// effect. The caller tells what became of a Switch and of a Return with Done or
// Failed before the next snapshot.
func (p *Pilot) Next(s monitor.Snapshot, r Request, hidden bool) Step {
	broken := s.Chain.Error != ""
	if s.Round == 0 || broken != (len(r.Current.Hops) == 0) || !broken && s.Chain.Value != r.Current.Redacted() {
		return Step{} // it is of another chain than the request, or of none yet
	}
	step := p.next(s, r, hidden)
	step.News = step.Why != "" && step.Why != p.said
	p.said = step.Why
	return step
}

func (p *Pilot) next(s monitor.Snapshot, r Request, hidden bool) Step {
	if p.changed(r.Current) {
		stood := p.flying
		*p = Pilot{cfg: p.cfg, quiet: p.cfg.Quiet, known: true, current: r.Current, acted: s.At.Time}
		if stood {
			return Step{Deed: StandDown, Chain: r.Current,
				Why: "somebody else has set GOPROXY to " + named(r.Current) + ": it is left alone until that has worked and fails"}
		}
	}
	if !p.known {
		p.known, p.proven, p.current = true, true, r.Current
	}
	p.watchOwn(s, r)
	if p.flying && !p.well.IsZero() && s.At.Sub(p.well) >= p.quiet {
		return Step{Deed: Return, Chain: p.own, Why: fmt.Sprintf("%s has been well for %s", named(p.own), short(p.quiet))}
	}
	switch s.Verdict.State {
	case monitor.StateOutage:
		return p.outage(s, r, hidden)
	case monitor.StateOK, monitor.StateDegraded:
		p.proven = true
	}
	return Step{}
}

// changed reports whether somebody else has changed the chain in force.
func (p *Pilot) changed(now chain.Chain) bool {
	return p.known && now.String() != p.current.String()
}

// Done tells that a step was done at an instant.
func (p *Pilot) Done(step Step, at time.Time) {
	p.fails = 0
	switch step.Deed {
	case Switch:
		if !p.flying {
			p.own, p.since, p.switches = p.current, at, 0
			if soon := !p.returned.IsZero() && at.Sub(p.returned) < p.cfg.MaxQuiet; soon {
				p.quiet = min(2*p.quiet, p.cfg.MaxQuiet)
			} else {
				p.quiet = p.cfg.Quiet
			}
		}
		p.flying = true
		p.switches++
		p.rest = at.Add(p.pause(p.switches - 1))
	case Return:
		p.flying, p.returned, p.rest = false, at, time.Time{}
	default:
		return
	}
	p.well, p.doubt = time.Time{}, time.Time{}
	p.current, p.proven, p.acted = step.Chain, true, at
}

// Failed tells that a step could not be done: it is tried again after a while. A
// return that failed for good shows as a GOPROXY that somebody else has changed.
func (p *Pilot) Failed(step Step, at time.Time) {
	p.fails++
	p.rest = at.Add(p.pause(p.fails))
	p.well = time.Time{}
}

// pause is the nth time of rest, of which each is twice the one before.
func (p *Pilot) pause(n int) time.Duration {
	if n == 0 {
		return 0
	}
	d := p.cfg.Pause
	for ; n > 1 && d < p.cfg.MaxQuiet; n-- {
		d *= 2
	}
	return min(d, p.cfg.MaxQuiet)
}

// outage decides what to do about a chain in force that does not serve.
func (p *Pilot) outage(s monitor.Snapshot, r Request, hidden bool) Step {
	stay := func(format string, args ...any) Step { return Step{Why: fmt.Sprintf(format, args...)} }
	resting := s.At.Before(p.rest)
	switch why, ok := mendable(s); {
	case !ok:
		return Step{Why: why}
	case !p.proven && s.At.Sub(p.acted) >= p.cfg.Pause:
		return stay("somebody else has set GOPROXY to %s, and it has not worked since: it is left alone until it has", named(r.Current))
	case !p.proven, s.Verdict.Scope == monitor.ScopeSumDB && p.inDoubt(s):
		return Step{} // a person is at it, or the cause is about to show
	case hidden:
		return stay("the OS environment sets GOPROXY, which hides what gpx would write: unset GOPROXY")
	case p.flying && !p.well.IsZero() && p.fails == 0:
		return Step{Deed: Return, Chain: p.own, Why: named(r.Current) + " fails, and " + named(p.own) + " works again"}
	case resting:
		return Step{}
	}
	own := r.Current
	if p.flying {
		own = p.own
	}
	rec := Recommend(r)
	switch {
	case !rec.Found:
		step := stay("no better chain is known: %s", strings.Join(rec.Reasons, "; "))
		step.NoChain = true
		return step
	case !rec.Sure:
		return stay("it is not known whether %s verifies what go.sum does not have", named(rec.Chain))
	case len(rec.Leaks) > 0:
		return stay("%s would be asked for %s, which looks private: only a person may decide that (gpx use --best)", rec.Leaks[0].Hop, rec.Leaks[0].Module)
	}
	if leak, ok := r.reveals(rec.Chain, own); ok {
		if leak.Module == "" {
			return stay("%s would be asked in the place of %s, and no project says which paths are private: only a person may decide that (gpx use --best)", leak.Hop, named(own))
		}
		return stay("%s would be asked for %s, which looks private: only a person may decide that (gpx use --best)", leak.Hop, leak.Module)
	}
	p.sums = p.flying && p.sums || s.Verdict.Scope == monitor.ScopeSumDB
	return Step{Deed: Switch, Chain: rec.Chain, Why: s.Verdict.Headline}
}

// mendable reports whether another chain would mend an outage: what decides is a hop,
// or the checksum database, that is down. why is "" where that is about to change.
func mendable(s monitor.Snapshot) (why string, ok bool) {
	health, class := s.SumDB.Health, s.SumDB.Class
	switch s.Verdict.Scope {
	case monitor.ScopeSumDB:
	case monitor.ScopeChain:
		h := decider(s.Chain.Hops)
		health, class = h.Health, h.Class
	default:
		return "another chain would not mend it: " + s.Verdict.Headline, false
	}
	switch {
	case class == probe.ChecksumMismatch || class == probe.SumDBUntrusted:
		return "wrong bytes are for a person to look at: " + s.Verdict.Headline, false
	case class == probe.NotFound:
		return "nothing is down: " + s.Verdict.Headline, false
	}
	return "", health == monitor.Down && class.Failed()
}

// inDoubt reports whether it is too early to say that the checksum database is down
// by itself: a proxy of the chain is in doubt, or has not been asked since. A proxy
// that dies takes the database along, which may show first; a chain that is made for
// the database alone could keep the proxy, behind which go waits 30 s for every
// request. And what is known of the database from before the last step is known of
// another chain.
func (p *Pilot) inDoubt(s monitor.Snapshot) bool {
	var down time.Time
	for _, e := range s.Endpoints {
		if e.Kind == probe.KindSumDB {
			if down = e.Since.Time; e.At.Before(p.acted) {
				return true
			}
		}
	}
	for _, e := range s.Endpoints {
		if e.Kind == probe.KindProxy && len(e.Hops) > 0 && e.Health != monitor.Down && (e.Health == monitor.Suspect || e.At.Before(down)) {
			return true
		}
	}
	return false
}

// decider is the hop at which the go command ends, or, before "off", the last one
// that it has asked.
func decider(hops []monitor.Hop) (d monitor.Hop) {
	for _, h := range hops {
		if h.GoWill == probe.GoOff && d.URL != "" {
			return d
		}
		d = h
		if h.GoWill != probe.Next {
			return d
		}
	}
	return d
}

// watchOwn notes since when the own chain is well: it serves without a wait, and
// new modules can be verified. What nobody has watched counts for nothing.
func (p *Pilot) watchOwn(s monitor.Snapshot, r Request) {
	at := s.At.Time
	o := s.Original
	if s.Gap != nil || !p.flying || o == nil || o.Value != p.own.Redacted() || !o.Works || waits(o.Hops) {
		p.well, p.doubt = time.Time{}, time.Time{}
		return
	}
	if !r.verifiesBy(p.own, p.sums) {
		if p.doubt.IsZero() {
			p.doubt = at
		}
		if at.Sub(p.doubt) >= p.cfg.Doubt {
			p.well = time.Time{}
		}
		return
	}
	p.doubt = time.Time{}
	if p.well.IsZero() {
		p.well = at
	}
}

// waits reports whether the go command waits at a hop before it moves on.
func waits(hops []monitor.Hop) bool {
	for _, h := range hops {
		if h.GoWill != probe.Next {
			return false
		}
		if h.Class.Info().GoWaits > 0 {
			return true
		}
	}
	return false
}

// verifiesBy reports whether c, whose hops serve, verifies what go.sum does not
// know. Where that is not known it is taken to, unless certain.
func (r Request) verifiesBy(c chain.Chain, certain bool) bool {
	if r.SumsComplete {
		return true
	}
	calm := r
	calm.Candidates = nil
	for _, c := range r.Candidates {
		if c.Health != monitor.Down && c.Class.Failed() {
			c.Class = probe.OK // one lost answer takes nothing down
		}
		calm.Candidates = append(calm.Candidates, c)
	}
	proof := calm.prove(c)
	return proof == proved || proof == unproved && !certain
}

// named is a chain in a sentence.
func named(c chain.Chain) string {
	if len(c.Hops) == 0 {
		return "a value that go rejects"
	}
	return c.Redacted()
}

// short is a time for a sentence: 5m, 1m30s.
func short(d time.Duration) string {
	s := d.Round(time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}
