package route

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
)

func TestGoWill(t *testing.T) {
	c, err := chain.Parse("https://a.example.com,https://b.example.com|file:///tree,direct")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		classes []probe.Class
		want    []probe.Action
	}{
		{"all well", []probe.Class{probe.OK, probe.OK, probe.OK, probe.OK}, []probe.Action{probe.Serve, probe.Serve, probe.Serve, probe.GoDirect}},
		{"the separator decides", []probe.Class{probe.ServerError, probe.ServerError, probe.Forbidden, probe.Refused},
			[]probe.Action{probe.Stop, probe.Next, probe.Stop, probe.Stop}},
		{"not found moves on", []probe.Class{probe.NotFound, probe.NotFound, probe.MissingFile, probe.NotFound},
			[]probe.Action{probe.Next, probe.Next, probe.Next, probe.Stop}},
		{"silence hangs before both", []probe.Class{probe.Timeout, probe.Stalled, probe.OK, probe.Timeout},
			[]probe.Action{probe.Hang, probe.Hang, probe.Serve, probe.Hang}},
		{"not probed yet", []probe.Class{probe.OK, probe.ClassUnknown}, []probe.Action{probe.Serve, probe.ActionUnknown, probe.ActionUnknown, probe.ActionUnknown}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := GoWill(c, tt.classes); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	trailing, err := chain.Parse("https://a.example.com|")
	if err != nil {
		t.Fatal(err)
	}
	if got := GoWill(trailing, []probe.Class{probe.ServerError}); got[0] != probe.Stop {
		t.Errorf("a separator that nothing follows: got %v", got)
	}
	off, err := chain.Parse("https://a.example.com,off")
	if err != nil {
		t.Fatal(err)
	}
	if got := GoWill(off, []probe.Class{probe.NotFound, probe.OK}); got[1] != probe.GoOff {
		t.Errorf("off: got %v", got)
	}
}

// TestJSON holds the field names that the commands promise.
func TestJSON(t *testing.T) {
	r := Predict(Input{
		Module: module.Version{Path: "example.com/m", Version: "v1.0.0"},
		Chain:  chain.Chain{Hops: []chain.Hop{{URL: "off", Kind: chain.Off}}},
	})
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"module":"example.com/m","version":"v1.0.0","private":false,"sumdb":"","steps":[{"file":"info","hop":"off","class":"not_found","action":"off","n":1}],` +
		`"result":"off","why":"nobody before it has the module, and GOPROXY ends in off"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	empty, err := json.Marshal(Predict(Input{Vendor: Vendored}))
	if err != nil || !strings.Contains(string(empty), `"steps":[]`) {
		t.Errorf("no steps: %s, %v", empty, err)
	}
}

func TestResolve(t *testing.T) {
	v := func(path, version string) module.Version { return module.Version{Path: path, Version: version} }
	p := &project.Project{
		Modules: []string{"example.com/main"},
		Requires: []project.Require{{Version: v("example.com/a", "v1.0.0")}, {Version: v("example.com/a", "v1.2.0")},
			{Version: v("example.com/forked", "v1.0.0")}, {Version: v("example.com/local", "v1.0.0")}},
		Replaces: []project.Replace{{Old: v("example.com/forked", ""), New: v("example.com/fork", "v1.0.1")},
			{Old: v("example.com/local", ""), New: v("/src/local", "")}},
	}
	for _, tt := range []struct {
		name    string
		p       *project.Project
		in      module.Version
		want    module.Version
		note    string
		problem string
	}{
		{"the highest required version", p, v("example.com/a", ""), v("example.com/a", "v1.2.0"), "", ""},
		{"a version of its own", p, v("example.com/a", "v1.9.0"), v("example.com/a", "v1.9.0"), "", ""},
		{"replaced by a module", p, v("example.com/forked", ""), v("example.com/fork", "v1.0.1"), "replaced by example.com/fork@v1.0.1", ""},
		{"replaced by a directory", p, v("example.com/local", ""), v("example.com/local", ""), "replaced by the directory /src/local: nothing is downloaded", ""},
		{"a version that the build does not use is not replaced", p, v("example.com/forked", "v3.0.0"), v("example.com/forked", "v3.0.0"), "", ""},
		{"the main module", p, v("example.com/main", ""), v("example.com/main", ""), "", "main module"},
		{"not required", p, v("example.com/other", ""), v("example.com/other", ""), "", "gpx route example.com/other@VERSION"},
		{"outside a project", nil, v("example.com/other", ""), v("example.com/other", ""), "", "gpx route example.com/other@VERSION"},
		{"a query", p, v("example.com/a", "latest"), v("example.com/a", "latest"), "", "go list -m example.com/a@latest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, note, err := resolve(tt.p, tt.in)
			switch {
			case tt.problem == "" && err != nil:
				t.Fatal(err)
			case tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)):
				t.Fatalf("error %v, want one with %q", err, tt.problem)
			}
			if got != tt.want || note != tt.note {
				t.Errorf("got %v %q, want %v %q", got, note, tt.want, tt.note)
			}
		})
	}
}

// TestReplacedByDirectory: nothing is asked, and the route says so.
func TestReplacedByDirectory(t *testing.T) {
	p := &project.Project{
		Requires: []project.Require{{Version: module.Version{Path: "example.com/local", Version: "v1.0.0"}}},
		Replaces: []project.Replace{{Old: module.Version{Path: "example.com/local"}, New: module.Version{Path: "/src/local"}}},
	}
	r, err := Observe(t.Context(), nil, &env.Env{}, p, module.Version{Path: "example.com/local"})
	if err != nil || r.Result != Served || r.Steps == nil || len(r.Steps) != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// TestVendoring holds the reading of -mod and vendor/modules.txt against a build
// by the go command with a proxy that would be seen.
func TestVendoring(t *testing.T) {
	needPrograms(t)
	for _, tt := range []struct {
		name    string
		goflags string
		modules string // vendor/modules.txt, "" for no vendor directory
		want    Vendor
	}{
		{"no vendor directory", "", "", NotVendored},
		{"vendored", "", "# github.com/gpx-lab/one v1.0.0\n## explicit; go 1.21\ngithub.com/gpx-lab/one\n", Vendored},
		{"vendored, and -mod=mod", "-mod=mod", "# github.com/gpx-lab/one v1.0.0\n## explicit; go 1.21\ngithub.com/gpx-lab/one\n", NotVendored},
		{"-mod=vendor without the module", "-mod=vendor", "# example.com/other v1.0.0\n", VendorLacking},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := scenario{Hops: []hop{good}, Lines: SumLines{Match, Match}}
			w, err := build(filepath.Join(t.TempDir(), "w"), s)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			files := map[string]string{"main.go": "package main\n\nimport one \"github.com/gpx-lab/one\"\n\nfunc main() { println(one.Name) }\n"}
			if tt.modules != "" {
				files["vendor/modules.txt"] = tt.modules
				files["vendor/github.com/gpx-lab/one/one.go"] = "package one\n\nconst Name = \"vendored\"\n"
			}
			for name, data := range files {
				if err := write(w.path("proj", name), []byte(data)); err != nil {
					t.Fatal(err)
				}
			}
			environ := append(slices.Clone(w.environ), "GOFLAGS=-modcacherw "+tt.goflags)
			e, err := env.Read(t.Context(), env.Options{Dir: w.path("proj"), Environ: environ})
			if err != nil {
				t.Fatal(err)
			}
			p, err := project.Find(w.path("proj"), e)
			if err != nil {
				t.Fatal(err)
			}
			in, _, _ := gather(e, p, s.version())
			if in.Vendor != tt.want {
				t.Errorf("got %q, want %q", in.Vendor, tt.want)
			}
			// A list of all packages needs the source, and compiles nothing.
			cmd := exec.Command("go", "list", "-deps", "-e=false", ".")
			cmd.Dir, cmd.Env = w.path("proj"), environ
			out, err := cmd.CombinedOutput()
			if asked := len(w.requests()) > 0; asked != (tt.want == NotVendored) {
				t.Errorf("the go command asked a proxy: %v\n%s", asked, out)
			}
			if failed := err != nil; failed != (tt.want == VendorLacking) {
				t.Errorf("go: %v\n%s", err, out)
			}
		})
	}
}

// TestSumNeeds reads checksum caches in the states that they are found in.
func TestSumNeeds(t *testing.T) {
	for _, tt := range []struct {
		have  string
		spoil func(t *testing.T, cache string)
		needs []probe.File
		fails bool
	}{
		{have: "", needs: nil},
		{have: "all", needs: []probe.File{}},
		{have: "tiles", needs: nil},
		{have: "head", needs: []probe.File{probe.Tile, probe.Lookup, probe.Tile}},
		{have: "all", spoil: func(t *testing.T, cache string) {
			if err := os.RemoveAll(filepath.Join(cache, "tile")); err != nil {
				t.Fatal(err)
			}
		}, needs: []probe.File{probe.Tile}},
		{have: "all", spoil: func(t *testing.T, cache string) {
			file := filepath.Join(cache, "lookup", "github.com", "gpx-lab", "one@v1.0.0")
			if err := os.WriteFile(file, []byte("damaged"), 0o666); err != nil {
				t.Fatal(err)
			}
		}, fails: true},
	} {
		t.Run(tt.have, func(t *testing.T) {
			w, err := build(filepath.Join(t.TempDir(), "w"), scenario{Hops: []hop{good}, SumHave: tt.have})
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			cache := w.path("modcache", "cache", "download", "sumdb")
			if tt.spoil != nil {
				tt.spoil(t, filepath.Join(cache, w.lab.SumDBName()))
			}
			db, err := chain.ParseSumDB(w.gosumdb)
			if err != nil {
				t.Fatal(err)
			}
			c := sumCache{db: db, dir: cache, config: w.path("gopath", "pkg", "sumdb")}
			needs, lines, err := c.needs(w.s.version(), nil)
			if (err != nil) != tt.fails {
				t.Fatalf("error %v", err)
			}
			if !slices.Equal(needs, tt.needs) || (needs == nil) != (tt.needs == nil) {
				t.Errorf("needs %v, want %v", needs, tt.needs)
			}
			if complete := len(lines) == 2; complete != (tt.needs != nil && len(tt.needs) == 0) {
				t.Errorf("lines %q", lines)
			}
		})
	}
}

// Settings that stop every go command stop it before a hop is asked.
func TestRefusedSettings(t *testing.T) {
	t.Parallel()
	r := Predict(Input{Module: module.Version{Path: "lab.example.com/alpha", Version: "v1.0.0"}, Refusal: errors.New("modules disabled")})
	if r.Result != Stopped || len(r.Steps) > 0 || !strings.Contains(r.Why, "modules disabled") {
		t.Errorf("%+v", r)
	}
}
