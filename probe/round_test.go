package probe_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"gpx/probe"
	"gpx/probe/lab"
)

// faults are fifteen ways to be broken, one per endpoint, and the class of each.
var faults = []struct {
	fault lab.Fault
	tls   bool
	class probe.Class
}{
	{lab.Refuse(), false, probe.Refused},
	{lab.Blackhole(), false, probe.ConnectTimeout},
	{lab.Of(lab.ModeTLSSelfSigned), true, probe.TLSUntrusted},
	{lab.Of(lab.ModeTLSExpired), true, probe.TLSExpired},
	{lab.Of(lab.ModeTLSWrongHost), true, probe.TLSHostname},
	{lab.Of(lab.ModeTLSSilent), true, probe.TLSTimeout},
	{lab.Reset(), false, probe.Reset},
	{lab.EOF(), false, probe.EOF},
	{lab.Hang(), false, probe.Timeout},
	{lab.Stall(5), false, probe.Stalled},
	{lab.Of(lab.ModeTruncated), false, probe.Truncated},
	{lab.Status(503, ""), false, probe.ServerError},
	{lab.Captive(), false, probe.CaptivePortal},
	{lab.Of(lab.ModeRedirect), false, probe.RedirectLoop},
	{lab.Of(lab.ModeEndless), false, probe.TooLarge},
}

// round probes all endpoints at once, as the first burst does.
func round(ctx context.Context, p *probe.Prober, eps []probe.Endpoint) []probe.Result {
	results := make([]probe.Result, len(eps))
	var wg sync.WaitGroup
	for i, ep := range eps {
		wg.Go(func() { results[i] = p.Probe(ctx, ep) })
	}
	wg.Wait()
	return results
}

func faulty(l *lab.Lab) []probe.Endpoint {
	var eps []probe.Endpoint
	for _, f := range faults {
		var opts []lab.ProxyOption
		if f.tls {
			opts = append(opts, lab.TLS())
		}
		eps = append(eps, at(l, l.Proxy(string(f.class), lab.Always(f.fault), opts...).URL()))
	}
	return eps
}

// TestFifteenFaultsInOneRound holds the promise that a screen knows within 2.5 s:
// the context ends the round there, and a probe that it cut off would have no
// class, or a wrong one.
func TestFifteenFaultsInOneRound(t *testing.T) {
	l := startLab(t)
	eps := faulty(l)
	p := setup{attempt: probe.DefaultConfig().Attempt}.prober(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	for i, r := range round(ctx, p, eps) {
		if r.Class != faults[i].class {
			t.Errorf("%s: got %s (%s)", faults[i].class, r.Class, r.Detail)
		}
	}
	if ctx.Err() != nil {
		t.Error("the round took longer than 2.5 s")
	}
}

func BenchmarkRoundOf15Faults(b *testing.B) {
	l := startLab(b)
	eps := faulty(l)
	p := setup{attempt: probe.DefaultConfig().Attempt}.prober(b, l)
	for b.Loop() {
		round(b.Context(), p, eps)
	}
}

func BenchmarkRoundOf20Healthy(b *testing.B) {
	l := startLab(b)
	for _, kind := range []struct {
		name string
		opts []lab.ProxyOption
	}{{"http", nil}, {"https", []lab.ProxyOption{lab.TLS()}}} {
		b.Run(kind.name, func(b *testing.B) {
			var eps []probe.Endpoint
			for range 20 {
				eps = append(eps, at(l, l.Proxy(kind.name, nil, kind.opts...).URL()))
			}
			p := setup{attempt: probe.DefaultConfig().Attempt}.prober(b, l)
			for b.Loop() {
				for _, r := range round(b.Context(), p, eps) {
					if r.Class != probe.OK {
						b.Fatal(r.Class, r.Detail)
					}
				}
			}
		})
	}
}
