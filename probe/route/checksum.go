package route

import (
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe"
)

// check compares what arrived with go.sum or the checksum database
// (modfetch.checkModSum). A contradiction of go.sum ends the go command; a
// failed lookup, and a contradiction of the database, are errors like any other.
func (w *walker) check(line Line, got content) outcome {
	switch {
	case line == Mismatch, line == Match && got != genuine:
		w.blame("differs from go.sum: a security error, which no separator forgives")
		return fatal
	case line == Match:
		return fetched
	case !w.useSumDB():
		return fetched // whatever it is, it is written to go.sum
	}
	if o := w.lookup(); o != fetched {
		return o
	}
	if got != genuine {
		w.blame("differs from the checksum database")
		w.refused = true
		return failed
	}
	return fetched
}

// useSumDB reports whether a missing go.sum line leads to a lookup
// (modfetch.useSumDB). Toolchains always do, except from a single file tree.
func (w *walker) useSumDB() bool {
	if w.in.Module.Path == "golang.org/toolchain" {
		c := w.in.Chain
		single := len(c.Hops) == 1 && c.Ignored == "" && c.Hops[0].Separator == chain.Last && strings.HasPrefix(c.Hops[0].URL, "file://")
		if !single {
			return true
		}
	}
	return !w.in.SumDB.Off && !module.MatchPrefixPatterns(w.in.NoSumDB, w.in.Module.Path)
}

// setSumRoute says what verifies the module as far as that is known before any
// lookup.
func (w *walker) setSumRoute() {
	switch {
	case w.in.SumLines.Mod != NoLine && w.in.SumLines.Zip != NoLine:
		w.route.SumDB = "go.sum"
	case !w.useSumDB():
		w.route.SumDB = "off"
	}
}

// A database is what one run of the go command remembers of the checksum
// database: one lookup serves .mod and zip, and its error is final.
type database struct {
	asked   bool
	outcome outcome
	// failed says why the outcome is what it is where that is failed: which request
	// at which hop came before.
	failed string
}

// lookup asks the checksum database for the module, once (sumdb.Client.Lookup).
// Its errors never count as "not found": the client formats them away.
func (w *walker) lookup() outcome {
	if w.db.asked {
		if w.db.outcome == failed {
			w.explain(w.db.failed)
		}
		return w.db.outcome
	}
	w.db.asked = true
	before := len(w.route.Steps)
	end := w.ask()
	w.db.outcome, w.db.failed = end.outcome, w.reason
	if end.step >= before {
		w.db.failed = "the checksum database is not asked again after " + where(w.route.Steps[end.step])
	}
	return w.db.outcome
}

// ask makes the requests of a lookup. The step of a failure is -1 where it comes to
// none: then the reason says why.
func (w *walker) ask() ending {
	switch {
	case w.in.SumDBErr != nil:
		w.explain("GOSUMDB cannot be used: " + clean(w.in.SumDBErr))
		return ending{failed, -1}
	case w.in.SumDB.Off:
		w.explain("a toolchain must be verified, and GOSUMDB is off")
		return ending{failed, -1}
	}
	needs := w.in.SumNeeds
	if needs == nil {
		needs = []probe.File{probe.Lookup, probe.Tile}
	}
	if len(needs) == 0 {
		w.route.SumDB = "cache"
		return ending{fetched, -1}
	}
	base, end := w.base()
	if end.outcome != fetched {
		return end
	}
	w.route.SumDB = base.name
	for _, file := range needs {
		if o, _ := w.request(base, file); o != fetched {
			if o == notFound {
				o = failed
			}
			return ending{o, len(w.route.Steps) - 1}
		}
	}
	return ending{fetched, -1}
}

// base finds out who answers for the checksum database, as initBase does: a URL
// in GOSUMDB, or the first hop whose /supported is answered with 200, or the
// database's own host when nobody serves it. "direct" and "off" count as not
// found, and "direct" forgives the errors before it.
func (w *walker) base() (entry, ending) {
	if w.in.SumDB.URL != "" {
		return entry{hop: SumDBHost, name: redact.URL(w.in.SumDB.URL)}, ending{fetched, -1}
	}
	var base entry
	end := w.walk(w.chainEntries(), func(e entry) outcome {
		if e.kind == chain.Direct || e.kind == chain.Off {
			return notFound
		}
		o, c := w.request(e, probe.Supported)
		if o == fetched {
			base = e
			if c != genuine {
				w.explain("any answer with status 200 counts: the lookups will go there")
			}
		}
		return o
	})
	if end.outcome != notFound {
		return base, end
	}
	w.act(w.last(probe.Supported), probe.Next)
	return entry{hop: SumDBHost, name: redact.URL(w.in.SumDB.Direct())}, ending{fetched, -1}
}

// last is the last step when it is one for file.
func (w *walker) last(file probe.File) ending {
	n := len(w.route.Steps) - 1
	if n < 0 || w.route.Steps[n].File != string(file) {
		return ending{notFound, -1}
	}
	return ending{notFound, n}
}
