package monitor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/lab"
	"gpx/probe/monitor"
)

// The promise of the schedule, on real sockets and the real clock: three proxies
// go bad at one instant, and each is down in time. Their neighbour stays up.
func TestTimeToDownOnTheLab(t *testing.T) {
	t.Parallel()
	l, err := lab.Start(lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	servers := map[string]*lab.Server{}
	var hops []string
	for _, name := range []string{"blackhole", "hang", "refuse", "503", "healthy"} {
		servers[name] = l.Proxy(name, nil)
		hops = append(hops, servers[name].URL())
	}
	limits := map[string]time.Duration{"blackhole": 8 * time.Second, "hang": 8 * time.Second, "refuse": 6 * time.Second, "503": 6 * time.Second}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e, err := env.Read(ctx, env.Options{Dir: t.TempDir(), Environ: l.GoEnv(t.TempDir(), strings.Join(hops, "|"))})
	if err != nil {
		t.Fatal(err)
	}
	m := monitor.New(monitor.DefaultConfig(), probe.New(probe.DefaultConfig(), e), monitor.Inputs{
		Env:     e,
		Project: &project.Project{Module: "app.example", Requires: []project.Require{{Version: l.Modules()[0].Version}}},
	})
	over := make(chan error, 1)
	go func() { over <- m.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}()
	snapshots, unsubscribe := m.Subscribe()
	defer unsubscribe()

	health := func(s monitor.Snapshot, name string) monitor.Hop {
		for _, h := range s.Chain.Hops {
			if h.URL == servers[name].URL() {
				return h
			}
		}
		return monitor.Hop{}
	}
	for s := range snapshots {
		if s.Round > 0 {
			if s.Verdict.State != monitor.StateOK {
				t.Fatalf("in good weather: %+v, hops %+v", s.Verdict, s.Chain.Hops)
			}
			break
		}
	}
	servers["blackhole"].SetFault(lab.Blackhole())
	servers["hang"].SetFault(lab.Hang())
	servers["refuse"].SetFault(lab.Refuse())
	servers["503"].SetFault(lab.Status(503, ""))
	begin := time.Now()
	down := map[string]time.Duration{}
	limit := time.After(10 * time.Second)
	for len(down) < len(limits) {
		select {
		case s := <-snapshots:
			for name := range limits {
				if _, ok := down[name]; !ok && health(s, name).Health == monitor.Down {
					down[name] = time.Since(begin)
				}
			}
			if h := health(s, "healthy").Health; h == monitor.Down {
				t.Error("the healthy hop is down")
			}
		case <-limit:
			t.Fatalf("down after 10 s: %v", down)
		}
	}
	for name, most := range limits {
		t.Logf("%s: down after %v", name, down[name].Round(time.Millisecond))
		if down[name] > most {
			t.Errorf("%s: down only after %v, the promise is %v", name, down[name], most)
		}
	}
	s := m.Snapshot()
	for name, want := range map[string]probe.Action{"blackhole": probe.Next, "hang": probe.Hang, "refuse": probe.Next, "503": probe.Next, "healthy": probe.Serve} {
		if h := health(s, name); h.GoWill != want {
			t.Errorf("%s: the go command is said to %s (%s), want %s", name, h.GoWill, h.Class, want)
		}
	}
	if s.Verdict.State != monitor.StateOutage || !strings.Contains(s.Verdict.Headline, "hangs") {
		t.Errorf("verdict %+v", s.Verdict)
	}
}
