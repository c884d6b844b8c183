package reach

import (
	"sync"
	"sync/atomic"

	"golang.org/x/mod/module"

	"gpx/probe"
)

// stage asks one source for all that is still wanted.
func (c *call) stage(i int) {
	list := c.wanted(i)
	if len(list) == 0 || c.ctx.Err() != nil {
		return
	}
	src := c.sources[i]
	workers := c.r.o.Concurrency
	if src.vcs() {
		list, workers = list[:min(len(list), c.r.o.VCS)], 2
	}
	a := &asker{c: c, i: i, src: src, visit: c.r.prober.Visit(src.ep)}
	defer a.visit.Close()
	// The first question stands for the endpoint: while nothing is known of it,
	// it is asked for one version, not for many at a time.
	a.ask(list[0])
	next := make(chan module.Version)
	var wg sync.WaitGroup
	for range min(workers, len(list)-1) {
		wg.Go(func() {
			for m := range next {
				a.ask(m)
			}
		})
	}
	for _, m := range list[1:] {
		next <- m
	}
	close(next)
	wg.Wait()
}

// An asker asks one source for versions, until it is down.
type asker struct {
	c     *call
	i     int
	src   *source
	visit *probe.Visit

	failures atomic.Int32 // in a row

	// mu is held while a neutral module is asked for: nobody goes on asking an
	// endpoint of which it is about to be known that it is down.
	mu   sync.RWMutex
	down *probe.Class // set when it is
}

// patience is after how many failures in a row an endpoint is asked whether it is
// up at all.
const patience = 5

// ask asks for one version. When the endpoint is down, its class is the answer.
func (a *asker) ask(m module.Version) {
	if !a.c.needs(a.i, m) || a.c.ctx.Err() != nil {
		return
	}
	if class := a.isDown(); class != nil {
		a.c.record(a.i, m, *class)
		return
	}
	class := a.look(m)
	if class == probe.ClassUnknown {
		return // given up
	}
	a.judge(class)
	a.c.r.remember(memoKey{a.src.hop, m}, class)
	a.c.record(a.i, m, class)
}

// isDown is the class that the endpoint is down with, nil while it is not.
func (a *asker) isDown() *probe.Class {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.down
}

// look asks for the files that a version is made of: both must be there.
func (a *asker) look(m module.Version) probe.Class {
	if a.src.vcs() {
		return a.given(a.visit.Request(a.c.ctx, m, probe.Info))
	}
	if class := a.given(a.visit.Request(a.c.ctx, m, probe.Info)); class != probe.OK {
		return class
	}
	return a.given(a.visit.PeekZip(a.c.ctx, m))
}

// given is the class of a result, unknown where the call was given up meanwhile.
func (a *asker) given(r probe.Result) probe.Class {
	if err := a.c.ctx.Err(); err != nil && r.Class != probe.OK {
		return probe.ClassUnknown
	}
	return r.Class
}

// judge decides whether a failure is the version's or the endpoint's. What never
// came to the question is the endpoint's. An answer that is wrong may be about
// this version alone; when such failures pile up, or each costs seconds, the
// endpoint is asked for a neutral module, and if it fails with that too, it is
// down.
func (a *asker) judge(class probe.Class) {
	switch {
	case !class.Failed():
		a.failures.Store(0)
		return
	case a.src.vcs():
		return // every module has a host of its own
	}
	about := aboutEndpoint(class)
	if n := a.failures.Add(1); !about && !class.Info().Hangs && n%patience != 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down == nil && (about || a.given(a.visit.Request(a.c.ctx, probe.Canary, probe.Info)).Failed()) {
		a.down = &class
	}
}

// aboutEndpoint reports whether a class says something about a whole endpoint,
// whatever it was asked for.
func aboutEndpoint(c probe.Class) bool {
	switch c {
	case probe.ConfigInvalid, probe.RateLimited, probe.CaptivePortal, probe.ForwardProxyDown, probe.MissingFile:
		return true
	}
	switch c.Info().Layer {
	case probe.LayerDNS, probe.LayerTCP, probe.LayerTLS:
		return true
	}
	return false
}
