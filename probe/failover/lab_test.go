package failover_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/failover"
	"gpx/probe/lab"
	"gpx/probe/monitor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is recommended after one burst of real probes works in the real go command,
// which has to verify the module by the checksum database.
func TestTheGoCommandWorksWithIt(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"go", "git"} { // git is behind "direct"
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not on PATH")
		}
	}
	const (
		another = "another chain"
		same    = "the chain in force"
		none    = "no chain"
	)
	down := lab.Always(lab.Status(503, "down"))
	noSum := lab.Always(lab.NoSumDB(404))
	later := lab.Always(lab.Slow(80 * time.Millisecond)) // by latency it stands behind
	for _, w := range []struct {
		name, chain string // A, B, C are proxies; T is a file tree
		a, b, c     lab.Schedule
		own         lab.Fault // of the database's own host
		want        string
	}{
		{name: "a web page for lookups, then direct", chain: "A|direct", a: lab.Always(lab.Of(lab.ModeSumDBCaptive)), want: another},
		{name: "a bad signature, then direct", chain: "A|direct", a: lab.Always(lab.Of(lab.ModeBadSignature)), want: another},
		{name: "the only proxy refuses the database", chain: "A,off", a: lab.Always(lab.NoSumDB(403)), want: none},
		{name: "one of two refuses it", chain: "A|B,off", a: lab.Always(lab.NoSumDB(403)), b: noSum, want: another},
		{name: "refused, but direct goes on", chain: "A|direct", a: lab.Always(lab.NoSumDB(403)), want: same},
		{name: "a spare with bad tiles", chain: "A,B,C", a: down, b: lab.Always(lab.Of(lab.ModeBadTile)), c: later, want: another},
		{name: "a spare whose lookups hang", chain: "A,B,C", a: down, b: lab.Always(lab.Hang(), probe.Lookup), c: later, want: another},
		{name: "a spare whose tiles hang", chain: "A,B,C", a: down, b: lab.Always(lab.Hang(), probe.Tile), c: later, want: another},
		{name: "a spare with a web page for supported", chain: "A,B,C", a: down, b: lab.Always(lab.Captive(), probe.Supported, probe.Lookup), c: later, want: another},
		{name: "a spare that hangs when asked", chain: "A,B,C", a: down, b: lab.Always(lab.Hang(), probe.Supported), c: later, want: another},
		{name: "a spare that does not serve it", chain: "A,B", a: down, b: noSum, want: another},
		{name: "a spare that does not serve it, its host dead", chain: "A,B", a: down, b: noSum, own: lab.Refuse(), want: none},
		{name: "its host dead, one hop serves it", chain: "A,B,C", a: down, b: noSum, c: later, own: lab.Refuse(), want: another},
		{name: "its host dead, the slow hop serves it", chain: "A,B,C", a: lab.Always(lab.NoSumDB(503)), b: noSum, c: later, own: lab.Status(503, ""), want: another},
		{name: "another key, and one that sends on", chain: "A,B,C", a: lab.Always(lab.Blackhole()), b: lab.Always(lab.Of(lab.ModeOtherKey)), c: noSum, want: another},
		{name: "a file tree", chain: "A,T", a: down, own: lab.Refuse(), want: another},
	} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			l, err := lab.Start(lab.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			tree := t.TempDir()
			if err := l.WriteTree(tree, true); err != nil {
				t.Fatal(err)
			}
			l.SumDB().SetFault(w.own)
			names := strings.NewReplacer(
				"A", l.Proxy("a", w.a).URL(), "B", l.Proxy("b", w.b).URL(), "C", l.Proxy("c", w.c).URL(), "T", "file://"+filepath.ToSlash(tree))
			dir := t.TempDir()
			environ := append(l.GoEnv(dir, names.Replace(w.chain)), "GOCACHE="+lab.BuildCache())
			rec := recommend(t, l, environ, dir)
			switch {
			case rec.Found != (w.want == another):
				t.Fatalf("found %v %s, want %s: %q %q", rec.Found, rec.Chain, w.want, rec.Reasons, rec.Warnings)
			case w.want == none:
				if !strings.Contains(strings.Join(rec.Reasons, " "), "go.sum line") {
					t.Errorf("it is not said why: %q", rec.Reasons)
				}
				return
			}
			out, err := download(t, dir, append(environ, "GOPROXY="+rec.Chain.String()))
			if err != nil {
				t.Errorf("GOPROXY=%s: %v: %s\n%q", rec.Chain, err, out, rec.Reasons)
			}
			t.Logf("%s → %s", names.Replace(w.chain), rec.Chain)
		})
	}
}

// Random outages: whatever is recommended works. Few by default, because each
// costs a burst and a go command.
func TestTheGoCommandWorksInRandomWorlds(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"go", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not on PATH")
		}
	}
	n := map[string]uint64{"": 4, "system": 40, "soak": 400}[os.Getenv("GPX_TEST_SCALE")]
	var found atomic.Int64
	t.Cleanup(func() {
		if 4*found.Load() < int64(n) {
			t.Errorf("%d recommendations in %d worlds: the test tests little", found.Load(), n)
		}
	})
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l, err := lab.Start(lab.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			r := rand.New(rand.NewPCG(seed, 17))
			var chain string
			var story []string
			for i := range 1 + r.IntN(4) {
				s, words := fault(r)
				story = append(story, words)
				chain += l.Proxy(fmt.Sprint("p", i), s).URL() + []string{",", "|"}[r.IntN(2)]
			}
			chain += []string{"", "direct", "off"}[r.IntN(3)]
			own := []lab.Fault{{}, lab.Refuse(), lab.Status(503, ""), lab.Of(lab.ModeBadTile)}[r.IntN(4)]
			l.SumDB().SetFault(own)
			dir := t.TempDir()
			environ := append(l.GoEnv(dir, chain), "GOCACHE="+lab.BuildCache())
			rec := recommend(t, l, environ, dir)
			if !rec.Found {
				return
			}
			found.Add(1)
			if out, err := download(t, dir, append(environ, "GOPROXY="+rec.Chain.String())); err != nil {
				t.Errorf("%s with %q, the database's host %s → %s: %v: %s\n%q", chain, story, own, rec.Chain, err, out, rec.Reasons)
			}
		})
	}
}

// fault is something wrong with a proxy, or with the database through it, or
// nothing.
func fault(r *rand.Rand) (lab.Schedule, string) {
	f := []lab.Fault{{}, lab.Status(503, ""), lab.NoSumDB(404), lab.NoSumDB(403), lab.NoSumDB(503), lab.Of(lab.ModeSumDBCaptive), lab.Of(lab.ModeBadTile),
		lab.Of(lab.ModeBadRecord), lab.Of(lab.ModeBadSignature), lab.Hang(), lab.Stall(-1), lab.Captive(), lab.Reset(), lab.EOF(), lab.Of(lab.ModeTruncated)}[r.IntN(15)]
	only := [][]probe.File{nil, {probe.Supported}, {probe.Lookup}, {probe.Tile}, {probe.Lookup, probe.Tile}}[r.IntN(5)]
	return lab.Always(f, only...), fmt.Sprint(f, " ", only)
}

var wanted = module.Version{Path: "github.com/gpx-lab/one", Version: "v1.0.0"}

// recommend is what `gpx use --best` would switch to.
func recommend(t *testing.T, l *lab.Lab, environ []string, dir string) failover.Recommendation {
	t.Helper()
	e, err := env.Read(t.Context(), env.Options{Dir: dir, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(l.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	in := monitor.Inputs{Env: e, Project: &project.Project{Module: "app.example", Requires: []project.Require{{Version: wanted}}, Sums: project.Sums{}}}
	start := time.Now()
	s := monitor.New(monitor.DefaultConfig(), probe.New(probe.DefaultConfig(), e, probe.WithRootCAs(roots)), in).Burst(t.Context())
	t.Logf("the burst took %v", time.Since(start).Round(time.Millisecond))
	return failover.Recommend(failover.RequestFor(s, in, failover.Latency, ""))
}

// download runs the go command in a module whose go.sum is empty.
func download(t *testing.T, dir string, environ []string) (string, error) {
	t.Helper()
	work := filepath.Join(dir, "work")
	if err := os.MkdirAll(work, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "go.mod"), []byte("module example.com/work\n\ngo 1.21\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "mod", "download", wanted.String())
	cmd.Dir, cmd.Env, cmd.WaitDelay = work, environ, 5*time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}
