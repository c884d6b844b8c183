package backtest

import (
	"context"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	hopA, hopB, hopC = "https://a.example.com", "https://b.example.com", "https://c.example.com"
	sumURL           = "https://sum.golang.org"
	sumKey           = "sumdb " + sumURL
)

// A fault is what an endpoint answers for a time, since the beginning.
type fault struct {
	key      string
	from, to time.Duration
	after    time.Duration
	class    probe.Class
	times    int // how often; 0 is always
}

// A story is an outage that a real monitor watches, on a clock of its own.
type story struct {
	chain    string
	extra    []string // watched besides
	faults   []fault
	switches []turn
	length   time.Duration
	settings incident.Settings
	seed     time.Duration // shifts the jitter
}

// A turn is a person who switches.
type turn struct {
	at    time.Duration
	chain string
}

var inForce = incident.Settings{Interval: millis(4400 * time.Millisecond), Timeout: millis(2 * time.Second), Threshold: 3, Lossy: 4, Strategy: "latency"}

// prober answers as the story says.
type prober struct {
	start time.Time
	s     *story

	mu   sync.Mutex
	said map[int]int // how often each fault was met
}

func (p *prober) Probe(ctx context.Context, ep probe.Endpoint) probe.Result {
	key, at := ep.Key(), time.Since(p.start)
	after, class := 20*time.Millisecond+time.Duration(len(key)%7)*time.Millisecond, probe.OK
	if key == hopB {
		after += 30 * time.Millisecond
	}
	p.mu.Lock()
	for i, f := range p.s.faults {
		if f.key == key && at >= f.from && at < f.to && (f.times == 0 || p.said[i] < f.times) {
			p.said[i]++
			after, class = f.after, f.class
		}
	}
	p.mu.Unlock()
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		class = probe.Timeout
	}
	return probe.Result{URL: key, Kind: ep.Kind, Class: class, Phases: probe.Phases{Total: wire.Millis(after)}}
}

func (p *prober) Deep(ctx context.Context, ep probe.Endpoint) probe.Result { return p.Probe(ctx, ep) }

func (p *prober) SumDBRoute(context.Context, chain.Chain, chain.SumDB) ([]probe.Result, string) {
	return []probe.Result{{Class: probe.NotFound}}, sumURL
}

func environ(goproxy string) *env.Env {
	return &env.Env{Vars: []env.Var{{Name: "GOPROXY", Value: goproxy, Origin: env.User}, {Name: "GOSUMDB", Value: "sum.golang.org", Origin: env.Default}}}
}

// record lives through a story and returns the recording of its last incident.
func record(t *testing.T, s story) *incident.Recording {
	t.Helper()
	if s.settings == (incident.Settings{}) {
		s.settings = inForce
	}
	rec := &incident.Recording{}
	synctest.Test(t, func(t *testing.T) {
		<-time.After(s.seed)
		cfg := monitor.DefaultConfig()
		cfg.HopEvery, cfg.DownAfter, cfg.LossyDownAfter = time.Duration(s.settings.Interval), s.settings.Threshold, s.settings.Lossy
		in := monitor.Inputs{Env: environ(s.chain)}
		for _, url := range s.extra {
			in.Extra = append(in.Extra, probe.Endpoint{URL: url, Kind: probe.KindProxy})
		}
		start := time.Now()
		m := monitor.New(cfg, &prober{start: start, s: &s, said: map[int]int{}}, in)
		snaps, end := m.Subscribe()
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- m.Run(ctx) }()

		w := writer{rec: rec, tracker: incident.Tracker{Settings: s.settings}, last: map[incident.Endpoint]wire.Time{}}
		rec.From = wire.At(start)
		over := time.After(s.length)
		next := time.After(far.Sub(start))
		switches := s.switches
		if len(switches) > 0 {
			next = time.After(switches[0].at)
		}
		for done := false; !done; {
			select {
			case snap := <-snaps:
				w.take(snap)
			case <-next:
				original, _ := chain.Parse(s.chain)
				in.Env, in.Original = environ(switches[0].chain), &original
				m.SetInputs(in)
				if switches = switches[1:]; len(switches) > 0 {
					next = time.After(switches[0].at - time.Since(start))
				}
			case <-over:
				done = true
			}
		}
		rec.To = wire.At(time.Now())
		cancel()
		end()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	slices.SortStableFunc(rec.Samples, func(a, b incident.Sample) int { return a.At.Compare(b.At.Time) })
	return rec
}

// A writer makes a recording of snapshots, as the recorder of history does.
type writer struct {
	rec     *incident.Recording
	tracker incident.Tracker
	last    map[incident.Endpoint]wire.Time
	frame   monitor.Snapshot
}

func (w *writer) take(s monitor.Snapshot) {
	r := w.rec
	for _, e := range s.Endpoints {
		key := incident.Endpoint{URL: e.URL, Kind: e.Kind}
		n := slices.Index(r.Endpoints, key)
		if n < 0 {
			n = len(r.Endpoints)
			r.Endpoints = append(r.Endpoints, key)
		}
		recent := e.Window.Recent
		for i, old := range slices.Backward(recent) {
			if old.At.Equal(w.last[key].Time) {
				recent = recent[i+1:]
				break
			}
		}
		for _, sample := range recent {
			r.Samples = append(r.Samples, incident.Sample{At: sample.At, Endpoint: n, Class: sample.Class, Phases: probe.Phases{Total: sample.Total}})
			w.last[key] = sample.At
		}
	}
	if s.Round > 0 {
		f := s
		f.Endpoints = slices.Clone(s.Endpoints)
		for i := range f.Endpoints {
			f.Endpoints[i].Window = monitor.Window{}
		}
		if !reflect.DeepEqual(f.Chain, w.frame.Chain) || f.Verdict.Headline != w.frame.Verdict.Headline {
			r.Frames, w.frame = append(r.Frames, incident.Frame{Snapshot: f}), f
		}
	}
	step := w.tracker.Observe(s)
	if step.Incident != nil {
		r.Incident = *step.Incident
		r.Incident.Events = append(slices.Clone(r.Incident.Events), step.Events...)
	}
}

// rounds is how often a test tries: a few times, or many (GPX_TEST_SCALE).
func rounds(few, many int) int {
	if os.Getenv("GPX_TEST_SCALE") == "" {
		return few
	}
	return many
}
