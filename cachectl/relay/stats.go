package relay

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"gpx/cachectl/fetch"
	"gpx/probe"
)

// Stats say what the relay did so far.
type Stats struct {
	Requests  int64 // that were for something: not /healthz or /metrics, and no probes of gpx
	Rescued   int64 // answered although an upstream before failed, was late, or sent wrong bytes
	FromCache int64 // answered with what the go command had
	Stale     int64 // lists and latest versions out of the cache, since nobody answered
	Failed    int64 // answered with 5xx
	Wrong     int64 // answers with wrong bytes, thrown away
	Bytes     int64 // of bodies that were sent
	Upstreams []Upstream
	// LastFailure is the text of the latest 5xx, clean: a line about what was
	// asked for, and one for each upstream.
	LastFailure string
}

// An Upstream says how often one gave which class instead of a file.
type Upstream struct {
	Hop     string // redacted
	Served  int64
	Classes map[probe.Class]int64
}

// counters are Stats while they grow.
type counters struct {
	mu        sync.Mutex
	s         Stats
	upstreams map[string]*Upstream
}

func (c *counters) count(f func(s *Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.s)
}

// upstream is the one of that name. c is locked.
func (c *counters) upstream(hop string) *Upstream {
	u := c.upstreams[hop]
	if u == nil {
		u = &Upstream{Hop: hop, Classes: map[probe.Class]int64{}}
		if c.upstreams == nil {
			c.upstreams = map[string]*Upstream{}
		}
		c.upstreams[hop] = u
	}
	return u
}

// race counts what came of one file.
func (c *counters) race(r fetch.Race) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range r.Tried {
		c.upstream(t.Hop).Classes[t.Class]++
		if t.Class == probe.ChecksumMismatch {
			c.s.Wrong++
		}
	}
	for _, t := range r.Passed {
		if !slices.Contains(r.Tried, t) { // late, or left alone
			c.upstream(t.Hop).Classes[t.Class]++
		}
	}
	if r.Won {
		c.upstream(r.Source).Served++
	}
}

// untrusted counts an answer about checksums that did not prove itself.
func (c *counters) untrusted(hop string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upstream(hop).Classes[probe.SumDBUntrusted]++
}

// wrong counts wrong bytes that were kept before they were known for that.
func (c *counters) wrong(hop string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Wrong++
	c.upstream(hop).Classes[probe.ChecksumMismatch]++
}

func (c *counters) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	for _, u := range c.upstreams {
		s.Upstreams = append(s.Upstreams, Upstream{u.Hop, u.Served, maps.Clone(u.Classes)})
	}
	slices.SortFunc(s.Upstreams, func(a, b Upstream) int { return cmp.Compare(a.Hop, b.Hop) })
	return s
}
