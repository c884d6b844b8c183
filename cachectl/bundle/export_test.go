package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/advice"
	"gpx/envctl/chain"
)

// A bundle in a folder is a GOPROXY that a go command without go.sum, cache or
// network builds from, with the checksum database on: as files and behind a web
// server that knows nothing of Go.
func TestFolderServesABareGoCommand(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	out := filepath.Join(from.dir, "bundle")
	r := from.mustExport(to(out))
	if r.Modules != len(labMods) || len(r.Unverifiable) != 0 || len(r.LeftOut) != 0 {
		t.Fatalf("exported %+v", r)
	}
	for _, n := range names(t, out) {
		if _, ok, err := parseName(n); !ok || err != nil {
			t.Errorf("%s does not belong in a bundle", n)
		}
	}
	server := httptest.NewServer(http.FileServer(http.Dir(out)))
	defer server.Close()
	for _, proxy := range []string{"file://" + out, server.URL} {
		serves(t, w.home(), proxy)
	}
}

// serves says that a go command that has nothing builds from a proxy alone.
func serves(t *testing.T, user *home, proxy string) {
	t.Helper()
	user.project("p", labMods[1:]...)
	user.mustRun("p", proxy, "mod", "tidy")
	user.mustRun("p", proxy, "build", "./...")
	user.mustRun("p", proxy, "mod", "verify")
	if got := strings.TrimSpace(user.mustRun("p", proxy, "list", "-m", "-versions", "lab.example.com/alpha")); got != "lab.example.com/alpha v1.0.0 v1.1.0" {
		t.Errorf("versions: %s", got)
	}
	user.mustRun("p", proxy, "get", "lab.example.com/alpha@latest")
	user.mustRun("p", proxy, "mod", "download", "all")
}

// downloads says that a go command that has nothing gets and verifies every
// module from a proxy alone.
func downloads(t *testing.T, user *home, proxy string) {
	t.Helper()
	user.mustRun(".", proxy, append([]string{"mod", "download"}, labMods...)...)
}

// The same, behind nginx.
func TestNginxServesABareGoCommand(t *testing.T) {
	if rounds(0, 1, 1) == 0 {
		t.Skip("GPX_TEST_SCALE is not system")
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	out := filepath.Join(from.dir, "bundle")
	from.mustExport(to(out))
	serves(t, w.home(), startNginx(t, nginx, out))
}

// The same content is the same bytes, whoever exports it when; zstd and tar
// read them.
func TestExportIsDeterministic(t *testing.T) {
	w := newWorld(t)
	one, two := w.home(), w.home()
	one.download(labMods...)
	for _, m := range slices.Backward(labMods) {
		two.download(m)
	}
	for _, ext := range []string{".tar", ".tar.zst"} {
		a, b := filepath.Join(one.dir, "a"+ext), filepath.Join(two.dir, "b"+ext)
		one.mustExport(to(a))
		two.mustExport(to(b))
		if read(t, a) != read(t, b) {
			t.Errorf("two exports to %s differ", ext)
		}
		at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
		created := filepath.Join(one.dir, "c"+ext)
		one.mustExport(func(o *ExportOptions) { o.Out, o.Created = created, at })
		if read(t, a) == read(t, created) {
			t.Errorf("Created is not in %s", ext)
		}
		args := []string{"-tf", a}
		if ext == ".tar.zst" {
			if _, err := exec.LookPath("zstd"); err != nil {
				continue
			}
			args = append([]string{"-I", "zstd -d"}, args...)
		}
		list, err := exec.Command("tar", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("tar: %v %s", err, list)
		}
		if first, _, _ := strings.Cut(string(list), "\n"); first != ManifestName {
			t.Errorf("the first file is %s", first)
		}
	}
}

// What is not as the go command left it does not travel, and is named.
func TestExportLeavesOut(t *testing.T) {
	w := newWorld(t)
	const m = "lab.example.com/beta@v1.0.0"
	base := "cache/download/lab.example.com/beta/@v/v1.0.0"
	cases := []struct {
		name   string
		damage func(t *testing.T, h *home, base string)
		sums   map[module.Version][]string
		why    string // "" when the version is exported all the same
	}{
		{"a changed byte in the zip", func(t *testing.T, h *home, base string) { flip(t, base+".zip", 200) }, nil, "damaged"},
		{"a truncated zip", func(t *testing.T, h *home, base string) { must(t, os.Truncate(base+".zip", 100)) }, nil, "damaged"},
		{"another .ziphash", func(t *testing.T, h *home, base string) { flip(t, base+".ziphash", 10) }, nil, "differs from its .ziphash"},
		{"no .ziphash", func(t *testing.T, h *home, base string) { must(t, os.Remove(base+".ziphash")) }, nil, ""},
		{"no zip", func(t *testing.T, h *home, base string) { must(t, os.Remove(base+".zip")) }, nil, "its .zip is not in the module cache"},
		{"no .mod", func(t *testing.T, h *home, base string) { must(t, os.Remove(base+".mod")) }, nil, "its .mod is not in the module cache"},
		{"nothing", func(t *testing.T, h *home, base string) {
			must(t, os.Remove(base+".mod"))
			must(t, os.Remove(base+".zip"))
		}, nil, "it is not in the module cache"},
		{"a .mod that the database does not know", func(t *testing.T, h *home, base string) {
			write(t, base+".mod", "module lab.example.com/beta\n")
		}, nil, "its .mod differs from the checksum database"},
		{"a zip and .ziphash that the database does not know", func(t *testing.T, h *home, base string) {
			other := h.w.tampered(m)
			must(t, os.WriteFile(base+".zip", other, 0o666))
			s, err := hashZip(t.Context(), base+".zip", versionsOf(m)[0])
			must(t, err)
			write(t, base+".ziphash", s.h1)
		}, nil, "its .zip differs from the checksum database"},
		{"go.sum has another zip", nothing, sumsFor("v1.0.0"), "its .zip differs from go.sum"},
		{"go.sum has another .mod", nothing, sumsFor("v1.0.0/go.mod"), "its .mod differs from go.sum"},
		{"a folder in the place of the zip", func(t *testing.T, h *home, base string) {
			must(t, os.Remove(base+".zip"))
			must(t, os.Mkdir(base+".zip", 0o777))
		}, nil, "not a regular file"},
	}
	template := w.home()
	template.download("lab.example.com/alpha@v1.0.0", m)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := w.home()
			download := filepath.Join("cache", "download")
			must(t, os.CopyFS(filepath.Join(h.cache(), download), os.DirFS(filepath.Join(template.cache(), download))))
			c.damage(t, h, filepath.Join(h.cache(), base))
			r := h.mustExport(func(o *ExportOptions) {
				o.Versions, o.Sums = versionsOf("lab.example.com/alpha@v1.0.0", m), c.sums
			})
			if c.why == "" {
				if r.Modules != 2 || len(r.LeftOut) != 0 {
					t.Errorf("exported %+v", r)
				}
				return
			}
			if r.Modules != 1 || len(r.LeftOut) != 1 || r.LeftOut[0].Path+"@"+r.LeftOut[0].Version != m {
				t.Fatalf("exported %+v", r)
			}
			if !strings.Contains(r.LeftOut[0].Why, c.why) {
				t.Errorf("it says %q, want %q", r.LeftOut[0].Why, c.why)
			}
			w.home().mustImport(r.Path)
		})
	}
}

func nothing(*testing.T, *home, string) {}

func sumsFor(version string) map[module.Version][]string {
	return map[module.Version][]string{{Path: "lab.example.com/beta", Version: version}: {"h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}
}

func flip(t *testing.T, file string, at int) {
	t.Helper()
	data := []byte(read(t, file))
	data[at] ^= 1
	must(t, os.WriteFile(file, data, 0o666))
}

// A go command that was told exact versions has no .info of them; one that uses
// the bundle as a proxy asks for it.
func TestExportMakesTheInfoThatWasNeverAskedFor(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	for _, n := range names(t, filepath.Join(from.cache(), "cache", "download")) {
		if strings.HasSuffix(n, ".info") {
			must(t, os.Remove(filepath.Join(from.cache(), "cache", "download", n)))
		}
	}
	out := filepath.Join(from.dir, "bundle")
	from.mustExport(to(out))
	if got := read(t, filepath.Join(out, alpha+".info")); got != `{"Version":"v1.1.0"}` {
		t.Errorf("made %s", got)
	}
	nightly := read(t, filepath.Join(out, "lab.example.com/nightly/@v/v0.0.0-20240107030405-0123456789ab.info"))
	if nightly != `{"Version":"v0.0.0-20240107030405-0123456789ab","Time":"2024-01-07T03:04:05Z"}` {
		t.Errorf("made %s", nightly)
	}
	downloads(t, w.home(), "file://"+out)
}

// An .info says where a version was seen; an address in it may hold a
// credential, which stays at home.
func TestExportTakesNoCredentials(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods[0])
	write(t, filepath.Join(from.cache(), "cache/download/lab.example.com/alpha/@v/v1.0.0.info"),
		`{"Version":"v1.0.0","Time":"2024-01-02T03:04:05Z","Origin":{"VCS":"git","URL":"https://me:hunter2@git.example.com/alpha","Hash":"00"}}`)
	out := filepath.Join(from.dir, "bundle")
	from.mustExport(to(out))
	got := read(t, filepath.Join(out, "lab.example.com/alpha/@v/v1.0.0.info"))
	if got != `{"Version":"v1.0.0","Time":"2024-01-02T03:04:05Z"}` {
		t.Errorf("exported %s", got)
	}
}

// The module graph of what is asked for comes along, without zips, as far as the
// go command read it (beta's own requirement of an older alpha is pruned).
func TestExportBringsTheModuleGraph(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download("lab.example.com/gamma@v0.3.0", "lab.example.com/delta/v2@v2.0.1")
	from.project("p", "lab.example.com/gamma@v0.3.0")
	from.mustRun("p", w.proxy, "mod", "tidy")
	out := filepath.Join(from.dir, "bundle")
	r := from.mustExport(func(o *ExportOptions) { o.Out, o.Versions = out, versionsOf("lab.example.com/gamma@v0.3.0") })
	if r.Modules != 1 {
		t.Errorf("exported %+v", r)
	}
	var zips, mods []string
	for _, n := range names(t, out) {
		if strings.HasSuffix(n, ".zip") {
			zips = append(zips, n)
		}
		if strings.HasSuffix(n, ".mod") {
			mods = append(mods, n)
		}
	}
	equalLists(t, "zips", zips, []string{"lab.example.com/gamma/@v/v0.3.0.zip"})
	equalLists(t, ".mod files", mods, []string{
		"lab.example.com/alpha/@v/v1.1.0.mod",
		"lab.example.com/beta/@v/v1.0.0.mod", "lab.example.com/gamma/@v/v0.3.0.mod",
	})
	if list := read(t, filepath.Join(out, "lab.example.com/alpha/@v/list")); list != "" {
		t.Errorf("alpha, which has no zip, is offered: %q", list)
	}
	user := w.home()
	user.project("p", "lab.example.com/gamma@v0.3.0")
	user.mustRun("p", "file://"+out, "mod", "graph")
}

// A project also needs the .mod files of what it requires and builds nothing
// from.
func TestExportBringsMods(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.project("p", "lab.example.com/alpha@v1.1.0")
	mod := filepath.Join(from.dir, "p", "go.mod")
	write(t, mod, read(t, mod)+"\nrequire lab.example.com/beta v1.0.0 // indirect\n")
	from.mustRun("p", w.proxy, "build", "-mod=mod", "./...")
	out := filepath.Join(from.dir, "bundle")
	from.mustExport(func(o *ExportOptions) {
		o.Out, o.Versions = out, versionsOf("lab.example.com/alpha@v1.1.0")
		o.Mods = versionsOf("lab.example.com/beta@v1.0.0", "lab.example.com/none@v1.0.0")
	})
	user := w.home()
	must(t, os.CopyFS(filepath.Join(user.dir, "p"), os.DirFS(filepath.Join(from.dir, "p"))))
	user.mustRun("p", "file://"+out, "build", "./...")
	if exists(filepath.Join(out, "lab.example.com/beta/@v/v1.0.0.zip")) {
		t.Error("the zip of beta came along")
	}
}

// What the database was never asked about is unverifiable; somebody who can be
// asked makes up for it.
func TestExportAsksForMissingProofs(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	sums := filepath.Join(from.cache(), "cache", "download", "sumdb")
	all := slices.Clone(labMods)
	slices.SortFunc(all, strings.Compare)
	ask := func(ctx context.Context, path string) ([]byte, error) {
		return get(ctx, w.proxy+"/sumdb/"+dbName+path)
	}
	t.Run("a record is missing, nobody is asked", func(t *testing.T) {
		must(t, os.Remove(filepath.Join(sums, dbName, "lookup/lab.example.com/beta@v1.0.0")))
		r := from.mustExport(to(filepath.Join(t.TempDir(), "b.tar")))
		equalLists(t, "unverifiable", r.Unverifiable, []string{"lab.example.com/beta@v1.0.0"})
	})
	t.Run("the database is asked for the record", func(t *testing.T) {
		var n atomic.Int64
		out := filepath.Join(t.TempDir(), "b")
		r := from.mustExport(func(o *ExportOptions) {
			o.Out = out
			o.Remote = func(ctx context.Context, path string) ([]byte, error) { n.Add(1); return ask(ctx, path) }
		})
		equalLists(t, "unverifiable", r.Unverifiable, []string{})
		if n.Load() != 1 {
			t.Errorf("it was asked %d times, for one record", n.Load())
		}
		downloads(t, w.home(), "file://"+out)
	})
	t.Run("everything is missing", func(t *testing.T) {
		must(t, os.RemoveAll(sums))
		r := from.mustExport(to(filepath.Join(t.TempDir(), "b.tar")))
		equalLists(t, "unverifiable", r.Unverifiable, all)
		out := filepath.Join(t.TempDir(), "b")
		r = from.mustExport(func(o *ExportOptions) { o.Out, o.Remote = out, ask })
		equalLists(t, "unverifiable", r.Unverifiable, []string{})
		downloads(t, w.home(), "file://"+out)
	})
	t.Run("private modules are never asked about", func(t *testing.T) {
		r := from.mustExport(func(o *ExportOptions) {
			o.Out, o.NoSumDB = filepath.Join(t.TempDir(), "b.tar"), "lab.example.com/*"
			o.Remote = func(_ context.Context, path string) ([]byte, error) {
				t.Errorf("asked for %s", path)
				return nil, fs.ErrNotExist
			}
		})
		equalLists(t, "unverifiable", r.Unverifiable, all)
	})
	t.Run("GOSUMDB=off", func(t *testing.T) {
		r := from.mustExport(func(o *ExportOptions) {
			o.Out, o.SumDB = filepath.Join(t.TempDir(), "b.tar"), chain.SumDB{Off: true}
		})
		equalLists(t, "unverifiable", r.Unverifiable, all)
	})
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return nil, fmt.Errorf("%s: %w", resp.Status, fs.ErrNotExist)
	}
	return readAll(resp.Body)
}

// A cancelled export leaves nothing, at whatever byte it is cancelled.
func TestExportCanBeCancelled(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(append(slices.Clone(labMods), "lab.example.com/big@v1.0.0")...)
	for _, name := range []string{"b.tar.zst", "b.tar", "b"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			reports := 0
			from.mustExport(func(o *ExportOptions) {
				o.Out = filepath.Join(dir, "whole", name)
				must(t, os.Mkdir(filepath.Dir(o.Out), 0o777))
				o.Report = func(Progress) { reports++ }
			})
			for at := 1; at < reports; at += max(1, reports/rounds(3, 6, 100)) {
				out := filepath.Join(dir, fmt.Sprint(at), name)
				must(t, os.Mkdir(filepath.Dir(out), 0o777))
				ctx, cancel := context.WithCancel(t.Context())
				n := 0
				_, err := Export(ctx, ExportOptions{
					Cache: from.cache(), Out: out, SumDB: w.db(),
					Report: func(Progress) {
						if n++; n == at {
							cancel()
						}
					},
				})
				cancel()
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("cancelled at report %d of %d: %v", at, reports, err)
				}
				if left := names(t, filepath.Dir(out)); len(left) > 0 {
					t.Fatalf("cancelled at report %d of %d: left behind %q", at, reports, left)
				}
			}
		})
	}
}

func TestExportRefuses(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods[0])
	existing := filepath.Join(from.dir, "existing")
	write(t, filepath.Join(existing, "x"), "")
	write(t, existing+".tar", "")
	cases := []struct {
		name   string
		change func(o *ExportOptions)
		want   string
	}{
		{"a file that exists", to(existing + ".tar"), "it exists already"},
		{"a folder that exists", to(existing), "it exists already"},
		{"an archive that should grow", func(o *ExportOptions) { o.Out, o.Sync = existing+".tar", true }, "an archive cannot grow"},
		{"a file as a folder", func(o *ExportOptions) { o.Out, o.Sync = filepath.Join(existing, "x"), true }, "it is not a folder"},
		{"the module cache", to(filepath.Join(from.cache(), "bundle")), "not written into the module cache"},
		{"the module cache, by another name", func(o *ExportOptions) {
			must(t, os.Symlink(from.cache(), filepath.Join(from.dir, "alias")))
			o.Out = filepath.Join(from.dir, "alias", "x", "y.tar")
		}, "not written into the module cache"},
		{"no name", to(""), "give one with -o"},
		{"a version that is not there", func(o *ExportOptions) { o.Versions = versionsOf("lab.example.com/none@v1.0.0") }, "get it with: go mod download lab.example.com/none@v1.0.0"},
		{"no version", func(o *ExportOptions) { o.Versions = []module.Version{} }, "nothing to export"},
		{"an empty cache", func(o *ExportOptions) { o.Cache = filepath.Join(from.dir, "none") }, "the module cache is empty"},
		{"a cache that is a file", func(o *ExportOptions) { o.Cache = existing + ".tar" }, "GOMODCACHE is no folder"},
		{"a cache without an absolute path", func(o *ExportOptions) { o.Cache = "relative" }, "GOMODCACHE is no absolute path: relative"},
		{"a folder that is not there", to(filepath.Join(from.dir, "none", "b.tar")), "there is no folder " + filepath.Join(from.dir, "none")},
		{"a file as the folder", to(filepath.Join(existing, "x", "b.tar")), "is no folder"},
	}
	quiet := []string{"an archive that should grow", "a file as a folder", "no version", "an empty cache"} // the text is enough
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := from.export(c.change)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if advice.Of(err) == "" && !slices.Contains(quiet, c.name) {
				t.Errorf("%v: no advice", err)
			}
		})
	}
}

func TestErrorsOfTheFileSystemHaveAdvice(t *testing.T) {
	cache := t.TempDir()
	at := func(path string, err error) error { return &fs.PathError{Op: "open", Path: path, Err: err} }
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"a full disk", at("/b.tar", syscall.ENOSPC), "free some space, or name another place"},
		{"a disk for reading", at("/b.tar", syscall.EROFS), "name a place that can be written to"},
		{"a folder of another user", at("/b.tar", fs.ErrPermission), "name a place that can be written to"},
		{"a cache of another user", at(filepath.Join(cache, "x"), fs.ErrPermission), "make it readable, or export what can be read by naming it"},
		{"what has advice", advice.Add(at("/b.tar", syscall.ENOSPC), "wait"), "wait"},
		{"another error", at("/b.tar", syscall.EIO), ""},
	} {
		if err := advised(c.err, cache); advice.Of(err) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want advice %q", c.name, err, c.want)
		}
	}
}

// A zip that was found to match its .ziphash is only read again, not unpacked;
// one that changed meanwhile, even behind an old time, is found out all the same.
func TestCheckedZipsAreRemembered(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	memory := filepath.Join(from.dir, "state", "checked")
	export := func() Result {
		return from.mustExport(func(o *ExportOptions) { o.Out, o.Checked = filepath.Join(t.TempDir(), "b.tar"), memory })
	}
	export()
	known := loadChecked(memory, from.cache())
	if len(known.by) != len(labMods) {
		t.Fatalf("remembered %d zips", len(known.by))
	}
	zip := filepath.Join(from.cache(), "cache/download/lab.example.com/beta/@v/v1.0.0.zip")
	info, err := os.Stat(zip)
	must(t, err)
	flip(t, zip, 200)
	must(t, os.Chtimes(zip, info.ModTime(), info.ModTime()))
	if r := export(); len(r.LeftOut) != 1 || r.LeftOut[0].Path != "lab.example.com/beta" {
		t.Errorf("a zip that changed behind its old time: %+v", r)
	}
	flip(t, zip, 200)
	if r := export(); len(r.LeftOut) != 0 {
		t.Errorf("the mended zip: %+v", r)
	}
	for _, damage := range []func(string) string{
		func(s string) string { return s[:len(s)/2] },
		func(s string) string { return strings.Replace(s, " h1:", " h2:", 1) },
		func(s string) string { return strings.Replace(s, "1", "2", 1) },
		func(string) string { return "" },
	} {
		if _, ok := parseChecked([]byte(damage(read(t, memory))), from.cache()); ok {
			t.Error("a damaged memory is believed")
		}
	}
	if _, ok := parseChecked([]byte(read(t, memory)), "/another/cache"); ok {
		t.Error("the memory of another cache is believed")
	}
}
