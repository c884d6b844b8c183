//go:build linux || darwin

package env

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A place is a world whose go command is remembered, or not.
type place struct {
	*world
	memo, bin, tmp string
	set            map[string]string // of the OS environment
	sub            string            // the directory below dir that is read for
	program        string            // the go command; "" is the one on PATH
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{world: newWorld(t), set: map[string]string{}}
	top := filepath.Dir(p.home)
	p.memo, p.bin, p.tmp = filepath.Join(top, "memo"), filepath.Join(top, "bin"), filepath.Join(top, "tmp")
	for _, dir := range []string{p.bin, p.tmp, filepath.Join(p.dir, "sub", "sub")} {
		must(t, os.MkdirAll(dir, 0o777))
	}
	goCommand, err := exec.LookPath("go")
	must(t, err)
	p.set["PATH"], p.set["TMPDIR"] = p.bin+":"+filepath.Dir(goCommand), p.tmp
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *place) options(memo string) Options {
	var set []string
	for _, name := range slices.Sorted(maps.Keys(p.set)) {
		set = append(set, name+"="+p.set[name])
	}
	return Options{Dir: filepath.Join(p.dir, p.sub), Environ: p.environ(set...), Memo: memo, Go: p.program}
}

// remembers reports whether the go command would not be asked: one that is given
// no time does not answer.
func (p *place) remembers(t *testing.T) bool {
	t.Helper()
	o := p.options(p.memo)
	o.patience = 1
	e, err := Read(context.Background(), o)
	must(t, err)
	return !slices.ContainsFunc(e.Problems, func(s string) bool { return strings.Contains(s, "go env failed") })
}

// check reads with and without what is remembered; both must be the same.
func (p *place) check(t *testing.T, when string) {
	t.Helper()
	want, err := Read(context.Background(), p.options(""))
	must(t, err)
	for range 2 {
		got, err := Read(context.Background(), p.options(p.memo))
		must(t, err)
		if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Env{})); d != "" {
			t.Errorf("%s, with %q: %s", when, p.set, d)
		}
	}
}

// A placeChange is one of a place, and how it is taken back.
type placeChange struct {
	name   string
	make   func(t *testing.T, p *place)
	unmake func(t *testing.T, p *place)
	same   bool // what is remembered still holds
}

func setting(name, value string, same bool) placeChange {
	var had string
	var was bool
	return placeChange{name + "=" + value, func(_ *testing.T, p *place) { had, was = p.set[name]; p.set[name] = value },
		func(_ *testing.T, p *place) {
			if delete(p.set, name); was {
				p.set[name] = had
			}
		}, same}
}

// text is a change of a file, which is not there before or is.
func text(name string, file func(*place) string, data string, mode os.FileMode, same bool) placeChange {
	var had []byte
	var err error
	return placeChange{name, func(t *testing.T, p *place) {
		had, err = os.ReadFile(file(p))
		p.write(t, file(p), data)
		must(t, os.Chmod(file(p), mode))
	}, func(t *testing.T, p *place) {
		if err != nil {
			must(t, os.Remove(file(p)))
			return
		}
		p.write(t, file(p), string(had))
	}, same}
}

func below(elem ...string) func(*place) string {
	return func(p *place) string { return filepath.Join(append([]string{p.dir}, elem...)...) }
}

func placeChanges() []placeChange {
	user := func(p *place) string { return p.user() }
	goEnv := func(p *place) string { return filepath.Join(p.goroot, "go.env") }
	mode := func(p *place) string { return filepath.Join(filepath.Dir(p.user()), "telemetry", "mode") }
	inBin := func(name string) func(*place) string {
		return func(p *place) string { return filepath.Join(p.bin, name) }
	}
	out := []placeChange{
		setting("GOPROXY", "https://joe:hunter2@a.example.com", true), setting("GOSUMDB", "off", true), setting("GOPRIVATE", "git.example.com", true),
		setting("GONOPROXY", "none", true), setting("GOAUTH", "git /x", true), setting("GOVCS", "*:git", true), setting("UNRELATED", "x", true), setting("GOCACHEPROG", "x y", true),
		setting("GOTOOLCHAIN", "go1.26.0+auto", true), setting("PWD", "/", true),
		setting("GOFLAGS", "-mod=mod", false), setting("GOFLAGS", "-nonsense", false), setting("GOOS", "windows", false), setting("GOARCH", "arm64", false), setting("GOAMD64", "v3", false),
		setting("CGO_ENABLED", "0", false), setting("GOMODCACHE", "/srv/mod", false), setting("GOPATH", "/srv/go", false), setting("GOPATH", "relative", false), setting("GOENV", "off", false),
		setting("GOWORK", "off", false), setting("GO111MODULE", "off", false), setting("GO111MODULE", "bogus", false), setting("GOEXPERIMENT", "nogreenteagc", false), setting("GODEBUG", "http2client=0", false),
		setting("CC", "clang", false), setting("GCCGO", "mygccgo", false), setting("HOME", "/dev/null/none", false), setting("XDG_CONFIG_HOME", "/dev/null/none", false), setting("GOMEMLIMIT", "bogus", false),
		setting("PATH", os.Getenv("PATH"), false),
		text("a setting of the user", user, "GOPROXY=off\nGOPRIVATE=x.example.com\n", 0o666, true),
		text("another one", user, "GOMODCACHE=/srv/mod\nCC=clang\n", 0o666, false),
		text("no GOPROXY in go.env", goEnv, "GOSUMDB=sum.golang.org\nGOTOOLCHAIN=auto\n", 0o666, true),
		text("GOFLAGS in go.env", goEnv, goenv+"GOFLAGS=-mod=mod\n", 0o666, false),
		text("a go.mod", below("go.mod"), "module example.com/m\n", 0o666, false),
		text("a broken go.mod of the future", below("go.mod"), "go 1.99\nmodule {\n", 0o666, false),
		text("a go.mod below", below("sub", "go.mod"), "module example.com/m/sub\n", 0o666, true), // not around the directory
		text("a go.work", below("go.work"), "go 1.26\nuse .\n", 0o666, false),
		text("a go.mod where temporary files are", func(p *place) string { return filepath.Join(p.tmp, "go.mod") }, "module example.com/tmp\n", 0o666, true),
		text("telemetry", mode, "local 2024-01-01", 0o666, false),
		text("a C compiler", inBin("gcc"), "#!/bin/sh\n", 0o777, false),
		text("a file of that name", inBin("gcc"), "", 0o666, true),
		text("gccgo", inBin("gccgo"), "#!/bin/sh\n", 0o777, false),
		{"a folder go.mod", func(t *testing.T, p *place) { must(t, os.Mkdir(filepath.Join(p.dir, "go.mod"), 0o777)) },
			func(t *testing.T, p *place) { must(t, os.RemoveAll(filepath.Join(p.dir, "go.mod"))) }, true},
		{"another directory", func(_ *testing.T, p *place) { p.sub = "sub" }, func(_ *testing.T, p *place) { p.sub = "" }, false},
		{"a go command elsewhere", func(t *testing.T, p *place) {
			to, err := exec.LookPath("go")
			must(t, errors.Join(err, os.Symlink(to, filepath.Join(p.bin, "go"))))
		}, func(t *testing.T, p *place) { must(t, os.Remove(filepath.Join(p.bin, "go"))) }, false},
	}
	return out
}

// What is remembered holds for what the answer does not depend on, and for nothing
// else.
func TestMemoAndOneChange(t *testing.T) {
	for _, c := range placeChanges() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.check(t, "at first")
			if !p.remembers(t) {
				t.Fatal("nothing is remembered")
			}
			c.make(t, p)
			if got := p.remembers(t); got != c.same {
				t.Errorf("remembered: %v, want %v", got, c.same)
			}
			p.check(t, c.name)
			c.unmake(t, p)
			p.check(t, "taken back")
			if !p.remembers(t) {
				t.Error("it is not known again")
			}
		})
	}
}

// Over many worlds, each one step from another, in any order, what is remembered
// is what the go command says.
func TestMemoAsTheGoCommand(t *testing.T) {
	const walks, steps = 4, 25
	for walk := range walks {
		t.Run(fmt.Sprint(walk), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, uint64(walk)))
			p := newPlace(t)
			var made []placeChange
			known := 0
			for step := range steps {
				if len(made) > 0 && rng.IntN(5) < 2 {
					made[len(made)-1].unmake(t, p)
					made = made[:len(made)-1]
				} else {
					all := placeChanges()
					c := all[rng.IntN(len(all))]
					if slices.ContainsFunc(made, func(m placeChange) bool { return m.name == c.name }) || c.name == "a folder go.mod" {
						continue
					}
					c.make(t, p)
					made = append(made, c)
				}
				var names []string
				for _, m := range made {
					names = append(names, m.name)
				}
				if p.remembers(t) {
					known++
				}
				p.check(t, fmt.Sprintf("walk %d, step %d: %q", walk, step, names))
			}
			if known == 0 {
				t.Error("nothing was ever remembered")
			}
		})
	}
}

// A program that asks another one, whatever it goes by, is asked each time.
func TestMemoOfAnotherProgram(t *testing.T) {
	p := newPlace(t)
	goCommand, err := exec.LookPath("go")
	must(t, err)
	p.program = filepath.Join(p.bin, "go")
	p.write(t, p.program, "#!/bin/sh\nexec "+goCommand+" \"$@\"\n")
	must(t, os.Chmod(p.program, 0o777))
	p.check(t, "a wrapper")
	if p.remembers(t) {
		t.Error("what a wrapper said is remembered")
	}
}

// Settings that lead to more files, and a PATH that leads to other programs in
// each directory, are not remembered.
func TestMemoOfWhatIsNotKnown(t *testing.T) {
	for _, s := range []placeChange{
		setting("GOFLAGS", "-modfile=go.alt.mod", false), setting("GOFLAGS", "'-overlay=x.json'", false), setting("GOFLAGS", "-C=..", false), setting("GOFIPS140", "v1.0.0", false),
		setting("TEST_TELEMETRY_DIR", "/dev/null/none", false),
		setting("PATH", "bin:"+os.Getenv("PATH"), false), setting("GCCGO", "/opt/gccgo", false),
		text("a compiler of the user file", func(p *place) string { return p.user() }, "CC=clang\n", 0o666, false),
	} {
		t.Run(s.name, func(t *testing.T) {
			p := newPlace(t)
			p.write(t, filepath.Join(p.dir, "go.mod"), "module example.com/m\n")
			s.make(t, p)
			p.check(t, s.name)
			if p.remembers(t) {
				t.Error("it is remembered")
			}
		})
	}
}

// A character that nobody sees makes another flag, and the go command refuses it.
func TestMemoAndAHiddenCharacter(t *testing.T) {
	p := newPlace(t)
	p.set["GOFLAGS"] = "-x=true"
	p.check(t, "at first")
	if !p.remembers(t) {
		t.Fatal("nothing is remembered")
	}
	p.set["GOFLAGS"] += "\u200b"
	if p.remembers(t) {
		t.Error("it is the same for the memo")
	}
	p.check(t, "with the character")
}

// What has changed since e looked at it may be what the go command has seen.
func TestMemoAndAChangeInBetween(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*testing.T, *place)
		kept bool
	}{
		"nothing":       {func(*testing.T, *place) {}, true},
		"the user file": {func(t *testing.T, p *place) { p.write(t, p.user(), "GOMODCACHE=/srv/mod\n") }, false},
		"a compiler": {func(t *testing.T, p *place) {
			p.write(t, filepath.Join(p.bin, "gcc"), "#!/bin/sh\n")
			p.write(t, filepath.Join(p.bin, "clang"), "#!/bin/sh\n")
			must(t, errors.Join(os.Chmod(filepath.Join(p.bin, "gcc"), 0o777), os.Chmod(filepath.Join(p.bin, "clang"), 0o777)))
		}, false},
		"gccgo": {func(t *testing.T, p *place) {
			p.write(t, filepath.Join(p.bin, "gccgo"), "#!/bin/sh\n")
			must(t, os.Chmod(filepath.Join(p.bin, "gccgo"), 0o777))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			e, err := Read(context.Background(), p.options(""))
			must(t, err)
			m := e.memoOf(p.memo)
			said, err := e.ask(context.Background(), Patience)
			must(t, err)
			l := layers{os: e.OSEnv, user: e.UserFileValues, goroot: e.readGOROOT(said)}
			c.do(t, p)
			m.keep(e, l, said)
			if _, err := os.Lstat(m.file); (err == nil) != c.kept {
				t.Errorf("written down: %v, want %v", err == nil, c.kept)
			}
		})
	}
}

// What GOROOT is relative to is another folder for gpx than for the go command.
func TestMemoAndARelativeGOROOT(t *testing.T) {
	p := newPlace(t)
	here := t.TempDir()
	t.Chdir(here)
	p.set["GOROOT"] = "root"
	for _, dir := range []string{here, p.dir} {
		p.write(t, filepath.Join(dir, "root", "go.env"), goenv)
	}
	p.check(t, "at first")
	p.write(t, filepath.Join(p.dir, "root", "go.env"), goenv+"GOMODCACHE=/srv/mod\n")
	p.check(t, "another go.env")
}

// A memo that is damaged is none, none holds a password or gives one away, and
// there are never many.
func TestMemoFiles(t *testing.T) {
	p := newPlace(t)
	p.set["GOPROXY"], p.set["GOFLAGS"] = "https://joe:hunter2@a.example.com", "-mod=mod"
	p.check(t, "at first")
	files, err := os.ReadDir(p.memo)
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	file := filepath.Join(p.memo, files[0].Name())
	data, err := os.ReadFile(file)
	must(t, err)
	if text := string(data); strings.Contains(text, "hunter2") || strings.Contains(text, "-mod=mod") {
		t.Errorf("it holds what was set: %s", text)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	p.set["GOPROXY"] = "https://joe:hunter3@a.example.com"
	if !p.remembers(t) {
		t.Error("the password is part of the name")
	}
	for i := range data {
		if i%7 != 0 {
			continue
		}
		damaged := slices.Clone(data)
		damaged[i] ^= 1
		must(t, os.WriteFile(file, damaged, 0o600))
		if p.remembers(t) {
			t.Errorf("damaged at %d: it is believed", i)
		}
	}
	must(t, os.WriteFile(file, data[:len(data)-3], 0o600))
	p.check(t, "cut")
	for i := range maxMemos + 5 {
		old := filepath.Join(p.memo, fmt.Sprint(i))
		p.write(t, old, "")
		must(t, os.Chtimes(old, time.Time{}, time.Unix(int64(1e9+i), 0)))
	}
	p.sub = "sub"
	p.check(t, "many files")
	if files, err = os.ReadDir(p.memo); err != nil || len(files) > maxMemos {
		t.Errorf("%d files, %v", len(files), err)
	}
	if !p.remembers(t) {
		t.Error("the newest one was forgotten")
	}
}
