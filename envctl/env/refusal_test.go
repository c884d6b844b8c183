package env

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What stops every go command that wants a module is known without asking one,
// in its own words. The module's .info is refused by GOPROXY=off at the latest.
func TestRefusalAsTheGoCommand(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{
		{}, {"GOPATH=rel"}, {"GOPATH=~/go"}, {"GOPATH=/a::/b"}, {"GOPATH=/a:rel"}, {"GOPATH=rel", "GOMODCACHE=/srv/mod"},
		{"GOMODCACHE=rel"}, {"HOME=", "GOPATH=", "GOMODCACHE="}, {"GOMODCACHE=rel", "GOFLAGS=word"},
		{"GO111MODULE=off"}, {"GO111MODULE=auto"}, {"GO111MODULE=on"}, {"GO111MODULE=perhaps"}, {"GO111MODULE=ON"},
		{"GOFLAGS=word"}, {"GOFLAGS=-mod mod"}, {"GOFLAGS=-"}, {"GOFLAGS=--"}, {"GOFLAGS=---mod=mod"}, {"GOFLAGS=-=x"}, {"GOFLAGS=--=x"},
		{"GOFLAGS=-mod=mod --modcacherw"}, {"GOFLAGS='-ldflags=-w -s' -x"}, {`GOFLAGS="-ldflags=-w" word`},
		{"GOEXPERIMENT=bogus"}, {"GOEXPERIMENT=nogreenteagc"}, {"GOFIPS140=bogus"}, {"GOFIPS140=v9.9.9"}, {"GOFLAGS=-w"}, {"GOFLAGS=-u=maybe"}, {"GOAMD64=v9"}, {"GOARM64=x"}, {"GOARM=x"}, {"GO386=x"},
		{"GOEXPERIMENT=bogus", "GOPATH=rel"}, {"GOFLAGS=-bogus"}, {"GOFLAGS=-x --bogus=1"}, {"GOFLAGS=-vettool=x -test.run=x"}, {"GOFLAGS=-C=/x"}, {"GOFLAGS=-C=/x -bogus"}, {"GOFLAGS=--C=/x", "GO111MODULE=off"}, {"GOFLAGS='-x"}, {`GOFLAGS=-x "`}, {`GOFLAGS=-x ''`}, {"GOFLAGS=-bogus '-x"},
		{"GOWORK=rel/go.work"}, {"GOWORK=off"}, {"GOWORK=auto"}, {"GOWORK=rel", "GOFLAGS=word"}, {"GOWORK=rel", "GOPATH=rel"}, {"GOWORK=rel", "GO111MODULE=off"},
		{"GOFLAGS=word", "GO111MODULE=off", "GOMODCACHE=rel"}, {"GO111MODULE=off", "GOMODCACHE=rel"}, {"GOPATH=rel", "GOFLAGS=word"},
		{"GOROOT=/none"}, {"GOROOT=/none", "GOPATH=rel"}, {"GOMIPS=x"}, {"GOMIPS64=x"}, {"GOPPC64=x"}, {"GORISCV64=x"}, {"GOWASM=x"}, {"GOMIPS=softfloat"},
		{"GOEXPERIMENT=bogus", "GOFLAGS=word"}, {"GOFLAGS=-C"}, {"GOFLAGS=-C="}, {"GOFLAGS=-modfile"}, {"GOFLAGS=--overlay"}, {"GOFLAGS=-modfile="},
		{"GOFLAGS=-modcacherw=maybe"}, {"GOFLAGS=--modcacherw=maybe -C=/x"}, {"GOFLAGS=-modcacherw=T"}, {"GOFLAGS=-modcacherw=maybe -bogus"},
		{"GOFLAGS=-modfile=x.mod"}, {"GOFLAGS=-modfile=x.txt"}, {"GOFLAGS=-modfile=x.mod", "GO111MODULE=auto"}, {"GOFLAGS=-modfile=x.mod", "GO111MODULE=off"},
	} {
		checkRefusal(t, newWorld(t).read(t, append([]string{"GOROOT="}, settings...)...), strings.Join(settings, " "))
	}
}

// checkRefusal holds e.Refusal to a go command that wants a module and may ask nobody.
func checkRefusal(t *testing.T, e *Env, settings string) {
	t.Helper()
	cmd := e.Command(t.Context(), "", "mod", "download", "lab.example.com/m@v1.0.0")
	cmd.Env = append(cmd.Env, "GOPROXY=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if cmd.Run() == nil {
		t.Errorf("%s: the go command found a module", settings)
	}
	refused := !strings.Contains(stderr.String(), "module lookup disabled by GOPROXY=off")
	if err := e.Refusal(); (err != nil) != refused || refused && !strings.HasPrefix(stderr.String(), "go: "+err.Error()) {
		t.Errorf("%s: %v, the go command says %s", settings, err, &stderr)
	}
}

// What -modfile is for depends on the files around the directory.
func TestModFileRefusalAsTheGoCommand(t *testing.T) {
	t.Parallel()
	const gomod, gowork = "module lab.example.com/main\n\ngo 1.21\n", "go 1.21\n\nuse .\n"
	for _, c := range []struct {
		files    map[string]string
		settings []string
	}{
		{map[string]string{"go.mod": gomod, "x.mod": gomod}, []string{"GOFLAGS=-modfile=x.mod"}},
		{map[string]string{"go.mod": gomod, "x.txt": gomod}, []string{"GOFLAGS=-modfile=x.txt"}},
		{map[string]string{"go.mod": gomod, "x.mod": gomod, "go.work": gowork}, []string{"GOFLAGS=-modfile=x.mod"}},
		{map[string]string{"go.mod": gomod, "x.mod": gomod, "go.work": gowork}, []string{"GOFLAGS=-modfile=x.mod", "GOWORK=auto"}},
		{map[string]string{"go.mod": gomod, "x.mod": gomod, "go.work": gowork}, []string{"GOFLAGS=-modfile=x.mod", "GOWORK=off"}},
	} {
		w := newWorld(t)
		for name, text := range c.files {
			w.write(t, filepath.Join(w.dir, name), text)
		}
		checkRefusal(t, w.read(t, append([]string{"GOROOT="}, c.settings...)...), strings.Join(c.settings, " "))
	}
}

// What stops every build, and no download, is known without asking a go command too.
func TestBuildRefusalAsTheGoCommand(t *testing.T) {
	t.Parallel()
	const gomod, gowork = "module lab.example.com/main\n\ngo 1.21\n", "go 1.21\n\nuse .\n"
	for _, work := range []string{"", gowork} {
		for _, flags := range []string{
			"", "-mod=mod", "-mod=readonly", "-mod=vendor", "-mod=", "-mod=bogus", "-mod", "--mod=mod", "-mod=mod -mod=readonly", "-mod=bogus -mod=mod", "'-mod=mod'",
			"-race=maybe", "-trimpath=T -v=2", "-x=0", "-cover=x", "-p", "-p=x", "-p=0", "-p=0x2", "-p=-1 -mod=bogus", "-mod=bogus -p=x", "-tags", "-tags=", "-ldflags", "-gcflags -race=x", "-toolexec=",
			"-buildvcs=false -trimpath",
		} {
			w := newWorld(t)
			w.write(t, filepath.Join(w.dir, "go.mod"), gomod)
			w.write(t, filepath.Join(w.dir, "m.go"), "package m\n")
			if work != "" {
				w.write(t, filepath.Join(w.dir, "go.work"), work)
			}
			e := w.read(t, "GOROOT=", "GOFLAGS="+flags)
			cmd := e.Command(t.Context(), "", "list", ".")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			failed := cmd.Run() != nil
			said := strings.TrimPrefix(stderr.String(), "go: ")
			if err := e.BuildRefusal(); (err != nil) != failed || failed && !strings.HasPrefix(said, err.Error()) {
				t.Errorf("%q, workspace %t: %v, the go command says %s", flags, work != "", err, &stderr)
			}
			checkRefusal(t, e, flags)
		}
	}
}

// Every flag of the table is one, and there are no others among the words of the
// go command's sources: a table that lacks one would take an outage for granted.
func TestFlagsAsTheGoCommand(t *testing.T) {
	t.Parallel()
	if !slices.IsSorted(flags) {
		t.Error("the table is not sorted")
	}
	e := newWorld(t).read(t, "GOROOT=")
	if !isRead(e.GoVersion) {
		t.Skip("the table is not of " + e.GoVersion)
	}
	// It stops at the first flag that it does not know.
	refused := func(names []string) string {
		cmd := e.Command(t.Context(), "", "version")
		cmd.Env = append(cmd.Env, "GOFLAGS=-"+strings.Join(names, " -"))
		out, err := cmd.CombinedOutput()
		_, name, ok := strings.Cut(strings.TrimSpace(string(out)), "parsing $GOFLAGS: unknown flag -")
		if err != nil && !ok && !strings.Contains(string(out), "needs an argument") {
			t.Fatalf("%v: %s", err, out)
		}
		return name
	}
	if strings.HasPrefix(e.GoVersion, "go1.26") {
		// -C is one, and stops every command all the same.
		if name := refused(slices.DeleteFunc(slices.Clone(flags), func(name string) bool { return name == "C" })); name != "" {
			t.Errorf("the go command has no flag -%s", name)
		}
	}
	sources, _ := filepath.Glob(filepath.Join(e.GOROOT, "src", "cmd", "go", "internal", "*", "*.go"))
	if len(sources) == 0 {
		t.Skip("the sources of the go command are not there")
	}
	defined := regexp.MustCompile(`(?:Flag|flag|fs|CommandLine)s?\.\w+\((?:[^",()]+(?:\([^()]*\))?, *)?"([A-Za-z][\w.]*)"`)
	candidates := map[string]bool{}
	for _, file := range sources {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range defined.FindAllSubmatch(data, -1) {
			candidates[string(m[1])] = true
		}
	}
	if len(candidates) < 60 {
		t.Fatalf("only %d flags were found in the sources", len(candidates))
	}
	for name := range candidates {
		if !hasFlag(name) && refused([]string{name}) == "" {
			t.Errorf("the go command has the flag -%s", name)
		}
	}
}

// A GOMODCACHE that cannot be used shows when something is put there.
func TestCacheRefusalAsTheGoCommand(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{
		{}, {"GOMODCACHE=rel"}, {"GOMODCACHE=~/mod"}, {"GOMODCACHE=" + os.Args[0]}, {"GOMODCACHE=" + filepath.Join(os.Args[0], "mod")}, {"HOME=", "GOPATH=", "GOMODCACHE="}, {"HOME=", "GOPATH=", "GOMODCACHE=rel"}, {"GOPATH=" + string(filepath.ListSeparator) + "/a"},
		{"GOMODCACHE=HOME/not/there/yet"}, {"GOMODCACHE=HOME/link"}, {"GOMODCACHE=HOME/link/mod"},
	} {
		w := newWorld(t)
		if err := os.Symlink(filepath.Join(w.home, "nothing"), filepath.Join(w.home, "link")); err != nil && runtime.GOOS == "windows" {
			continue // who may not make links has none
		}
		for i := range settings {
			settings[i] = strings.ReplaceAll(settings[i], "=HOME/", "="+w.home+"/")
		}
		checkKept(t, w, settings, (*Env).CacheRefusal)
	}
}

// A module cache that is there and takes nothing shows as well. (Rights do not hold
// every user of tests back, what lies in the way does.)
func TestKeepRefusalAsTheGoCommand(t *testing.T) {
	t.Parallel()
	for _, inTheWay := range []string{"", "mod/cache", "mod/cache/download"} {
		w := newWorld(t)
		if inTheWay != "" {
			w.write(t, filepath.Join(w.home, inTheWay), "")
		}
		checkKept(t, w, []string{"GOMODCACHE=" + filepath.Join(w.home, "mod")}, func(e *Env) error {
			if err := e.CacheRefusal(); err != nil {
				t.Errorf("%s: %v", inTheWay, err)
			}
			err := e.KeepRefusal()
			if err != nil { // the go command names the folder of the module
				err = errors.New("mkdir " + filepath.Join(w.home, inTheWay) + ": ")
			}
			return err
		})
	}
}

// checkKept holds what is said of a module cache to a go command that wants to put
// something there.
func checkKept(t *testing.T, w *world, settings []string, refusal func(*Env) error) {
	t.Helper()
	e := w.read(t, append([]string{"GOROOT="}, settings...)...)
	cmd := e.Command(t.Context(), "", "mod", "download", "lab.example.com/m@v1.0.0")
	tree := filepath.Join(w.home, "tree", "lab.example.com", "m", "@v")
	w.write(t, filepath.Join(tree, "v1.0.0.info"), `{"Version":"v1.0.0"}`)
	w.write(t, filepath.Join(tree, "v1.0.0.mod"), "module lab.example.com/m\n")
	cmd.Env = append(cmd.Env, "GOPROXY=file://"+filepath.Join(w.home, "tree"), "GOSUMDB=off", "GOFLAGS=-modcacherw")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if cmd.Run() == nil {
		t.Errorf("%q: the go command found a zip", settings)
	}
	refused := !strings.Contains(stderr.String(), "v1.0.0.zip: no such file")
	if err := refusal(e); (err != nil) != refused || refused && !strings.Contains(stderr.String(), "go: "+err.Error()) {
		t.Errorf("%q: %v, the go command says %s", settings, err, &stderr)
	}
}
