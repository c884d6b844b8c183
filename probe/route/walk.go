package route

import (
	"gpx/envctl/chain"
	"gpx/probe"
)

// An entry is one turn of TryProxies.
type entry struct {
	hop  int // for Input.Classes
	kind chain.Kind
	sep  chain.Separator
	name string // redacted
}

// chainEntries are the hops of the chain.
func (w *walker) chainEntries() []entry {
	var es []entry
	for i, h := range w.in.Chain.Hops {
		es = append(es, entry{hop: i, kind: h.Kind, sep: h.Separator, name: h.Redacted()})
	}
	return es
}

// moduleEntries are the turns of TryProxies that do something for this module.
// A module that matches GONOPROXY skips every proxy (errNoproxy counts as not
// found, so the walk goes on), also "off"; any other skips the virtual entry
// "noproxy". GOPROXY=direct alone has no virtual entry.
func (w *walker) moduleEntries() []entry {
	hops := w.chainEntries()
	if !w.route.Private {
		return hops
	}
	var es []entry
	if !w.directOnly() {
		es = append(es, entry{hop: NoProxy, kind: chain.Direct, sep: chain.Comma, name: "direct"})
	}
	for _, e := range hops {
		if e.kind == chain.Direct {
			es = append(es, e)
		}
	}
	return es
}

func (w *walker) directOnly() bool {
	c := w.in.Chain
	return len(c.Hops) == 1 && c.Hops[0].Kind == chain.Direct && c.Ignored == ""
}

// An outcome is how one turn, or one walk, ends.
type outcome int

const (
	fetched   outcome = iota
	notFound          // goes on before both separators (fs.ErrNotExist)
	turnedOff         // likewise, and is the error of GOPROXY=off
	failed            // goes on before "|"
	fatal             // base.Fatalf: the go command ends
	hung
	unasked // the class is not known
)

// goesOn reports whether the walk leaves an entry with this outcome.
func (o outcome) goesOn(sep chain.Separator) bool {
	return o == notFound || o == turnedOff || o == failed && sep == chain.Pipe
}

// An ending is the outcome of a walk and the step that decided it.
type ending struct {
	outcome outcome
	step    int // index in Route.Steps, -1 when there is none
}

// walk is TryProxies: it asks entry after entry until one serves, or until one
// fails in a way that its separator does not forgive, and ends with the error
// that the go command reports.
func (w *walker) walk(entries []entry, ask func(entry) outcome) ending {
	// The ranks of cmd/go: an error of version control is best, then any
	// error of a proxy that is not "not found", then the last "not found".
	const (
		notFoundRank = iota
		proxyRank
		directRank
	)
	best, rank := ending{notFound, -1}, notFoundRank
	for i, e := range entries {
		here := w.turn(e, ask)
		o := here.outcome
		switch o {
		case fetched:
			return here
		case fatal, hung, unasked:
			w.finish(here)
			return here
		}
		isNotFound := o == notFound || o == turnedOff
		switch {
		case e.kind == chain.Direct:
			best, rank = here, directRank
		case rank <= proxyRank && !isNotFound:
			best, rank = here, proxyRank
		case rank == notFoundRank:
			best = here
		}
		goesOn := o.goesOn(e.sep)
		switch {
		case o == turnedOff:
			w.act(here, probe.GoOff)
		case goesOn && i < len(entries)-1:
			w.act(here, probe.Next)
		default:
			w.act(here, probe.Stop)
		}
		if !goesOn {
			break
		}
	}
	return best
}

// turn asks one entry and finds the step that decided: the last one, or the one
// that blame names.
func (w *walker) turn(e entry, ask func(entry) outcome) ending {
	before := len(w.route.Steps)
	w.blamed = -1
	o := ask(e)
	switch n := len(w.route.Steps); {
	case w.blamed >= before:
		return ending{o, w.blamed}
	case n > before:
		return ending{o, n - 1}
	default:
		return ending{o, -1}
	}
}

// act writes what the go command does into the step that an ending came from.
func (w *walker) act(e ending, a probe.Action) {
	if e.step >= 0 {
		w.route.Steps[e.step].Action = a
	}
}

// once is ask with the memory that the go command has of an .info or .mod: an
// entry that stands in the chain twice is asked once (cachingRepo).
func (w *walker) once(ask func(entry) outcome) func(entry) outcome {
	known := map[string]outcome{}
	return func(e entry) outcome {
		if e.kind != chain.Proxy && e.kind != chain.File {
			return ask(e)
		}
		url := w.in.Chain.Hops[e.hop].URL
		o, ok := known[url]
		if !ok {
			o = ask(e)
			known[url] = o
		}
		return o
	}
}

// finish writes into the deciding step what an outcome means where nothing else
// is tried.
func (w *walker) finish(e ending) {
	switch e.outcome {
	case fetched:
	case hung:
		w.act(e, probe.Hang)
	case unasked:
		w.act(e, probe.ActionUnknown)
	default:
		w.act(e, probe.Stop)
	}
}

// ended is an ending at the last step of the present file, or the one that blame
// names, if it has any.
func (w *walker) ended(o outcome) ending {
	switch n := len(w.route.Steps); {
	case w.blamed >= w.phase:
		return ending{o, w.blamed}
	case n > w.phase:
		return ending{o, n - 1}
	default:
		return ending{o, -1}
	}
}

// request asks one entry for one file and records the step.
func (w *walker) request(e entry, file probe.File) (outcome, content) {
	step := Step{File: string(file), Hop: e.name, N: max(e.hop+1, 0)}
	if e.kind == chain.Off {
		// errProxyOff is a "not found" to TryProxies.
		step.Class, step.Action = probe.NotFound, probe.GoOff
		w.route.Steps = append(w.route.Steps, step)
		return turnedOff, nothing
	}
	o, c := failed, nothing
	if e.kind == chain.Direct && w.in.VCSErr != nil && w.in.VCSKnown {
		step.Class = probe.ConfigInvalid
	} else {
		step.Class = w.in.Classes(e.hop, file)
		o, c = w.receive(e.hop, file, step.Class)
	}
	if o == hung && w.in.Waited != nil {
		w.waited = w.in.Waited(e.hop, file)
	}
	if e.kind == chain.Direct && w.in.VCSErr != nil && (w.in.VCSKnown || o == fetched) {
		o, c, step.Class, step.Why = failed, nothing, probe.ConfigInvalid, clean(w.in.VCSErr)
	}
	step.Action = probe.Serve
	if e.kind == chain.Direct {
		step.Action = probe.GoDirect
		w.direct = w.direct || o == fetched
	}
	w.route.Steps = append(w.route.Steps, step)
	switch file {
	case probe.Info, probe.Mod, probe.Zip:
		w.asked = len(w.route.Steps) - 1
	}
	return o, c
}

// A content is what arrived for a file that was fetched.
type content int

const (
	nothing  content = iota
	genuine          // the right bytes
	altered          // other bytes, sound in themselves
	unusable         // bytes that are no such file
)

// receive says what the go command makes of a class, before any checksum.
//
// What arrives whole with status 200 is taken, unless it is an .info, which is
// read at once (proxyRepo.Stat). A .mod may be anything at this point, and a zip
// is opened only when the walk is over.
func (w *walker) receive(hop int, file probe.File, class probe.Class) (outcome, content) {
	if class == probe.OK {
		return fetched, genuine
	}
	if w.whole(hop, file, class) {
		switch file {
		case probe.Mod, probe.Supported:
			return fetched, altered
		case probe.Zip:
			if class == probe.ChecksumMismatch {
				return fetched, altered
			}
			return fetched, unusable
		}
	}
	switch class.Action(chain.Comma) {
	case probe.Next:
		return notFound, nothing
	case probe.Hang:
		return hung, nothing
	case probe.ActionUnknown:
		return unasked, nothing
	default:
		return failed, nothing
	}
}

func (w *walker) whole(hop int, file probe.File, class probe.Class) bool {
	if w.in.Whole != nil {
		return w.in.Whole(hop, file)
	}
	return class == probe.CaptivePortal || class == probe.ChecksumMismatch
}
