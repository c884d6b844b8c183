package needs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
)

// write makes files in a new directory, whose name is without symbolic links.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	writeIn(t, dir, files)
	return dir
}

func writeIn(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		must(t, errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(data), 0o666)))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// settings is an environment in which nothing is set but what is given.
func settings(cache string, set ...string) *env.Env {
	vars := append([]string{"GOMODCACHE=" + cache, "GOHOSTOS=plan9", "GOHOSTARCH=mips"}, set...)
	e := &env.Env{}
	for _, kv := range vars {
		name, value, _ := strings.Cut(kv, "=")
		e.Vars = append(e.Vars, env.Var{Name: name, Value: value, Origin: env.OS})
	}
	slices.SortFunc(e.Vars, func(a, b env.Var) int { return strings.Compare(a.Name, b.Name) })
	return e
}

func mv(s string) module.Version {
	path, version, _ := strings.Cut(s, "@")
	return module.Version{Path: path, Version: version}
}

// whole lists what is needed whole, by whom; roots are shown below dir.
func whole(n Needs, dir string) []string {
	var list []string
	for m, who := range n {
		if strings.HasSuffix(m.Version, goModSuffix) {
			continue
		}
		names := []string{}
		for _, by := range who {
			if rel, err := filepath.Rel(dir, by); err == nil && filepath.IsLocal(rel) {
				by = filepath.ToSlash(rel)
			}
			names = append(names, by)
		}
		slices.Sort(names)
		list = append(list, m.String()+" "+strings.Join(names, ","))
	}
	slices.Sort(list)
	return list
}

// mods lists what is needed for its .mod alone.
func mods(n Needs) []string {
	var list []string
	for m := range n {
		if v, ok := strings.CutSuffix(m.Version, goModSuffix); ok && len(n.Whole(module.Version{Path: m.Path, Version: v})) == 0 {
			list = append(list, m.Path+"@"+v)
		}
	}
	slices.Sort(list)
	return list
}

// cached are .mod files in a module cache.
func cached(goMods map[string]string) map[string]string {
	files := map[string]string{}
	for m, text := range goMods {
		v := mv(m)
		path, _ := module.EscapePath(v.Path)
		files["mod/cache/download/"+path+"/@v/"+v.Version+".mod"] = "module " + v.Path + "\n" + text
	}
	return files
}

func TestOf(t *testing.T) {
	tests := []struct {
		name   string
		files  map[string]string
		cached map[string]string // .mod files by version
		roots  []string
		set    []string
		whole  []string
		mods   []string
	}{
		{
			name: "go.sum counts, also what go.mod names no more",
			files: map[string]string{
				"a/go.mod": "module a\ngo 1.20\nrequire example.com/x v1.1.0\n",
				"a/go.sum": "example.com/x v1.1.0 h1:x\nexample.com/x v1.1.0/go.mod h1:x\nexample.com/x v1.0.0 h1:x\nexample.com/y v1.0.0/go.mod h1:x\n",
			},
			roots: []string{"a"},
			whole: []string{"example.com/x@v1.0.0 a", "example.com/x@v1.1.0 a"},
			mods:  []string{"example.com/y@v1.0.0"},
		},
		{
			name:  "requires count without go.sum",
			files: map[string]string{"a/go.mod": "module a\ngo 1.20\nrequire example.com/x v1.1.0 // indirect\n"},
			roots: []string{"a"}, whole: []string{"example.com/x@v1.1.0 a"},
		},
		{
			name: "replacements stand for what they replace",
			files: map[string]string{
				"a/go.mod": "module a\ngo 1.20\nrequire (\n\texample.com/x v1.0.0\n\texample.com/y v1.0.0\n)\nreplace example.com/x => example.com/fork v1.5.0\nreplace example.com/y v1.0.0 => ../y\n",
				"y/go.mod": "module example.com/y\ngo 1.16\nrequire example.com/z v1.0.0\n",
			},
			cached: map[string]string{"example.com/fork@v1.5.0": "go 1.16\nrequire example.com/deep v1.0.0\n"},
			roots:  []string{"a"},
			whole:  []string{"example.com/deep@v1.0.0 a", "example.com/fork@v1.5.0 a", "example.com/z@v1.0.0 a"},
		},
		{
			name:  "an unpruned main module needs the whole graph, of each module the highest version",
			files: map[string]string{"a/go.mod": "module a\ngo 1.16\nrequire example.com/x v1.0.0\n"},
			cached: map[string]string{
				"example.com/x@v1.0.0":  "go 1.20\nrequire example.com/y v1.0.0\nrequire example.com/Up v1.0.0\n",
				"example.com/y@v1.0.0":  "go 1.20\nrequire example.com/Up v1.2.0\n",
				"example.com/Up@v1.2.0": "go 1.20\nrequire example.com/z v1.0.0\n",
			},
			roots: []string{"a"},
			whole: []string{"example.com/Up@v1.2.0 a", "example.com/x@v1.0.0 a", "example.com/y@v1.0.0 a", "example.com/z@v1.0.0 a"},
			mods:  []string{"example.com/Up@v1.0.0"},
		},
		{
			name:  "a pruned one stops where its requirements are pruned",
			files: map[string]string{"a/go.mod": "module a\ngo 1.17\nrequire (\n\texample.com/x v1.0.0\n\texample.com/old v1.0.0\n)\n"},
			cached: map[string]string{
				"example.com/x@v1.0.0":     "go 1.17\nrequire example.com/y v1.0.0\n",
				"example.com/y@v1.0.0":     "go 1.17\nrequire example.com/never v1.0.0\n",
				"example.com/old@v1.0.0":   "require example.com/older v1.0.0\n",
				"example.com/older@v1.0.0": "go 1.20\nrequire example.com/oldest v1.0.0\n",
			},
			roots: []string{"a"},
			whole: []string{"example.com/old@v1.0.0 a", "example.com/older@v1.0.0 a", "example.com/oldest@v1.0.0 a", "example.com/x@v1.0.0 a", "example.com/y@v1.0.0 a"},
		},
		{
			name:   "what is excluded is not the highest",
			files:  map[string]string{"a/go.mod": "module a\ngo 1.16\nrequire example.com/x v1.0.0\nrequire example.com/y v1.0.0\nexclude example.com/y v1.1.0\n"},
			cached: map[string]string{"example.com/x@v1.0.0": "require example.com/y v1.1.0\n"},
			roots:  []string{"a"}, whole: []string{"example.com/x@v1.0.0 a", "example.com/y@v1.0.0 a"},
		},
		{
			name:  "a cycle comes to its end",
			files: map[string]string{"a/go.mod": "module a\nrequire example.com/x v1.0.0\n"},
			cached: map[string]string{
				"example.com/x@v1.0.0": "require example.com/y v1.0.0\n", "example.com/y@v1.0.0": "require example.com/x v1.0.0\nrequire a v1.0.0\n",
			},
			roots: []string{"a"}, whole: []string{"example.com/x@v1.0.0 a", "example.com/y@v1.0.0 a"},
		},
		{
			name: "a workspace counts as a whole and member by member",
			files: map[string]string{
				"w/go.work": "go 1.21\nuse (\n\t./a\n\t./b\n)\nreplace example.com/x => example.com/fork v1.0.0\n", "w/go.work.sum": "example.com/s v1.0.0 h1:x\n",
				"w/a/go.mod": "module a\ngo 1.21\nrequire example.com/x v1.0.0\n", "w/a/go.sum": "example.com/x v1.0.0 h1:x\n",
				"w/b/go.mod": "module b\ngo 1.21\nrequire a v1.0.0\nrequire example.com/y v1.0.0\n",
			},
			roots: []string{"w/a"},
			// b alone, with GOWORK=off, requires a as a module like others.
			whole: []string{
				"a@v1.0.0 w/b", "example.com/fork@v1.0.0 w", "example.com/s@v1.0.0 w", "example.com/x@v1.0.0 w,w/a", "example.com/y@v1.0.0 w,w/b",
				"golang.org/toolchain@v0.0.1-go1.21.0.plan9-mips w,w/a,w/b",
			},
		},
		{
			name: "toolchains of both lines, of GOTOOLCHAIN, and of several projects",
			files: map[string]string{
				"a/go.mod": "module a\ngo 1.22\ntoolchain go1.23.4\n", "b/go.mod": "module b\ngo 1.22.1\ntoolchain default\n", "c/go.mod": "module c\ngo 1.20\n",
			},
			roots: []string{"a", "b", "c"}, set: []string{"GOTOOLCHAIN=go1.25.1+auto"},
			whole: []string{
				"golang.org/toolchain@v0.0.1-go1.22.0.plan9-mips a", "golang.org/toolchain@v0.0.1-go1.22.1.plan9-mips b",
				"golang.org/toolchain@v0.0.1-go1.23.4.plan9-mips a", "golang.org/toolchain@v0.0.1-go1.25.1.plan9-mips GOTOOLCHAIN",
			},
		},
		{
			name: "GOWORK and -modfile of this shell count beside the plain ones",
			files: map[string]string{
				"a/go.mod": "module a\ngo 1.20\nrequire example.com/x v1.0.0\n", "a/alt.mod": "module a\ngo 1.20\nrequire example.com/x v1.9.0\n", "a/alt.sum": "example.com/z v1.0.0 h1:x\n",
			},
			roots: []string{"a"}, set: []string{"GOFLAGS=-modfile=alt.mod", "GOWORK=off"},
			whole: []string{"example.com/x@v1.0.0 a", "example.com/x@v1.9.0 a", "example.com/z@v1.0.0 a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, tt.files)
			writeIn(t, dir, cached(tt.cached))
			var roots []string
			for _, r := range tt.roots {
				roots = append(roots, filepath.Join(dir, filepath.FromSlash(r)))
			}
			n, problems := Of(t.Context(), roots, settings(filepath.Join(dir, "mod"), tt.set...))
			if len(problems) > 0 {
				t.Errorf("problems %v", problems)
			}
			if got := whole(n, dir); !slices.Equal(got, tt.whole) {
				t.Errorf("needed whole:\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tt.whole, "\n\t"))
			}
			if got := mods(n); !slices.Equal(got, tt.mods) {
				t.Errorf("needed for their .mod: %q, want %q", got, tt.mods)
			}
		})
	}
}

// What is broken is said, and protects what could be read of it.
func TestProblems(t *testing.T) {
	tests := []struct {
		name    string
		files   map[string]string
		problem string
		whole   []string
	}{
		{"gone", map[string]string{"b/x": ""}, "is gone", nil},
		{"no project", map[string]string{"a/x": ""}, "no go.mod", nil},
		{"broken go.mod", map[string]string{"a/go.mod": "module a\nrequire example.com/x v1.0.0\nreplace (((\n"}, "go.mod", []string{"example.com/x@v1.0.0 a"}},
		{"broken go.sum", map[string]string{"a/go.mod": "module a\n", "a/go.sum": "example.com/x v1.0.0 h1:x\nwhat is this\x1b[31m line\n"}, "malformed go.sum", []string{"example.com/x@v1.0.0 a"}},
		{"a member is gone", map[string]string{"a/go.work": "go 1.20\nuse ./m\nuse ./n\n", "a/n/go.mod": "module n\nrequire example.com/x v1.0.0\n"}, "m/go.mod", []string{"example.com/x@v1.0.0 a,a/n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, tt.files)
			root := filepath.Join(dir, "a")
			n, problems := Of(t.Context(), []string{root, root}, settings(filepath.Join(dir, "mod")))
			if len(problems) != 1 || !strings.Contains(problems[0].String(), tt.problem) || strings.ContainsAny(problems[0].String(), "\n\x1b") {
				t.Errorf("problems %q, want one with %q", problems, tt.problem)
			}
			if got := whole(n, dir); !slices.Equal(got, tt.whole) {
				t.Errorf("needed %q, want %q", got, tt.whole)
			}
		})
	}
}

func TestOfIsInterrupted(t *testing.T) {
	dir := write(t, map[string]string{"a/go.mod": "module a\n"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, problems := Of(ctx, []string{filepath.Join(dir, "a")}, nil); len(problems) != 1 || problems[0].Text != "not read: interrupted" {
		t.Errorf("problems %v", problems)
	}
}

// A pipe in the place of a go.mod keeps nobody waiting, and without an
// environment the graph is not read.
func TestOfWithoutEnvironment(t *testing.T) {
	dir := write(t, map[string]string{"a/go.mod": "module a\ngo 1.16\nrequire example.com/x v1.0.0\n"})
	writeIn(t, dir, cached(map[string]string{"example.com/x@v1.0.0": "require example.com/y v1.0.0\n"}))
	n, problems := Of(t.Context(), []string{filepath.Join(dir, "a")}, nil)
	if got := whole(n, dir); len(problems) > 0 || !slices.Equal(got, []string{"example.com/x@v1.0.0 a"}) {
		t.Errorf("needed %q, problems %v", got, problems)
	}
	if m := (&collector{}).toolchain("go1.21.0"); m.Version != fmt.Sprintf("v0.0.1-go1.21.0.%s-%s", runtime.GOOS, runtime.GOARCH) {
		t.Errorf("toolchain %v", m)
	}
}

func TestGraphIsBounded(t *testing.T) {
	files := map[string]string{"a/go.mod": "module a\nrequire example.com/m0 v1.0.0\n"}
	mods := map[string]string{}
	const n = 40
	for i := range n {
		mods[fmt.Sprintf("example.com/m%d@v1.0.0", i)] = fmt.Sprintf("require example.com/m%d v1.0.0\n", i+1)
	}
	dir := write(t, files)
	writeIn(t, dir, cached(mods))
	root := filepath.Join(dir, "a")
	c := &collector{needs: Needs{}, mods: map[string]summary{}, download: filepath.Join(dir, "mod", "cache", "download"), most: 10}
	c.root(t.Context(), root)
	if len(c.problems) != 1 || !strings.Contains(c.problems[0].Text, "only 10 go.mod files") {
		t.Errorf("problems %v", c.problems)
	}
	if got := whole(c.needs, dir); len(got) != 11 {
		t.Errorf("needed %q", got)
	}
}

func TestTreeOf(t *testing.T) {
	cache := filepath.FromSlash("/home/u/go/pkg/mod")
	for path, want := range map[string]string{
		"/home/u/go/pkg/mod/github.com/!burnt!sushi/toml@v1.2.3/cmd/x":        "github.com/BurntSushi/toml@v1.2.3",
		"/home/u/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.25.1.linux-amd64": "golang.org/toolchain@v0.0.1-go1.25.1.linux-amd64",
		"/home/u/go/pkg/mod/cache/download/github.com/x/@v/v1.0.0.zip":        "",
		"/home/u/go/pkg/mod/github.com/x":                                     "",
		"/home/u/go/pkg/module/github.com/x@v1.0.0":                           "",
		"/home/u/go/pkg/mod/github.com/X@v1.0.0":                              "",
		"relative":                                                            "", "": "",
	} {
		m, ok := TreeOf(cache, filepath.FromSlash(path))
		got := ""
		if ok {
			got = m.String()
		}
		if got != want {
			t.Errorf("TreeOf(%q) = %q, want %q", path, got, want)
		}
	}
	if m, ok := TreeOf("", "/x@v1.0.0"); ok {
		t.Errorf("without a cache: %v", m)
	}
}

func TestBelow(t *testing.T) {
	dir := write(t, map[string]string{
		"src/a/go.mod": "", "src/a/go.work": "", "src/a/sub/go.mod": "", "src/b/c/go.work": "", "src/none/x.go": "",
		"src/.git/go.mod": "", "src/web/node_modules/x/go.mod": "", "src/go/pkg/mod/example.com/x@v1.0.0/go.mod": "",
	})
	src := filepath.Join(dir, "src")
	os.Symlink(dir, filepath.Join(src, "loop")) // where there are links at all
	roots, problems := Below(t.Context(), src, filepath.Join(src, "go", "pkg", "mod"))
	var got []string
	for _, r := range roots {
		rel, err := filepath.Rel(src, r)
		must(t, err)
		got = append(got, filepath.ToSlash(rel))
	}
	if want := []string{"a", "a/sub", "b/c"}; !slices.Equal(slices.Compact(got), want) || len(problems) > 0 {
		t.Errorf("roots %q, want %q; problems %v", got, want, problems)
	}
	if _, problems := Below(t.Context(), filepath.Join(dir, "none"), ""); len(problems) != 1 {
		t.Errorf("a folder that is gone: problems %v", problems)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, problems := Below(ctx, src, ""); len(problems) != 1 || !strings.Contains(problems[0].Text, "canceled") {
		t.Errorf("interrupted: problems %v", problems)
	}
}
