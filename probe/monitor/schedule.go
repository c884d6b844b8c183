package monitor

import (
	"math/rand/v2"
	"slices"
	"time"

	"gpx/probe"
)

// overlapLimit is how many extra probes one regular probe may lead to. A black
// hole needs two; an endpoint that fails every other time would otherwise be
// asked four times a second for ever.
const overlapLimit = 8

// secondOpinion is how old the latest probe of another endpoint must be for the
// first failure of a hop to ask it again: is it the hop, or the network?
const secondOpinion = 2 * time.Second

// A flight is a probe under way.
type flight struct {
	id    int
	start time.Time
	void  bool // its outcome counts for nothing
}

// A target is an endpoint that is watched.
type target struct {
	spec
	key string

	Track
	last    probe.Result
	lastAt  time.Time // start of the probe that last came from
	probed  bool
	flights []flight

	next    time.Time // the next regular probe
	latest  time.Time // start of the latest probe
	extras  int       // overlapping probes since the last regular one
	backoff time.Duration
	seen    bool   // answered in this round
	route   string // raw base URL that answers for the checksum database
	via     int
}

// A job is a probe that the schedule wants to be started.
type job struct {
	id   int
	key  string
	spec spec
}

// A schedule decides when what is probed, and keeps what came of it. It starts
// nothing and reads no clock: the caller says what time it is. The same calls
// at the same times have the same outcome.
type schedule struct {
	cfg     Config
	rand    *rand.Rand
	targets []*target // in the order of the specs
	flights int       // ids given
	round   int       // completed
	began   time.Time
	gap     *Gap // to be shown in the next snapshot
}

func newSchedule(cfg Config, seed uint64) *schedule {
	return &schedule{cfg: cfg, rand: rand.New(rand.NewPCG(seed, 0x67707821))}
}

// set changes what is watched. Targets that stay keep their past; new ones are
// due at once. What goes takes its flights with it.
func (s *schedule) set(specs []spec, now time.Time) {
	if s.began.IsZero() {
		s.began = now
	}
	old := s.targets
	s.targets = nil
	for _, sp := range specs {
		key := sp.ep.Key()
		i := slices.IndexFunc(old, func(t *target) bool { return t.key == key })
		if i < 0 {
			s.targets = append(s.targets, &target{spec: sp, key: key, next: now, Track: NewTrack(now)})
			continue
		}
		t := old[i]
		if same := sp.ep.URL == t.ep.URL && sp.ep.Module == t.ep.Module && sp.ep.SumDB == t.ep.SumDB; !same {
			t.next = now // other credentials, another canary: ask again
		} else if t.role != sp.role {
			t.next = earlier(t.next, now.Add(s.every(&target{spec: sp})))
		}
		t.spec = sp
		s.targets = append(s.targets, t)
	}
}

// reroute says that the chain is another one. The checksum database is asked by
// another way from now on: what is under way tells of the old one, and what is known
// of it would be blamed on the new one until the next regular probe.
func (s *schedule) reroute(now time.Time) {
	for _, t := range s.targets {
		if t.role != roleSumDB {
			continue
		}
		for i := range t.flights {
			t.flights[i].void = true
		}
		if t.backoff == 0 {
			t.next = now
		}
	}
}

func (s *schedule) find(key string) *target {
	for _, t := range s.targets {
		if t.key == key || t.last.URL == key && key != "" && t.role != roleThrough {
			return t
		}
	}
	return nil
}

// every is the regular interval of t. Version control is asked as seldom as
// what is no hop: each probe starts a git process.
func (s *schedule) every(t *target) time.Duration {
	if (t.role == roleHop || t.role == roleOriginal) && t.ep.Kind != probe.KindDirect {
		return s.cfg.HopEvery
	}
	return s.cfg.OtherEvery
}

// due returns the probes that are to be started now.
func (s *schedule) due(now time.Time) []job {
	var jobs []job
	for _, t := range s.targets {
		regular := !now.Before(t.next)
		if !regular && !s.overlap(t, now) {
			continue
		}
		if regular {
			every := s.every(t)
			t.next = now.Add(every - time.Duration(s.cfg.Jitter*s.rand.Float64()*float64(every)))
			t.extras = 0
		} else {
			t.extras++
		}
		s.flights++
		t.flights = append(t.flights, flight{id: s.flights, start: now})
		t.latest = now
		jobs = append(jobs, job{id: s.flights, key: t.key, spec: t.spec})
	}
	s.closeRound(now)
	return jobs
}

// overlap reports whether an extra probe of t is due now.
func (s *schedule) overlap(t *target, now time.Time) bool {
	at, ok := s.overlapAt(t, now)
	return ok && !now.Before(at)
}

// overlapAt is when the next extra probe of t is due, if one will be.
func (s *schedule) overlapAt(t *target, now time.Time) (time.Time, bool) {
	if t.backoff > 0 || t.role == roleThrough {
		return time.Time{}, false
	}
	f := Flights{N: len(t.flights), Latest: t.latest, Extras: t.extras}
	if t.punctual() && len(t.flights) > 0 && !t.flights[0].void {
		f.First = t.flights[0].start
	}
	return t.Overlap(s.cfg, f, now)
}

// punctual reports whether an answer that is late says anything: version control
// takes its time, and so does the walk to the database past a hop that is silent.
func (t *target) punctual() bool { return t.ep.Kind != probe.KindDirect && t.role != roleSumDB }

// wake is the next time at which due has something to do.
func (s *schedule) wake(now time.Time) time.Time {
	next := now.Add(time.Minute)
	for _, t := range s.targets {
		next = earlier(next, t.next)
		if at, ok := s.overlapAt(t, now); ok {
			next = earlier(next, at)
		}
	}
	if s.round == 0 {
		next = earlier(next, s.began.Add(s.cfg.Burst))
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// An outcome is what a probe came to.
type outcome struct {
	result probe.Result
	route  string // of the checksum database: the raw base URL that answers
	via    int    // and the hop that it belongs to
}

// done takes the outcome of a probe that due returned. It reports whether it
// counted: what was in flight across a gap, or when its endpoint went away,
// does not.
func (s *schedule) done(id int, o outcome, now time.Time) bool {
	t, f, ok := s.land(id)
	if !ok || f.void {
		return false
	}
	t.seen = true
	if !f.start.Before(t.lastAt) {
		t.last, t.lastAt, t.probed = o.result, f.start, true
		t.route, t.via = o.route, o.via
	}
	total := time.Duration(o.result.Phases.Total)
	if total <= 0 {
		total = now.Sub(f.start)
	}
	before := t.cond
	t.Sample(s.cfg, o.result.Class, f.start, total, now)
	s.backOff(t, o.result, now)
	s.hurry(t, now)

	// One hop's trouble, or its recovery, is a question to all the others.
	fresh := before.Health != Suspect && before.Health != Down && t.cond.Health == Suspect
	back := before.Health == Down && t.cond.Health != Down
	if t.role == roleHop && (fresh || back) {
		s.askOthers(now)
	}
	s.closeRound(now)
	return true
}

// land takes flight id off the list.
func (s *schedule) land(id int) (*target, flight, bool) {
	for _, t := range s.targets {
		for i, f := range t.flights {
			if f.id == id {
				t.flights = slices.Delete(t.flights, i, i+1)
				return t, f, true
			}
		}
	}
	return nil, flight{}, false
}

// backOff leaves an endpoint alone that asked for it with a 429.
func (s *schedule) backOff(t *target, r probe.Result, now time.Time) {
	if r.Class != probe.RateLimited {
		t.backoff = 0
		return
	}
	t.backoff = max(min(2*t.backoff, s.cfg.BackoffMax), s.cfg.BackoffMin)
	wait := t.backoff
	if asked := time.Duration(r.RetryAfter); asked > 0 {
		wait = min(max(asked, s.cfg.BackoffMin), s.cfg.RetryAfterMax)
	}
	t.next = now.Add(wait)
}

// askOthers makes due what is asked seldom and tells hop from network, unless it
// was asked just now.
func (s *schedule) askOthers(now time.Time) {
	for _, t := range s.targets {
		seldom := t.role != roleExtra && s.every(t) > s.cfg.HopEvery
		if seldom && t.backoff == 0 && now.Sub(t.latest) > secondOpinion {
			t.next = earlier(t.next, now)
		}
	}
}

// closeRound counts a round when every target has answered since the last; the
// first one is over after Config.Burst whatever has not.
func (s *schedule) closeRound(now time.Time) {
	if s.began.IsZero() || len(s.targets) == 0 && s.round > 0 {
		return
	}
	over := s.round == 0 && now.Sub(s.began) >= s.cfg.Burst
	if !over && slices.ContainsFunc(s.targets, func(t *target) bool { return !t.seen && t.role != roleThrough }) {
		return
	}
	s.round++
	for _, t := range s.targets {
		t.seen = false
	}
}

// ask makes the named targets due now, all of them when none is named.
func (s *schedule) ask(now time.Time, keys ...string) {
	for _, t := range s.targets {
		if len(keys) == 0 {
			t.next = now
		}
	}
	for _, key := range keys {
		if t := s.find(key); t != nil {
			t.next = now
			for _, h := range s.targets {
				if h.role == roleThrough && h.ep.URL == t.ep.URL {
					h.next = now
				}
			}
		}
	}
}

// skip says that nobody watched from one instant to another: runs do not go on
// across it, what is in flight counts for nothing, and everything is due that has
// not asked to be left alone.
func (s *schedule) skip(from, to, now time.Time) {
	s.gap = newGap(from, to)
	for _, t := range s.targets {
		t.Skip()
		for i := range t.flights {
			t.flights[i].void = true
		}
		if t.backoff == 0 {
			t.next = now
		}
	}
}

// settled reports whether the burst that began at start has nothing more to
// wait for.
func (s *schedule) settled(start, now time.Time) bool {
	if now.Sub(start) >= s.cfg.Burst {
		return true
	}
	late := now.Sub(start) >= s.cfg.Settle
	for _, t := range s.targets {
		if t.backoff > 0 && t.probed {
			continue
		}
		if t.lastAt.Before(start) || !t.probed {
			return false
		}
		if t.cond.Doubtful() && !late && t.role != roleThrough {
			return false
		}
	}
	return true
}

// inFlight returns the ids of the probes under way.
func (s *schedule) inFlight() map[int]bool {
	ids := map[int]bool{}
	for _, t := range s.targets {
		for _, f := range t.flights {
			ids[f.id] = true
		}
	}
	return ids
}
