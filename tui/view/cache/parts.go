package cache

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"gpx/cachectl/buildcache"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

// A part is one line about the build cache: what was not used for a time, or
// what is of a kind.
type part struct {
	title     string
	bytes     int64
	olderThan time.Duration // of the ages
	kind      buildcache.Kind
	note      string
}

// kinds says of each kind what it is, and what taking it costs.
var kinds = map[buildcache.Kind]struct{ title, note string }{
	buildcache.Archive:    {"compiled packages", "compiled again when a build needs them"},
	buildcache.Executable: {"programs of go run and go tool", "linked again"},
	buildcache.TestResult: {"test results", "the tests run again; P can let them expire"},
	buildcache.Action:     {"the index", "goes with what it leads to"},
	buildcache.Fuzz:       {"fuzz corpora", "nothing can make them again: never pruned"},
	buildcache.Other:      {"listings, vet facts, embedded files", "made again"},
	buildcache.Unread:     {"not looked into", "r looks into every output"},
}

// partsOf lists a build cache by age and then by kind; without kinds it was not
// looked into.
func partsOf(inv *buildcache.Inventory, looked bool) []part {
	if inv == nil {
		return nil
	}
	var out []part
	for _, a := range inv.ByAge {
		p := part{title: "not used for " + period(a.OlderThan), bytes: a.Bytes, olderThan: a.OlderThan, note: "P takes it"}
		if a.OlderThan == trimLimit {
			p.note = "what the go command's own trim takes"
		}
		out = append(out, p)
	}
	if !looked {
		return out
	}
	for _, k := range slices.SortedFunc(maps.Keys(inv.ByKind), func(a, b buildcache.Kind) int {
		return cmp.Or(cmp.Compare(inv.ByKind[b], inv.ByKind[a]), cmp.Compare(a, b))
	}) {
		if n := inv.ByKind[k]; n > 0 {
			out = append(out, part{title: kinds[k].title, bytes: n, kind: k, note: kinds[k].note})
		}
	}
	return out
}

// trimLimit is for how long a file was not used that the go command trims
// (cmd/go/internal/cache, cache.go).
const trimLimit = 5 * 24 * time.Hour

// period is a time in the unit that people would use: 1 h, 5 d.
func period(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day {
		return fmt.Sprintf("%d d", d/day)
	}
	return fmt.Sprintf("%d h", d/time.Hour)
}

// The columns of the build cache.
func partColumns() []widget.Column {
	return []widget.Column{
		{Title: "BUILD CACHE", Min: 24, Grow: 2, Max: 40},
		{Title: "SIZE", Min: 9, Right: true},
		{Title: "", Min: 10, Grow: 2, Max: 40, Tight: true},
		{Title: "SHARE", Min: 5, Right: true},
		{Title: "NOTE", Min: 20, Grow: 3, Max: 60, Drop: 1},
	}
}

// partCells draws one part of total.
func partCells(th *theme.Theme, p *part, total int64, widths []int) []widget.Line {
	one := func(role theme.Role, s string) widget.Line { return widget.L(widget.S(role, s)) }
	share := int64(0)
	if total > 0 {
		share = p.bytes * 100 / total
	}
	role := theme.Accent
	if p.kind != "" {
		role = theme.Good
	}
	return []widget.Line{
		one(theme.Text, p.title), one(theme.Text, size(p.bytes)), widget.Bar(th, role, p.bytes, total, widths[2]),
		one(theme.Dim, fmt.Sprintf("%d%%", share)), one(theme.Dim, p.note),
	}
}
