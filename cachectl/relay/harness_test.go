package relay

import (
	"context"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/sumdb"
	"gpx/probe"
	"gpx/probe/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A world is a lab, and a relay in front of some of its proxies.
type world struct {
	t     testing.TB
	lab   *lab.Lab
	o     Options
	relay *Relay
	url   string
	stop  func()
	slow  time.Duration // what slow clients have, if not as usual
}

func newWorld(t testing.TB) *world {
	l, err := lab.Start(lab.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return worldOf(t, l)
}

func worldOf(t testing.TB, l *lab.Lab) *world {
	e := &env.Env{Environ: l.GoEnv(t.TempDir(), "off")}
	return &world{t: t, lab: l, o: Options{
		Behind: Behind{Prober: probe.New(probe.DefaultConfig(), e)}, Dir: t.TempDir(), Hedge: 5 * time.Second, // nothing here is late but what hangs
		Patience: probe.Patience{FirstByte: 20 * time.Second, Stall: time.Second},
	}}
}

// behind puts the proxies behind the relay, and the checksum database by them.
func (w *world) behind(proxies ...*lab.Server) {
	var eps []probe.Endpoint
	w.o.Routes, w.o.Chain = nil, chain.Chain{}
	for _, p := range proxies {
		eps = append(eps, probe.Endpoint{URL: p.URL(), Kind: probe.KindProxy})
		c, err := chain.Parse(p.URL())
		must(w.t, err)
		w.o.Routes = append(w.o.Routes, c)
		w.o.Chain.Hops = append(w.o.Chain.Hops, chain.Hop{URL: p.URL(), Kind: chain.Proxy, Separator: chain.Comma})
	}
	w.o.Sources = func(module.Version) []probe.Endpoint { return eps }
}

// sumDB has the relay answer for the lab's checksum database, with what a go
// command keeps in cache.
func (w *world) sumDB(cache, config string) {
	db, err := chain.ParseSumDB(w.lab.VerifierKey())
	must(w.t, err)
	w.o.SumDB = &sumdb.Options{DB: db, Cache: cache, Config: config}
}

func (w *world) start() {
	w.t.Helper()
	r, err := New(w.o)
	must(w.t, err)
	if w.slow > 0 {
		r.headerTime, r.writeStall = w.slow, w.slow
	}
	l, err := Listen(w.t.Context(), "127.0.0.1:0")
	must(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, l) }()
	w.relay, w.url = r, "http://"+l.Addr().String()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			w.t.Error(err)
		}
		r.Close()
	})
	w.t.Cleanup(w.stop)
}

// get asks the relay.
func (w *world) get(path string) (status int, body string, header http.Header) {
	w.t.Helper()
	return w.do(http.MethodGet, path, nil)
}

func (w *world) do(method, path string, header http.Header) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, nil)
	must(w.t, err)
	for k, v := range header {
		req.Header[k] = v
	}
	if h := header.Get("Host"); h != "" {
		req.Host = h
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	must(w.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	must(w.t, err)
	return res.StatusCode, string(data), res.Header
}

// A goCommand has a cache of its own, behind the relay.
type goCommand struct {
	w   *world
	dir string
	env []string
}

func (w *world) goCommand(extra ...string) *goCommand {
	dir := w.t.TempDir()
	return &goCommand{w, dir, append(append(w.lab.GoEnv(dir, w.url), "GOSUMDB="+w.lab.VerifierKey()), extra...)}
}

func (g *goCommand) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(g.w.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = g.dir, g.env, time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// download downloads every public module, and has the go command verify.
func (g *goCommand) download() {
	g.w.t.Helper()
	args := []string{"mod", "download"}
	for _, m := range g.w.lab.Modules() {
		if !m.Private {
			args = append(args, m.Version.String())
		}
	}
	if out, err := g.run(args...); err != nil {
		g.w.t.Fatalf("%v: %s\n%+v", err, out, g.w.relay.Stats())
	}
}

func (g *goCommand) cache() string {
	return filepath.Join(g.dir, "gopath", "pkg", "mod", "cache", "download")
}
