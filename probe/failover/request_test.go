package failover

import (
	"slices"
	"testing"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/monitor"
)

func TestRequestFor(t *testing.T) {
	e := &env.Env{Vars: []env.Var{
		{Name: "GOPRIVATE", Value: "corp.example"},
		{Name: "GOPROXY", Value: corpPw + "," + cn + "|direct"},
		{Name: "GOSUMDB", Value: "sum.golang.org"},
	}}
	original, _ := chain.Parse(ali)
	in := monitor.Inputs{Env: e, Original: &original,
		Project: &project.Project{Module: "corp.example/app"},
		Extra:   []probe.Endpoint{{URL: io, Kind: probe.KindProxy}, {URL: "https://gocenter.io", Kind: probe.KindProxy}}}
	status := func(raw string, kind probe.Kind, class probe.Class, p50 time.Duration) monitor.EndpointStatus {
		h := chain.Hop{URL: raw}
		return monitor.EndpointStatus{Result: probe.Result{URL: h.Redacted(), Kind: kind, Class: class}, Health: monitor.Up, Window: monitor.Window{P50: wire.Millis(p50)}}
	}
	s := monitor.Snapshot{
		Endpoints: []monitor.EndpointStatus{
			status(corpPw, probe.KindProxy, probe.NotFound, time.Millisecond),
			status(cn, probe.KindProxy, probe.OK, 20*time.Millisecond),
			status("direct", probe.KindDirect, probe.OK, time.Second),
			status(io, probe.KindProxy, probe.OK, 30*time.Millisecond),
		},
		SumDB: monitor.SumDBStatus{Class: probe.SumDBUnavailable, Route: cn + "/sumdb/sum.golang.org", Via: 2},
	}
	r := RequestFor(s, in, Latency, "")
	find := func(url string) Candidate {
		i := slices.IndexFunc(r.Candidates, func(c Candidate) bool { return c.Hop.URL == url })
		if i < 0 {
			t.Fatalf("%s is no candidate: %+v", url, r.Candidates)
		}
		return r.Candidates[i]
	}
	if c := find(corpPw); !c.Private || !c.Current || c.Class != probe.NotFound || c.Health != monitor.Up {
		t.Errorf("the hop with credentials: %+v", c)
	}
	if c := find(cn); c.Private || c.BreaksSum != probe.SumDBUnavailable || c.P50 != 20*time.Millisecond || c.Region != "cn" || c.ServesSum != catalog.Yes {
		t.Errorf("the hop that breaks the database: %+v", c)
	}
	if c := find(ali); c.Current || c.Health != monitor.Unknown || c.ServesSum != catalog.No {
		t.Errorf("the original chain's hop: %+v", c)
	}
	if c := find("https://gocenter.io"); !c.Retired {
		t.Errorf("a retired one: %+v", c)
	}
	if rec := Recommend(r); !rec.Found || rec.Chain.String() != corpPw+"|"+io+"|direct" {
		t.Errorf("recommended %s: %v", rec.Chain, rec.Reasons)
	}
}

// What a probe of the database through a hop came to is what the go command will
// meet there.
func TestHears(t *testing.T) {
	for _, c := range []struct {
		name              string
		sum               probe.SumDBResult
		supported, lookup probe.Class
	}{
		{"serves", probe.SumDBResult{Supported: true, Class: probe.OK}, probe.OK, probe.OK},
		{"says so, and sends a web page", probe.SumDBResult{Supported: true, Class: probe.CaptivePortal}, probe.OK, probe.CaptivePortal},
		{"says so, and hangs", probe.SumDBResult{Supported: true, Class: probe.Timeout}, probe.OK, probe.Timeout},
		{"says so, too slow to tell", probe.SumDBResult{Supported: true, Class: probe.ClassUnknown}, probe.ClassUnknown, probe.OK},
		{"says no", probe.SumDBResult{Class: probe.NotFound}, probe.NotFound, probe.OK},
		{"a tree without it", probe.SumDBResult{Class: probe.MissingFile}, probe.NotFound, probe.OK},
		{"refuses to say", probe.SumDBResult{Class: probe.Forbidden}, probe.Forbidden, probe.OK},
		{"hangs when asked", probe.SumDBResult{Class: probe.Timeout}, probe.OK, probe.Timeout},
	} {
		h := Candidate{ServesSum: catalog.Unknown}
		h.hears(c.sum)
		if s, l := h.answers(probe.Supported), h.answers(probe.Lookup); s != c.supported || l != c.lookup {
			t.Errorf("%s: supported %s, lookup %s, want %s, %s", c.name, s, l, c.supported, c.lookup)
		}
	}
}
