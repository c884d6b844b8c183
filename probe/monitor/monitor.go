package monitor

import (
	"context"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
)

// A Prober does the probes. *[probe.Prober] is one.
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
	// user agreed, and the user's own.
	Extra []probe.Endpoint
	// Prober replaces the monitor's prober, when the environment that it mimics
	// has changed; nil keeps it.
	Prober Prober
}

// A Monitor probes what its inputs name and tells its subscribers.
type Monitor struct{}

// New returns a monitor on the real clock. It does nothing until [Monitor.Run]
// or [Monitor.Burst].
func New(cfg Config, p Prober, in Inputs) *Monitor { return NewWithClock(cfg, p, in, RealClock{}) }

// NewWithClock is [New] on another clock.
func NewWithClock(cfg Config, p Prober, in Inputs, clock Clock) *Monitor { return &Monitor{} }

// Run probes until ctx ends and returns when every goroutine it started has.
// The first round is a burst. It may be called once.
func (m *Monitor) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Burst probes everything once, at most Config.Burst long, and returns what it
// knows then. Without Run it is all that happens; beside Run it hurries it.
func (m *Monitor) Burst(ctx context.Context) Snapshot { return m.Snapshot() }

// SetInputs changes what is watched. Endpoints that stay keep their past; new
// ones are probed at once.
func (m *Monitor) SetInputs(in Inputs) {}

// Subscribe returns a channel that always holds the newest snapshot soon, and a
// function that ends the subscription and closes the channel. A slow reader
// loses old snapshots, never new ones.
func (m *Monitor) Subscribe() (<-chan Snapshot, func()) {
	c := make(chan Snapshot, 1)
	return c, func() {}
}

// ProbeNow makes endpoints due at once: by key, or by redacted URL; none means all.
func (m *Monitor) ProbeNow(keys ...string) {}

// Deep runs the deep probe of one endpoint, named as in [Monitor.ProbeNow]. An
// endpoint that is not watched has [probe.ClassUnknown].
func (m *Monitor) Deep(ctx context.Context, key string) probe.Result {
	return probe.Result{Class: probe.ClassUnknown}
}

// Snapshot returns what is known now.
func (m *Monitor) Snapshot() Snapshot { return Snapshot{} }
