package story

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gpx/probe/lab"
)

// The promise for a download behind gpx run, whatever the first hop does.
const (
	mostOfHealthy = 1.5
	mostBeyond    = 4 * time.Second
)

const (
	// hangs is when a bare go command is given up. What it waits for either never
	// comes or comes after 30 s, a dial's time.
	hangs = 20 * time.Second
	// atOnce is how long a bare go command is waited for before the next fault has
	// its turn beside it: what is still there then mostly waits.
	atOnce = 3 * time.Second
)

// A faulty hop has a name and what it does.
type faulty struct {
	name  string
	fault lab.Fault
	// bare is how the go command ends without gpx, with a comma and with a bar behind
	// the hop: o ok, f fails, h hangs, ? either.
	bare string
	few  bool // among those of test-system
}

// faults are all that the lab can do, as the first hop of a chain does it.
func faults() []faulty {
	one := func(m lab.Mode) faulty { return faulty{string(m), lab.Of(m), "fo", false} }
	return []faulty{
		{"connection refused", lab.Refuse(), "fo", true}, {"packets dropped", lab.Blackhole(), "hh", false},
		one(lab.ModeTLSSelfSigned), one(lab.ModeTLSUntrusted), one(lab.ModeTLSExpired), one(lab.ModeTLSWrongHost), one(lab.ModeTLSOld),
		one(lab.ModeTLSPlainHTTP), one(lab.ModeTLSGarbage), {string(lab.ModeTLSSilent), lab.Of(lab.ModeTLSSilent), "hh", false},
		{"accepts, never answers", lab.Hang(), "hh", true}, {"stops in the body", lab.Stall(-1), "hh", true}, {"1 s late", lab.Slow(time.Second), "hh", false},
		{"20 bytes a second", lab.Trickle(20), "hh", false}, {"connection reset", lab.Reset(), "fo", false}, {"closed without an answer", lab.EOF(), "fo", false},
		{"500", lab.Status(500, ""), "fo", false}, {"502", lab.Status(502, ""), "fo", true}, {"503", lab.Status(503, ""), "fo", false}, {"504", lab.Status(504, ""), "fo", false},
		{"403", lab.Status(403, ""), "fo", false}, {"404", lab.Status(404, ""), "oo", false}, {"410", lab.Status(410, ""), "oo", false}, {"429", lab.RateLimited(30 * time.Second), "fo", false},
		{"401", lab.Auth("me", "unknown"), "fo", false}, {"every second answer 503", lab.Status(503, "").OneIn(2), "f?", false},
		{"502 in HTML", lab.HTML(502, "<html>"), "fo", false}, {"escapes for terminals", lab.Hostile(), "fo", false},
		{"login page", lab.Captive(), "ff", true}, {"a body without end", lab.Of(lab.ModeEndless), "hh", false}, {"no HTTP", lab.Of(lab.ModeGarbage), "fo", false},
		one(lab.ModeRedirect), one(lab.ModeDowngrade),
		{"body cut", lab.Of(lab.ModeTruncated), "fo", false}, {"half a body", lab.Of(lab.ModeShort), "ff", false}, {"zip with other bytes", lab.Of(lab.ModeWrongZip), "ff", true},
		{"zip with paths outside", lab.Of(lab.ModeZipNames), "ff", false}, {".info of another version", lab.Of(lab.ModeWrongVersion), "fo", false},
		{".info is no JSON", lab.Of(lab.ModeNotJSON), "fo", false}, {"other .mod", lab.Of(lab.ModeWrongMod), "ff", false},
		{"checksum database 500", lab.NoSumDB(500), "fo", true}, {"checksum database 404", lab.NoSumDB(404), "oo", false},
		{"checksum database: login page", lab.Of(lab.ModeSumDBCaptive), "ff", true}, {"checksum database: bad tiles", lab.Of(lab.ModeBadTile), "ff", false},
		{"checksum database: other hashes", lab.Of(lab.ModeBadRecord), "ff", false}, {"checksum database: bad signature", lab.Of(lab.ModeBadSignature), "ff", false},
		{"checksum database: other key", lab.Of(lab.ModeOtherKey), "ff", false},
	}
}

// TestFaultTable downloads modules into an empty cache, without go.sum, from a
// faulty hop before a healthy one: bare with each separator, and behind gpx run.
// GPX_BENCH=1 makes it the table of docs/relay.md: every fault and 50 modules.
func TestFaultTable(t *testing.T) {
	all, n, within := faults(), 50, hangs
	if !benching() {
		needs(t, "git")
		all, n, within = few(all), 10, hangs/4
	}
	d := newDownload(t, n, 60<<10)
	healthy := d.lab.Proxy("healthy", nil, lab.TLS()).URL()
	d.bare(healthy, patience) // whatever is done once on a machine
	alone, relayed := d.bare(healthy, patience), d.behind(healthy)
	for range 2 {
		alone, relayed = shorter(alone, d.bare(healthy, patience)), shorter(relayed, d.behind(healthy))
	}
	if alone.err != nil || relayed.err != nil {
		t.Fatalf("nothing is wrong, and yet: %v, %v", alone.err, relayed.err)
	}
	most := time.Duration(mostOfHealthy*float64(alone.took)) + mostBeyond

	var bares sync.WaitGroup
	rows := make([][3]result, len(all))
	for i, f := range all {
		first := d.lab.Proxy(fmt.Sprintf("first%d", i), lab.Always(f.fault), lab.TLS()).URL()
		for j, separator := range []string{",", "|"} {
			done := make(chan struct{})
			bares.Go(func() {
				defer close(done)
				rows[i][j] = d.bare(first+separator+healthy, within)
			})
			select {
			case <-done:
			case <-time.After(atOnce):
			}
		}
		rows[i][2] = d.behind(first + "," + healthy)
	}
	bares.Wait()

	var table strings.Builder
	fmt.Fprintf(&table, "\n| first hop, %d modules | bare, `,` | bare, `\\|` | `gpx run`, `,` |\n|---|---|---|---|\n", n)
	fmt.Fprintf(&table, "| healthy, alone | %s | | %s |\n", alone, relayed)
	var worst time.Duration
	for i, f := range all {
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", f.name, rows[i][0], rows[i][1], rows[i][2])
		for j, separator := range []string{",", "|"} {
			if got := rows[i][j].end(); f.bare[j] != '?' && got != f.bare[j] {
				t.Errorf("%s, bare before %s: %c, want %c: %v\n%s", f.name, separator, got, f.bare[j], rows[i][j].err, rows[i][j].said)
			}
		}
		r := rows[i][2]
		if r.err != nil {
			t.Errorf("%s, behind gpx run: %v\n%s", f.name, r.err, r.said)
		}
		if r.took > most {
			t.Errorf("%s, behind gpx run: %v, promised are %v", f.name, r.took, most)
		}
		worst = max(worst, r.took)
	}
	fmt.Fprintf(&table, "\nThe longest behind gpx run: %.2f s; promised: %.1f × healthy + %v = %.2f s.\n", worst.Seconds(), mostOfHealthy, mostBeyond, most.Seconds())
	t.Log(table.String())
}

func benching() bool { return os.Getenv("GPX_BENCH") != "" }

func few(all []faulty) []faulty {
	var list []faulty
	for _, f := range all {
		if f.few {
			list = append(list, f)
		}
	}
	return list
}

// A download is what every run of the table does, in folders of its own.
type download struct {
	t     *testing.T
	lab   *lab.Lab
	goMod string
}

// newDownload makes n modules whose zips have about size bytes.
func newDownload(t *testing.T, n, size int) *download {
	t.Helper()
	goMod := "module example.com/app\n\ngo 1.21\n\nrequire (\n"
	var modules []*lab.Module
	for i := range n {
		path := fmt.Sprintf("lab.example.com/module%02d", i)
		m, err := lab.NewModule(path, "v1.0.0", time.Unix(1.7e9, 0), map[string]string{
			"go.mod": "module " + path + "\n\ngo 1.21\n", "m.go": "package m\n", "data.bin": noise(size),
		})
		must(t, err)
		modules = append(modules, m)
		goMod += "\t" + path + " v1.0.0\n"
	}
	l, err := lab.Start(lab.Options{Modules: modules})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return &download{t, l, goMod + ")\n"}
}

// noise is what cannot be compressed.
func noise(n int) string {
	data := make([]byte, n)
	rand.Read(data)
	return string(data)
}

// project writes one that needs all the modules, without go.sum.
func (d *download) project(dir string) string {
	err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "go.mod"), []byte(d.goMod), 0o644))
	if err != nil {
		d.t.Error(err)
	}
	return dir
}

// A result is how a download ended.
type result struct {
	took time.Duration
	err  error // context.DeadlineExceeded: it hangs
	said string
}

func (r result) String() string {
	switch {
	case errors.Is(r.err, context.DeadlineExceeded):
		return fmt.Sprintf("**not done** after %.0f s", r.took.Seconds())
	case r.err != nil:
		return fmt.Sprintf("**fails**, %.2f s", r.took.Seconds())
	}
	return fmt.Sprintf("%.2f s", r.took.Seconds())
}

// end is a letter of faulty.bare.
func (r result) end() byte {
	switch {
	case errors.Is(r.err, context.DeadlineExceeded):
		return 'h'
	case r.err != nil:
		return 'f'
	}
	return 'o'
}

func shorter(a, b result) result {
	if a.err != nil || b.err == nil && a.took < b.took {
		return a
	}
	return b
}

// bare has the go command download through a chain.
func (d *download) bare(chain string, within time.Duration) result {
	return d.run(chain, within, "go", "mod", "download")
}

// behind does the same behind gpx run.
func (d *download) behind(chain string) result {
	return d.run(chain, patience, gpx, "run", "go", "mod", "download")
}

func (d *download) run(chain string, within time.Duration, name string, args ...string) result {
	dir, err := os.MkdirTemp(d.lab.Dir(), "download-")
	if err != nil {
		return result{err: err}
	}
	defer os.RemoveAll(dir)
	return d.in(d.project(filepath.Join(dir, "project")), dir, chain, within, name, args...)
}

// in runs a command in a project, with its caches and settings below home.
func (d *download) in(project, home, chain string, within time.Duration, name string, args ...string) result {
	ctx, cancel := context.WithTimeout(d.t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var said bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = project, d.lab.GoEnv(home, chain), &said, &said
	cmd.WaitDelay = time.Second
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return result{took, err, said.String()}
}
