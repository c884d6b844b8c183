package main

import (
	"slices"
	"strings"
	"testing"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/monitor"
)

// What stands behind the relay never hangs where that is known, and is asked of
// nobody who would not be asked without the relay.
func TestBehindRelay(t *testing.T) {
	const public, other, own = "https://goproxy.io", "https://goproxy.cn", "https://proxy.example.com"
	for _, c := range []struct{ name, chain, hang, want, without string }{
		{"nothing hangs", public + "," + other + "|direct", "", public + "," + other + "|direct", ""},
		{"the first", public + "," + other + "|direct", public, other + "|direct", public},
		{"one in the middle", other + "," + public + "|direct", public, other + ",direct", public},
		{"the last", other + "," + public, public, other, public},
		{"two", public + "," + other + "|direct", public + " " + other, "direct", public + " " + other},
		{"all", public + "," + other, public + " " + other, public + "," + other, ""},
		{"one that may be private", own + "," + public + ",direct", own, own + "," + public + ",direct", ""},
		{"one with credentials", "https://me:secret@goproxy.io," + other, "https://me:secret@goproxy.io", "https://me:secret@goproxy.io," + other, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := chain.Parse(c.chain)
			if err != nil {
				t.Fatal(err)
			}
			snap := monitor.Snapshot{Chain: monitor.ChainStatus{Value: before.Redacted()}}
			for i, h := range before.Hops {
				hop := monitor.Hop{N: i + 1, URL: h.Redacted(), GoWill: probe.Serve}
				if slices.Contains(strings.Fields(c.hang), h.URL) {
					hop.GoWill = probe.Hang
				}
				snap.Chain.Hops = append(snap.Chain.Hops, hop)
			}
			got, without := behindRelay(before, hangs(&env.Env{}, before, snap))
			if got.String() != c.want || strings.Join(without, " ") != c.without {
				t.Errorf("%s without %q, want %s without %q", got, without, c.want, c.without)
			}
			snap.Chain.Value = "https://another.example.com" // what is known is of another chain
			if got, without := behindRelay(before, hangs(&env.Env{}, before, snap)); got.String() != c.chain || without != nil {
				t.Errorf("of another chain: %s without %q", got, without)
			}
		})
	}
}
