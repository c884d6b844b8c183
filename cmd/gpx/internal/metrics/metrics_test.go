package metrics

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"gpx/cachectl/relay"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	begin = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	// What must be in no series, and would break one.
	secret  = "hunter2"
	hostile = "https://user:" + secret + "@evil.example.com/\"\n\\\x1b[31m\xff" + strings.Repeat("x", 2*maxLabel)
)

func samples(n int, classes ...probe.Class) (list []monitor.Sample) {
	for i, c := range classes {
		list = append(list, monitor.Sample{At: wire.At(begin.Add(time.Duration(n+i) * time.Second)), Class: c, Total: wire.Millis(30 * time.Millisecond)})
	}
	return list
}

func endpointAs(url string, kind probe.Kind, h monitor.Health, list []monitor.Sample) monitor.EndpointStatus {
	e := monitor.EndpointStatus{Result: probe.Result{URL: url, Kind: kind, Class: probe.OK}, Health: h}
	e.Window.Recent = list
	if n := len(list); n > 0 {
		e.Class = list[n-1].Class
	}
	return e
}

// outage is a chain of which the first hop is down.
func outage() monitor.Snapshot {
	a, b, user := "https://a.example.com", "https://b.example.com", "https://mine.example.com"
	return monitor.Snapshot{
		At: wire.At(begin), Verdict: monitor.Verdict{State: monitor.StateOutage, Scope: monitor.ScopeChain},
		Chain: monitor.ChainStatus{Value: a + "," + b, Origin: "user", Hops: []monitor.Hop{
			{N: 1, URL: a, Kind: probe.KindProxy, Separator: ",", GoWill: probe.Hang},
			{N: 2, URL: b, Kind: probe.KindProxy, GoWill: probe.Serve},
		}},
		SumDB: monitor.SumDBStatus{Class: probe.OK, Route: "https://sum.example.com"},
		Endpoints: []monitor.EndpointStatus{
			endpointAs(a, probe.KindProxy, monitor.Down, samples(0, probe.OK, probe.Timeout, probe.Timeout)),
			endpointAs(b, probe.KindProxy, monitor.Up, samples(0, probe.OK, probe.NotFound)),
			endpointAs("https://sum.example.com", probe.KindSumDB, monitor.Up, samples(0, probe.OK)),
			endpointAs(user, probe.KindProxy, monitor.Up, samples(0, probe.OK)),
		},
	}
}

func quiet(context.Context) Record { return Record{Role: None} }

// expect compares the series of some metrics, or the first words of series.
func expect(t *testing.T, g prometheus.Gatherer, want string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(g, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestWatch(t *testing.T) {
	w := NewWatch("v1", func(context.Context) Record { return Record{Recording, begin.Add(-time.Minute)} })
	s := outage()
	w.Observe(s)
	w.Observe(s) // what was counted is not counted again
	s.Endpoints[1].Window.Recent = append(s.Endpoints[1].Window.Recent[1:], samples(9, probe.OK, probe.ServerError)...)
	w.Observe(s)
	expect(t, w.registry, `
# HELP gpx_probes_total Probes of an endpoint that have ended.
# TYPE gpx_probes_total counter
gpx_probes_total{endpoint="https://a.example.com",kind="proxy"} 3
gpx_probes_total{endpoint="https://b.example.com",kind="proxy"} 4
gpx_probes_total{endpoint="https://sum.example.com",kind="sumdb"} 1
# HELP gpx_probe_failures_total Probes of an endpoint that failed: it did not do its job.
# TYPE gpx_probe_failures_total counter
gpx_probe_failures_total{endpoint="https://a.example.com",kind="proxy"} 2
gpx_probe_failures_total{endpoint="https://b.example.com",kind="proxy"} 1
gpx_probe_failures_total{endpoint="https://sum.example.com",kind="sumdb"} 0
# HELP gpx_chain_hop_info A hop of the chain in force, and what the go command will do there; always 1.
# TYPE gpx_chain_hop_info gauge
gpx_chain_hop_info{endpoint="https://a.example.com",go_will="hang",hop="1",kind="proxy",separator=","} 1
gpx_chain_hop_info{endpoint="https://b.example.com",go_will="serve",hop="2",kind="proxy",separator=""} 1
# HELP gpx_incident_opened_timestamp_seconds When the incident that goes on began; 0 without one.
# TYPE gpx_incident_opened_timestamp_seconds gauge
gpx_incident_opened_timestamp_seconds 1.772600707e+09
# HELP gpx_recorder_role What this process does for the history: 1 for what it does.
# TYPE gpx_recorder_role gauge
gpx_recorder_role{role="none"} 0
gpx_recorder_role{role="observing"} 0
gpx_recorder_role{role="recording"} 1
# HELP gpx_verdict_state Whether modules can be downloaded: 1 for the state that there is.
# TYPE gpx_verdict_state gauge
gpx_verdict_state{state="degraded"} 0
gpx_verdict_state{state="offline"} 0
gpx_verdict_state{state="ok"} 0
gpx_verdict_state{state="outage"} 1
gpx_verdict_state{state="unknown"} 0
`, "gpx_probes_total", "gpx_probe_failures_total", "gpx_chain_hop_info", "gpx_incident_opened_timestamp_seconds", "gpx_recorder_role", "gpx_verdict_state")
}

// An endpoint that has left the chain leaves no series behind, unless it is of the
// chain that was switched away from.
func TestWatchForgets(t *testing.T) {
	w := NewWatch("v1", quiet)
	s := outage()
	w.Observe(s)
	left := s.Chain
	s.Chain = monitor.ChainStatus{Value: "https://b.example.com", Hops: []monitor.Hop{{N: 1, URL: "https://b.example.com", Kind: probe.KindProxy}}}
	s.Original = &left
	w.Observe(s)
	if n := testutil.CollectAndCount(w, "gpx_probes_total"); n != 3 {
		t.Errorf("while it is watched: %d endpoints", n)
	}
	s.Original = nil
	w.Observe(s)
	for _, name := range []string{"gpx_probes_total", "gpx_probe_failures_total", "gpx_probe_duration_seconds", "gpx_endpoint_class_info"} {
		if n := testutil.CollectAndCount(w, name); n != 2 {
			t.Errorf("afterwards: %d of %s", n, name)
		}
	}
}

func TestSumState(t *testing.T) {
	for _, c := range []struct {
		status monitor.SumDBStatus
		want   SumState
	}{
		{monitor.SumDBStatus{}, SumUnknown},
		{monitor.SumDBStatus{Class: probe.ClassUnknown}, SumUnknown},
		{monitor.SumDBStatus{Class: probe.ClassUnknown, Route: "off"}, SumOff},
		{monitor.SumDBStatus{Class: probe.OK, Route: "https://a.example.com"}, SumOn},
		{monitor.SumDBStatus{Class: probe.Timeout, Route: "https://a.example.com"}, SumUnavailable},
		{monitor.SumDBStatus{Class: probe.SumDBUntrusted}, SumUnavailable},
		{monitor.SumDBStatus{Class: probe.ConfigInvalid}, SumUnavailable},
	} {
		if got := sumState(c.status); got != c.want {
			t.Errorf("%+v: %s, want %s", c.status, got, c.want)
		}
	}
}

func TestRelay(t *testing.T) {
	m := NewRelay("v1")
	m.Follow(func() relay.Stats {
		return relay.Stats{Rescued: 2, FromCache: 3, Failed: 1, Wrong: 4, Bytes: 500, Upstreams: []relay.Upstream{
			{Hop: "https://a.example.com", Served: 7, Classes: map[probe.Class]int64{probe.Timeout: 2}},
		}}
	})
	for _, s := range []relay.Served{
		{Status: 200, From: "cache", Took: 2 * time.Millisecond}, {Status: 206, From: "https://a.example.com"}, {Status: 304, From: "stage"},
		{Status: 404}, {Status: 502}, {Status: 421}, {},
	} {
		m.Observe(s)
	}
	expect(t, m.registry, `
# HELP gpx_relay_requests_total Requests that were answered, by result: ok, not_found, refused, failed, or gone when the client did not wait.
# TYPE gpx_relay_requests_total counter
gpx_relay_requests_total{result="failed"} 1
gpx_relay_requests_total{result="gone"} 1
gpx_relay_requests_total{result="not_found"} 1
gpx_relay_requests_total{result="ok"} 3
gpx_relay_requests_total{result="refused"} 1
# HELP gpx_relay_upstream_answers_total What upstreams answered: ok for a file, else the class of the failure.
# TYPE gpx_relay_upstream_answers_total counter
gpx_relay_upstream_answers_total{class="ok",upstream="https://a.example.com"} 7
gpx_relay_upstream_answers_total{class="timeout",upstream="https://a.example.com"} 2
# HELP gpx_relay_wrong_answers_total Answers of upstreams with wrong bytes, by go.sum or the checksum database, that were thrown away.
# TYPE gpx_relay_wrong_answers_total counter
gpx_relay_wrong_answers_total 4
`, "gpx_relay_requests_total", "gpx_relay_upstream_answers_total", "gpx_relay_wrong_answers_total")
}

// Names from outside make no series without end, no broken ones, and tell nothing
// that is secret.
func TestHostileNames(t *testing.T) {
	w := NewWatch(hostile, quiet)
	m := NewRelay(hostile)
	s := outage()
	s.Chain.Value, s.Chain.Origin, s.Chain.Hops = hostile, hostile, nil
	var upstreams []relay.Upstream
	for i := range 3 * maxEndpoints {
		name := fmt.Sprint("https://", i, ".example.com/", hostile)
		s.Chain.Hops = append(s.Chain.Hops, monitor.Hop{N: i, URL: name, Kind: probe.KindProxy, Separator: hostile})
		s.Endpoints = append(s.Endpoints, endpointAs(name, probe.KindProxy, "", samples(0, probe.OK)), endpointAs(name, probe.KindProxy, "", nil))
		upstreams = append(upstreams, relay.Upstream{Hop: name, Served: 1, Classes: map[probe.Class]int64{probe.EOF: 1}})
	}
	w.Observe(s)
	m.Follow(func() relay.Stats { return relay.Stats{Upstreams: upstreams} })
	for name, g := range map[string]*prometheus.Registry{"watch": w.registry, "relay": m.registry} {
		families, err := g.Gather() // fails for series that are no valid ones
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		series := 0
		for _, f := range families {
			series += len(f.Metric)
			for _, one := range f.Metric {
				for _, l := range one.Label {
					if v := l.GetValue(); len(v) > maxLabel || strings.Contains(v, secret) || strings.ContainsAny(v, "\n\x1b") {
						t.Errorf("%s: %s has the label %s=%q", name, f.GetName(), l.GetName(), v)
					}
				}
			}
		}
		if series > 12*maxEndpoints {
			t.Errorf("%s: %d series", name, series)
		}
	}
	if n := testutil.CollectAndCount(relayStats{func() relay.Stats { return relay.Stats{Upstreams: upstreams} }}, "gpx_relay_upstream_answers_total"); n != 2*(maxEndpoints+1) {
		t.Errorf("%d series of upstreams", n)
	}
}

// Names, help and units are as Prometheus has them, before and after there is
// something to tell.
func TestConventions(t *testing.T) {
	seen, unseen := NewWatch("v1", quiet), NewWatch("v1", quiet)
	seen.Observe(outage())
	m := NewRelay("v1")
	m.Follow(func() relay.Stats { return relay.Stats{Upstreams: []relay.Upstream{{Hop: "a", Served: 1}}} })
	for _, g := range []*prometheus.Registry{seen.registry, unseen.registry, m.registry} {
		problems, err := testutil.GatherAndLint(g)
		if err != nil {
			t.Error(err)
		}
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "gpx_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
	}
}

func TestHandler(t *testing.T) {
	w := NewWatch("v1", quiet)
	w.Observe(outage())
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`gpx_build_info{goversion="go`, `version="v1"} 1`, "go_goroutines ", "process_resident_memory_bytes ",
		`gpx_endpoint_health{endpoint="https://a.example.com",health="down",kind="proxy"} 1`,
	} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("there is no %s in %s", want, rec.Body)
		}
	}
}
