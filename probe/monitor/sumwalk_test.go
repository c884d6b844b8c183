package monitor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
)

// A sumWorld answers /supported by hop, each after its own time.
type sumWorld struct {
	class map[string]probe.Class
	delay map[string]time.Duration
}

func (w sumWorld) Probe(_ context.Context, ep probe.Endpoint) probe.Result {
	return probe.Result{URL: ep.URL, Kind: ep.Kind, Class: probe.OK}
}

func (w sumWorld) Deep(ctx context.Context, ep probe.Endpoint) probe.Result { return w.Probe(ctx, ep) }

func (w sumWorld) SumDBRoute(ctx context.Context, c chain.Chain, db chain.SumDB) ([]probe.Result, string) {
	h := c.Hops[0]
	r := probe.Result{URL: h.URL, Class: w.class[h.URL]}
	select {
	case <-time.After(w.delay[h.URL]):
	case <-ctx.Done():
		r.Class = probe.ConnectTimeout
	}
	switch r.Class {
	case probe.OK:
		return []probe.Result{r}, h.URL + "/sumdb/" + db.Name
	case probe.NotFound:
		return []probe.Result{r}, db.Direct()
	default:
		return []probe.Result{r}, ""
	}
}

// tryProxies is the go command's own walk, with its ranks of errors
// (cmd/go/internal/modfetch/proxy.go, TryProxies, and sumdb.go, initBase): the
// base URL, or "" and the hop whose error stands.
func tryProxies(c chain.Chain, class func(chain.Hop) probe.Class, direct string) (base string, blame string) {
	const (
		absent = iota
		proxy
		vcs
	)
	rank := absent
	for _, h := range c.Hops {
		notExist := true
		switch h.Kind {
		case chain.Direct:
			rank, blame = vcs, ""
		case chain.Off:
		default:
			switch k := class(h); {
			case k == probe.OK:
				return h.URL + "/sumdb/sum.example.com", ""
			case k == probe.Timeout: // waits for ever
				return "", h.URL
			case k != probe.NotFound:
				notExist = false
				if rank <= proxy {
					rank, blame = proxy, h.URL
				}
			}
		}
		if h.Separator != chain.Pipe && !notExist {
			break
		}
	}
	if blame == "" {
		return direct, ""
	}
	return "", blame
}

// The walk that does not wait comes to where the go command's comes.
func TestSumWalkIsTheGoCommands(t *testing.T) {
	classes := []probe.Class{probe.OK, probe.NotFound, probe.NotFound, probe.ServerError, probe.ConnectTimeout, probe.Timeout, probe.Refused}
	db := chain.SumDB{Name: "sum.example.com"}
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 3))
		w := sumWorld{class: map[string]probe.Class{}, delay: map[string]time.Duration{}}
		var c chain.Chain
		for i := range 1 + r.IntN(4) {
			h := chain.Hop{URL: fmt.Sprintf("https://p%d.example.com", i), Kind: chain.Proxy, Separator: []chain.Separator{chain.Comma, chain.Pipe}[r.IntN(2)]}
			w.class[h.URL] = classes[r.IntN(len(classes))]
			w.delay[h.URL] = time.Duration(r.IntN(500)) * time.Millisecond
			c.Hops = append(c.Hops, h)
		}
		switch end := []string{"", "direct", "off"}[r.IntN(3)]; end {
		case "":
			c.Hops[len(c.Hops)-1].Separator = chain.Last
		default:
			c.Hops = append(c.Hops, chain.Hop{URL: end, Kind: chain.Kind(end)})
		}
		base, blame := tryProxies(c, func(h chain.Hop) probe.Class { return w.class[h.URL] }, db.Direct())
		synctest.Test(t, func(t *testing.T) {
			o := ask(t.Context(), w, &plan{chain: c, db: db}, job{spec: spec{role: roleSumDB}})
			if o.route != base || blame != "" && o.result.URL != blame {
				t.Errorf("seed %d, %s with %v: %q blaming %q, the go command %q blaming %q", seed, c, w.class, o.route, o.result.URL, base, blame)
			}
			if o.via > 0 && base != "" && base != c.Hops[o.via-1].URL+"/sumdb/sum.example.com" {
				t.Errorf("seed %d: through hop %d, but the base is %s", seed, o.via, base)
			}
		})
	}
}

// A black hole before "|" leaves time for what comes after it.
func TestSumWalkPastABlackHole(t *testing.T) {
	c, _ := chain.Parse("https://a.example.com|https://b.example.com|direct")
	w := sumWorld{
		class: map[string]probe.Class{"https://a.example.com": probe.ConnectTimeout, "https://b.example.com": probe.OK},
		delay: map[string]time.Duration{"https://a.example.com": 2 * time.Second, "https://b.example.com": 30 * time.Millisecond},
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		o := ask(t.Context(), w, &plan{chain: c, db: chain.SumDB{Name: "sum.example.com"}}, job{spec: spec{role: roleSumDB}})
		if o.via != 2 || o.result.Class != probe.OK || time.Since(start) > 2100*time.Millisecond {
			t.Errorf("%+v after %v", o, time.Since(start))
		}
	})
}

// GOSUMDB with a URL passes every hop.
func TestSumWalkWithURL(t *testing.T) {
	c, _ := chain.Parse("https://a.example.com")
	w := sumWorld{class: map[string]probe.Class{"https://a.example.com": probe.Timeout}, delay: map[string]time.Duration{"https://a.example.com": 2 * time.Second}}
	db := chain.SumDB{Name: "sum.example.com", URL: "https://sum.example.org"}
	synctest.Test(t, func(t *testing.T) {
		o := ask(t.Context(), w, &plan{chain: c, db: db}, job{spec: spec{role: roleSumDB}})
		if o.route != db.URL || o.via != 0 || o.result.Class != probe.OK {
			t.Errorf("%+v", o)
		}
	})
}
