package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"

	"gpx/cachectl/internal/stage"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/lab"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// A world has modules, and go.sum lines of them all.
type world struct {
	t     *testing.T
	lab   *lab.Lab
	wants []Want
	sums  project.Sums
	env   *env.Env
}

func newWorld(t *testing.T, n int) *world {
	w := &world{t: t, sums: project.Sums{}}
	var modules []*lab.Module
	for i := range n {
		m, err := lab.NewModule(fmt.Sprintf("lab.example.com/m%02d", i), "v1.0.0", time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), map[string]string{
			"go.mod": fmt.Sprintf("module lab.example.com/m%02d\n\ngo 1.21\n", i), "m.go": "package m\n", "data": strings.Repeat("data ", 20_000),
		})
		must(t, err)
		modules = append(modules, m)
		w.wants = append(w.wants, Want{Version: m.Version})
		w.sums[m.Version] = []string{m.ZipHash}
		w.sums[module.Version{Path: m.Path, Version: "v1.0.0/go.mod"}] = []string{m.ModHash}
	}
	l, err := lab.Start(lab.Options{Modules: modules})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	w.lab, w.env = l, &env.Env{Environ: l.GoEnv(t.TempDir(), "off")}
	return w
}

func (w *world) endpoint(name string, f lab.Fault, opts ...lab.ProxyOption) probe.Endpoint {
	return probe.Endpoint{URL: w.lab.Proxy(name, lab.Always(f), opts...).URL(), Kind: probe.KindProxy}
}

func (w *world) options(dir string, eps ...probe.Endpoint) Options {
	return Options{
		Wants: w.wants, Sources: func(module.Version) []probe.Endpoint { return eps }, Prober: probe.New(probe.DefaultConfig(), w.env),
		Stage: dir, Proofs: &Proofs{Sums: w.sums}, Hedge: 50 * time.Millisecond,
		Patience: probe.Patience{FirstByte: 20 * time.Second, Stall: time.Second}, // nothing here waits for a first byte
	}
}

// Everything comes, and what came is right, whatever the sources before do.
func TestGet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 12)
	good := w.endpoint("good", lab.OK())
	for _, tt := range []struct {
		name  string
		first []probe.Endpoint
		wrong bool
	}{
		{"healthy", nil, false},
		{"refuse", []probe.Endpoint{w.endpoint("refuse", lab.Refuse())}, false},
		{"hang", []probe.Endpoint{w.endpoint("hang", lab.Hang())}, false},
		{"stall", []probe.Endpoint{w.endpoint("stall", lab.Stall(100))}, false},
		{"503", []probe.Endpoint{w.endpoint("503", lab.Status(503, ""))}, false},
		{"404", []probe.Endpoint{w.endpoint("404", lab.Status(404, ""))}, false},
		{"captive portal", []probe.Endpoint{w.endpoint("captive", lab.Captive())}, false},
		{"truncated", []probe.Endpoint{w.endpoint("truncated", lab.Of(lab.ModeTruncated))}, false},
		{"wrong zip", []probe.Endpoint{w.endpoint("wrong", lab.Of(lab.ModeWrongZip))}, true},
		{"hang, then wrong zip", []probe.Endpoint{w.endpoint("hang2", lab.Hang()), w.endpoint("wrong2", lab.Of(lab.ModeWrongZip))}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r, err := Get(t.Context(), w.options(dir, append(tt.first, good)...))
			must(t, err)
			if len(r.Fetched) != len(w.wants) || len(r.Failed) > 0 {
				t.Fatalf("%d came, %+v did not", len(r.Fetched), r.Failed)
			}
			if tt.wrong != (len(r.Wrong) > 0) {
				t.Errorf("wrong bytes: %v", r.Wrong)
			}
			for _, x := range r.Fetched {
				if x.Proof != stage.ByGoSum || len(x.Files) != 3 {
					t.Errorf("%+v", x)
				}
			}
			w.check(dir)
		})
	}
}

// check compares the stage with what the lab published.
func (w *world) check(dir string) {
	w.t.Helper()
	s := &stage.Stage{Dir: dir}
	for _, m := range w.lab.Modules() {
		for f, want := range map[probe.File][]byte{probe.Mod: []byte(m.Files["go.mod"]), probe.Zip: m.Zip, probe.Info: m.Info} {
			name, err := s.File(m.Version, f)
			must(w.t, err)
			if got, err := os.ReadFile(name); err != nil || !slices.Equal(got, want) {
				w.t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
	}
}

// Who has nothing right gives nothing, and is named.
func TestGetNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	for name, tt := range map[string]struct {
		eps  []probe.Endpoint
		sums project.Sums
		why  string
	}{
		"nobody":       {nil, w.sums, "nobody who may be asked"},
		"wrong":        {[]probe.Endpoint{w.endpoint("w", lab.Of(lab.ModeWrongZip))}, w.sums, "go.sum says h1:"},
		"absent":       {[]probe.Endpoint{w.endpoint("a", lab.Status(410, "gone"))}, w.sums, "not found"},
		"no proof":     {[]probe.Endpoint{w.endpoint("p", lab.OK())}, nil, "go.sum has no line"},
		"other .mod":   {[]probe.Endpoint{w.endpoint("m", lab.OK())}, otherMods(w.sums), "its go.mod is h1:"},
		"zip of evils": {[]probe.Endpoint{w.endpoint("z", lab.Of(lab.ModeZipNames))}, w.sums, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := w.options(dir, tt.eps...)
			o.Proofs = &Proofs{Sums: tt.sums}
			r, err := Get(t.Context(), o)
			must(t, err)
			if len(r.Fetched) > 0 || len(r.Failed) != len(w.wants) || !strings.Contains(r.Failed[0].Why, tt.why) {
				t.Errorf("%+v", r)
			}
			zips, err := filepath.Glob(filepath.Join(dir, "lab.example.com", "*", "@v", "*.zip"))
			must(t, err)
			if len(zips) > 0 {
				t.Errorf("kept: %v", zips)
			}
		})
	}
}

func otherMods(sums project.Sums) project.Sums {
	out := project.Sums{}
	for m, h := range sums {
		if out[m] = h; strings.HasSuffix(m.Version, "/go.mod") {
			out[m] = []string{"h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
		}
	}
	return out
}

// What is in the stage is not asked for again, and an interrupted run keeps what
// came.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	srv := w.lab.Proxy("one", nil)
	o := w.options(t.TempDir(), probe.Endpoint{URL: srv.URL(), Kind: probe.KindProxy})
	ctx, cancel := context.WithCancel(t.Context())
	o.AtOnce = 1
	o.Report = func(p Progress) {
		if p.Done == 3 {
			cancel()
		}
	}
	if _, err := Get(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	before := len(srv.Log())
	o.Report = nil
	r, err := Get(t.Context(), o)
	must(t, err)
	again := 0
	for _, x := range r.Fetched {
		if x.Source == "stage" {
			again++
		}
	}
	if len(r.Fetched) != 6 || again < 3 {
		t.Errorf("%d came, %d of them earlier", len(r.Fetched), again)
	}
	if n := len(srv.Log()) - before; n > 3*(6-again)+3 {
		t.Errorf("%d requests for the rest", n)
	}
	w.check(o.Stage)
}

// What an earlier run took in for another go.sum is not taken for this one, and
// what is no regular file never.
func TestStageIsProvenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	o := w.options(t.TempDir(), w.endpoint("one", lab.OK()))
	_, err := Get(t.Context(), o)
	must(t, err)
	o.Proofs = &Proofs{Sums: project.Sums{}}
	for m, h := range w.sums {
		if o.Proofs.Sums[m] = h; m == w.wants[0].Version {
			o.Proofs.Sums[m] = []string{"h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
		}
	}
	r, err := Get(t.Context(), o)
	must(t, err)
	if len(r.Failed) != 1 || r.Failed[0].Version != w.wants[0].Version || len(r.Wrong) != 1 {
		t.Errorf("%+v", r)
	}
	s := &stage.Stage{Dir: o.Stage}
	if s.Has(w.wants[0].Version, probe.Zip) {
		t.Error("it is still there")
	}
	name, err := s.File(w.wants[1].Version, probe.Zip)
	must(t, err)
	must(t, os.Rename(name, name+".away"))
	must(t, os.Symlink(name+".away", name))
	o.Proofs = &Proofs{Sums: w.sums}
	r, err = Get(t.Context(), o)
	must(t, err)
	if fi, err := os.Lstat(name); len(r.Failed) > 0 || err != nil || !fi.Mode().IsRegular() {
		t.Errorf("%+v, %v", r, err)
	}
}

// Two fetches do not share a stage.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "fetch")
	unlock, err := Lock(dir)
	must(t, err)
	if _, err := Lock(dir); err == nil || !strings.Contains(err.Error(), "another gpx fetch") {
		t.Error(err)
	}
	unlock()
	unlock, err = Lock(dir)
	must(t, err)
	unlock()
}

const childVar = "GPX_FETCH_CHILD"

// child fetches into a stage until it is killed.
func child(dir string) {
	data, err := os.ReadFile(filepath.Join(dir, "url"))
	if err != nil {
		panic(err)
	}
	url, sums, _ := strings.Cut(string(data), "\n")
	w := &world{sums: project.Sums{}, env: &env.Env{}}
	for line := range strings.Lines(sums) {
		f := strings.Fields(line)
		m := module.Version{Path: f[0], Version: f[1]}
		w.sums[m] = []string{f[2]}
		if !strings.HasSuffix(m.Version, "/go.mod") {
			w.wants = append(w.wants, Want{Version: m})
		}
	}
	if _, err := Get(context.Background(), w.options(filepath.Join(dir, "stage"), probe.Endpoint{URL: url, Kind: probe.KindProxy})); err != nil {
		panic(err)
	}
}

// SIGKILL at any instant leaves a stage that holds nothing wrong, and the next
// run finishes.
func TestKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	srv := w.lab.Proxy("slow", lab.Always(lab.Trickle(400_000)))
	dir := t.TempDir()
	text := srv.URL() + "\n"
	for m, h := range w.sums {
		text += m.Path + " " + m.Version + " " + h[0] + "\n"
	}
	must(t, os.WriteFile(filepath.Join(dir, "url"), []byte(text), 0o600))
	kills := 3
	if os.Getenv("GPX_TEST_SCALE") != "" {
		kills = 15
	}
	for i := range kills {
		at := len(srv.Log()) + 1 + 3*i%7
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVar+"="+dir)
		must(t, cmd.Start())
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		for len(srv.Log()) < at {
			select {
			case <-ended:
				at = 0
			case <-time.After(time.Millisecond):
			}
		}
		cmd.Process.Kill()
		<-ended
	}
	srv.SetFault(lab.OK())
	o := w.options(filepath.Join(dir, "stage"), probe.Endpoint{URL: srv.URL(), Kind: probe.KindProxy})
	r, err := Get(t.Context(), o)
	must(t, err)
	if len(r.Fetched) != 10 {
		t.Errorf("%+v", r.Failed)
	}
	must(t, Seal(o.Stage))
	w.check(o.Stage)
}

// Version control gives what nobody else does.
func TestDirect(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("missing program: git")
	}
	l, err := lab.Start(lab.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	e, err := env.Read(t.Context(), env.Options{Dir: t.TempDir(), Environ: l.GoEnv(t.TempDir(), "off")})
	must(t, err)
	sums := project.Sums{}
	one := module.Version{Path: "github.com/gpx-lab/one", Version: "v1.1.0"}
	for _, m := range l.Modules() {
		sums[m.Version] = []string{m.ZipHash}
		sums[module.Version{Path: m.Path, Version: m.Version.Version + "/go.mod"}] = []string{m.ModHash}
	}
	o := Options{
		Wants: []Want{{Version: one}, {Version: module.Version{Path: "github.com/gpx-lab/none", Version: "v1.0.0"}}},
		Sources: func(module.Version) []probe.Endpoint {
			return []probe.Endpoint{{URL: "direct", Kind: probe.KindDirect}}
		},
		Prober: probe.New(probe.DefaultConfig(), e), Direct: Direct(e), Stage: t.TempDir(), Proofs: &Proofs{Sums: sums},
	}
	r, err := Get(t.Context(), o)
	must(t, err)
	if len(r.Fetched) != 1 || r.Fetched[0].Source != "direct" || r.Fetched[0].Proof != stage.ByGoSum || len(r.Failed) != 1 {
		t.Errorf("%+v", r)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
