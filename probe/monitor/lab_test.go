package monitor_test

import (
	"context"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/lab"
	"gpx/probe/monitor"
)

// What the servers have read: a private module is asked of no host at all, and a
// host that is not in the chain learns of no module that the project needs.
func TestPrivateModulesAreNotAskedFor(t *testing.T) {
	t.Parallel()
	l, err := lab.Start(lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hop := l.Proxy("hop", lab.Always(lab.NoSumDB(404)))
	catalogued := l.Proxy("catalogued", nil)
	const secrets = "corp.example.com,github.com/gpx-lab-corp"
	e, err := env.Read(t.Context(), env.Options{Dir: t.TempDir(), Environ: append(l.GoEnv(t.TempDir(), hop.URL()+"|direct"), "GOPRIVATE="+secrets)})
	if err != nil {
		t.Fatal(err)
	}
	in := monitor.Inputs{
		Env:     e,
		Project: &project.Project{Module: "corp.example.com/app", Sums: project.Sums{}},
		Extra:   []probe.Endpoint{{URL: catalogued.URL(), Kind: probe.KindProxy}},
	}
	for _, m := range l.Modules() { // the private ones first, to be tempting
		if m.Private {
			in.Project.Requires = append(in.Project.Requires, project.Require{Version: m.Version})
		}
	}
	public := l.Modules()[0].Version
	in.Project.Requires = append(in.Project.Requires, project.Require{Version: public})
	pem, err := os.ReadFile(l.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	pr := probe.New(probe.DefaultConfig(), e, probe.WithRootCAs(roots))
	m := monitor.New(monitor.DefaultConfig(), pr, in)
	m.Burst(t.Context())
	for _, ep := range m.Snapshot().Endpoints {
		m.Deep(t.Context(), ep.Key())
	}
	monitor.Once(t.Context(), pr, in, true)

	asked := map[string]bool{}
	for _, s := range []*lab.Server{hop, catalogued, l.SumDB()} {
		for _, r := range s.Log() {
			if module.MatchPrefixPatterns(secrets, r.Module) {
				t.Errorf("%s was asked for %s", s.Name, r.Path)
			}
			path, _, _ := strings.Cut(r.Module, "@")
			if s == catalogued && path != "" && path != probe.Canary.Path {
				t.Errorf("%s is not in the chain, and was asked for %s", s.Name, r.Path)
			}
			asked[s.Name+" "+path] = true
		}
	}
	for _, want := range []string{"hop " + public.Path, "catalogued " + probe.Canary.Path, "sumdb " + public.Path} {
		if !asked[want] {
			t.Errorf("nobody asked %s: the test sees nothing", want)
		}
	}
}

// A path that the world may not know is shown to no public proxy: behind "," the
// go command would not have shown it either.
func TestSecretModulesAreNotShownToPublicProxies(t *testing.T) {
	t.Parallel()
	const corp = "https://proxy.corp.example"
	require := func(path string) project.Require {
		return project.Require{Version: module.Version{Path: path, Version: "v1.0.0"}}
	}
	secret, account, known := require("git.acme.dev/auth"), require("github.com/acme/lib"), require("github.com/other/thing")
	neutral := require(probe.Canary.Path)
	for _, c := range []struct {
		name, chain string
		original    string
		requires    []project.Require
		want        project.Require
	}{
		{"a public proxy behind a private one", corp + ",https://goproxy.cn", "", []project.Require{secret, known}, known},
		{"nothing that the world knows", corp + ",https://goproxy.cn", "", []project.Require{secret}, neutral},
		{"the project's own account", "https://goproxy.cn,direct", "", []project.Require{account}, neutral},
		{"no public proxy", corp + ",direct", "", []project.Require{secret}, secret},
		{"a public proxy in the chain that was left", corp, "https://goproxy.cn", []project.Require{secret}, neutral},
	} {
		f := newFake()
		f.base = corp + "/sumdb/sum.golang.org"
		in := inputs(c.chain)
		in.Project = &project.Project{Module: "github.com/acme/app", Modules: []string{"github.com/acme/app"}, Requires: c.requires, Sums: project.Sums{}}
		if c.original != "" {
			o, err := chain.Parse(c.original)
			if err != nil {
				t.Fatal(err)
			}
			in.Original = &o
		}
		monitor.Once(t.Context(), f, in, false)
		for key, got := range f.mods {
			path, _, _ := strings.Cut(got, "@")
			switch {
			case strings.HasPrefix(key, "sumdb ") && (path == secret.Path || path == account.Path):
				t.Errorf("%s: the public database is asked for %s through a hop", c.name, got)
			case !strings.HasPrefix(key, "sumdb ") && path != c.want.Path:
				t.Errorf("%s: %s is asked for %s, want %s", c.name, key, got, c.want.Path)
			}
		}
	}
}

// The promise of the schedule, on real sockets and the real clock: four proxies
// go bad at one instant, and each is down in time. Their neighbour stays up. The
// promise is one for a machine that is not busy with other tests, so its seconds
// are counted in test-system; [TestTimeToDown] holds the schedule to them always.
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
	limit := time.After(30 * time.Second)
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
			t.Fatalf("down after 30 s: %v", down)
		}
	}
	for name, most := range limits {
		t.Logf("%s: down after %v", name, down[name].Round(time.Millisecond))
		if down[name] > most && os.Getenv("GPX_TEST_SCALE") != "" {
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
