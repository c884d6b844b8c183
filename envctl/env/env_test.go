package env

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gpx/envctl/advice"
)

// world is a machine of one user: HOME, a GOROOT with its own go.env, a working
// directory.
type world struct {
	home, goroot, dir string
}

const goenv = "GOPROXY=https://default.example.com,direct\nGOSUMDB=sum.golang.org\nGOTOOLCHAIN=auto\n"

func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("missing program: go")
	}
	tmp := t.TempDir()
	w := &world{filepath.Join(tmp, "home"), filepath.Join(tmp, "goroot"), filepath.Join(tmp, "dir")}
	for _, d := range []string{w.home, filepath.Join(w.goroot, "pkg", "tool"), w.dir} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, config := range []string{".config", "Library/Application Support"} {
		// Otherwise the go command leaves a process behind that writes there.
		telemetry := filepath.Join(w.home, config, "go", "telemetry")
		if err := errors.Join(os.MkdirAll(telemetry, 0o777), os.WriteFile(filepath.Join(telemetry, "mode"), []byte("off"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	w.write(t, filepath.Join(w.goroot, "go.env"), goenv)
	w.write(t, filepath.Join(w.goroot, "VERSION"), "go1.26.0\ntime 2026-01-01T00:00:00Z\n")
	return w
}

func (w *world) write(t *testing.T, file, data string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(data), 0o666)); err != nil {
		t.Fatal(err)
	}
}

// user is the path of the user file.
func (w *world) user() string {
	if runtime.GOOS == "darwin" {
		return filepath.Join(w.home, "Library/Application Support/go/env")
	}
	return filepath.Join(w.home, ".config/go/env")
}

func (w *world) environ(set ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "GOROOT=" + w.goroot}, set...)
}

func (w *world) read(t *testing.T, set ...string) *Env {
	t.Helper()
	e, err := Read(context.Background(), Options{Dir: w.dir, Environ: w.environ(set...)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestOrigins(t *testing.T) {
	const standard = "https://default.example.com,direct"
	tests := []struct {
		name     string
		os       []string
		user     string
		variable string
		value    string
		origin   Origin
		shadowed []Setting
	}{
		{"nothing set", nil, "", "GOPROXY", standard, GOROOT, nil},
		{"user file", nil, "GOPROXY=off\n", "GOPROXY", "off", User, []Setting{{GOROOT, standard}}},
		{"os over user file", []string{"GOPROXY=direct"}, "GOPROXY=off\n", "GOPROXY", "direct", OS, []Setting{{User, "off"}, {GOROOT, standard}}},
		{"os set to nothing", []string{"GOPROXY="}, "GOPROXY=off\n", "GOPROXY", "off", User, []Setting{{GOROOT, standard}}},
		{"user file set to nothing", nil, "GOPROXY=\n", "GOPROXY", "", User, []Setting{{GOROOT, standard}}},
		{"user file set to nothing before a default", nil, "GOAUTH=\n", "GOAUTH", "netrc", Default, nil},
		{"default", nil, "", "GOAUTH", "netrc", Default, nil},
		{"over a default", []string{"GOAUTH=off"}, "", "GOAUTH", "off", OS, []Setting{{Default, "netrc"}}},
		{"derived", nil, "GOPRIVATE=git.example.com\n", "GONOPROXY", "git.example.com", Derived, nil},
		{"derived from os", []string{"GOPRIVATE=a.example.com"}, "GOPRIVATE=b.example.com\n", "GONOSUMDB", "a.example.com", Derived, nil},
		{"over derived", []string{"GONOPROXY=none"}, "GOPRIVATE=git.example.com\n", "GONOPROXY", "none", OS, []Setting{{Derived, "git.example.com"}}},
		{"not derived", nil, "", "GONOPROXY", "", Default, nil},
		{"cache of a set GOPATH", []string{"GOPATH=/srv/go"}, "", "GOMODCACHE", "/srv/go/pkg/mod", Derived, nil},
		{"toolchain is the user's own", nil, "GOTOOLCHAIN=go1.21.0+auto\n", "GOTOOLCHAIN", "go1.21.0+auto", User, []Setting{{GOROOT, "auto"}}},
		{"toolchain of os", []string{"GOTOOLCHAIN=path"}, "", "GOTOOLCHAIN", "path", OS, []Setting{{GOROOT, "auto"}}},
		{"toolchain of go.env", nil, "", "GOTOOLCHAIN", "auto", GOROOT, nil},
		{"cgo switch", []string{"CGO_ENABLED=0"}, "", "CGO_ENABLED", "0", OS, nil},
		{"debug in the user file is not read", nil, "GODEBUG=x=1\n", "GODEBUG", "", Default, nil},
		{"listed because it is in the file", nil, "FC=fortran\n", "FC", "fortran", User, nil},
		{"computed ones cannot be set", []string{"GOVERSION=go9"}, "", "GOHOSTOS", runtime.GOOS, Default, nil},
		{"duplicate environment", []string{"GOPROXY=off", "GOPROXY=direct"}, "", "GOPROXY", "direct", OS, []Setting{{GOROOT, standard}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.user != "" {
				w.write(t, w.user(), tt.user)
			}
			want := Var{tt.variable, tt.value, tt.origin, append([]Setting{}, tt.shadowed...)}
			e := w.read(t, tt.os...)
			got, ok := e.Lookup(tt.variable)
			if d := cmp.Diff(want, got); d != "" || !ok {
				t.Error(d)
			}
		})
	}
}

// Everything odd is said, and nothing of it keeps the rest from being read.
func TestProblems(t *testing.T) {
	type check func(t *testing.T, e *Env)
	has := func(name, value string) check {
		return func(t *testing.T, e *Env) {
			if got := e.Get(name); got != value {
				t.Errorf("%s=%s, want %s", name, got, value)
			}
		}
	}
	tests := []struct {
		name    string
		prepare func(t *testing.T, w *world) []string
		problem string
		check   check
	}{
		{"no go command", func(t *testing.T, w *world) []string {
			w.write(t, w.user(), "GOPROXY=off\nGOPRIVATE=git.example.com\n")
			return []string{"PATH=" + w.home}
		}, "no go command on PATH", func(t *testing.T, e *Env) {
			has("GOPROXY", "off")(t, e)
			has("GONOPROXY", "git.example.com")(t, e)
			has("GOSUMDB", "sum.golang.org")(t, e)
			if e.GoVersion != "go1.26.0" || e.Go != "" {
				t.Errorf("version %q, go %q", e.GoVersion, e.Go)
			}
			if err := e.Command(context.Background(), "", "version").Run(); err == nil || !strings.Contains(err.Error(), "no go command on PATH") {
				t.Errorf("Command without go: %v", err)
			} else if got := advice.Of(err); got != "install Go, or name it with PATH" {
				t.Errorf("Command without go advises %q", got)
			}
		}},
		{"go env fails", func(t *testing.T, w *world) []string { return []string{"GOEXPERIMENT=bogus", "GOPROXY=off"} }, "go env failed", has("GOPROXY", "off")},
		{"user file off", func(t *testing.T, w *world) []string {
			w.write(t, w.user(), "GOPROXY=off\n")
			return []string{"GOENV=off"}
		}, "GOENV=off", func(t *testing.T, e *Env) {
			has("GOPROXY", "https://default.example.com,direct")(t, e)
			if !e.UserFileOff || e.UserFile != "" {
				t.Errorf("off %v, file %q", e.UserFileOff, e.UserFile)
			}
		}},
		{"user file of another name", func(t *testing.T, w *world) []string {
			w.write(t, filepath.Join(w.dir, "my.env"), "GOPROXY=off\n")
			return []string{"GOENV=my.env"}
		}, "", func(t *testing.T, e *Env) {
			has("GOPROXY", "off")(t, e)
			if want := filepath.Join(e.Dir, "my.env"); e.UserFile != want {
				t.Errorf("user file %s, want %s", e.UserFile, want)
			}
		}},
		{"user file is a directory", func(t *testing.T, w *world) []string { return []string{"GOENV=" + w.dir} }, "does not read the user file", has("GOPROXY", "https://default.example.com,direct")},
		{"no home", func(t *testing.T, w *world) []string { return []string{"HOME="} }, "no user file, go env -w fails", func(t *testing.T, e *Env) {
			has("GOCACHE", "off")(t, e)
			has("GOPROXY", "https://default.example.com,direct")(t, e)
		}},
		{"unknown variable", func(t *testing.T, w *world) []string {
			w.write(t, w.user(), "GOPROXXY=off\n")
			return nil
		}, "unknown variable GOPROXXY", nil},
		{"read-only variable", func(t *testing.T, w *world) []string {
			w.write(t, w.user(), "GOVERSION=go9\n")
			return nil
		}, "GOVERSION cannot be set", nil},
		{"carriage returns", func(t *testing.T, w *world) []string {
			w.write(t, w.user(), "GOPROXY=off\r\n")
			return nil
		}, "line 1: GOPROXY ends in a carriage return", has("GOPROXY", "off\r")},
		{"no assignment", func(t *testing.T, w *world) []string {
			w.write(t, w.user(), "# fine\n\nexport GOPROXY=off\n")
			return nil
		}, "line 3: is ignored", has("GOPROXY", "https://default.example.com,direct")},
		{"set twice", func(t *testing.T, w *world) []string {
			w.write(t, w.user(), "GOPROXY=off\nGOSUMDB=off\nGOPROXY=direct\n")
			return nil
		}, "line 1: GOPROXY has no effect", has("GOPROXY", "direct")},
		{"distribution's go.env", func(t *testing.T, w *world) []string {
			w.write(t, filepath.Join(w.goroot, "go.env"), "GOPROXY=https://joe:hunter2@distro.example.com\nGOSUMDB=sum.golang.org\nGOTOOLCHAIN=local\nGOFLAGS=-mod=mod\n")
			return nil
		}, "GOTOOLCHAIN=local", func(t *testing.T, e *Env) {
			all := strings.Join(e.Problems, "\n")
			for _, want := range []string{"GOPROXY=https://xxxxx@distro.example.com", "GOFLAGS=-mod=mod"} {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not said in:\n%s", want, all)
				}
			}
		}},
		{"no go.env", func(t *testing.T, w *world) []string {
			if err := os.Remove(filepath.Join(w.goroot, "go.env")); err != nil {
				t.Fatal(err)
			}
			return nil
		}, "have no default", has("GOPROXY", "")},
		{"hostile file", func(t *testing.T, w *world) []string {
			w.write(t, w.user(), "GO\x1b]0;x\x07BAD=\u202ex\n\xff=\n=\n")
			return nil
		}, "unknown variable GOBAD", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			set := tt.prepare(t, w)
			e := w.read(t, set...)
			all := strings.Join(e.Problems, "\n")
			if tt.problem != "" && !strings.Contains(all, tt.problem) {
				t.Errorf("Problems: %s\nwant %q in it", all, tt.problem)
			}
			if strings.ContainsAny(all, "\x1b\r\u202e") || strings.Contains(all, "hunter2") {
				t.Errorf("Problems are not fit to be shown: %q", all)
			}
			if tt.check != nil {
				tt.check(t, e)
			}
		})
	}
}

// The go command itself is of the standard distribution, or its packager has
// said otherwise: the constants here are what Go ships.
func TestStandardGOROOT(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("missing program: go")
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "go.env"))
	if err != nil {
		t.Skip("missing program: a go command with a go.env")
	}
	values := ParseGOROOT(data)
	for name, want := range standardGOROOT {
		if v := values[name]; v != want && digest(v) != want {
			t.Logf("this go.env was changed: %s", name)
		}
	}
	if values["GOSUMDB"] == standardGOROOT["GOSUMDB"] && digest(values["GOPROXY"]) != standardGOROOT["GOPROXY"] {
		t.Errorf("go.env has another default GOPROXY; is its digest %s now?", digest(values["GOPROXY"]))
	}
}

// A module that wants a toolchain of the future must not make gpx download it.
func TestNoToolchainDownload(t *testing.T) {
	w := newWorld(t)
	w.write(t, filepath.Join(w.dir, "go.mod"), "module example.com/m\ngo 1.99.0\ntoolchain go1.99.1\n")
	e := w.read(t, "GOPROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1")
	if got := e.Get("GOMOD"); filepath.Base(got) != "go.mod" {
		t.Errorf("GOMOD=%s", got)
	}
	if v, _ := e.Lookup("GOTOOLCHAIN"); v.Value != "auto" || v.Origin != GOROOT {
		t.Errorf("GOTOOLCHAIN: %+v", v)
	}
	for _, p := range e.Problems {
		if strings.Contains(p, "go env failed") {
			t.Error(p)
		}
	}
}

// Broken project files are no reason not to know the environment.
func TestBrokenProject(t *testing.T) {
	w := newWorld(t)
	w.write(t, filepath.Join(w.dir, "go.mod"), "<<<<<<<\n")
	w.write(t, filepath.Join(w.dir, "go.work"), "use\n")
	e := w.read(t, "GOFLAGS=-nosuchflag -mod=maybe")
	for _, p := range e.Problems {
		if strings.Contains(p, "go env failed") {
			t.Error(p)
		}
	}
	if got := filepath.Base(e.Get("GOWORK")); got != "go.work" {
		t.Errorf("GOWORK=%s", got)
	}
}

func TestHelpers(t *testing.T) {
	w := newWorld(t)
	e := w.read(t, "GOPROXY=https://joe:hunter2@a.example.com|direct", "GOSUMDB=sum.golang.google.cn", "GOPRIVATE=git.example.com", "GONOSUMDB=x.example.com")
	c, err := e.Chain()
	if err != nil || len(c.Hops) != 2 || c.Hops[0].URL != "https://joe:hunter2@a.example.com" {
		t.Errorf("Chain() = %v, %v", c, err)
	}
	db, err := e.SumDB()
	if err != nil || db.Name != "sum.golang.org" || db.URL != "https://sum.golang.google.cn" {
		t.Errorf("SumDB() = %+v, %v", db, err)
	}
	if e.NoProxy() != "git.example.com" || e.NoSumDB() != "x.example.com" {
		t.Errorf("NoProxy() = %s, NoSumDB() = %s", e.NoProxy(), e.NoSumDB())
	}
}

func TestDigest(t *testing.T) {
	w := newWorld(t)
	base := w.read(t, "GOPROXY=https://joe:hunter2@a.example.com", "HTTPS_PROXY=http://p.example.com")
	same := w.read(t, "GOPROXY=https://joe:hunter3@a.example.com", "HTTPS_PROXY=http://p.example.com", "TERM=dumb")
	if base.Digest() == "" || base.Digest() != same.Digest() {
		t.Errorf("digests %s and %s of one behaviour", base.Digest(), same.Digest())
	}
	for _, set := range []string{"GOPROXY=off", "GOSUMDB=off", "GOPRIVATE=x.example.com", "HTTPS_PROXY=http://q.example.com", "GOFLAGS=-mod=vendor"} {
		if other := w.read(t, "GOPROXY=https://joe:hunter2@a.example.com", "HTTPS_PROXY=http://p.example.com", set); other.Digest() == base.Digest() {
			t.Errorf("%s does not change the digest", set)
		}
	}
}

func TestCommand(t *testing.T) {
	w := newWorld(t)
	e := w.read(t, "GOTOOLCHAIN=auto", "SECRET=x")
	cmd := e.Command(context.Background(), w.home, "env", "GOTOOLCHAIN")
	if cmd.Stdin != nil || cmd.Dir != w.home {
		t.Errorf("stdin %v, dir %s", cmd.Stdin, cmd.Dir)
	}
	for _, want := range []string{"GOTOOLCHAIN=local", "SECRET=x", "GIT_TERMINAL_PROMPT=0", "PWD=" + w.home} {
		if !slices.Contains(cmd.Env, want) {
			t.Errorf("no %s in %q", want, cmd.Env)
		}
	}
	if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != "local" {
		t.Errorf("go env GOTOOLCHAIN: %q, %v", out, err)
	}
	if slices.Contains(e.Environ, "GOTOOLCHAIN=local") {
		t.Error("Command changed Environ")
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(context.Background(), Options{Dir: filepath.Join(dir, "\x1b[31mgone")}); !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("a directory that is gone: %q", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := newWorld(t)
	if _, err := Read(ctx, Options{Dir: w.dir, Environ: w.environ()}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
