package relay

import (
	"context"
	"io"
	"net/http"
	"testing"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/lab"
)

var told = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "requests 3\n") })

// Metrics are told to whom the relay answers, and are no request to it.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind(w.lab.Proxy("one", lab.Always(lab.OK())))
	w.start()
	if status, body, _ := w.get("/metrics"); status != http.StatusBadRequest {
		t.Errorf("without metrics: %d %s", status, body)
	}
	w.stop()
	w.o.Dir, w.o.Metrics = t.TempDir(), told
	w.start()
	if status, body, _ := w.get("/metrics"); status != http.StatusOK || body != "requests 3\n" {
		t.Errorf("%d %s", status, body)
	}
	refusesStrangers(t, w)
	if s := w.relay.Stats(); s.Requests != 0 {
		t.Errorf("%+v", s)
	}
}

// Gpx's own probes are answered, and are nobody's work.
func TestProbesAreNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind(w.lab.Proxy("one", lab.Always(lab.Status(503, ""))), w.lab.Proxy("two", lab.Always(lab.OK())))
	m := module.Version{Path: "lab.example.com/alpha", Version: "v1.0.0"}
	for _, c := range []struct {
		name    string
		opts    []probe.Option
		counted bool
	}{{"marked", []probe.Option{probe.WithMark()}, false}, {"as the go command", nil, true}} {
		logged := make(chan Served, 8)
		w.o.Dir, w.o.Log = t.TempDir(), func(s Served) { logged <- s }
		w.start()
		p := probe.New(probe.DefaultConfig(), &env.Env{Environ: w.lab.GoEnv(t.TempDir(), "off")}, c.opts...)
		if r := p.Probe(t.Context(), probe.Endpoint{URL: w.url, Kind: probe.KindProxy, Module: m}); r.Class != probe.OK {
			t.Fatalf("%s: %+v", c.name, r)
		}
		w.stop() // then everything is counted
		s := w.relay.Stats()
		for what, n := range map[string]int64{"requests": s.Requests, "rescued": s.Rescued, "bytes": s.Bytes, "logged": int64(len(logged))} {
			if n > 0 != c.counted {
				t.Errorf("%s: %s %d", c.name, what, n)
			}
		}
	}
}

// What is served beside a relay is as hard to reach.
func TestServeLocal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l, err := Listen(t.Context(), "127.0.0.1:0")
	must(t, err)
	w.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ServeLocal(ctx, l, told) }()
	defer func() {
		cancel()
		must(t, <-ended)
	}()
	if status, body, _ := w.get("/metrics"); status != http.StatusOK || body != "requests 3\n" {
		t.Errorf("%d %s", status, body)
	}
	refusesStrangers(t, w)
}

func refusesStrangers(t *testing.T, w *world) {
	t.Helper()
	if status, body, _ := w.do(http.MethodGet, "/metrics", http.Header{"Host": {"rebound.example.com"}}); status != http.StatusMisdirectedRequest {
		t.Errorf("another's name: %d %s", status, body)
	}
	if status, body, _ := w.do(http.MethodPost, "/metrics", nil); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d %s", status, body)
	}
}
