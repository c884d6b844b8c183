package modcache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/envctl/change"
	"gpx/probe"
	"gpx/probe/reach"
)

// noon is when the plans of these tests are made; h is a day before, and so on.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A shelf is a made-up cache of ten-byte files.
type shelf struct {
	t   testing.TB
	dir string
}

func newShelf(t testing.TB) *shelf {
	return &shelf{t, writable(t)}
}

// put writes the parts of a version, as they were days before noon.
func (s *shelf) put(version string, days int, parts ...string) {
	s.t.Helper()
	m := mv(version)
	path, err := module.EscapePath(m.Path)
	must(s.t, err)
	at := noon.AddDate(0, 0, -days)
	for _, part := range parts {
		file := filepath.Join(s.dir, "cache", "download", path, "@v", m.Version+"."+part)
		if part == "tree" {
			file = filepath.Join(s.dir, path+"@"+m.Version, "x.go")
		}
		must(s.t, os.MkdirAll(filepath.Dir(file), 0o777))
		text := "0123456789"
		if part == "zip" {
			text = "PK\x05\x06" + strings.Repeat("\x00", 18) // an empty one
		}
		must(s.t, os.WriteFile(file, []byte(text), 0o666))
		must(s.t, os.Chtimes(file, at, at))
		if part == "tree" {
			must(s.t, os.Chtimes(filepath.Dir(file), at, at))
			must(s.t, os.Chmod(filepath.Dir(file), 0o555))
		}
	}
}

var all = []string{"info", "mod", "zip", "ziphash", "tree"}

func (s *shelf) plan(o modcache.PruneOptions) (*change.Plan, []modcache.Kept, error) {
	s.t.Helper()
	c, err := modcache.Open(s.dir)
	must(s.t, err)
	inv, err := c.Scan(s.t.Context(), modcache.ScanOptions{})
	must(s.t, err)
	o.Now = noon
	return modcache.PlanPrune(s.t.Context(), inv, o)
}

// keptWords are the kept ones, "version reason".
func keptWords(kept []modcache.Kept) []string {
	var words []string
	for _, k := range kept {
		words = append(words, k.Path+"@"+k.Version+" "+string(k.Reason))
	}
	slices.Sort(words)
	return words
}

// reachOf says who can be had: "+" everybody says yes, "-" everybody says no,
// "?" nobody was asked.
func reachOf(said map[string]string) func(context.Context, []module.Version) (map[module.Version]reach.Answer, error) {
	return func(_ context.Context, ms []module.Version) (map[module.Version]reach.Answer, error) {
		answers := map[module.Version]reach.Answer{}
		for _, m := range ms {
			a := reach.Answer{Version: m, Asked: true, Sources: []reach.Source{{Hop: "https://proxy.example.com", Class: probe.OK}}}
			switch said[m.String()] {
			case "-":
				a.Sources[0].Class = probe.NotFound
			case "?":
				a = reach.Answer{Version: m, Why: "its path is private"}
			}
			answers[m] = a
		}
		return answers, nil
	}
}

func TestPruneChooses(t *testing.T) {
	needed := needs.Needs{}
	needed.Add(mv("a.example.com/x@v1.2.0"), "/src/app")
	needed.Add(mv("a.example.com/x@v1.2.0"), "/src/other")
	needed.Add(mv("b.example.com/run@v1.0.0"), "a running go command")
	needed.Add(mv("c.example.com/Dear@v1.0.0"), "/src/app")
	for _, m := range []string{"d.example.com/graph@v1.0.0/go.mod", "h.example.com/read@v1.0.0/go.mod"} {
		needed[mv(m)] = []string{"/src/app"}
	}
	const (
		x0, x1, x2 = "a.example.com/x@v1.0.0", "a.example.com/x@v1.1.0", "a.example.com/x@v1.2.0"
		deep       = "a.example.com/x/deep@v0.1.0"
		run, dear  = "b.example.com/run@v1.0.0", "c.example.com/Dear@v1.0.0"
		graph      = "d.example.com/graph@v1.0.0"
		modOnly    = "e.example.com/mod@v1.0.0"
		only       = "f.example.com/only@v1.0.0"
		private    = "g.example.com/private@v1.0.0"
		read       = "h.example.com/read@v1.0.0"
	)
	said := map[string]string{dear: "-", only: "-", private: "?"}
	tests := []struct {
		name  string
		o     modcache.PruneOptions
		goes  []string
		kept  []string
		title string
		warns []string
	}{
		{
			name: "named", o: modcache.PruneOptions{Versions: []module.Version{mv(x0), mv(x0)}},
			goes: []string{x0}, title: "prune a.example.com/x@v1.0.0",
		},
		{
			name: "named, and needed: it can be had again", o: modcache.PruneOptions{Versions: []module.Version{mv(x2)}},
			goes: []string{x2}, warns: []string{"needed, so that the next build has to download it again: " + x2 + " (by /src/app and /src/other)"},
		},
		{
			name: "named, and needed: nobody can give it back", o: modcache.PruneOptions{Versions: []module.Version{mv(dear)}},
			kept: []string{dear + " needed"},
		},
		{
			name: "named, and needed by a running go command", o: modcache.PruneOptions{Versions: []module.Version{mv(run)}},
			kept: []string{run + " running"},
		},
		{
			name: "named, and the only copies", o: modcache.PruneOptions{Versions: []module.Version{mv(only), mv(private)}},
			goes: []string{only, private}, title: "prune 2 modules",
			warns: []string{"ONLY COPY: nobody who answers now can give back " + only, "nobody could be asked whether they can give back " + private},
		},
		{
			name: "named, and not there", o: modcache.PruneOptions{Versions: []module.Version{mv("z.example.com/z@v1.0.0"), mv(modOnly)}},
			kept: []string{modOnly + " not_there", "z.example.com/z@v1.0.0 not_there"},
		},
		{
			name: "a module", o: modcache.PruneOptions{Modules: []string{"a.example.com/x"}},
			goes: []string{x0, x1}, kept: []string{x2 + " needed"}, title: "prune a.example.com/x, 2 versions",
		},
		{
			name: "a module and all below", o: modcache.PruneOptions{Modules: []string{"a.example.com/x/..."}},
			goes: []string{x0, x1, deep}, kept: []string{x2 + " needed"}, title: "prune 2 modules",
		},
		{
			name: "only copies of a module stay", o: modcache.PruneOptions{Modules: []string{"f.example.com/only", "g.example.com/private"}},
			kept: []string{only + " only_copy", private + " unasked"},
		},
		{
			name: "unreferenced", o: modcache.PruneOptions{Unreferenced: true},
			goes: []string{x0, x1, deep, graph},
			kept: []string{x2 + " needed", run + " running", dear + " needed", only + " only_copy", private + " unasked"},
		},
		{
			name: "old ones", o: modcache.PruneOptions{OlderThan: 15 * 24 * time.Hour},
			goes: []string{x0, deep}, kept: []string{dear + " needed", only + " only_copy"},
		},
		{
			name: "all but the latest", o: modcache.PruneOptions{KeepLatest: 1}, goes: []string{x0, x1},
		},
		{
			name: "selectors narrow one another", o: modcache.PruneOptions{KeepLatest: 1, OlderThan: 15 * 24 * time.Hour, Modules: []string{"a.example.com/..."}}, goes: []string{x0},
		},
		{
			name: "a name beside selectors", o: modcache.PruneOptions{KeepLatest: 2, Versions: []module.Version{mv(deep)}}, goes: []string{x0, deep},
		},
		{
			name: "what came since a running go command was started", o: modcache.PruneOptions{Modules: []string{"a.example.com/x", "d.example.com/graph"}, Since: noon.AddDate(0, 0, -30), Versions: []module.Version{mv(graph)}},
			goes: []string{x0, graph}, kept: []string{x1 + " arrived", x2 + " needed"},
		},
		{
			name: "all files: graphs that are needed keep theirs", o: modcache.PruneOptions{AllFiles: true, Modules: []string{"d.example.com/graph", "e.example.com/mod"}},
			goes: []string{graph, modOnly},
		},
		{
			name: "a .mod that a graph reads", o: modcache.PruneOptions{AllFiles: true, Versions: []module.Version{mv(read)}},
			kept: []string{read + " needed"},
		},
	}
	s := newShelf(t)
	for version, days := range map[string]int{x0: 40, x1: 10, x2: 5, deep: 30, run: 1, dear: 90, graph: 2, only: 60, private: 3} {
		s.put(version, days, all...)
	}
	s.put(modOnly, 99, "info", "mod")
	s.put(read, 99, "info", "mod")
	for _, tt := range tests {
		for _, trash := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, trash: %v", tt.name, trash), func(t *testing.T) {
				o := tt.o
				o.Needs, o.Running, o.Reach, o.Trash = needed, []string{"a running go command"}, reachOf(said), trash
				p, kept, err := s.plan(o)
				must(t, err)
				if got := targets(p); !slices.Equal(got, append([]string{}, tt.goes...)) {
					t.Errorf("goes %q, want %q", got, tt.goes)
				}
				slices.Sort(tt.kept)
				if got := keptWords(kept); !slices.Equal(got, tt.kept) {
					t.Errorf("kept %q, want %q", got, tt.kept)
				}
				if tt.title != "" && p.Title != tt.title {
					t.Errorf("title %q, want %q", p.Title, tt.title)
				}
				bytes := int64(0)
				for _, a := range p.Actions {
					bytes += a.Bytes
					if want := map[bool]string{false: modcache.RemoveVersion, true: modcache.TrashVersion}[trash]; a.Kind != want || a.Undoable != trash {
						t.Errorf("action %+v, want kind %s", a, want)
					}
				}
				warns := slices.Clone(tt.warns)
				if freed := p.FreedBytes; trash && freed != 0 || !trash && freed != bytes {
					t.Errorf("frees %d, the actions are of %d bytes", freed, bytes)
				}
				if trash && len(tt.goes) > 0 {
					warns = append(warns, fmt.Sprintf("%d B move to the trash on the same disk: the space is free after 24 h, and until then undo brings everything back", bytes))
				}
				if !slices.Equal(p.Warnings, warns) {
					t.Errorf("warnings %q, want %q", p.Warnings, warns)
				}
			})
		}
	}
}

func TestPruneSaysWhyItKeeps(t *testing.T) {
	s := newShelf(t)
	n := needs.Needs{}
	for _, m := range []string{"a.example.com/x@v1.0.0", "b.example.com/x@v1.0.0", "c.example.com/x@v1.0.0"} {
		s.put(m, 1, all...)
	}
	for _, by := range []string{"/src/a\x1b[31m", "/src/b", "/src/c", "/src/d"} {
		n.Add(mv("a.example.com/x@v1.0.0"), by)
	}
	_, kept, err := s.plan(modcache.PruneOptions{Unreferenced: true, Needs: n, Reach: reachOf(map[string]string{"b.example.com/x@v1.0.0": "-", "c.example.com/x@v1.0.0": "?"})})
	must(t, err)
	want := []modcache.Kept{
		{Path: "a.example.com/x", Version: "v1.0.0", Reason: modcache.Needed, Why: "needed by /src/a, /src/b, /src/c and 1 more", Bytes: 32},
		{Path: "b.example.com/x", Version: "v1.0.0", Reason: modcache.OnlyCopy, Why: "nobody who answers now can give it back: https://proxy.example.com says not_found", Bytes: 32},
		{Path: "c.example.com/x", Version: "v1.0.0", Reason: modcache.Unasked, Why: "nobody could be asked whether they can give it back: its path is private", Bytes: 32},
	}
	if !slices.Equal(kept, want) {
		t.Errorf("kept\n%+v, want\n%+v", kept, want)
	}
}

func TestPruneNeedsAChoice(t *testing.T) {
	s := newShelf(t)
	if _, _, err := s.plan(modcache.PruneOptions{Trash: true}); err == nil || !strings.Contains(err.Error(), "nothing was chosen") {
		t.Errorf("error %v", err)
	}
	s.put("a.example.com/x@v1.0.0", 1, all...)
	failed := errors.New("no network")
	_, _, err := s.plan(modcache.PruneOptions{Unreferenced: true, Reach: func(context.Context, []module.Version) (map[module.Version]reach.Answer, error) {
		return nil, failed
	}})
	if !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	// Without anybody to ask, only names count.
	p, kept, err := s.plan(modcache.PruneOptions{Unreferenced: true})
	must(t, err)
	if !p.Empty() || len(kept) != 1 || kept[0].Reason != modcache.Unasked {
		t.Errorf("actions %q, kept %+v", targets(p), kept)
	}
}

// What interrupted downloads left goes without the versions that they are of.
func TestPrunePartial(t *testing.T) {
	s := newShelf(t)
	const whole, half, stuck, bare = "a.example.com/whole@v1.0.0", "a.example.com/half@v1.0.0", "a.example.com/Stuck@v1.0.0", "a.example.com/bare@v1.0.0"
	s.put(whole, 1, all...)
	s.put(whole, 1, "zip123.tmp", "info7.tmp", "zipper.tmp", "zip.tmp")
	s.put(half, 1, append(slices.Clone(all), "partial")...)
	s.put(stuck, 0, "info", "mod", "zip99.tmp", "mod1.tmp", "ziphash")
	s.put(bare, 1, "info", "mod", "tree") // its zip and hash were deleted by hand
	old := filepath.Join(s.dir, "a.example.com", "half@v1.0.0.tmp-123456")
	must(t, os.MkdirAll(filepath.Join(old, "sub"), 0o777))
	n := needs.Needs{}
	n.Add(mv(half), "/src/app")

	before := names(t, s.dir)
	p, kept, err := s.plan(modcache.PruneOptions{Partial: true, Needs: n, Reach: reachOf(map[string]string{bare: "-"})})
	must(t, err)
	if got, want := targets(p), []string{stuck, half, whole}; !slices.Equal(got, want) {
		t.Errorf("goes %q, want %q", got, want)
	}
	if got, want := keptWords(kept), []string{bare + " only_copy"}; !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q: from its tree it can be made again", got, want)
	}
	if p.Title != "prune what interrupted downloads left of 3 modules" {
		t.Errorf("title %q", p.Title)
	}
	changer := change.New(change.Options{StateDir: filepath.Join(t.TempDir(), "state")})
	_, err = changer.Apply(t.Context(), p)
	must(t, err)
	var gone []string
	after := names(t, s.dir)
	for name := range before {
		if !after[name] {
			gone = append(gone, strings.TrimPrefix(strings.TrimPrefix(name, "cache/download/"), "a.example.com/"))
		}
	}
	slices.Sort(gone)
	want := []string{
		"!stuck/@v/v1.0.0.zip99.tmp", "!stuck/@v/v1.0.0.ziphash", "half/@v/v1.0.0.partial", "half@v1.0.0", "half@v1.0.0.tmp-123456", "half@v1.0.0.tmp-123456/sub",
		"half@v1.0.0/x.go", "whole/@v/v1.0.0.info7.tmp", "whole/@v/v1.0.0.zip123.tmp",
	}
	if !slices.Equal(gone, want) {
		t.Errorf("gone\n%q, want\n%q", gone, want)
	}
}

// names are all names in a folder, but for the trash and locks.
func names(t testing.TB, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		rel, rerr := filepath.Rel(dir, path)
		must(t, rerr)
		if rel = filepath.ToSlash(rel); !strings.HasPrefix(rel, "cache/gpx-trash") && !strings.HasSuffix(rel, ".lock") {
			found[rel] = true
		}
		return err
	}))
	return found
}
