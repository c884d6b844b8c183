package cache

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/reach"
	"gpx/tui/theme"
)

// A row is one module with what the cache has of it, or one of its versions.
// Its texts are clean, except for its identity.
type row struct {
	path, version string             // raw: the identity; version is "" for a module
	name          string             // what the first column says
	vs            []modcache.Version // a part of the inventory
	bytes         int64
	exact         bool
	sources       int // versions that are more than their .mod
	fetched       time.Time
	by            []string // who needs it: projects, or a running go command
	running       bool
	where         where
	risk          risk
	bad           []modcache.Bad
	checked       bool // verified, all of it
	mark          mark
	search        string // see text
}

// A risk is what would be lost if the row were pruned.
type risk int

// The risks, gravest first.
const (
	damaged risk = iota // it is broken: what is lost is nothing
	only                // ONLY COPY: nobody who answers can give it back
	keep                // a known project or a running go command needs it
	unknown             // nobody was asked yet
	safe                // a hop can give it back, and nobody here needs it
	nothing             // there is only a go.mod, which stays
)

func (r risk) String() string {
	return [...]string{"DAMAGED", "ONLY", "keep", "unknown", "safe", ""}[r]
}

// A mark says how much of a row is marked.
type mark int

// The marks.
const (
	unmarked mark = iota
	partly
	marked
)

// where says who can give the versions of a row now.
type where struct {
	total  int           // versions that can be asked for
	asked  int           // of them those with an answer
	asking bool          // an answer is on its way
	none   int           // of asked: nobody has it
	hops   []string      // the endpoints that have one of them, as they were met
	last   *reach.Answer // the answer, where it is about a single version
}

// facts are everything that rows are made of.
type facts struct {
	inv     *modcache.Inventory
	needs   needs.Needs // nil while they are not known
	running []string
	answers map[module.Version]*answer
	asking  map[module.Version]bool
	bad     map[module.Version][]modcache.Bad
	checked map[module.Version]bool
	marks   *marks
	short   func(root string) string // how a project is named
}

// An answer is who can give a version, and when that was.
type answer struct {
	reach.Answer
	at     time.Time
	health string // of the hops at that time
}

// moduleRows makes one row for each module path.
func moduleRows(f *facts) []*row {
	if f.inv == nil {
		return nil
	}
	vs := f.inv.Versions
	var rows []*row
	for from := 0; from < len(vs); {
		to := from + 1
		for to < len(vs) && vs[to].Path == vs[from].Path {
			to++
		}
		r := f.row(vs[from:to])
		r.path, r.name = vs[from].Path, redact.Clean(vs[from].Path)
		rows = append(rows, r)
		from = to
	}
	return rows
}

// versionRows makes one row for each version of a module.
func versionRows(f *facts, path string) []*row {
	vs := versionsOf(f.inv, path)
	rows := make([]*row, 0, len(vs))
	for i := range vs {
		r := f.row(vs[i : i+1])
		r.path, r.version, r.name = vs[i].Path, vs[i].Version.Version, redact.Clean(vs[i].Version.Version)
		rows = append(rows, r)
	}
	return rows
}

// versionsOf is the part of an inventory that is about one module.
func versionsOf(inv *modcache.Inventory, path string) []modcache.Version {
	if inv == nil {
		return nil
	}
	from, _ := slices.BinarySearchFunc(inv.Versions, path, func(v modcache.Version, path string) int { return cmp.Compare(v.Path, path) })
	to := from
	for to < len(inv.Versions) && inv.Versions[to].Path == path {
		to++
	}
	return inv.Versions[from:to]
}

// row adds up what is known of vs.
func (f *facts) row(vs []modcache.Version) *row {
	r := &row{vs: vs, exact: true, checked: true}
	marks := 0
	for i := range vs {
		v := &vs[i]
		r.bytes += v.Bytes()
		r.exact = r.exact && v.Exact
		if v.FetchedAt.After(r.fetched) {
			r.fetched = v.FetchedAt
		}
		f.need(r, v)
		r.bad = append(r.bad, f.bad[v.Version]...)
		r.checked = r.checked && f.checked[v.Version]
		if f.marks.has(v.Version) {
			marks++
		}
		if !sources(v) {
			continue
		}
		r.sources++
		f.reach(r, v)
	}
	switch {
	case marks == len(vs):
		r.mark = marked
	case marks > 0:
		r.mark = partly
	}
	if r.where.total > 1 {
		r.where.last = nil
	}
	r.risk = f.riskOf(r)
	return r
}

// sources reports whether a version is more than its .mod.
func sources(v *modcache.Version) bool { return v.Zip || v.Dir || v.LeftBytes > 0 }

// need notes who needs v: for what is only a .mod, who needs that.
func (f *facts) need(r *row, v *modcache.Version) {
	who := f.needs.Whole(v.Version)
	if !sources(v) {
		who = f.needs.Mod(v.Version)
	}
	for _, root := range who {
		r.running = r.running || slices.Contains(f.running, root)
		if name := f.short(root); !slices.Contains(r.by, name) {
			r.by = append(r.by, name)
		}
	}
}

// reach notes who can give v.
func (f *facts) reach(r *row, v *modcache.Version) {
	r.where.total++
	r.where.asking = r.where.asking || f.asking[v.Version]
	a, ok := f.answers[v.Version]
	if !ok {
		return
	}
	r.where.last = &a.Answer
	if !a.Reachable() {
		if a.Asked {
			r.where.asked++
			r.where.none++
		}
		return
	}
	r.where.asked++
	for _, s := range a.Sources {
		if s.Class == probe.OK && !slices.Contains(r.where.hops, s.Hop) {
			r.where.hops = append(r.where.hops, s.Hop)
		}
	}
}

func (f *facts) riskOf(r *row) risk {
	switch {
	case len(r.bad) > 0:
		return damaged
	case r.where.none > 0:
		return only
	case len(r.by) > 0:
		return keep
	case r.sources == 0:
		return nothing
	case f.needs == nil || r.where.asked < r.where.total:
		return unknown
	}
	return safe
}

// An order is a way to sort rows.
type order int

// The orders, in the sequence in which o steps through them.
const (
	bySize order = iota
	byName
	byAge
	byRisk
	orders
)

func (o order) String() string { return [...]string{"size", "name", "age", "risk"}[o] }

// column is the column that o sorts by, and the direction.
func (o order) column(g *theme.Glyphs) (int, string) {
	switch o {
	case byName:
		return colName, g.Up
	case byAge:
		return colFetched, g.Up
	case byRisk:
		return colRisk, g.Up
	}
	return colSize, g.Down
}

// sortRows sorts: the largest, the oldest or the gravest first. Versions come
// sorted, and the newest are looked for first.
func sortRows(rows []*row, o order) {
	slices.SortStableFunc(rows, func(a, b *row) int {
		switch o {
		case bySize:
			return cmp.Compare(b.bytes, a.bytes)
		case byAge:
			return a.fetched.Compare(b.fetched)
		case byRisk:
			return cmp.Or(cmp.Compare(a.risk, b.risk), cmp.Compare(b.bytes, a.bytes))
		}
		return 0
	})
}

// filterRows returns the rows that have all words of query.
func filterRows(rows []*row, query string) []*row {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return rows
	}
	var out []*row
	for _, r := range rows {
		text := r.text()
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			out = append(out, r)
		}
	}
	return out
}

// text is what a filter looks in. It is made when it is first asked for: with
// every letter that is typed it is asked for again.
func (r *row) text() string {
	if r.search == "" {
		words := append([]string{r.name, r.risk.String()}, r.by...)
		words = append(words, r.where.hops...)
		for i := range r.vs {
			if s := stateWords(r.vs[i].State); i == 0 || r.vs[i].State != r.vs[i-1].State {
				words = append(words, s)
			}
		}
		r.search = strings.ToLower(strings.Join(words, " "))
	}
	return r.search
}

// stateWords is a state as people write it.
func stateWords(s modcache.State) string { return strings.ReplaceAll(string(s), "_", " ") }
