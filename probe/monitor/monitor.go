package monitor

import (
	"context"
	"errors"
	"sync"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
)

// A Prober does the probes; *[probe.Prober] is one. Its methods return soon
// after their context ends.
type Prober interface {
	Probe(ctx context.Context, ep probe.Endpoint) probe.Result
	Deep(ctx context.Context, ep probe.Endpoint) probe.Result
	// SumDBRoute says where the go command would ask the checksum database.
	SumDBRoute(ctx context.Context, c chain.Chain, db chain.SumDB) (route []probe.Result, base string)
}

// Inputs say what to watch.
type Inputs struct {
	Env     *env.Env
	Project *project.Project // nil outside a project
	// Original is the chain that was in force before gpx switched away from it:
	// it goes on being probed, so that its recovery is seen. Nil when nothing
	// was switched.
	Original *chain.Chain
	// Extra are endpoints beyond what the go command uses: the catalog, once the
	// user agreed, and the user's own. They are asked for nothing of the project.
	Extra []probe.Endpoint
	// Prober replaces the monitor's prober, when the environment that it mimics
	// has changed; nil keeps it.
	Prober Prober
}

// A Monitor probes what its inputs name and tells its subscribers.
type Monitor struct {
	cfg   Config
	clock Clock
	kick  chan struct{} // something changed: look again
	wg    sync.WaitGroup

	mu      sync.Mutex
	prober  Prober
	in      Inputs
	plan    plan
	sched   *schedule
	watch   watch
	running bool
	cancel  map[int]context.CancelFunc // of the probes under way, by flight
	dirty   bool                       // there is something to publish
	sent    time.Time                  // when the last snapshot was
	latest  Snapshot
	ready   Readiness // what the next snapshots say of it
	readers map[chan Snapshot]bool
	bursts  []*burst
}

// A burst is somebody who waits for a round.
type burst struct {
	start time.Time
	over  chan struct{}
}

// New returns a monitor on the real clock. It does nothing until [Monitor.Run]
// or [Monitor.Burst].
func New(cfg Config, p Prober, in Inputs) *Monitor { return NewWithClock(cfg, p, in, RealClock{}) }

// NewWithClock is [New] on another clock.
func NewWithClock(cfg Config, p Prober, in Inputs, clock Clock) *Monitor {
	now := clock.Now()
	m := &Monitor{
		cfg: cfg, clock: clock, prober: p,
		kick:    make(chan struct{}, 1),
		sched:   newSchedule(cfg, uint64(now.UnixNano())),
		cancel:  map[int]context.CancelFunc{},
		readers: map[chan Snapshot]bool{},
		ready:   Readiness{State: "unknown"},
	}
	m.use(in, now)
	m.latest = m.snapshot(now)
	return m
}

// use takes inputs; m.mu is held, or m is not shared yet.
func (m *Monitor) use(in Inputs, now time.Time) {
	if in.Prober != nil {
		m.prober = in.Prober
	}
	was := m.plan.chain.String()
	m.in, m.plan = in, in.plan()
	before := m.sched.inFlight()
	m.sched.set(m.plan.specs, now)
	if was != "" && m.plan.chain.String() != was {
		m.sched.reroute(now)
	}
	after := m.sched.inFlight()
	for id := range before {
		if !after[id] && m.cancel[id] != nil {
			m.cancel[id]()
		}
	}
	m.dirty = true
}

// ErrRunning says that a monitor is run twice.
var ErrRunning = errors.New("monitor: it is running already")

// Run probes until ctx ends, and returns nil when every goroutine that it
// started has ended. The first round is a burst.
func (m *Monitor) Run(ctx context.Context) error {
	return m.run(ctx, nil)
}

// Burst probes everything once and returns what is known when all endpoints
// have answered, or after Config.Burst. Without Run it is all that happens and
// what has not answered is given up; beside Run it only hurries it.
func (m *Monitor) Burst(ctx context.Context) Snapshot {
	m.mu.Lock()
	now := m.clock.Now()
	b := &burst{start: now, over: make(chan struct{})}
	m.bursts = append(m.bursts, b)
	m.sched.ask(now)
	alone := !m.running
	m.mu.Unlock()

	if alone && m.run(ctx, b) == nil {
		return m.Snapshot()
	}
	m.wakeUp()
	select {
	case <-b.over:
	case <-ctx.Done():
	}
	return m.Snapshot()
}

// run is the loop behind Run and Burst. It ends with ctx, or when until is over.
func (m *Monitor) run(ctx context.Context, until *burst) error {
	m.mu.Lock()
	if m.running {
		m.mu.Unlock()
		return ErrRunning
	}
	m.running = true
	m.watch = watch{}
	m.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		m.wg.Wait()
		m.mu.Lock()
		m.running = false
		m.mu.Unlock()
	}()
	for {
		jobs, next, over := m.step(until)
		for _, j := range jobs {
			m.launch(ctx, j)
		}
		if over {
			return nil
		}
		timer := m.clock.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-m.kick:
			timer.Stop()
		case <-timer.C():
		}
	}
}

// step looks at the clock once: which probes are due, what is to be published,
// and how long there is nothing to do. Each probe gets its context in launch.
func (m *Monitor) step(until *burst) (jobs []job, sleep time.Duration, over bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	if from, to, gap := m.watch.look(now, m.cfg.Gap); gap {
		m.sched.skip(from, to, now)
		m.dirty = true
	}
	round := m.sched.round
	over = m.endBursts(until, now)
	if !over {
		jobs = m.sched.due(now)
	}
	m.dirty = m.dirty || m.sched.round != round
	if m.dirty && (over || now.Sub(m.sent) >= m.cfg.Publish) {
		m.publish(now)
	}
	wake := m.sched.wake(now)
	if m.dirty {
		wake = earlier(wake, m.sent.Add(m.cfg.Publish))
	}
	for _, b := range m.bursts {
		for _, d := range []time.Duration{m.cfg.Settle, m.cfg.Burst} {
			if at := b.start.Add(d); at.After(now) {
				wake = earlier(wake, at)
			}
		}
	}
	m.watch.planned = wake
	return jobs, wake.Sub(now), over
}

// endBursts tells those who wait for a round that it is over.
func (m *Monitor) endBursts(until *burst, now time.Time) (over bool) {
	waiting := m.bursts[:0]
	for _, b := range m.bursts {
		if !m.sched.settled(b.start, now) {
			waiting = append(waiting, b)
			continue
		}
		if m.sched.round == 0 {
			m.sched.round = 1 // what has not answered in this time is not waited for
		}
		over = over || b == until
		m.dirty = true
		m.publish(now)
		close(b.over)
	}
	m.bursts = waiting
	return over
}

// launch starts one probe.
func (m *Monitor) launch(ctx context.Context, j job) {
	ctx, cancel := context.WithCancel(ctx)
	m.mu.Lock()
	m.cancel[j.id] = cancel
	prober, p := m.prober, m.plan
	m.mu.Unlock()
	m.wg.Go(func() {
		defer cancel()
		o := ask(ctx, prober, &p, j)
		ended := ctx.Err() != nil // then the outcome is ours, not the endpoint's
		m.mu.Lock()
		delete(m.cancel, j.id)
		if !ended && m.sched.done(j.id, o, m.clock.Now()) {
			m.dirty = true
		}
		m.mu.Unlock()
		m.wakeUp()
	})
}

func (m *Monitor) wakeUp() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// publish makes a snapshot and hands it to everybody; m.mu is held.
func (m *Monitor) publish(now time.Time) {
	m.latest = m.snapshot(now)
	m.sched.gap = nil
	m.dirty, m.sent = false, now
	for c := range m.readers {
		offer(c, m.latest)
	}
}

// offer puts s into c, in the place of what nobody has read. Only the holder of
// Monitor.mu sends, so the second send finds room.
func offer(c chan Snapshot, s Snapshot) {
	select {
	case <-c:
	default:
	}
	select {
	case c <- s:
	default:
	}
}

// SetInputs changes what is watched. Endpoints that stay keep their past; new
// ones are probed at once.
func (m *Monitor) SetInputs(in Inputs) {
	m.mu.Lock()
	m.use(in, m.clock.Now())
	if !m.running {
		m.publish(m.clock.Now())
	}
	m.mu.Unlock()
	m.wakeUp()
}

// SetReadiness tells what is known of the project's readiness: whether it builds
// with no network is found out elsewhere, and belongs into every snapshot.
func (m *Monitor) SetReadiness(r Readiness) {
	m.mu.Lock()
	if m.ready != r {
		m.ready, m.dirty = r, true
		if !m.running {
			m.publish(m.clock.Now())
		}
	}
	m.mu.Unlock()
	m.wakeUp()
}

// Inputs returns what is watched now.
func (m *Monitor) Inputs() Inputs {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.in
}

// Subscribe returns a channel that holds the newest snapshot, beginning with the
// present one, and a function that ends the subscription and closes the channel.
// A slow reader loses old snapshots, never new ones, and holds nobody up.
func (m *Monitor) Subscribe() (<-chan Snapshot, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan Snapshot, 1)
	m.readers[c] = true
	c <- m.latest
	return c, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.readers[c] {
			delete(m.readers, c)
			close(c)
		}
	}
}

// ProbeNow makes endpoints due at once: by key, or by redacted URL; none means
// all. Asking overrides the waiting after a 429.
func (m *Monitor) ProbeNow(keys ...string) {
	m.mu.Lock()
	m.sched.ask(m.clock.Now(), keys...)
	m.mu.Unlock()
	m.wakeUp()
}

// Deep runs the deep probe of one endpoint, named as in [Monitor.ProbeNow]. An
// endpoint that is not watched has the class unknown. It counts in no window: it
// asks other things than the regular probes do.
func (m *Monitor) Deep(ctx context.Context, key string) probe.Result {
	m.mu.Lock()
	t := m.sched.find(key)
	prober, db := m.prober, m.plan.db
	var ep probe.Endpoint
	if t != nil {
		ep = t.ep
		if t.role == roleSumDB && t.route != "" {
			ep = m.plan.sumEndpoint(outcome{route: t.route, via: t.via})
		}
	}
	m.mu.Unlock()
	if t == nil {
		return probe.Result{URL: key, Class: probe.ClassUnknown, Layer: probe.LayerConfig, Detail: "this endpoint is not watched"}
	}
	if !db.Off {
		ep.SumDB = db
	}
	return prober.Deep(ctx, ep)
}

// Snapshot returns what is known now.
func (m *Monitor) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.snapshot(m.clock.Now())
}

// snapshot is what is known at now; m.mu is held, or m is not shared yet.
func (m *Monitor) snapshot(now time.Time) Snapshot {
	s := snapshot(&m.plan, m.sched, m.in, now)
	s.Readiness = m.ready
	return s
}
