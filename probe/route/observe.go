package route

import (
	"context"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
)

// Observe asks the hops what the prediction for m needs, and predicts. Without a
// version, m's is the one that the project requires; a replacement in force is
// what is routed then, as in a build. p is nil outside a project.
//
// It asks only what the go command would ask: a path that it would not show to a
// hop is not shown to it by gpx either. What one hop will be asked for in any case
// is asked at the same time.
//
// What version control would give is not fetched, so it is taken to be genuine.
func Observe(ctx context.Context, pr *probe.Prober, e *env.Env, p *project.Project, m module.Version) (Route, error) {
	m, note, err := resolve(p, m)
	if err != nil {
		return Route{}, err
	}
	before, as, stopped := observeToolchain(ctx, pr, e, p, m)
	if stopped {
		return before, ctx.Err()
	}
	r := Route{Module: m.Path, Result: Served}
	if m.Version != "" || refusal(e, p) != nil { // else a directory replaces it
		in, cache, records := gather(e, p, m)
		r = observe(ctx, pr, in, cache, records)
	}
	r.Steps = append(before.Steps, r.Steps...)
	for _, n := range []string{note, as} {
		if n != "" {
			r.Why = n + ": " + r.Why
		}
	}
	if r.Steps == nil {
		r.Steps = []Step{}
	}
	return r, ctx.Err()
}

// observe asks the hops what the prediction from in needs.
func observe(ctx context.Context, pr *probe.Prober, in Input, cache sumCache, records []string) Route {
	o := newObserver(ctx, pr, in)
	o.cache = cache
	defer o.close()
	in.Classes, in.Whole, in.Waited = o.class, o.whole, o.waited
	o.know(records)
	r := Predict(in)
	// Whether a .mod or zip is the right one may show only when the checksum
	// database has answered, which is after the .mod was asked for. Three files
	// can change what is known; what was answered before is not asked again.
	for range 3 {
		if !o.revise(&in) {
			break
		}
		r = Predict(in)
	}
	return r
}

// A question is one request.
type question struct {
	hop  int
	file probe.File
}

// An observer answers [Input.Classes] by asking the hops, each question once.
type observer struct {
	ctx    context.Context
	cancel context.CancelFunc
	pr     *probe.Prober
	in     Input
	cache  sumCache
	sums   map[probe.File]string // of .mod and .zip: go.sum's, else the database's

	wg      sync.WaitGroup
	mu      sync.Mutex
	answers map[question]*answer
}

type answer struct {
	done   chan struct{}
	result probe.Result
}

func newObserver(ctx context.Context, pr *probe.Prober, in Input) *observer {
	o := &observer{pr: pr, in: in, sums: map[probe.File]string{}, answers: map[question]*answer{}}
	o.ctx, o.cancel = context.WithCancel(ctx)
	return o
}

// close ends what was asked ahead and is not needed, and waits for it.
func (o *observer) close() {
	o.cancel()
	o.wg.Wait()
}

// know takes go.sum lines of the module that are proven.
func (o *observer) know(lines []string) (news bool) {
	for file, sum := range probe.SumsOf(o.in.Module, lines) {
		if o.sums[file] == "" {
			o.sums[file], news = sum, true
		}
	}
	return news
}

// revise learns what a lookup brought, and reports whether that was news: the
// checksums, and whether the tiles that prove the record are cached.
func (o *observer) revise(in *Input) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	news := false
	for q, a := range o.answers {
		if q.file != probe.Tile && q.file != probe.Lookup {
			continue
		}
		select {
		case <-a.done:
			if o.know(a.result.Lines) {
				news = true
			}
			if in.SumNeeds == nil && a.result.Record != nil {
				needs, lines, err := o.cache.needs(in.Module, a.result.Record)
				if err == nil && needs != nil {
					in.SumNeeds, news = needs, true
					o.know(lines)
				}
			}
		default:
		}
	}
	return news
}

// class is [Input.Classes].
//
// A tile is asked for through the record that it proves. Where the database
// answers and has no record, nothing is known against its tiles: the lookup is
// what fails.
func (o *observer) class(hop int, file probe.File) probe.Class {
	r := o.ask(hop, file)
	if file == probe.Tile && r.Class != probe.OK {
		switch o.ask(hop, probe.Lookup).Class {
		case probe.NotFound, probe.SumDBUntrusted:
			return probe.OK
		}
	}
	if r.Class == probe.OK && r.Sum != "" && o.sums[file] != "" && r.Sum != o.sums[file] {
		return probe.ChecksumMismatch
	}
	return r.Class
}

// whole is [Input.Whole].
func (o *observer) whole(hop int, file probe.File) bool { return o.ask(hop, file).Whole }

// waited is [Input.Waited], to a tenth of a second.
func (o *observer) waited(hop int, file probe.File) time.Duration {
	return time.Duration(o.ask(hop, file).Phases.Total).Round(100 * time.Millisecond)
}

// ask asks one question, and with it those that the go command will ask of this
// hop in any case, and waits for the answer.
func (o *observer) ask(hop int, file probe.File) probe.Result {
	for _, f := range o.together(hop, file) {
		o.start(question{hop, f})
	}
	a := o.start(question{hop, file})
	<-a.done
	return a.result
}

// together lists what is worth asking of a hop along with file. A walk that
// begins at a hop with .info begins there with .mod too, and with /supported
// when the module is looked up. The zip is left out: it may be large, and it is
// often not reached.
func (o *observer) together(hop int, file probe.File) []probe.File {
	var fs []probe.File
	switch file {
	case probe.Lookup, probe.Tile:
		return []probe.File{probe.Lookup, probe.Tile}
	}
	if hop < 0 || o.in.Chain.Hops[hop].Kind == chain.Direct {
		return nil
	}
	switch file {
	case probe.Info, probe.Mod:
		if !o.in.Cached.Mod {
			fs = append(fs, probe.Mod)
		}
		if o.asksSumDB() {
			fs = append(fs, probe.Supported)
		}
	}
	return fs
}

// asksSumDB reports that the go command will look for a route to the checksum
// database.
func (o *observer) asksSumDB() bool {
	in := o.in
	if in.SumDB.URL != "" || in.SumDBErr != nil || in.SumDB.Off || in.SumNeeds != nil && len(in.SumNeeds) == 0 {
		return false
	}
	w := walker{in: in}
	return w.useSumDB() && (in.SumLines.Mod == NoLine || in.SumLines.Zip == NoLine)
}

// start begins to ask a question unless that was done.
func (o *observer) start(q question) *answer {
	if q.hop == NoProxy || q.hop >= 0 && o.in.Chain.Hops[q.hop].Kind == chain.Direct {
		// Version control is asked for the version as a whole, and it is the same
		// before the chain and at its end.
		q = question{NoProxy, probe.Info}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	a, ok := o.answers[q]
	if !ok {
		a = &answer{done: make(chan struct{})}
		o.answers[q] = a
		o.wg.Go(func() {
			defer close(a.done)
			a.result = o.request(q)
		})
	}
	return a
}

// request asks one question. A toolchain's zip has 70 MB: what its first bytes
// tell must do.
func (o *observer) request(q question) probe.Result {
	ep := o.endpoint(q.hop)
	if q.file != probe.Zip || o.in.Module.Path != toolchainPath {
		return o.pr.Request(o.ctx, ep, o.in.Module, q.file)
	}
	visit := o.pr.Visit(ep)
	defer visit.Close()
	r := visit.PeekZip(o.ctx, o.in.Module)
	r.Whole = r.Whole || r.Class == probe.CaptivePortal
	return r
}

func (o *observer) endpoint(hop int) probe.Endpoint {
	ep := probe.Endpoint{Module: o.in.Module, SumDB: o.in.SumDB}
	switch hop {
	case NoProxy:
		ep.Kind, ep.VCS = probe.KindDirect, []string{o.in.Module.Path}
	case SumDBHost:
		ep.Kind = probe.KindSumDB
	default:
		h := o.in.Chain.Hops[hop]
		ep.URL, ep.Kind = h.URL, probe.Kind(h.Kind)
	}
	return ep
}
