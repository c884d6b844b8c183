package failover_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/failover"
	"gpx/probe/lab"
	"gpx/probe/monitor"
)

const (
	hopOne, hopTwo, hopThree = "https://one.example.com", "https://two.example.com", "https://three.example.com"
	ownChain                 = hopOne + "," + hopTwo
)

// An outage is a time in which a hop answers nothing of use.
type outage struct {
	from, to time.Duration // since the beginning
	class    probe.Class
	took     time.Duration // until that is known
}

// A sky is a world of proxies that fail now and then, and of lost answers. It is a
// prober for the real monitor, which lives on the clock of a synctest bubble.
type sky struct {
	cfg     failover.PilotConfig
	start   time.Time
	outages map[string][]outage

	mu    sync.Mutex
	r     *rand.Rand
	noise float64 // share of the questions to a hop that are lost
	asked int
}

// during is the outage of a hop at an instant.
func (s *sky) during(hop string, at time.Duration) (outage, bool) {
	for _, o := range s.outages[hop] {
		if at >= o.from && at < o.to {
			return o, true
		}
	}
	return outage{}, false
}

// ask is one question to a hop: when it has been answered, and how.
func (s *sky) ask(ctx context.Context, url string) (probe.Class, time.Duration) {
	hop := url
	if at := strings.Index(url, "/sumdb/"); at > 0 {
		hop = url[:at]
	}
	s.mu.Lock()
	s.asked++
	took, class := 20*time.Millisecond+time.Duration(s.r.ExpFloat64()*float64(15*time.Millisecond)), probe.OK
	if s.r.Float64() < s.noise {
		took, class = 30*time.Millisecond, probe.Reset
		if s.r.IntN(2) == 0 {
			took, class = 2*time.Second, probe.Timeout
		}
	}
	s.mu.Unlock()
	if o, broken := s.during(hop, time.Since(s.start)); broken {
		took, class = o.took, o.class
	}
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		class = probe.Timeout
	}
	return class, took
}

func (s *sky) Probe(ctx context.Context, ep probe.Endpoint) probe.Result {
	class, took := s.ask(ctx, ep.URL)
	return probe.Result{URL: ep.Key(), Kind: ep.Kind, Class: class, Phases: probe.Phases{Total: wire.Millis(took)}}
}

func (s *sky) Deep(ctx context.Context, ep probe.Endpoint) probe.Result { return s.Probe(ctx, ep) }

func (s *sky) SumDBRoute(ctx context.Context, c chain.Chain, db chain.SumDB) ([]probe.Result, string) {
	class, _ := s.ask(ctx, c.Hops[0].URL)
	if class != probe.OK {
		return []probe.Result{{Class: class}}, ""
	}
	return []probe.Result{{Class: probe.OK}}, c.Hops[0].URL + "/sumdb/" + db.Name
}

// A doing is what the pilot did.
type doing struct {
	at   time.Duration
	deed failover.Deed
	from string
	to   string
}

// fly has a pilot at the real monitor for a while, and returns what it did.
func (s *sky) fly(t *testing.T, length time.Duration) (done []doing, value string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.start = time.Now()
		value = ownChain
		in := monitor.Inputs{Env: environOf(value), Extra: []probe.Endpoint{{URL: hopThree, Kind: probe.KindProxy}}}
		m := monitor.New(monitor.DefaultConfig(), s, in)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- m.Run(ctx) }()
		snaps, end := m.Subscribe()
		p := failover.NewPilot(s.cfg)
		own, err := chain.Parse(ownChain)
		if err != nil {
			t.Fatal(err)
		}
		for snap := range snaps {
			at := snap.At.Sub(s.start)
			if at > length {
				break
			}
			step := p.Next(snap, failover.RequestFor(snap, in, failover.Latency, ""), false)
			switch step.Deed {
			case failover.Switch:
				in.Original = &own
			case failover.Return:
				in.Original = nil
			case failover.StandDown:
				t.Errorf("at %v: %s", at, step.Why)
				continue
			default:
				continue
			}
			done = append(done, doing{at, step.Deed, value, step.Chain.String()})
			value = step.Chain.String()
			in.Env = environOf(value)
			m.SetInputs(in)
			p.Done(step, time.Now())
		}
		cancel()
		end()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return done, value
}

func environOf(goproxy string) *env.Env {
	return &env.Env{Vars: []env.Var{{Name: "GOPROXY", Value: goproxy, Origin: env.User}, {Name: "GOSUMDB", Value: "sum.golang.org"}}}
}

// A flightPlan is how long and how often a test flies.
type flightPlan struct {
	length time.Duration
	seeds  uint64
	cfg    failover.PilotConfig
}

// plan is a day at the bounds of gpx where GPX_TEST_SCALE says so, and else part of
// an hour at shorter ones: a simulated day costs half a minute.
func plan() flightPlan {
	p := flightPlan{24 * time.Hour, 1, failover.DefaultPilotConfig()}
	switch os.Getenv("GPX_TEST_SCALE") {
	case "system":
	case "soak":
		p.seeds = 20
	default:
		p.length = 40 * time.Minute
		p.cfg.Quiet, p.cfg.MaxQuiet = time.Minute, 8*time.Minute
	}
	return p
}

// A day in which one answer of a hundred is lost, at every hop and on every way to
// the checksum database, switches nothing.
func TestPilotDoesNotFlap(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	t.Parallel()
	plan := plan()
	length := plan.length
	for seed := range plan.seeds {
		s := &sky{cfg: plan.cfg, r: rand.New(rand.NewPCG(seed, 31)), noise: 0.01}
		done, _ := s.fly(t, length)
		if len(done) > 0 {
			t.Errorf("seed %d: it did %+v", seed, done)
		}
		t.Logf("seed %d: %v, %d questions, %d switches", seed, length, s.asked, len(done))
		if float64(s.asked) < length.Seconds()/4 {
			t.Errorf("only %d questions: nothing was tried", s.asked)
		}
	}
}

// A day with outages, and with lost answers besides: each outage of the chain in force
// that lasts leads to one switch and no more, and the own chain comes back after each
// when it has been well.
func TestPilotThroughOutages(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	t.Parallel()
	plan := plan()
	if os.Getenv("GPX_TEST_SCALE") == "system" {
		plan.length /= 4
	}
	length := plan.length
	for seed := range plan.seeds {
		s := &sky{cfg: plan.cfg, r: rand.New(rand.NewPCG(seed, 37)), noise: 0.01, outages: map[string][]outage{}}
		calm := length - plan.cfg.MaxQuiet*5/4 // the longest quiet time and more, to come back in
		hr := rand.New(rand.NewPCG(seed, 41))
		for n, hop := range []string{hopOne, hopTwo} {
			every := length / 8 * time.Duration(n+1)
			at := time.Duration(hr.ExpFloat64() * float64(every))
			for at < calm {
				o := outage{from: at, to: at + 40*time.Second + time.Duration(hr.ExpFloat64()*float64(length/40)), class: probe.ServerError, took: 50 * time.Millisecond}
				switch hr.IntN(3) {
				case 0:
					o.class, o.took = probe.Refused, time.Millisecond
				case 1:
					o.class, o.took = probe.ConnectTimeout, 2*time.Second
				}
				o.to = min(o.to, calm)
				s.outages[hop] = append(s.outages[hop], o)
				at = o.to + time.Minute + time.Duration(hr.ExpFloat64()*float64(every))
			}
		}
		done, value := s.fly(t, length)
		if err := s.judge(done); err != nil {
			t.Errorf("seed %d: %v\noutages %+v\ndone %+v", seed, err, s.outages, done)
		}
		if value != ownChain {
			t.Errorf("seed %d: %s is in force in the end", seed, value)
		}
		t.Logf("seed %d: %v, %d outages of the first hop, %d of the second, %d steps", seed, length, len(s.outages[hopOne]), len(s.outages[hopTwo]), len(done))
		if len(s.outages[hopOne]) == 0 || len(done) < 2 {
			t.Errorf("seed %d: nothing was tried", seed)
		}
	}
}

// slack is how long after a fault, or its end, a step may still be due to it: what is
// known of a hop is up to 8 s old.
const slack = 12 * time.Second

// down returns the outages of the hops of a chain that touch a span of time.
func (s *sky) down(value string, from, to time.Duration) (found []outage) {
	for _, hop := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == '|' }) {
		for _, o := range s.outages[hop] {
			if o.from < to && o.to > from {
				found = append(found, o)
			}
		}
	}
	return found
}

// judge holds what was done against what was so.
func (s *sky) judge(done []doing) error {
	switched := map[outage]bool{} // from the own chain, because of it
	value, since := ownChain, time.Duration(0)
	for _, d := range append(done, doing{at: 1 << 60}) {
		for _, o := range s.outages[hopOne] { // it decides the own chain, before ","
			if from, to := max(o.from, since), min(o.to, d.at); value == ownChain && to-from > slack {
				return fmt.Errorf("%s was down from %v to %v, and in force", hopOne, from, to)
			}
		}
		switch d.deed {
		case failover.Switch:
			hop := value
			if value == ownChain {
				hop = hopOne
			}
			failed := s.down(hop, d.at-slack, d.at)
			if len(failed) == 0 {
				return fmt.Errorf("at %v it switched from %s, of which nothing had failed", d.at, value)
			}
			for _, o := range failed {
				if value == ownChain && switched[o] {
					return fmt.Errorf("at %v it switched for the second time because of %v", d.at, o)
				}
				switched[o] = switched[o] || value == ownChain
			}
		case failover.Return:
			if len(s.down(value, d.at-slack, d.at)) > 0 {
				break // the substitute failed, and the own chain was better
			}
			if failed := s.down(hopOne, d.at-s.cfg.Quiet+slack, d.at-slack); len(failed) > 0 {
				return fmt.Errorf("at %v it went back, after %v", d.at, failed)
			}
		}
		value, since = d.to, d.at
	}
	return nil
}
