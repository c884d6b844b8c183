package cache

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/probe"
	"gpx/probe/reach"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

var (
	th  = theme.New(theme.Options{NoColor: true})
	now = time.Date(2026, 11, 23, 14, 22, 7, 0, time.UTC)
)

func at(path, version string) module.Version { return module.Version{Path: path, Version: version} }

// whole is a version with zip and tree.
func whole(path, version string, bytes int64) modcache.Version {
	return modcache.Version{Version: at(path, version), Info: true, Mod: true, Zip: true, ZipHash: true, Dir: true, DirBytes: bytes,
		FetchedAt: now.Add(-time.Duration(bytes) * time.Hour), State: modcache.Whole, Exact: true}
}

func gomod(path, version string) modcache.Version {
	return modcache.Version{Version: at(path, version), Mod: true, MetaBytes: 1, State: modcache.ModOnly, Exact: true}
}

func has(m module.Version, hop string) *answer {
	return &answer{Answer: reach.Answer{Version: m, Asked: true, Sources: []reach.Source{{Hop: hop, Class: probe.OK}}}}
}

func nobody(m module.Version) *answer {
	return &answer{Answer: reach.Answer{Version: m, Asked: true, Sources: []reach.Source{{Hop: "direct", Class: probe.DNSNotFound}}}}
}

// world is a cache with one module for each case.
func world() *facts {
	f := &facts{needs: needs.Needs{}, running: []string{"a running go command"}, answers: map[module.Version]*answer{}, asking: map[module.Version]bool{},
		bad: map[module.Version][]modcache.Bad{}, checked: map[module.Version]bool{}, marks: newMarks(), short: func(root string) string { return "~" + root }}
	f.inv = &modcache.Inventory{Versions: []modcache.Version{
		whole("a.example/free", "v1.0.0", 10), whole("a.example/free", "v1.1.0", 20),
		whole("b.example/half", "v1.0.0", 3), whole("b.example/half", "v1.1.0", 4),
		whole("c.example/lone", "v1.0.0", 5), whole("c.example/lone", "v1.1.0", 1),
		whole("d.example/need", "v1.0.0", 6),
		gomod("e.example/graph", "v0.1.0"), gomod("e.example/graph", "v0.2.0"),
		gomod("f.example/used", "v0.1.0"),
		whole("g.example/sick", "v1.0.0", 7),
		whole("h.example/busy", "v1.0.0", 8),
	}}
	const hop, other = "https://proxy.example.com", "https://b.example"
	for m, a := range map[module.Version]*answer{
		at("a.example/free", "v1.0.0"): has(at("a.example/free", "v1.0.0"), hop), at("a.example/free", "v1.1.0"): has(at("a.example/free", "v1.1.0"), other),
		at("b.example/half", "v1.0.0"): has(at("b.example/half", "v1.0.0"), hop),
		at("c.example/lone", "v1.0.0"): nobody(at("c.example/lone", "v1.0.0")), at("c.example/lone", "v1.1.0"): has(at("c.example/lone", "v1.1.0"), hop),
		at("d.example/need", "v1.0.0"): has(at("d.example/need", "v1.0.0"), hop),
		at("g.example/sick", "v1.0.0"): nobody(at("g.example/sick", "v1.0.0")),
	} {
		f.answers[m] = a
	}
	f.needs.Add(at("d.example/need", "v1.0.0"), "/app")
	f.needs.Add(at("d.example/need", "v1.0.0"), "/lib")
	f.needs.Add(at("c.example/lone", "v1.0.0"), "/app")
	f.needs.Add(at("h.example/busy", "v1.0.0"), "a running go command")
	f.needs[at("f.example/used", "v0.1.0/go.mod")] = []string{"/app"}
	f.bad[at("g.example/sick", "v1.0.0")] = []modcache.Bad{{What: modcache.ZipChanged}}
	return f
}

func plainCells(r *row) string {
	widths := make([]int, colRisk+1)
	for i := range widths {
		widths[i] = 20
	}
	widths[colBar] = 0
	var out []string
	for i, c := range cells(th, r, now, 30, widths) {
		if i != colBar {
			out = append(out, strings.TrimSpace(c.Plain()))
		}
	}
	return strings.Join(out, "|")
}

func TestModuleRows(t *testing.T) {
	want := []string{
		"|a.example/free|2|30 B|10h ago|–|example.com b.example|safe",
		"|b.example/half|2|7 B|3h ago|–|example.com 1/2|unknown", // one version was not asked for
		"|c.example/lone|2|6 B|1h ago|~/app|NONE for 1|! ONLY",   // graver than needed
		"|d.example/need|1|6 B|6h ago|~/app +1|example.com|keep",
		"|e.example/graph|0 +2|2 B|–|–|–|–", // nothing but what stays anyway
		"|f.example/used|0 +1|1 B|–|~/app|–|keep",
		"✗|g.example/sick|1|7 B|7h ago|–|NONE|DAMAGED", // what is broken is no only copy
		"|h.example/busy|1|8 B|8h ago|running go|–|keep",
	}
	rows := moduleRows(world())
	if len(rows) != len(want) {
		t.Fatalf("%d rows", len(rows))
	}
	for i, r := range rows {
		if got := plainCells(r); got != want[i] {
			t.Errorf("%q, want %q", got, want[i])
		}
	}
}

// TestNothingIsSafeUnasked: before it is known who needs what, nothing is called
// safe.
func TestNothingIsSafeUnasked(t *testing.T) {
	f := world()
	f.needs = nil
	for _, r := range moduleRows(f) {
		if r.risk == safe || r.risk == keep {
			t.Errorf("%s is %s", r.name, r.risk)
		}
	}
}

func TestVersionRows(t *testing.T) {
	f := world()
	f.checked[at("c.example/lone", "v1.1.0")] = true
	f.asking[at("c.example/lone", "v1.1.0")] = true
	f.marks.versions[at("c.example/lone", "v1.0.0")] = true
	var got []string
	for _, r := range versionRows(f, "c.example/lone") {
		got = append(got, plainCells(r))
	}
	want := []string{"■|v1.0.0|whole|5 B|5h ago|~/app|NONE|! ONLY", "✓|v1.1.0|whole|1 B|1h ago|–|asking…|safe"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if rows := versionRows(f, "nowhere.example"); len(rows) != 0 {
		t.Errorf("%d rows of a module that is not there", len(rows))
	}
}

func names(rows []*row) string {
	var out []string
	for _, r := range rows {
		out = append(out, r.name[:1])
	}
	return strings.Join(out, "")
}

func TestOrdersAndFilters(t *testing.T) {
	for o, want := range map[order]string{bySize: "ahbgcdef", byName: "abcdefgh", byAge: "efahgdbc", byRisk: "gchdfbae"} {
		rows := moduleRows(world())
		sortRows(rows, o)
		if got := names(rows); got != want {
			t.Errorf("%s: %s, want %s", o, got, want)
		}
	}
	for query, want := range map[string]string{
		"": "abcdefgh", "example": "abcdefgh", "SICK": "g", "only": "cef", "~/app keep": "df", "damaged": "g", "b.example": "ab", "mod only": "ef", "nowhere": "",
	} {
		if got := names(filterRows(moduleRows(world()), query)); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
}

// TestMarks: a version that is marked by itself is named, one of a module that is
// marked is not; taking one off a marked module leaves the others named.
func TestMarks(t *testing.T) {
	f := world()
	m, free := f.marks, versionsOf(f.inv, "a.example/free")
	module1 := func() *row { return moduleRows(f)[0] }
	version1 := func(i int) *row { return versionRows(f, "a.example/free")[i] }

	m.toggle(module1(), free)
	if ms, vs := m.chosen(); !reflect.DeepEqual(ms, []string{"a.example/free"}) || len(vs) != 0 || module1().mark != marked || version1(0).mark != marked {
		t.Errorf("module: %v %v", ms, vs)
	}
	m.toggle(version1(0), free)
	if ms, vs := m.chosen(); len(ms) != 0 || !reflect.DeepEqual(vs, []module.Version{at("a.example/free", "v1.1.0")}) || module1().mark != partly {
		t.Errorf("one off: %v %v", ms, vs)
	}
	m.toggle(module1(), free) // a part is marked: now all of it is
	if ms, vs := m.chosen(); !reflect.DeepEqual(ms, []string{"a.example/free"}) || len(vs) != 0 {
		t.Errorf("again: %v %v", ms, vs)
	}
	if got := bytesOf(m.of(f.inv)); got != 30 {
		t.Errorf("%d bytes are marked", got)
	}
	f.inv = &modcache.Inventory{Versions: f.inv.Versions[2:]}
	m.prune(f.inv) // it is gone
	if !m.empty() {
		t.Error("marks of what is gone stay")
	}
}

func TestPruneOptions(t *testing.T) {
	for name, tc := range map[string]struct {
		c    choice
		at   []int
		want modcache.PruneOptions
	}{
		"everything to the trash": {choice{all: true}, []int{0, 0, 0, 0, 0}, modcache.PruneOptions{Unreferenced: true, Trash: true}},
		"old modules for good": {choice{modules: []string{"m"}}, []int{0, 2, 1, 1, 1},
			modcache.PruneOptions{Modules: []string{"m"}, OlderThan: 30 * 24 * time.Hour, KeepLatest: 1, AllFiles: true}},
		"one version": {choice{versions: []module.Version{at("m", "v1.0.0")}}, []int{0, 0, 0, 0, 0},
			modcache.PruneOptions{Versions: []module.Version{at("m", "v1.0.0")}, Trash: true}},
		"leftovers": {choice{partial: true}, []int{0, 0, 0, 1, 0}, modcache.PruneOptions{Partial: true}},
	} {
		if got := pruneOptions(tc.c, tc.at); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
	if n := len(fields[1].Options); n != len(ages) {
		t.Errorf("%d ages for %d options", len(ages), n)
	}
	if n := len(fields[2].Options); n != len(latests) {
		t.Errorf("%d numbers for %d options", len(latests), n)
	}
}

func TestKeptIsSummedUpByReason(t *testing.T) {
	kept := []modcache.Kept{
		{Path: "a", Version: "v1.0.0", Reason: modcache.Needed, Why: "needed by ~/app", Bytes: 1 << 20},
		{Path: "b", Version: "v1.0.0", Reason: modcache.OnlyCopy, Why: "nobody has it", Bytes: 2 << 20},
		{Path: "c", Version: "v1.0.0", Reason: modcache.Needed, Why: "needed by ~/app", Bytes: 3 << 20},
	}
	want := []string{"1 version, 2.0 MiB: ONLY COPY, nobody who answers now can give it back", "2 versions, 4.0 MiB: known projects need it"}
	if got := keptSummary(kept); !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	var text []string
	for _, l := range keptLines(kept, 60) {
		text = append(text, l.Plain())
	}
	if got := strings.Join(text, "\n"); !strings.Contains(got, "  c@v1.0.0  3.0 MiB  needed by ~/app\n  a@v1.0.0") {
		t.Errorf("the larger one is not first:\n%s", got)
	}
}

func TestPartsOfABuildCache(t *testing.T) {
	inv := &buildcache.Inventory{Bytes: 100, ByAge: []buildcache.Age{{OlderThan: time.Hour, Bytes: 60}, {OlderThan: 120 * time.Hour, Bytes: 20}},
		ByKind: map[buildcache.Kind]int64{buildcache.Archive: 70, buildcache.Fuzz: 5, buildcache.Other: 0}}
	var got []string
	for _, p := range partsOf(inv, true) {
		cells := partCells(th, &p, inv.Bytes, []int{24, 9, 10, 5, 20})
		got = append(got, cells[0].Plain()+" "+cells[1].Plain()+" "+cells[3].Plain())
	}
	want := []string{"not used for 1 h 60 B 60%", "not used for 5 d 20 B 20%", "compiled packages 70 B 70%", "fuzz corpora 5 B 5%"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if n := len(partsOf(inv, false)); n != 2 {
		t.Errorf("%d lines of a cache that nobody looked into", n)
	}
	for _, k := range []buildcache.Kind{buildcache.Archive, buildcache.Executable, buildcache.TestResult, buildcache.Action, buildcache.Fuzz, buildcache.Other, buildcache.Unread} {
		if kinds[k].title == "" || kinds[k].note == "" {
			t.Errorf("%s has no words", k)
		}
	}
}

// TestColumnsFit: at 80 cells, of which the frame takes six, nothing is cut off,
// and names can be read.
func TestColumnsFit(t *testing.T) {
	for name, cols := range map[string][]widget.Column{"modules": moduleColumns(), "versions": versionColumns(), "build cache": partColumns()} {
		for _, w := range []int{54, 74, 94, 114, 194} {
			widths, total := widget.Layout(cols, w), 0
			for i, n := range widths {
				switch {
				case n > 0 && i > 0 && cols[i].Tight:
					total++
				case n > 0 && i > 0:
					total += 2
				}
				total += n
			}
			if total > w || w >= 74 && widths[colName] < 20 && name != "build cache" {
				t.Errorf("%s at %d: %v", name, w, widths)
			}
		}
	}
}
