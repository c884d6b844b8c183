package deps

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/redact"
)

// rows are the modules of the report: what go.mod requires, what is built from,
// and what something lacks; where the whole graph counts, the whole graph.
func (l *loader) rows(r *Report) []Module {
	by := map[module.Version]*Module{}
	row := func(m module.Version) *Module {
		if m.Path == "" || l.mainOf(m.Path) != nil && m.Version == "" {
			return nil
		}
		if by[m] == nil {
			by[m] = &Module{Version: m}
		}
		return by[m]
	}
	for _, q := range l.project.Requires {
		if x := row(l.selectedOf(q.Version)); x != nil && !q.Indirect {
			x.Direct = true
		}
	}
	if l.graph != nil && l.rs.pruning == unpruned {
		for path, v := range l.graph.selected {
			if path != "go" {
				row(module.Version{Path: path, Version: v})
			}
		}
	}
	for m, chain := range l.used {
		if x := row(m); x != nil {
			x.Needed, x.By = true, chain
		}
	}
	for i, a := range []Answer{r.Build, r.Test, r.Tools} {
		for _, t := range a.Troubles {
			if x := row(l.requiredAs(t.Module)); x != nil {
				if i < 2 {
					x.Needed = true
				}
				x.lack(t)
			}
		}
	}
	unneeded, unknown := l.unneeded()
	keys := slices.SortedFunc(maps.Keys(by), func(a, b module.Version) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), compareVersions(a.Path, a.Version, b.Version))
	})
	out := make([]Module, 0, len(by))
	for _, m := range keys {
		x := by[m]
		if l.judge(x); x.Why == "" && x.Verdict == Ready && !x.Needed {
			x.Why, x.Unknown = unneeded, unknown
		}
		out = append(out, *x)
	}
	return out
}

func (x *Module) lack(t Trouble) {
	if slices.ContainsFunc(x.Troubles, func(had Trouble) bool { return had.Kind == t.Kind && had.Text == t.Text }) {
		return
	}
	x.Troubles = append(x.Troubles, t)
	if len(x.By) == 0 {
		x.By = t.Packages
	}
}

// selectedOf is the version of a required module that is built from.
func (l *loader) selectedOf(m module.Version) module.Version {
	if l.rs == nil {
		return m
	}
	v, ok := l.rs.max[m.Path]
	if l.graph != nil {
		if g, in := l.graph.selected[m.Path]; in {
			v, ok = g, true
		}
	}
	if ok && v != "" {
		m.Version = v
	}
	return m
}

// requiredAs is the module that m is a replacement of, or m.
func (l *loader) requiredAs(m module.Version) module.Version {
	if len(l.project.Replaces) == 0 {
		return m
	}
	for _, q := range l.project.Requires {
		s := l.selectedOf(q.Version)
		if to, ok := l.replacement(s); ok && to == m {
			return s
		}
	}
	return m
}

// judge fills a row in.
func (l *loader) judge(x *Module) {
	actual, replaced := l.replacement(x.Version)
	if !replaced {
		actual = x.Version
	} else {
		x.Replacement = actual
	}
	x.Private = l.private(actual.Path)
	local := replaced && actual.Version == ""
	var f facts
	if !local {
		f = l.cache.at(actual)
		x.Cache = f.Parts
	}
	x.Sum = l.sumOf(x, actual, local)
	x.Verdict, x.Why, x.Fix = Ready, "", ""
	switch {
	case len(x.Troubles) > 0:
		t := x.Troubles[0]
		x.Verdict, x.Why, x.Fix = Missing, t.Text, t.Fix
		if !x.Needed {
			x.Verdict = AtRisk // for a tool alone
		}
		x.Older = l.cache.older(actual.Path)
	case local:
		x.Verdict, x.Why = Replaced, "comes from "+redact.Clean(actual.Path)
	case l.vendor != nil:
		x.Verdict, x.Why = Vendored, "comes from the vendor directory"
		if _, ok := l.vendor.version[x.Path]; !ok {
			x.Verdict, x.Why = Ready, ""
		}
	case x.Needed:
		x.Why, x.Fix = l.risk(x, actual, f)
		if x.Why != "" {
			x.Verdict = AtRisk
		}
	}
}

// unneeded says for what a module is not needed of which no package is known to
// be; unknown says that one may be: of what was not found nobody knows what it
// imports.
func (l *loader) unneeded() (why string, unknown bool) {
	if l.stopped {
		return "what would need it could not be looked at", true
	}
	first, n := "", 0
	for path, e := range l.pkgs.by {
		if len(e.value.troubles) == 0 {
			continue
		}
		if n++; first == "" || path < first {
			first = path
		}
	}
	switch {
	case n == 1:
		return redact.Text(fmt.Sprintf("what is missing may need it: nobody can read what %s imports", first)), true
	case n > 1:
		return redact.Text(fmt.Sprintf("what is missing may need it: nobody can read what %s and %d more import", first, n-1)), true
	}
	return fmt.Sprintf("no package of it is needed on %s/%s", l.context.GOOS, l.context.GOARCH), false
}

// risk says what does not work with a module that builds do have.
func (l *loader) risk(x *Module, actual module.Version, f facts) (why, fix string) {
	get := "go mod download " + actual.String()
	switch {
	case !f.Zip:
		return "its zip is gone: it builds, and cannot be verified, vendored by others or exported", get
	case !f.Info:
		return "its .info is gone: it builds, and go mod download fails", get
	case !l.haveSum(actual) && l.mode != "mod" && l.work == nil:
		return "go.sum has no line for it", get
	}
	return "", ""
}

func (l *loader) sumOf(x *Module, actual module.Version, local bool) Sum {
	if local || l.vendor != nil {
		return SumNotUsed
	}
	if slices.ContainsFunc(x.Troubles, func(t Trouble) bool { return t.Kind == WrongSum }) {
		return SumWrong
	}
	switch {
	case l.project.Sums.Has(actual):
		return SumOK
	case l.project.Sums.HasGoMod(actual):
		return SumModOnly
	}
	return SumNone
}

// private reports whether a path is kept from public hosts.
func (l *loader) private(path string) bool {
	patterns := strings.Join([]string{l.env.Get("GOPRIVATE"), l.env.NoProxy(), l.env.NoSumDB()}, ",")
	return module.MatchPrefixPatterns(patterns, path)
}
