package bundle

import (
	"context"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"gpx/envctl/change"
	"gpx/envctl/env"
)

// TestBundleRatios is what `make bench` prints of bundles: an export beside tar
// and zstd, an import beside zstd and tar, on the same files, in turns. With
// GPX_BENCH_MODCACHE it takes a real cache and only reads it; else it makes
// modules of the toolchain's own source.
func TestBundleRatios(t *testing.T) {
	if os.Getenv("GPX_BENCH") == "" {
		t.Log("GPX_BENCH is not set; make bench sets it")
		return
	}
	for _, program := range []string{"tar", "zstd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	cache := os.Getenv("GPX_BENCH_MODCACHE")
	if cache == "" {
		cache = t.TempDir()
		toolchainModules(t, cache)
	}
	b := &bench{t: t, cache: cache, dir: t.TempDir()}
	b.exports()
	b.imports()
	t.Logf("\n%s", b.table.String())
}

const benchRounds = 5

type bench struct {
	t     *testing.T
	cache string
	dir   string
	table strings.Builder
}

// toolchainModules fills a module cache with three versions each of what the
// toolchain's source has.
func toolchainModules(t *testing.T, cache string) {
	t.Helper()
	src := filepath.Join(build.Default.GOROOT, "src")
	for _, dir := range []string{"cmd/compile", "cmd/go", "cmd/link", "net", "crypto", "runtime", "go", "internal", "encoding", "syscall"} {
		for _, version := range []string{"v1.0.0", "v1.1.0", "v1.2.0"} {
			m := module.Version{Path: "bench.example.com/" + dir, Version: version}
			copied := filepath.Join(t.TempDir(), "m")
			must(t, os.CopyFS(copied, os.DirFS(filepath.Join(src, filepath.FromSlash(dir)))))
			write(t, filepath.Join(copied, "go.mod"), "module "+m.Path+"\n")
			write(t, filepath.Join(copied, "version.go"), "// "+version+"\n")
			file, err := versionFile(m, partZip)
			must(t, err)
			file = filepath.Join(cache, "cache", "download", file)
			must(t, os.MkdirAll(filepath.Dir(file), 0o777))
			f, err := os.Create(file)
			must(t, err)
			must(t, modzip.CreateFromDir(f, m, copied))
			must(t, f.Close())
			must(t, os.RemoveAll(copied))
			s, err := hashZip(t.Context(), file, m)
			must(t, err)
			write(t, file+"hash", s.h1)
			write(t, strings.TrimSuffix(file, "zip")+"mod", "module "+m.Path+"\n")
			write(t, strings.TrimSuffix(file, "zip")+"info", `{"Version":"`+version+`"}`)
		}
	}
}

// shell runs a script, having made room first.
func (b *bench) shell(script string) contest {
	return contest{func() {
		must(b.t, os.RemoveAll(filepath.Join(b.dir, "peer")))
		must(b.t, os.Mkdir(filepath.Join(b.dir, "peer"), 0o777))
	}, func() {
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir = b.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}}
}

// A contest is what is measured, and what has to be done before, which is not.
type contest struct{ before, run func() }

func (c contest) seconds() float64 {
	c.before()
	start := time.Now()
	c.run()
	return time.Since(start).Seconds()
}

func (b *bench) export(out, checked string) contest {
	out = filepath.Join(b.dir, out)
	return contest{func() { must(b.t, os.RemoveAll(out)) }, func() {
		o := ExportOptions{Cache: b.cache, Out: out}
		if checked != "" {
			o.Checked = filepath.Join(b.dir, checked)
		}
		r, err := Export(b.t.Context(), o)
		must(b.t, err)
		if len(r.LeftOut) > 0 {
			b.t.Logf("left out %d versions, the first: %+v", len(r.LeftOut), r.LeftOut[0])
		}
	}}
}

// compare runs the peer and then each of ours, in turns, and prints the medians
// of the ratios.
func (b *bench) compare(peer string, theirs contest, promised float64, ours ...contender) {
	b.t.Helper()
	ratios := make([][]float64, len(ours))
	var base []float64
	for round := range benchRounds + 1 {
		t := theirs.seconds()
		for i, o := range ours {
			if r := o.run.seconds() / t; round > 0 { // the first reads the disk
				ratios[i] = append(ratios[i], r)
			}
		}
		if round > 0 {
			base = append(base, t)
		}
	}
	fmt.Fprintf(&b.table, "| %s | %.2f s | 1.00 |\n", strings.ReplaceAll(peer, "|", "\\|"), middle(base))
	for i, o := range ours {
		ratio := middle(ratios[i])
		fmt.Fprintf(&b.table, "| %s | | %.2f (%.2f–%.2f) |\n", o.name, ratio, slices.Min(ratios[i]), slices.Max(ratios[i]))
		if o.promised && ratio > promised {
			b.t.Errorf("%s takes %.2f of %s, promised is %.2f", o.name, ratio, peer, promised)
		}
	}
}

type contender struct {
	name     string
	promised bool
	run      contest
}

func middle(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

func (b *bench) size(file string) int64 {
	info, err := os.Stat(filepath.Join(b.dir, file))
	must(b.t, err)
	return info.Size()
}

func (b *bench) exports() {
	download := filepath.Join(b.cache, "cache", "download")
	b.export("warm.tar.zst", "checked").run() // checks every zip once
	fmt.Fprintf(&b.table, "| export of cache/download | median | ratio |\n|---|---|---|\n")
	// gpx has its bundle on the disk before it gives it its name; sync does the
	// same for the peer's, which would else be compared for being in memory.
	zstd := "tar cf - -C '" + filepath.Dir(download) + "' download | zstd -q -f -T0 -3 -o peer.tar.zst"
	b.compare("tar cf - cache/download | zstd -T0 -3", b.shell(zstd), 0,
		contender{"gpx cache export, zips checked before", false, b.export("ours.tar.zst", "checked")})
	b.compare("tar cf - cache/download | zstd -T0 -3, and sync", b.shell(zstd+" && sync peer.tar.zst"), 0.8,
		contender{"gpx cache export, zips checked before", true, b.export("ours.tar.zst", "checked")},
		contender{"gpx cache export, the first one: every zip unpacked and hashed", false, b.export("first.tar.zst", "")},
		contender{"gpx cache export to a .tar, zips checked before", false, b.export("ours.tar", "checked")},
	)
	peer, ours := b.size("peer.tar.zst"), b.size("ours.tar.zst")
	fmt.Fprintf(&b.table, "\nSize of the .tar.zst: %.1f MB by tar and zstd, %.1f MB by gpx (%.2f).\n\n", float64(peer)/1e6, float64(ours)/1e6, float64(ours)/float64(peer))
	if ours > peer {
		b.t.Errorf("the bundle has %d bytes, tar and zstd make %d of the same files", ours, peer)
	}
}

func (b *bench) imports() {
	ours := func(in string, leave bool) contest {
		return contest{func() { must(b.t, os.RemoveAll(filepath.Join(b.dir, "mod"))) }, func() {
			p, err := PlanImport(b.t.Context(), ImportOptions{In: filepath.Join(b.dir, in), Cache: filepath.Join(b.dir, "mod"), LeaveSums: leave})
			must(b.t, err)
			c := change.New(change.Options{
				StateDir: filepath.Join(b.dir, "state"), Env: func(context.Context) (*env.Env, error) { return &env.Env{}, nil },
			})
			_, err = c.Apply(b.t.Context(), p.Plan)
			must(b.t, err)
		}}
	}
	fmt.Fprintf(&b.table, "| import of the bundle | median | ratio |\n|---|---|---|\n")
	for peer, in := range map[string]string{
		"zstd -q -dc ours.tar.zst | tar xf - -C peer": "ours.tar.zst",
		"tar xf ours.tar -C peer":                     "ours.tar",
	} {
		b.compare(peer, b.shell(peer), 1.5,
			contender{"gpx cache import " + in + ", every hash of its manifest checked, h1 left to the go command", true, ours(in, true)},
			contender{"gpx cache import " + in + ", every zip unpacked and hashed as well", false, ours(in, false)})
	}
}
