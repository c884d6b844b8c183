package bundle

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/module"
	xsumdb "golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"

	"gpx/envctl/chain"
	"gpx/envctl/sumdb"
)

// A growing world has a checksum database that gets a record, and so another
// signed head, for every version that is looked up for the first time.
func newGrowingWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	skey, vkey, err := note.GenerateKey(rand.Reader, dbName)
	must(t, err)
	sums := map[string]string{}
	for _, m := range w.lab.Modules() {
		sums[m.Version.String()] = m.GoSum()
	}
	db := xsumdb.NewTestServer(skey, func(path, version string) ([]byte, error) {
		if strings.HasPrefix(path, "filler.example.com/") {
			return fmt.Appendf(nil, "%s %s h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", path, version), nil
		}
		text, ok := sums[path+"@"+version]
		if !ok {
			return nil, os.ErrNotExist
		}
		return []byte(text), nil
	})
	grow := func(what string, n int) {
		for i := range n {
			_, err := db.Lookup(context.Background(), module.Version{Path: fmt.Sprintf("filler.example.com/%s%d", what, i), Version: "v1.0.0"})
			must(t, err)
		}
	}
	grow("first", 250) // so that the first tile fills while the tests run
	target, err := url.Parse(w.proxy)
	must(t, err)
	mux := http.NewServeMux()
	mux.Handle("/sumdb/"+dbName+"/", http.StripPrefix("/sumdb/"+dbName, xsumdb.NewServer(db)))
	mux.HandleFunc("/sumdb/"+dbName+"/supported", func(http.ResponseWriter, *http.Request) {})
	proxy := httputil.NewSingleHostReverseProxy(target)
	transport := &http.Transport{}
	proxy.Transport = transport
	mux.Handle("/", proxy)
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	w.proxy, w.key, w.grow = server.URL, vkey, grow
	return w
}

// Versions that were looked up at different times have records with different
// heads; whoever asks for them, in whatever order, can verify them.
func TestOneHeadForAllRecords(t *testing.T) {
	w := newGrowingWorld(t)
	from := w.home()
	for i, m := range labMods {
		w.grow(fmt.Sprint("between", i), 3)
		from.download(m)
	}
	out := filepath.Join(from.dir, "bundle")
	r := from.mustExport(to(out))
	equalLists(t, "unverifiable", r.Unverifiable, []string{})
	user := w.home()
	for _, m := range slices.Backward(labMods) {
		user.mustRun(".", "file://"+out, "mod", "download", m)
	}
	downloads(t, w.home(), "file://"+out)
	sound(t, w.db(), out)
}

// A folder grows while clients use it, that remember what it said before.
func TestSyncGrowsATreeThatIsServed(t *testing.T) {
	w := newGrowingWorld(t)
	from := w.home()
	out := filepath.Join(from.dir, "tree")
	sync := func(o *ExportOptions) { o.Out, o.Sync = out, true }
	loyal := w.home()
	for i, m := range labMods {
		from.download(m)
		r := from.mustExport(sync)
		if r.Modules != 1 || len(r.Unverifiable) != 0 || len(r.LeftOut) != 0 {
			t.Fatalf("sync %d: %+v", i, r)
		}
		sound(t, w.db(), out)
		loyal.mustRun(".", "file://"+out, "mod", "download", m)
		w.grow(fmt.Sprint("between", i), 3)
	}
	serves(t, w.home(), "file://"+out)
	before := listing(t, out)
	if r := from.mustExport(sync); r.Modules != 0 || r.Bytes != 0 {
		t.Errorf("a sync without anything new wrote %+v", r)
	}
	if after := listing(t, out); after != before {
		t.Errorf("a sync without anything new changed\n%s\nto\n%s", before, after)
	}
	// It is a bundle as any other.
	user := w.home()
	user.mustImport(out)
	user.mustRun(".", "off", append([]string{"mod", "download"}, labMods...)...)
	// What was pruned at home stays in the tree.
	makeWritable(from.cache())
	must(t, os.RemoveAll(from.cache()))
	from.download("lab.example.com/big@v1.0.0")
	if r := from.mustExport(sync); r.Modules != 1 || len(r.Unverifiable) != 0 {
		t.Errorf("sync from an almost empty cache: %+v", r)
	}
	sound(t, w.db(), out)
	downloads(t, w.home(), "file://"+out)
}

// A tree that somebody made by hand, or that lost its manifest, grows too, and
// what is half written in it is written again.
func TestSyncMendsATree(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	out := filepath.Join(from.dir, "tree")
	sync := func(o *ExportOptions) { o.Out, o.Sync = out, true }
	from.mustExport(sync)
	want := listing(t, out)
	for name, damage := range map[string]func(){
		"no manifest":           func() { must(t, os.Remove(filepath.Join(out, ManifestName))) },
		"a cut manifest":        func() { must(t, os.Truncate(filepath.Join(out, ManifestName), 100)) },
		"a cut zip":             func() { must(t, os.Truncate(filepath.Join(out, alpha+".zip"), 100)) },
		"an empty .mod":         func() { must(t, os.Truncate(filepath.Join(out, alpha+".mod"), 0)) },
		"no zip":                func() { must(t, os.Remove(filepath.Join(out, alpha+".zip"))) },
		"no list":               func() { must(t, os.Remove(filepath.Join(out, filepath.Dir(alpha), "list"))) },
		"no records":            func() { must(t, os.RemoveAll(filepath.Join(out, "sumdb", dbName, "lookup"))) },
		"parts of a killed run": func() { write(t, filepath.Join(out, ".gpx-part", "7"), "half") },
	} {
		damage()
		from.mustExport(sync)
		if got := listing(t, out); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// The tree goes on with the bytes that it has served.
func TestSyncKeepsWhatItServed(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods[:3]...)
	out := filepath.Join(from.dir, "tree")
	off := func(o *ExportOptions) { o.Out, o.Sync, o.SumDB = out, true, chain.SumDB{Off: true} }
	from.mustExport(off)
	before := listing(t, out)
	zip := filepath.Join(from.cache(), "cache/download/lab.example.com/beta/@v/v1.0.0.zip")
	must(t, os.WriteFile(zip, w.tampered("lab.example.com/beta@v1.0.0"), 0o666))
	s, err := hashZip(t.Context(), zip, versionsOf("lab.example.com/beta@v1.0.0")[0])
	must(t, err)
	write(t, zip+"hash", s.h1)
	r := from.mustExport(off)
	if len(r.LeftOut) != 1 || !strings.Contains(r.LeftOut[0].Why, "the folder has another .zip of it already") {
		t.Errorf("exported %+v", r)
	}
	if after := listing(t, out); after != before {
		t.Errorf("the tree changed:\n%s", after)
	}
}

// A tree answers for one checksum database, also while that is off here.
func TestSyncKeepsItsDatabase(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods[:3]...)
	out := filepath.Join(from.dir, "tree")
	from.mustExport(func(o *ExportOptions) { o.Out, o.Sync = out, true })
	_, other, err := note.GenerateKey(rand.Reader, "other.example.com")
	must(t, err)
	_, err = from.export(func(o *ExportOptions) {
		o.Out, o.Sync = out, true
		o.SumDB, err = chain.ParseSumDB(other)
		must(t, err)
	})
	if err == nil || !strings.Contains(err.Error(), "it answers for the checksum database "+dbName) {
		t.Errorf("another database: %v", err)
	}
	from.download(labMods[3])
	r := from.mustExport(func(o *ExportOptions) { o.Out, o.Sync, o.SumDB = out, true, chain.SumDB{Off: true} })
	equalLists(t, "unverifiable while the database is off", r.Unverifiable, labMods[3:4])
	r = from.mustExport(func(o *ExportOptions) { o.Out, o.Sync = out, true })
	equalLists(t, "unverifiable when it is back", r.Unverifiable, []string{})
	sound(t, w.db(), out)
	w.home().mustRun(".", "file://"+out, append([]string{"mod", "download"}, labMods[:4]...)...)
}

// Of two runs at a time one does it and the other says so.
func TestSyncRunsOnce(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	for _, name := range []string{"tree", "bundle.tar"} {
		out := filepath.Join(from.dir, name)
		var once sync.Once
		var second error
		from.mustExport(func(o *ExportOptions) {
			o.Out, o.Sync = out, name == "tree"
			o.Report = func(p Progress) {
				if p.Phase == Writing {
					once.Do(func() { _, second = from.export(func(o *ExportOptions) { o.Out, o.Sync = out, name == "tree" }) })
				}
			}
		})
		if second == nil || !strings.Contains(second.Error(), "another export writes there") {
			t.Errorf("%s: the second says %v", name, second)
		}
		for _, n := range names(t, from.dir) {
			if strings.HasPrefix(filepath.Base(n), ".") && strings.Contains(n, "gpx-") {
				t.Errorf("left behind %s", n)
			}
		}
	}
}

// At whatever byte a run is cancelled, the tree is sound, and the next run ends
// where an undisturbed one ends.
func TestSyncCanBeCancelled(t *testing.T) {
	w := newGrowingWorld(t)
	from := w.home()
	from.download(labMods[:3]...)
	first := filepath.Join(from.dir, "first")
	from.mustExport(func(o *ExportOptions) { o.Out, o.Sync = first, true })
	from.download(labMods[3:]...)
	whole := filepath.Join(from.dir, "whole")
	must(t, os.CopyFS(whole, os.DirFS(first)))
	reports := 0
	from.mustExport(func(o *ExportOptions) {
		o.Out, o.Sync, o.Report = whole, true, func(Progress) { reports++ }
	})
	want := listing(t, whole)
	for at := 1; at < reports; at += max(1, reports/rounds(4, 8, 200)) {
		out := filepath.Join(t.TempDir(), "tree")
		must(t, os.CopyFS(out, os.DirFS(first)))
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, err := Export(ctx, ExportOptions{
			Cache: from.cache(), Out: out, Sync: true, SumDB: w.db(),
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
		sound(t, w.db(), out)
		from.mustExport(func(o *ExportOptions) { o.Out, o.Sync = out, true })
		if got := listing(t, out); got != want {
			t.Fatalf("cancelled at report %d: the next run made\n%s\nwant\n%s", at, got, want)
		}
	}
}

// sound says that a tree serves what it offers: every version in a list has its
// files, whole; and every record verifies, whichever a client that knows nothing
// asks for first.
func sound(t testing.TB, db chain.SumDB, dir string) {
	t.Helper()
	var records []module.Version
	for _, p := range names(t, dir) {
		n, ok, err := parseName(p)
		must(t, err)
		switch {
		case !ok:
		case n.part == partLookup:
			records = append(records, n.version)
		case n.part == partZip:
			_, err := hashZip(t.Context(), filepath.Join(dir, p), n.version)
			must(t, err)
		case n.part == partList:
			for v := range strings.Lines(read(t, filepath.Join(dir, p))) {
				for _, part := range []part{partInfo, partMod, partZip} {
					file, err := versionFile(module.Version{Path: n.version.Path, Version: strings.TrimSpace(v)}, part)
					must(t, err)
					if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
						t.Errorf("%s offers %s: %v", p, strings.TrimSpace(v), err)
					}
				}
			}
		}
	}
	for range 2 {
		client := sumdb.New(sumdb.Options{DB: db, Fresh: true, Remote: func(_ context.Context, path string) ([]byte, error) {
			return os.ReadFile(filepath.Join(dir, "sumdb", db.Name, path))
		}})
		for _, m := range records {
			if _, err := client.Lookup(t.Context(), m); err != nil {
				t.Errorf("the tree does not prove %s: %v", m, err)
			}
		}
		slices.Reverse(records)
	}
}
