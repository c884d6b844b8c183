package monitor

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
)

const (
	hopC, hopD = "https://c.example.com", "https://d.example.com"
	theirKey   = "sum.golang.org"
)

func throughInputs(goproxy, gosumdb string) Inputs {
	return Inputs{Env: &env.Env{Vars: []env.Var{{Name: "GOPROXY", Value: goproxy, Origin: env.User}, {Name: "GOSUMDB", Value: gosumdb, Origin: env.User}}}}
}

// Each hop is asked by itself, whichever of them the go command would use, and
// what it says stands in its own row.
func TestSumDBThroughEachHop(t *testing.T) {
	w := sumWorld{delay: map[string]time.Duration{hopD: 2 * time.Second}, class: map[string]probe.Class{
		hopA: probe.OK, hopB: probe.NotFound, hopC: probe.Forbidden, hopD: probe.Timeout}}
	in := throughInputs(hopA+","+hopB+","+hopC+",direct", theirKey)
	in.Extra = []probe.Endpoint{{URL: hopD, Kind: probe.KindProxy}}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := New(DefaultConfig(), w, in).Burst(t.Context())
		if took := time.Since(start); took > 2500*time.Millisecond {
			t.Errorf("the burst took %v", took)
		}
		if len(s.Endpoints) != 6 { // three hops, direct, the database, the other proxy
			t.Errorf("%d rows", len(s.Endpoints))
		}
		want := map[string]probe.SumDBResult{
			hopA: {Name: theirKey, Supported: true, Class: probe.OK},
			hopB: {Name: theirKey, Class: probe.NotFound},
			hopC: {Name: theirKey, Class: probe.Forbidden},
			hopD: {Name: theirKey, Class: probe.Timeout},
		}
		for _, e := range s.Endpoints {
			if w, ok := want[e.URL]; ok && (e.SumDB == nil || *e.SumDB != w) {
				t.Errorf("%s: %+v, want %+v", e.URL, e.SumDB, w)
			}
		}
		if s.SumDB.Direct != probe.OK {
			t.Errorf("the database's own host: %q", s.SumDB.Direct)
		}
	})
}

// The screen has its first round before the database has answered through every
// hop.
func TestFirstRoundDoesNotWaitForSumDB(t *testing.T) {
	w := sumWorld{delay: map[string]time.Duration{hopB: 2 * time.Second}, class: map[string]probe.Class{hopA: probe.OK, hopB: probe.OK}}
	synctest.Test(t, func(t *testing.T) {
		m := New(DefaultConfig(), w, throughInputs(hopA+","+hopB, theirKey))
		snapshots, stop := m.Subscribe()
		defer stop()
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- m.Run(ctx) }()
		for s := range snapshots {
			if s.Round > 0 {
				break
			}
		}
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("the first round took %v", took)
		}
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

// Where nothing is verified, or GOSUMDB says where, no hop is asked.
func TestSumDBThroughHopsOnlyWhenVerifying(t *testing.T) {
	for _, gosumdb := range []string{"off", "sum.golang.org https://sum.example.org", "sum.golang.google.cn", "nonsense"} {
		p := throughInputs(hopA+",direct", gosumdb).plan()
		for _, s := range p.specs {
			if s.role == roleThrough {
				t.Errorf("GOSUMDB=%s: %s is asked", gosumdb, s.ep.URL)
			}
		}
	}
}

// What fails is asked again as soon as a hop is, what works every 15 s.
func TestSumDBThroughIntervals(t *testing.T) {
	for _, c := range []struct {
		class       probe.Class
		least, most int // in a minute
	}{{probe.OK, 4, 5}, {probe.Forbidden, 12, 16}} {
		sp := spec{ep: probe.Endpoint{URL: hopA, Kind: probe.KindSumDB}, role: roleThrough, hop: probe.KindProxy}
		m := newSim(t, 1, func(string, time.Duration) (time.Duration, probe.Class) { return 20 * time.Millisecond, c.class }, sp)
		m.until(time.Minute)
		if n := len(m.s.targets[0].past.entries); n < c.least || n > c.most {
			t.Errorf("%s: asked %d times in a minute, want %d to %d", c.class, n, c.least, c.most)
		}
	}
}

// A recorder keeps what the database was asked for, by the URL that was asked.
type recorder struct {
	sumWorld
	mu    sync.Mutex
	asked map[string]string
}

func (r *recorder) Probe(ctx context.Context, ep probe.Endpoint) probe.Result {
	if ep.Kind == probe.KindSumDB {
		r.mu.Lock()
		r.asked[ep.URL] = ep.Module.Path
		r.mu.Unlock()
	}
	return r.sumWorld.Probe(ctx, ep)
}

// A proxy that the go command does not use learns nothing of the project by being
// asked for the database.
func TestSumDBThroughStrangers(t *testing.T) {
	_, own, err := note.GenerateKey(rand.Reader, "sum.corp.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, gosumdb    string
		inChain, outside string // modules; "-" is not asked at all
	}{
		{"the public database", theirKey, "github.com/other/thing", ""},
		{"a database of one's own", own, "github.com/other/thing", "-"},
	} {
		r := &recorder{sumWorld: sumWorld{class: map[string]probe.Class{hopA: probe.OK, hopD: probe.OK}}, asked: map[string]string{}}
		in := throughInputs(hopA, c.gosumdb)
		in.Extra = []probe.Endpoint{{URL: hopD, Kind: probe.KindProxy}}
		in.Project = &project.Project{Module: "app.example", Sums: project.Sums{},
			Requires: []project.Require{{Version: module.Version{Path: "github.com/other/thing", Version: "v1.0.0"}}}}
		db, err := in.Env.SumDB()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) { New(DefaultConfig(), r, in).Burst(t.Context()) })
		for hop, want := range map[string]string{hopA: c.inChain, hopD: c.outside} {
			got, ok := r.asked[hop+"/sumdb/"+db.Name]
			if ok != (want != "-") || ok && got != want {
				t.Errorf("%s: %s is asked for %q (%v), want %q", c.name, hop, got, ok, want)
			}
		}
	}
}
