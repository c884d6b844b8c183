package env

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// goEnv asks the go command for values, by name: without names it runs the C
// compiler.
func goEnv(t *testing.T, e *Env, toolchain string, args ...string) map[string]string {
	t.Helper()
	cmd := e.Command(context.Background(), "", append([]string{"env", "-json"}, args...)...)
	cmd.Env = e.With(toolchain)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go env %v: %v: %s", args, err, &stderr)
	}
	said := map[string]string{}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatal(err)
	}
	return said
}

// candidates are values for the variables that matter, valid for go env.
var candidates = map[string][]string{
	"GOPROXY": {"off", "direct", "https://a.example.com", "https://u:p@b.example.com|direct", ""}, "GOSUMDB": {"off", "sum.golang.google.cn", "", "x y"},
	"GOPRIVATE": {"git.example.com", "*.corp", ""}, "GONOPROXY": {"none", "git.example.com", ""}, "GONOSUMDB": {"none", ""}, "GOINSECURE": {"x"}, "GOVCS": {"*:git"},
	"GOFLAGS": {"-mod=mod", "-x  -v", ""}, "GOPATH": {"/srv/go", "/a:/b", ""}, "GOMODCACHE": {"/srv/mod", ""}, "GOCACHE": {"/srv/cache", "off", ""}, "GOBIN": {"/srv/bin"},
	"GOAUTH": {"off", "netrc", "git /x", ""}, "GO111MODULE": {"on", "auto", "off", ""}, "GOOS": {"linux", "windows", ""}, "GOARCH": {"amd64", "arm64", ""}, "GOAMD64": {"v1", "v3", ""}, "GOARM64": {"v8.0"},
	"CGO_ENABLED": {"0", "1", "yes", ""}, "GOTOOLCHAIN": {"auto", "path", "local", "go1.26.0+auto", ""}, "GOTMPDIR": {"/srv/tmp"}, "GODEBUG": {"http2client=0"}, "GOWORK": {"off", ""}, "GOEXPERIMENT": {"", "nogreenteagc"},
	"GOCACHEPROG": {"", "prog x"}, "GOFIPS140": {"off", "latest", ""}, "CC": {"clang", ""}, "AR": {"llvm-ar", ""}, "GCCGO": {"gccgo-14", ""}, "FC": {"f"}, "GOENVX": {"unknown"},
}

func randomSettings(rng *rand.Rand, odds int) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(candidates)) {
		if rng.IntN(odds) == 0 {
			vs := candidates[name]
			out = append(out, name+"="+vs[rng.IntN(len(vs))])
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// randomFile is the text of a user file with everything that people and editors
// do to one.
func randomFile(rng *rand.Rand) string {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	var b strings.Builder
	for _, s := range append(randomSettings(rng, 4), randomSettings(rng, 12)...) {
		switch rng.IntN(12) {
		case 0:
			b.WriteString(pick("# a comment\n", "#"+s+"\n", "\n", " \n", "garbage\n", "=\n", "lower="+s+"\n", " "+s+"\n", "export "+s+"\n", "É=1\n", "\x00\n", "GO PROXY=x\n", "GOPROXY\n"))
		case 1:
			b.WriteString(s + " # no comment") // the value goes on to the end of the line
		}
		name, _, _ := strings.Cut(s, "=")
		switch {
		case name == "GOPROXY" || name == "GOPRIVATE":
			// A value that the go command does not look at may be anything.
			b.WriteString(s + pick("", "", "\r", " ", "\tü", "=x") + "\n")
		default:
			b.WriteString("\n" + s + "\n")
		}
	}
	if rng.IntN(3) == 0 {
		return strings.TrimSuffix(b.String(), "\n")
	}
	return b.String()
}

// Over random operating system environments, user files and go.env files the
// values are the go command's, also those computed without it, and the origins
// agree with what go env -changed says.
func TestAsTheGoCommand(t *testing.T) {
	names := slices.DeleteFunc(slices.Clone(asked), func(n string) bool { return n == "GOTOOLCHAIN" })
	names = append(names, "FC", "GOENVX", "GO_EXTLINK_ENABLED")
	const rounds = 120
	var wg sync.WaitGroup
	limit := make(chan bool, runtime.GOMAXPROCS(0)+1)
	for round := range rounds {
		rng := rand.New(rand.NewPCG(3, uint64(round)))
		w := newWorld(t)
		w.write(t, w.user(), randomFile(rng))
		root := goenv + strings.Join(randomSettings(rng, 8), "\n") + "\nGOOS=\nGOARCH=\nGOROOT=/elsewhere\n"
		if rng.IntN(4) == 0 {
			root = ""
		}
		w.write(t, filepath.Join(w.goroot, "go.env"), root)
		if rng.IntN(2) == 0 {
			w.write(t, filepath.Join(w.dir, "go.mod"), "module example.com/m\n")
		}
		if rng.IntN(4) == 0 {
			w.write(t, filepath.Join(w.dir, "go.work"), "go 1.26\n")
		}
		set := randomSettings(rng, 5)
		wg.Go(func() {
			limit <- true
			defer func() { <-limit }()
			checkRound(t, fmt.Sprintf("round %d, environment %q", round, set), w, set, names)
		})
	}
	wg.Wait()
}

func checkRound(t *testing.T, round string, w *world, set, names []string) {
	e, err := Read(context.Background(), Options{Dir: w.dir, Environ: w.environ(set...)})
	if err != nil {
		t.Errorf("%s: %v", round, err)
		return
	}
	for _, p := range e.Problems {
		if strings.Contains(p, "go env failed") {
			// A combination that the go command refuses: GOARCH without GOOS.
			return
		}
	}
	said := goEnv(t, e, "GOTOOLCHAIN=local", names...)
	changed := goEnv(t, e, "GOTOOLCHAIN=local", append([]string{"-changed"}, names...)...)
	// The one variable that Read forces. go env answers for it alone without
	// looking for that toolchain.
	cmd := e.Command(context.Background(), "", "env", "GOTOOLCHAIN")
	cmd.Env = e.Environ
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: go env GOTOOLCHAIN: %v", round, err)
	}
	if got, want := e.Get("GOTOOLCHAIN"), strings.TrimSuffix(string(out), "\n"); got != want {
		t.Errorf("%s: GOTOOLCHAIN=%q, the go command says %q", round, got, want)
	}

	// The same without a go command to ask.
	alone, err := Read(context.Background(), Options{Dir: w.dir, Environ: w.environ(append(set, "PATH="+w.home)...)})
	if err != nil {
		t.Errorf("%s: %v", round, err)
		return
	}
	for _, name := range names {
		v, _ := e.Lookup(name)
		if v.Value != said[name] {
			t.Errorf("%s: %s=%q, the go command says %q", round, name, v.Value, said[name])
		}
		a, known := alone.Lookup(name)
		switch name {
		case "GOWORK", "GOEXPERIMENT", "GOFIPS140", "GOCACHE", "GOVERSION":
			// Found by a search, or checked and completed by the go command.
		default:
			if known && (a.Value != said[name] || a.Origin != v.Origin) {
				t.Errorf("%s: without go: %s=%q (%s), want %q (%s)", round, name, a.Value, a.Origin, said[name], v.Origin)
			}
		}
		checkOrigin(t, round, v, changed)
	}
}

// checkOrigin compares an origin with go env -changed, which lists what differs
// from an empty environment without a user file.
func checkOrigin(t *testing.T, round string, v Var, changed map[string]string) {
	_, c := changed[v.Name]
	set := v.Origin == OS || v.Origin == User || v.Origin == GOROOT
	switch v.Name {
	case "GOROOT", "GOWORK", "GO111MODULE", "GOAMD64", "GOARM64":
		return // go env -changed is silent on these, or counts "on" as unchanged
	}
	if v.Name == "GOPATH" && v.Origin == OS {
		return // it is compared with go/build's default, which the OS variable is a part of
	}
	if c && !set {
		t.Errorf("%s: %+v, but go env -changed lists it", round, v)
	}
	if !c && set && v.Origin != GOROOT && v.Value != "" && v.Value != "1" && v.Value != "0" {
		for _, s := range v.Shadowed {
			if s.Value == v.Value {
				return // set to what it would have been
			}
		}
		if _, isDefault := map[string]bool{"off": true, "v1": true, "v8.0": true, "linux": true, "amd64": true, "gccgo": true}[v.Value]; !isDefault && v.Name != "FC" && v.Name != "GOENVX" {
			t.Errorf("%s: %+v, but go env -changed does not list it", round, v)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("GOPROXY=off\r\n# c\nGOPROXY=x\n=\nlower=1\nA"))
	f.Fuzz(func(t *testing.T, data []byte) {
		values, _ := ParseFile(data)
		for name, value := range values {
			if name == "" || name[0] < 'A' || name[0] > 'Z' || strings.Contains(name, "=") || strings.ContainsAny(name+value, "\n") {
				t.Fatalf("%q: %q=%q", data, name, value)
			}
		}
	})
}
