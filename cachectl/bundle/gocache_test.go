package bundle

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/cachectl/buildcache"
	"gpx/envctl/env"
)

// A builder is somebody who builds a project: where everything is, and the
// settings that differ from the usual.
type builder struct {
	t                            *testing.T
	tree, project, modcache, bin string // GOPROXY; the folder; GOMODCACHE; GOCACHE
	set                          []string
}

// buildWorld is a module in a file tree, for builders in any folder.
type buildWorld struct {
	t    *testing.T
	dir  string
	tree string // GOPROXY
}

const (
	stdPackage  = "unicode/utf8" // imports nothing, so that it compiles in no time
	modPackage  = "lab.example.com/alpha"
	projectPath = "example.com/p"
)

func newBuildWorld(t *testing.T) *buildWorld {
	t.Helper()
	w := newWorld(t)
	from := w.home()
	from.download("lab.example.com/alpha@v1.1.0")
	return &buildWorld{t: t, dir: t.TempDir(), tree: filepath.Join(from.cache(), "cache", "download")}
}

// builder makes one, with its project in the folder of that name.
func (w *buildWorld) builder(project, modcache, gocache string, set ...string) *builder {
	w.t.Helper()
	b := &builder{
		t: w.t, tree: filepath.ToSlash(w.tree), project: filepath.Join(w.dir, project), modcache: filepath.Join(w.dir, modcache), bin: filepath.Join(w.dir, gocache), set: set,
	}
	w.t.Cleanup(func() { makeWritable(b.modcache) })
	write(w.t, filepath.Join(b.project, "go.mod"), "module "+projectPath+"\n\ngo 1.21\n\nrequire "+modPackage+" v1.1.0\n")
	write(w.t, filepath.Join(b.project, "p.go"), "package p\n\nimport (\n\t_ \""+modPackage+"\"\n\t_ \""+stdPackage+"\"\n\t_ \""+projectPath+"/alone\"\n)\n")
	write(w.t, filepath.Join(b.project, "alone", "x.go"), "package alone\n\nfunc X() int { return 1 }\n")
	if !exists(filepath.Join(b.project, "go.sum")) {
		b.run("mod", "tidy")
	}
	return b
}

func (b *builder) environ() []string {
	home := filepath.Dir(b.project)
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GOPATH=" + filepath.Join(home, "gopath"), "GOMODCACHE=" + b.modcache, "GOCACHE=" + b.bin,
		"GOENV=off", "GOFLAGS=-mod=mod", "GOPROXY=file://" + b.tree, "GOSUMDB=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOTELEMETRY=off",
		"TEST_TELEMETRY_DIR=" + filepath.Join(home, "telemetry"),
	}, b.set...)
}

func (b *builder) run(args ...string) string {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "go", args...)
	cmd.Dir, cmd.Env = b.project, b.environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// compiled builds everything, and says of which packages the compiler was run.
func (b *builder) compiled() map[string]bool {
	b.t.Helper()
	text := b.run("build", "-x", "./...")
	got := map[string]bool{}
	for line := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(line, "/compile "); ok {
			_, rest, _ = strings.Cut(rest, " -p ")
			pkg, _, _ := strings.Cut(rest, " ")
			got[strings.Trim(pkg, `"`)] = true
		}
	}
	return got
}

func (b *builder) settings() BuildSettings {
	b.t.Helper()
	e, err := env.Read(b.t.Context(), env.Options{Dir: b.project, Environ: b.environ()})
	must(b.t, err)
	return BuildSettingsOf(e, []string{b.project})
}

func (b *builder) export(out string) BuildResult {
	b.t.Helper()
	r, err := ExportBuildCache(b.t.Context(), BuildExportOptions{Cache: b.bin, Out: out, Settings: b.settings()})
	must(b.t, err)
	return r
}

func (b *builder) plan(in string) (*BuildPreview, error) {
	return PlanBuildImport(b.t.Context(), BuildImportOptions{In: in, Cache: b.bin, Here: b.settings()})
}

func (b *builder) imports(in string) *BuildPreview {
	b.t.Helper()
	p, err := b.plan(in)
	must(b.t, err)
	if !p.Plan.Empty() {
		_, err = (&home{dir: b.t.TempDir()}).changer().Apply(b.t.Context(), p.Plan)
		must(b.t, err)
	}
	return p
}

// The same paths, the cache emptied, the bundle imported: nothing is compiled.
func TestBuildCacheRoundTrip(t *testing.T) {
	w := newBuildWorld(t)
	b := w.builder("p", "mod", "gocache")
	all := b.compiled()
	if len(all) != 4 {
		t.Fatalf("a first build compiles %v", all)
	}
	for _, name := range []string{"b.tar", "b.tar.zst"} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(w.dir, name)
			r := b.export(out)
			if r.LeftOut != 0 || r.Outputs == 0 || r.Entries < r.Outputs {
				t.Errorf("exported %+v", r)
			}
			must(t, os.RemoveAll(b.bin))
			p := b.imports(out)
			if p.Entries != r.Entries || p.Outputs != r.Outputs || p.Present != 0 || len(p.Prediction.Reasons) != 0 {
				t.Errorf("imported %+v", p)
			}
			if got := b.compiled(); len(got) != 0 {
				t.Errorf("after the import it still compiles %v", got)
			}
			if left, _ := filepath.Glob(filepath.Join(b.bin, "gpx-*")); len(left) > 0 {
				t.Errorf("left behind %v", left)
			}
			if again := b.imports(out); !again.Plan.Empty() || again.Present != r.Entries {
				t.Errorf("a second import would add %d entries", again.Entries)
			}
		})
	}
}

// What is predicted is what the go command does. Where it says hits, nothing is
// compiled; where it says misses, everything; else it promises nothing.
func TestPredictionsAreTrue(t *testing.T) {
	w := newBuildWorld(t)
	plain := w.builder("p", "mod", "made")
	all := plain.compiled()
	plain.export(filepath.Join(w.dir, "plain.tar"))
	trimmed := w.builder("p", "mod", "made trimmed", "GOFLAGS=-mod=mod -trimpath")
	trimmed.compiled()
	trimmed.export(filepath.Join(w.dir, "trimmed.tar"))
	for i, c := range []struct {
		name, bundle, project, modcache string
		set                             []string
		std, modules, own               Hit
		reasons                         []string
	}{
		{"the same", "plain", "p", "mod", nil, Hits, Hits, Hits, nil},
		{"another project folder", "plain", "q", "mod", nil, Hits, Hits, Misses, []string{"project"}},
		{"another module cache", "plain", "p", "mod2", nil, Hits, Misses, Partly, []string{"GOMODCACHE"}},
		{"both", "plain", "q", "mod2", nil, Hits, Misses, Misses, []string{"GOMODCACHE", "project"}},
		{"trimmed, the same", "trimmed", "p", "mod", []string{"GOFLAGS=-mod=mod -trimpath"}, Hits, Hits, Hits, nil},
		{"trimmed, other folders", "trimmed", "q", "mod2", []string{"GOFLAGS=-trimpath -mod=mod"}, Hits, Hits, Hits, nil},
		{"trimmed there only", "trimmed", "p", "mod", nil, Misses, Misses, Misses, []string{"-trimpath"}},
		{"trimmed here only", "plain", "p", "mod", []string{"GOFLAGS=-mod=mod -trimpath"}, Misses, Misses, Misses, []string{"-trimpath"}},
		{"another instruction set", "plain", "p", "mod", []string{"GOARCH=amd64", "GOAMD64=v3"}, Misses, Misses, Misses, nil},
		{"another system", "plain", "p", "mod", []string{"GOOS=plan9"}, Misses, Misses, Misses, []string{"GOOS"}},
		{"an experiment", "plain", "p", "mod", []string{"GOEXPERIMENT=nogreenteagc"}, Misses, Misses, Misses, []string{"GOEXPERIMENT"}},
		{"flags of the linker", "plain", "p", "mod", []string{"GOFLAGS=-mod=mod -ldflags=-w -buildvcs=false"}, Hits, Hits, Hits, nil},
		{"flags of the compiler", "plain", "p", "mod", []string{"GOFLAGS=-mod=mod -gcflags=-l"}, Partly, Partly, Partly, []string{"-gcflags"}},
		{"flags of the compiler for all", "plain", "p", "mod", []string{"GOFLAGS=-mod=mod '-gcflags=all=-N -l'"}, Misses, Misses, Misses, []string{"-gcflags"}},
		{"tags", "plain", "p", "mod", []string{"GOFLAGS=-mod=mod -tags=x"}, Partly, Partly, Partly, []string{"-tags"}},
		{"with C", "plain", "p", "mod", []string{"CGO_ENABLED=1"}, Partly, Partly, Partly, []string{"CGO_ENABLED"}},
		{"always anew", "plain", "p", "mod", []string{"GOFLAGS=-mod=mod -a"}, Misses, Misses, Misses, []string{"-a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := w.builder(c.project, c.modcache, fmt.Sprint("cache ", i), c.set...)
			b.t = t
			p := b.imports(filepath.Join(w.dir, c.bundle+".tar"))
			if got := p.Prediction; got.Std != c.std || got.Modules != c.modules || got.Project != c.own {
				t.Errorf("predicts %s for the standard library, %s for modules, %s for the project; want %s, %s, %s", got.Std, got.Modules, got.Project, c.std, c.modules, c.own)
			}
			var reasons []string
			for _, r := range p.Prediction.Reasons {
				reasons = append(reasons, r.Setting)
			}
			if c.reasons != nil && !slices.Equal(reasons, c.reasons) || c.reasons == nil && c.own == Hits && len(reasons) > 0 {
				t.Errorf("because of %v, want %v", reasons, c.reasons)
			}
			compiled := b.compiled()
			for class, hit := range map[string]Hit{stdPackage: p.Prediction.Std, modPackage: p.Prediction.Modules, projectPath: p.Prediction.Project} {
				n, of := 0, 0
				for pkg := range all {
					if pkg == class || strings.HasPrefix(pkg, class+"/") {
						of++
						if compiled[pkg] {
							n++
						}
					}
				}
				if of == 0 || hit == Hits && n > 0 || hit == Misses && n != of {
					t.Errorf("%s: predicted %s, and %d of %d packages are compiled", class, hit, n, of)
				}
			}
		})
	}
}

// What cannot be tried on one machine.
func TestPredict(t *testing.T) {
	base := func() BuildSettings {
		return BuildSettings{GoVersion: "go1.26.8", Projects: []string{"/src/p"}, Vars: map[string]string{
			"GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v1", "CGO_ENABLED": "1", "CC": "gcc", "GOFLAGS": "", "GOMODCACHE": "/mod",
		}}
	}
	for _, c := range []struct {
		name   string
		here   func(s *BuildSettings)
		want   Hit
		reason string
	}{
		{"another version", func(s *BuildSettings) { s.GoVersion = "go1.26.7" }, Misses, "another compiler"},
		{"projects that choose different versions", func(s *BuildSettings) { s.GoVersion = "go1.25.1, go1.26.8" }, Partly, "of its own choice"},
		{"projects that choose other versions", func(s *BuildSettings) { s.GoVersion = "go1.25.1, go1.26.7" }, Misses, "another compiler"},
		{"no version", func(s *BuildSettings) { s.GoVersion = "" }, Unknown, "without both versions"},
		{"another C compiler", func(s *BuildSettings) { s.Vars["CC"] = "clang" }, Partly, "C code"},
		{"the race detector", func(s *BuildSettings) { s.Vars["GOFLAGS"] = "-race" }, Misses, "everything"},
		{"a flag of the future", func(s *BuildSettings) { s.Vars["GOFLAGS"] = "-magic=3" }, Unknown, "nobody can say"},
		{"a flag that is off", func(s *BuildSettings) { s.Vars["GOFLAGS"] = "-race=false" }, Hits, ""},
		{"FIPS", func(s *BuildSettings) { s.Vars["GOFIPS140"] = "latest" }, Partly, "crypto"},
	} {
		t.Run(c.name, func(t *testing.T) {
			here := base()
			c.here(&here)
			p := Predict(base(), here)
			if p.Std != c.want || len(p.Reasons) > 1 || (len(p.Reasons) == 1) != (c.reason != "") || c.reason != "" && !strings.Contains(p.Reasons[0].Means, c.reason) {
				t.Errorf("%+v", p)
			}
		})
	}
	t.Run("a development version", func(t *testing.T) {
		s := base()
		s.GoVersion = "devel go1.27-abcdef"
		if p := Predict(s, s); p.Std != Unknown {
			t.Errorf("%+v", p)
		}
	})
	t.Run("no project named there", func(t *testing.T) {
		s := base()
		s.Projects = nil
		if p := Predict(s, base()); p.Std != Hits || p.Modules != Hits || p.Project != Unknown {
			t.Errorf("%+v", p)
		}
	})
}

// The version of Go is the one that the go command goes on as.
func TestBuildSettingsHaveTheChosenVersion(t *testing.T) {
	older, newer := t.TempDir(), t.TempDir()
	write(t, filepath.Join(older, "go.mod"), "module example.com/older\n\ngo 1.21\n")
	write(t, filepath.Join(newer, "go.mod"), "module example.com/newer\n\ngo 1.21\n\ntoolchain go1.27.0\n")
	for _, c := range []struct {
		setting  string
		projects []string
		want     string
	}{
		{"auto", nil, "go1.26.8"},
		{"auto", []string{older}, "go1.26.8"},
		{"auto", []string{newer}, "go1.27.0"},
		{"auto", []string{newer, older}, "go1.26.8, go1.27.0"},
		{"local", []string{older}, "go1.26.8"},
		{"go1.25.1", []string{older}, "go1.25.1"},
		{"go1.25.1", nil, "go1.25.1"},
	} {
		e := &env.Env{GoVersion: "go1.26.8", Vars: []env.Var{{Name: "GOTOOLCHAIN", Value: c.setting}}}
		if got := BuildSettingsOf(e, c.projects).GoVersion; got != c.want {
			t.Errorf("GOTOOLCHAIN=%s, %d projects: %s, want %s", c.setting, len(c.projects), got, c.want)
		}
	}
}

// Credentials in settings stay where they are, and values that differ in
// nothing else are equal.
func TestBuildSettingsKeepNoSecret(t *testing.T) {
	e := &env.Env{GoVersion: "go1.26.8", Vars: []env.Var{{Name: "CGO_LDFLAGS", Value: "-Lhttps://me:hunter2@example.com/x"}, {Name: "GOPROXY", Value: "https://me:hunter2@proxy.example.com"}}}
	s := BuildSettingsOf(e, []string{"/src/\x1b[2Jp"})
	if text := fmt.Sprintf("%q", s); strings.Contains(text, "hunter2") || strings.Contains(text, `\x1b`) {
		t.Error(text)
	}
}

// The same cache and settings make the same bytes, whatever was used last.
func TestBuildExportIsDeterministic(t *testing.T) {
	w := newBuildWorld(t)
	b := w.builder("p", "mod", "gocache")
	b.compiled()
	one, two := filepath.Join(w.dir, "1.tar.zst"), filepath.Join(w.dir, "2.tar.zst")
	b.export(one)
	at := time.Now().Add(-3 * time.Hour)
	for _, name := range names(t, b.bin) {
		must(t, os.Chtimes(filepath.Join(b.bin, name), at, at))
	}
	b.export(two)
	if !bytes.Equal([]byte(read(t, one)), []byte(read(t, two))) {
		t.Error("two exports of one cache differ")
	}
	_, err := ExportBuildCache(t.Context(), BuildExportOptions{Cache: b.bin, Out: one})
	if err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("over an existing bundle: %v", err)
	}
}

// Damaged outputs, and entries that lead nowhere, are not exported.
func TestBuildExportLeavesOutWhatIsDamaged(t *testing.T) {
	c := newForgedCache(t)
	c.output("good", "good")
	bad := c.output("bad", "bad")
	write(t, filepath.Join(c.dir, outputPath(bad)), "BAD")
	short := c.output("short", "short")
	write(t, filepath.Join(c.dir, outputPath(short)), "sho")
	c.program("program", "prog", "ELF")
	two := c.program("two programs", "prog", "ELF 2")
	write(t, filepath.Join(c.dir, outputPath(two), "another"), "x")
	write(t, filepath.Join(c.dir, outputPath(buildcache.ID{7})), "no entry")
	write(t, filepath.Join(c.dir, entryPath(buildcache.ID{8})), string(buildcache.Entry{Action: buildcache.ID{8}, Output: buildcache.ID{9}, Time: time.Unix(0, 1)}.Text()))
	write(t, filepath.Join(c.dir, "fuzz", "corpus"), "x")
	out := filepath.Join(t.TempDir(), "b.tar")
	r, err := ExportBuildCache(t.Context(), BuildExportOptions{Cache: c.dir, Out: out})
	must(t, err)
	if r.Outputs != 2 || r.Entries != 2 || r.LeftOut != 3 {
		t.Errorf("%+v", r)
	}
	var got []string
	for _, e := range takeApart(t, out).entries {
		got = append(got, string(e.data))
	}
	if len(got) != 5 || !slices.Contains(got, "good") || !slices.Contains(got, "ELF") {
		t.Errorf("the bundle holds %q", got)
	}
}

// Only what was used lately.
func TestBuildExportSince(t *testing.T) {
	c := newForgedCache(t)
	c.output("young", "young")
	old := c.output("old", "old")
	at := time.Now().Add(-100 * time.Hour)
	for _, name := range []string{outputPath(old), entryPath(actionID("old"))} {
		must(t, os.Chtimes(filepath.Join(c.dir, name), at, at))
	}
	r, err := ExportBuildCache(t.Context(), BuildExportOptions{Cache: c.dir, Out: filepath.Join(t.TempDir(), "b.tar"), Since: time.Now().Add(-24 * time.Hour)})
	must(t, err)
	if r.Outputs != 1 || r.LeftOut != 0 {
		t.Errorf("%+v", r)
	}
}
