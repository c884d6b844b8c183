package profiles

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"gpx/envctl/change"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// offline applies the profile and compares what it names with what the real go
// command refuses.
func (w *world) offline(t *testing.T, o OfflineOptions, want []string) *change.Plan {
	t.Helper()
	e := w.env()
	p := w.find(e)
	predicted, err := Unverifiable(t.Context(), e, p)
	must(t, err)
	plan, err := Offline(t.Context(), e, p, o)
	must(t, err)
	ch := w.changer()
	_, err = ch.Apply(t.Context(), plan)
	must(t, err)
	before := w.dials.Load()
	refused := w.refused(p)
	if got := paths(predicted); !reflect.DeepEqual(got, refused) {
		t.Errorf("gpx predicts %v, the go command refuses %v", got, refused)
	}
	if want != nil && !reflect.DeepEqual(refused, want) {
		t.Errorf("the go command refuses %v, this case is about %v", refused, want)
	}
	if n := w.dials.Load() - before; n != 0 && !o.Strict {
		t.Errorf("%d connections were tried offline", n)
	}
	for _, path := range refused {
		if !strings.Contains(strings.Join(plan.Warnings, "\n"), path) {
			t.Errorf("the plan does not name %s: %q", path, plan.Warnings)
		}
	}
	s, err := Status(t.Context(), w.env(), p, ch)
	must(t, err)
	if !s.On || s.Mode != o.Mode() || s.ChangeID != plan.ID || len(s.Unverifiable) != len(refused) {
		t.Errorf("status %+v", s)
	}
	u, err := ch.PlanUndo(t.Context(), s.ChangeID, false)
	must(t, err)
	_, err = ch.Apply(t.Context(), u)
	must(t, err)
	if s, err := Status(t.Context(), w.env(), p, ch); err != nil || s.On {
		t.Errorf("after the undo: %+v %v", s, err)
	}
	return plan
}

func none(string, bool) bool { return false }
func all(string, bool) bool  { return true }

func TestOfflineAgainstTheRealGoCommand(t *testing.T) {
	const n = 5
	every := []string{modPath(0), modPath(1), modPath(2), modPath(3), modPath(4)}
	unlooked := []string{"GOSUMDB=off"}
	cases := []struct {
		name    string
		prepare func(w *world)
		want    []string
	}{
		{"complete go.sum, never looked up", func(w *world) {
			w.mustGo(unlooked, "mod", "download")
			w.goSum(all)
		}, []string{}},
		{"no go.sum, everything looked up", func(w *world) {
			w.mustGo(nil, "mod", "download")
			w.goSum(none)
		}, []string{}},
		{"no go.sum, nothing looked up", func(w *world) {
			w.mustGo(unlooked, "mod", "download")
			w.goSum(none)
		}, every},
		{"only a zip line is missing", func(w *world) {
			w.mustGo(unlooked, "mod", "download")
			w.goSum(func(path string, gomod bool) bool { return gomod || path != modPath(3) })
		}, []string{modPath(3)}},
		{"only a go.mod line is missing", func(w *world) {
			w.mustGo(unlooked, "mod", "download")
			w.goSum(func(path string, gomod bool) bool { return !gomod || path != modPath(3) })
		}, []string{modPath(3)}},
		{"GOPRIVATE", func(w *world) {
			w.environ = append(w.environ, "GOPRIVATE=private.example.com")
			w.mustGo([]string{"GOSUMDB=off", "GONOPROXY=none"}, "mod", "download")
			w.goSum(none)
		}, every[2:]},
		{"GOSUMDB with a URL", func(w *world) {
			w.mustGo([]string{"GOSUMDB=" + w.vkey + " " + w.proxy.URL + "/sumdb/" + dbName}, "mod", "download")
			w.write("config/go/env", "GOFLAGS=-modcacherw\nGOPROXY="+w.proxy.URL+"\nGOSUMDB="+w.vkey+" https://elsewhere.example\n")
			w.goSum(none)
		}, []string{}},
		{"GOSUMDB=off", func(w *world) {
			w.mustGo(unlooked, "mod", "download")
			w.write("config/go/env", "GOFLAGS=-modcacherw\nGOPROXY="+w.proxy.URL+"\nGOSUMDB=off\n")
			w.goSum(none)
		}, []string{}},
		{"after go clean -modcache", func(w *world) {
			w.mustGo(nil, "mod", "download")
			w.mustGo(nil, "clean", "-modcache")
			w.mustGo(unlooked, "mod", "download")
			w.goSum(func(path string, _ bool) bool { return path == modPath(2) })
		}, []string{modPath(0), modPath(1), modPath(3), modPath(4)}},
		{"a newer signed head than the tiles", func(w *world) {
			w.mustGo(nil, "mod", "download", modPath(0)+"@v1.0.0", modPath(1)+"@v1.0.0")
			// The same GOPATH sees more of the database with another cache.
			w.mustGo([]string{"GOMODCACHE=" + filepath.Join(w.dir, "other")}, "mod", "download")
			w.mustGo(unlooked, "mod", "download")
			w.goSum(none)
		}, every},
		{"replaced by a directory", func(w *world) {
			w.mustGo(unlooked, "mod", "download")
			w.write("here/go.mod", "module x\n")
			gomod, err := os.ReadFile(filepath.Join(w.project, "go.mod"))
			must(w.t, err)
			w.write("project/go.mod", string(gomod)+"\nreplace "+modPath(4)+" => ../here\n")
			w.goSum(none)
		}, every[:4]},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, n)
			c.prepare(w)
			w.offline(t, OfflineOptions{}, c.want)
		})
	}
}

// Random machines: what was looked up when, which lines go.sum has, whether
// the cache was cleaned in between.
func TestOfflineOnRandomMachines(t *testing.T) {
	n := 4
	switch os.Getenv("GPX_TEST_SCALE") {
	case "system":
		n = 25
	case "soak":
		n = 150
	}
	for i := range n {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, uint64(i)))
			w := newWorld(t, 2+r.IntN(9))
			if r.IntN(3) == 0 {
				w.environ = append(w.environ, "GOPRIVATE=private.example.com", "GONOPROXY=none")
			}
			modules := len(w.files) / 3
			for range r.IntN(4) {
				cache := w.cache
				if r.IntN(3) == 0 {
					cache = filepath.Join(w.dir, "other")
				}
				var some []string
				for m := range modules {
					if r.IntN(2) == 0 {
						some = append(some, modPath(m)+"@v1.0.0")
					}
				}
				if len(some) > 0 {
					w.mustGo([]string{"GOMODCACHE=" + cache}, append([]string{"mod", "download"}, some...)...)
				}
				if r.IntN(5) == 0 {
					w.mustGo(nil, "clean", "-modcache")
				}
			}
			w.mustGo([]string{"GOSUMDB=off"}, "mod", "download")
			w.goSum(func(string, bool) bool { return r.IntN(3) > 0 })
			w.offline(t, OfflineOptions{}, nil)
		})
	}
}

// With the network gone the same is built and the same is refused.
func TestOfflineWithoutANetwork(t *testing.T) {
	if os.Getenv("GPX_TEST_SCALE") == "" {
		t.Skip("unshare is run with GPX_TEST_SCALE=system")
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("unshare is not installed")
	}
	if err := exec.Command(unshare, "-n", "true").Run(); err != nil {
		t.Skip("unshare is not permitted here")
	}
	w := newWorld(t, 4)
	w.environ = append(w.environ, "GOPRIVATE=private.example.com")
	w.mustGo([]string{"GONOPROXY=none"}, "mod", "download")
	w.goSum(all)
	e := w.env()
	plan, err := Offline(t.Context(), e, w.find(e), OfflineOptions{})
	must(t, err)
	_, err = w.changer().Apply(t.Context(), plan)
	must(t, err)
	for _, args := range [][]string{
		{"build", "./..."}, {"mod", "download"}, {"mod", "verify"}, {"list", "-m", "all"}, {"list", "-m", "-versions", modPath(3)}, {"mod", "download", modPath(2) + "@v1.0.0"},
	} {
		if _, stderr, err := w.run(w.project, nil, append([]string{unshare, "-n", "go"}, args...)...); err != nil {
			t.Errorf("go %q: %v\n%s", args, err, stderr)
		}
	}
	w.goSum(none)
	if refused := w.refused(w.find(w.env()), unshare, "-n"); len(refused) != 0 {
		t.Errorf("refused %v", refused)
	}
}

// What nobody downloaded cannot be built, whoever would vouch for it.
func TestOfflineNamesWhatIsNotCached(t *testing.T) {
	w := newWorld(t, 3)
	w.goSum(all)
	w.mustGo(nil, "mod", "download", modPath(0)+"@v1.0.0")
	warned := func(o OfflineOptions) string {
		t.Helper()
		e := w.env()
		plan, err := Offline(t.Context(), e, w.find(e), o)
		must(t, err)
		return strings.Join(plan.Warnings, "\n")
	}
	want := "2 of 3 modules are not in the module cache, so what imports them cannot be built: " + modPath(1) + "@v1.0.0, " + modPath(2) + "@v1.0.0"
	for _, o := range []OfflineOptions{{}, {Strict: true}} {
		if got := warned(o); !strings.Contains(got, want) {
			t.Errorf("%+v: warned %q, want %q", o, got, want)
		}
	}
	w.write("project/vendor/modules.txt", "")
	if got := warned(OfflineOptions{Vendor: true}); strings.Contains(got, "not in the module cache") {
		t.Errorf("a build from vendor needs no cache, and %q", got)
	}
	must(t, os.RemoveAll(filepath.Join(w.project, "vendor")))
	w.mustGo(nil, "mod", "download")
	if got := warned(OfflineOptions{}); strings.Contains(got, "not in the module cache") {
		t.Errorf("everything is there, and %q", got)
	}
}

func TestOfflineStrict(t *testing.T) {
	w := newWorld(t, 3)
	w.environ = append(w.environ, "GOPRIVATE=private.example.com")
	w.mustGo([]string{"GONOPROXY=none"}, "mod", "download")
	w.goSum(all)
	plan := w.offline(t, OfflineOptions{Strict: true}, []string{})
	for _, c := range plan.Changes {
		if want := map[string]string{"GOPROXY": "off", "GONOPROXY": "none"}[c.Var]; c.EffectiveNew != want {
			t.Errorf("%s becomes %q, want %q", c.Var, c.EffectiveNew, want)
		}
	}
	for _, a := range plan.Actions {
		if a.Kind != change.SetVariable {
			t.Errorf("strict mode does %+v", a)
		}
	}
}

func TestOfflineVendor(t *testing.T) {
	w := newWorld(t, 2)
	e := w.env()
	if _, err := Offline(t.Context(), e, w.find(e), OfflineOptions{Vendor: true}); err == nil || !strings.Contains(err.Error(), "go mod vendor") {
		t.Errorf("without a vendor directory: %v", err)
	}
	w.mustGo(nil, "mod", "tidy")
	w.mustGo(nil, "mod", "vendor")
	e = w.env()
	plan, err := Offline(t.Context(), e, w.find(e), OfflineOptions{Vendor: true})
	must(t, err)
	_, err = w.changer().Apply(t.Context(), plan)
	must(t, err)
	must(t, os.RemoveAll(w.cache))
	// What a build loads, without compiling the standard library.
	w.mustGo(nil, "list", "-deps", "./...")
	if got := w.env().Get("GOFLAGS"); got != "-modcacherw -mod=vendor" {
		t.Errorf("GOFLAGS=%q", got)
	}
}

// Undoing offline mode leaves no marker and no directory behind.
func TestOfflineUndoIsExact(t *testing.T) {
	w := newWorld(t, 1)
	list := func() (names []string) {
		filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
			if d != nil && d.Name() == "state" {
				return filepath.SkipDir
			}
			names = append(names, path)
			return err
		})
		return names
	}
	file := filepath.Join(w.dir, "config", "go", "env")
	before, content := list(), read(t, file)
	ch := w.changer()
	e := w.env()
	plan, err := Offline(t.Context(), e, w.find(e), OfflineOptions{})
	must(t, err)
	_, err = ch.Apply(t.Context(), plan)
	must(t, err)
	if got := list(); len(got) == len(before) {
		t.Error("no marker was written")
	}
	u, err := ch.PlanUndo(t.Context(), "", false)
	must(t, err)
	_, err = ch.Apply(t.Context(), u)
	must(t, err)
	if got := list(); !reflect.DeepEqual(got, before) {
		t.Errorf("files %v\nwere %v", got, before)
	}
	if got := read(t, file); got != content {
		t.Errorf("user file %q, was %q", got, content)
	}
}

// Unverifiable reads only.
func TestUnverifiableWritesNothing(t *testing.T) {
	w := newWorld(t, 3)
	w.mustGo(nil, "mod", "download")
	w.goSum(none)
	stamp := func() string {
		var b strings.Builder
		for _, dir := range []string{filepath.Join(w.cache, "cache", "download", "sumdb"), filepath.Join(w.dir, "gopath")} {
			filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
				info, ierr := d.Info()
				must(t, ierr)
				fmt.Fprintln(&b, path, info.Size(), info.ModTime())
				return err
			})
		}
		return b.String()
	}
	before := stamp()
	e := w.env()
	_, err := Unverifiable(t.Context(), e, w.find(e))
	must(t, err)
	if stamp() != before {
		t.Error("something was written")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}
