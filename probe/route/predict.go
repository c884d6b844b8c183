package route

import (
	"time"

	"golang.org/x/mod/module"

	"gpx/probe"
)

// Predict says what the go command does for one module version. It is pure: the
// same input gives the same route, and what the hops answer comes from
// in.Classes alone.
//
// The order of work is that of cmd/go/internal/modcmd/download.go: the query
// asks for .info, moduleInfo reads .mod (its error is remembered per hop, not
// repeated), DownloadModule wants all three.
func Predict(in Input) Route {
	w := &walker{in: in, route: Route{
		Module:  in.Module.Path,
		Version: in.Module.Version,
		Private: module.MatchPrefixPatterns(in.NoProxy, in.Module.Path),
		Steps:   []Step{},
	}}
	if done := w.beforeAnyRequest(); done {
		return w.route
	}
	w.entries = w.moduleEntries()
	for _, get := range []func() ending{w.info, w.mod, w.place, w.zip} {
		if end := get(); end.outcome != fetched {
			w.route.Result, w.route.Why = w.verdict(end)
			return w.route
		}
	}
	w.route.Result, w.route.Why = w.success()
	if w.refused && in.Required {
		// modfetch.tidyGoSum writes every hash that was used, and checkModSum
		// marks one as used before the database refuses it.
		w.route.Result = Stopped
		w.route.Why = "every file arrives, but the hash that the checksum database refused is put into go.sum too, and that is a security error; the next run succeeds"
	}
	return w.route
}

// beforeAnyRequest settles what needs no walk at all.
func (w *walker) beforeAnyRequest() bool {
	r := &w.route
	switch {
	case w.in.Refusal != nil:
		r.Result, r.Why = Stopped, "every go command that wants a module stops before it asks for it: "+clean(w.in.Refusal)
	case w.in.Vendor == Vendored:
		r.Result, r.Why = Served, "vendored: a build reads the vendor directory and asks nobody"
	case w.in.Vendor == VendorLacking:
		r.Result, r.Why = Stopped, "-mod=vendor switches lookups off, and vendor/modules.txt lacks the module; fix it with: go mod vendor"
	case w.in.ChainErr != nil:
		// TryProxies reads the list before it does anything, the caches included.
		r.Result, r.Why = Stopped, "GOPROXY cannot be used: "+clean(w.in.ChainErr)
	default:
		if err := module.Check(w.in.Module.Path, w.in.Module.Version); err != nil {
			r.Result, r.Why = Stopped, "not a module path with an exact version: "+clean(err)
			return true
		}
		w.setSumRoute()
		return false
	}
	return true
}

// A walker is one prediction.
type walker struct {
	in      Input
	route   Route
	entries []entry
	phase   int       // the first step of the present file
	asked   int       // the last step that asked for .info, .mod or .zip
	blamed  int       // the step that decided, where it is not the last; else -1
	sources [3]string // where .info, .mod and .zip came from, for the headline
	direct  bool      // a file came from version control
	refused bool      // a .mod differed from the checksum database, before another was right
	db      database
	reason  string        // the last explanation, for an ending without a step
	waited  time.Duration // for the answer that did not come
}

// info is the query for the exact version (modload.queryProxy, cachingRepo.Stat).
func (w *walker) info() ending {
	if w.in.Cached.Info {
		return ending{fetched, -1}
	}
	return w.walk(w.entries, w.once(func(e entry) outcome {
		o, _ := w.request(e, probe.Info)
		w.came(0, o, e)
		return o
	}))
}

// mod fetches .mod and checks it inside the walk (cachingRepo.GoMod). A cached
// .mod is checked too (readDiskGoMod); where that fails, the go command asks the
// network all the same, and then fails again for the same reason.
func (w *walker) mod() ending {
	w.phase, w.blamed = len(w.route.Steps), -1
	if w.in.Cached.Mod {
		here := w.ended(w.check(w.in.SumLines.Mod, genuine))
		if here.outcome == failed {
			w.act(here, probe.Next)
		} else {
			w.finish(here)
			return here
		}
	}
	return w.walk(w.entries, w.once(func(e entry) outcome {
		o, c := w.request(e, probe.Mod)
		if o == fetched {
			o = w.check(w.in.SumLines.Mod, c)
		}
		w.came(1, o, e)
		return o
	}))
}

// place wants GOMODCACHE to be usable, which nobody has asked before: an .info or
// .mod that cannot be kept is used all the same (modfetch.checkCacheDir).
func (w *walker) place() ending {
	if w.in.CacheErr == nil {
		return ending{fetched, -1}
	}
	w.reason = clean(w.in.CacheErr)
	return ending{failed, -1}
}

// zip fetches the zip and checks it after the walk: whatever is wrong with the
// bytes ends the go command's work on this module, before "|" too
// (modfetch.downloadZip). A cached zip is checked against its .ziphash, or
// hashed anew; either way an error ends it.
func (w *walker) zip() ending {
	w.phase = len(w.route.Steps)
	got := genuine
	if !w.in.Cached.Zip {
		end := w.walk(w.entries, func(e entry) outcome {
			o, c := w.request(e, probe.Zip)
			got = c
			w.came(2, o, e)
			return o
		})
		if end.outcome != fetched {
			return end
		}
	}
	o := failed
	w.blamed = -1
	if got == unusable {
		w.explain("not a usable zip; that shows only after the walk, so nothing else is tried")
	} else {
		o = w.check(w.in.SumLines.Zip, got)
	}
	here := w.ended(o)
	w.finish(here)
	return here
}

// came notes where a file came from.
func (w *walker) came(file int, o outcome, e entry) {
	if o == fetched {
		w.sources[file] = e.name
	}
}

// explain says why, at the last step of the present file and for the headline.
func (w *walker) explain(why string) {
	if n := len(w.route.Steps); n > w.phase {
		w.route.Steps[n-1].Why = why
	}
	w.reason = why
}

// blame says that the file that was asked for last is what is wrong, not the
// lookups that came after it.
func (w *walker) blame(why string) {
	if len(w.route.Steps) > w.phase && w.asked >= w.phase {
		w.blamed = w.asked
		w.route.Steps[w.asked].Why = why
	}
	w.reason = why
}
