package sumdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"
	modsumdb "golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/sumdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dbName = "sum.example.com"

// A database is a real one, in memory. It grows with every version that it is
// asked about for the first time.
type database struct {
	t      *testing.T
	key    string
	server http.Handler
	asked  atomic.Int64
	mend   func(path string, data []byte) []byte // what arrives in place of an answer
}

func newDatabase(t *testing.T, seed string) *database {
	t.Helper()
	signer, verifier := keys(t, seed)
	return &database{t: t, key: verifier, server: modsumdb.NewServer(modsumdb.NewTestServer(signer, func(path, version string) ([]byte, error) {
		if strings.Contains(path, "unknown") {
			return nil, fs.ErrNotExist
		}
		return []byte(strings.Join(sumLines(module.Version{Path: path, Version: version}), "\n") + "\n"), nil
	}))}
}

var keyring sync.Map

// keys makes one pair of keys per seed.
func keys(t *testing.T, seed string) (signer, verifier string) {
	t.Helper()
	s, v, err := note.GenerateKey(nil, dbName)
	if err != nil {
		t.Fatal(err)
	}
	pair, _ := keyring.LoadOrStore(seed, [2]string{s, v})
	return pair.([2]string)[0], pair.([2]string)[1]
}

func sumLines(m module.Version) []string {
	return []string{
		fmt.Sprintf("%s %s h1:zip-of-%s=", m.Path, m.Version, m.Path),
		fmt.Sprintf("%s %s/go.mod h1:mod-of-%s=", m.Path, m.Version, m.Path),
	}
}

// remote is a Remote that asks the database over its own handler.
func (d *database) remote(ctx context.Context, path string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.asked.Add(1)
	w := httptest.NewRecorder()
	d.server.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	switch {
	case w.Code == http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	case w.Code != http.StatusOK:
		return nil, fmt.Errorf("%s: status %d: %s", path, w.Code, w.Body)
	}
	if d.mend != nil {
		return d.mend(path, w.Body.Bytes()), nil
	}
	return w.Body.Bytes(), nil
}

// A disk is what the go command keeps of a database.
type disk struct {
	t             *testing.T
	cache, config string
}

func newDisk(t *testing.T) *disk {
	dir := t.TempDir()
	return &disk{t, filepath.Join(dir, "cache"), filepath.Join(dir, "config")}
}

// download looks versions up as the go command would, and keeps what it keeps.
func (k *disk) download(d *database, ms ...module.Version) {
	k.t.Helper()
	client := modsumdb.NewClient(&keeper{k, d})
	for _, m := range ms {
		if _, err := client.Lookup(m.Path, m.Version); err != nil {
			k.t.Fatal(err)
		}
	}
}

func (k *disk) options(d *database) sumdb.Options {
	db, err := chain.ParseSumDB(d.key)
	if err != nil {
		k.t.Fatal(err)
	}
	return sumdb.Options{DB: db, Cache: k.cache, Config: k.config}
}

// edit changes every file below the cache or the config whose name contains part.
func (k *disk) edit(part string, change func([]byte) []byte) {
	k.t.Helper()
	n := 0
	for _, dir := range []string{k.cache, k.config} {
		for name, data := range readTree(k.t, dir) {
			if strings.Contains(name, part) {
				n++
				write(k.t, filepath.Join(dir, name), change([]byte(data)))
			}
		}
	}
	if n == 0 {
		k.t.Fatalf("no file is named %s", part)
	}
}

// keeper is the go command's dbClient, as far as it writes.
type keeper struct {
	k *disk
	d *database
}

func (w *keeper) ReadRemote(path string) ([]byte, error) {
	return w.d.remote(context.Background(), path)
}
func (w *keeper) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(w.d.key), nil
	}
	data, err := os.ReadFile(filepath.Join(w.k.config, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
func (w *keeper) WriteConfig(file string, _, new []byte) error {
	write(w.k.t, filepath.Join(w.k.config, file), new)
	return nil
}
func (w *keeper) ReadCache(file string) ([]byte, error) {
	return os.ReadFile(filepath.Join(w.k.cache, file))
}
func (w *keeper) WriteCache(file string, data []byte) {
	write(w.k.t, filepath.Join(w.k.cache, file), data)
}
func (w *keeper) Log(string)               {}
func (w *keeper) SecurityError(msg string) { w.k.t.Error(msg) }

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		tree[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// fill makes the tree larger than one tile of 256 hashes.
func fill(d *database, from, to int) {
	for i := from; i < to; i++ {
		if _, err := d.remote(context.Background(), fmt.Sprintf("/lookup/filler.example.com/m%d@v1.0.0", i)); err != nil {
			d.t.Fatal(err)
		}
	}
}

var (
	one   = module.Version{Path: "example.com/One", Version: "v1.0.0"} // escaped as !one
	two   = module.Version{Path: "example.com/two", Version: "v1.2.3"}
	three = module.Version{Path: "example.com/three", Version: "v0.1.0"}
)

func flipLast(data []byte) []byte {
	data = bytes.Clone(data)
	data[len(data)-2] ^= 1
	return data
}

func TestLookup(t *testing.T) {
	// One tree of more than one tile serves all but those that make it grow.
	large := newDatabase(t, "key")
	fill(large, 0, 300)
	otherHash := func(data []byte) []byte { return bytes.Replace(data, []byte("h1:zip"), []byte("h1:zap"), 1) }
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, d *database, k *disk)
		options func(o *sumdb.Options, d *database)
		module  module.Version
		want    error // nil: the lines
		local   bool
	}{
		{name: "cached", module: one},
		{name: "cached, as a go.mod line names it", module: module.Version{Path: one.Path, Version: one.Version + "/go.mod"}},
		{name: "not cached, and nobody is asked", module: three, want: sumdb.ErrUnavailable, local: true},
		{name: "not cached, and the database answers", module: three, options: ask},
		{name: "the database does not answer", module: three, want: sumdb.ErrUnavailable, options: func(o *sumdb.Options, _ *database) {
			o.Remote = func(context.Context, string) ([]byte, error) { return nil, errors.New("connection refused") }
		}},
		{name: "the database knows no such version", module: module.Version{Path: "example.com/unknown", Version: "v1.0.0"}, want: sumdb.ErrUnknown, options: ask},
		{name: "no module path", module: module.Version{Path: "a b", Version: "v1.0.0"}, want: sumdb.ErrUnknown, options: ask},
		{name: "never asked about", module: one, want: sumdb.ErrSkipped, options: func(o *sumdb.Options, _ *database) {
			o.Skip = func(path string) bool { return path == one.Path }
		}},
		{name: "no GOPATH", module: one, want: sumdb.ErrUnavailable, local: true, options: func(o *sumdb.Options, _ *database) { o.Config = "" }},
		{name: "no GOPATH, and none is wanted", module: one, options: func(o *sumdb.Options, _ *database) { o.Config, o.Fresh = "", true }},

		{name: "another hash in a cached record", module: one, want: sumdb.ErrUntrusted, local: true,
			prepare: func(_ *testing.T, _ *database, k *disk) { k.edit("!one@", otherHash) }},
		{name: "another hash in an answer", module: three, want: sumdb.ErrUntrusted, options: ask,
			prepare: func(_ *testing.T, d *database, _ *disk) {
				d.mend = func(_ string, data []byte) []byte { return otherHash(data) }
			}},
		{name: "a cached record about another version", module: one, want: sumdb.ErrUntrusted, local: true,
			prepare: func(t *testing.T, _ *database, k *disk) {
				other := readTree(t, k.cache)[dbName+"/lookup/example.com/two@v1.2.3"]
				k.edit("!one@", func([]byte) []byte { return []byte(other) })
			}},
		{name: "a cached record that is no record", module: one, want: sumdb.ErrUntrusted, local: true,
			prepare: func(_ *testing.T, _ *database, k *disk) {
				k.edit("!one@", func([]byte) []byte { return []byte("<html>") })
			}},
		{name: "an empty cached record", module: one, want: sumdb.ErrUnavailable, local: true,
			prepare: func(_ *testing.T, _ *database, k *disk) { k.edit("!one@", func([]byte) []byte { return nil }) }},
		{name: "cached tiles with another hash", module: one, want: sumdb.ErrUntrusted, local: true,
			prepare: func(_ *testing.T, _ *database, k *disk) { k.edit("/tile/8/0/", flipLast) }},
		{name: "cut cached tiles", module: one, want: sumdb.ErrUntrusted, local: true,
			prepare: func(_ *testing.T, _ *database, k *disk) {
				k.edit("/tile/8/0/", func(data []byte) []byte { return data[:len(data)-7] })
			}},
		{name: "tiles of an answer with another hash", module: module.Version{Path: "example.com/new", Version: "v1.0.0"}, want: sumdb.ErrUntrusted, options: ask,
			prepare: func(_ *testing.T, d *database, _ *disk) {
				d.mend = func(path string, data []byte) []byte {
					if strings.HasPrefix(path, "/tile/") {
						return flipLast(data)
					}
					return data
				}
			}},
		{name: "a record signed by somebody else", module: one, want: sumdb.ErrUntrusted, local: true,
			prepare: func(t *testing.T, _ *database, k *disk) {
				other := newDisk(t)
				other.download(newDatabase(t, "another key"), one)
				record := readTree(t, other.cache)[dbName+"/lookup/example.com/!one@v1.0.0"]
				k.edit("!one@", func([]byte) []byte { return []byte(record) })
			}},
		{name: "a head with another history", module: three, want: sumdb.ErrUntrusted,
			options: func(o *sumdb.Options, d *database) {
				fork := newDatabase(d.t, "key")
				fill(fork, 1000, 1400)
				o.Remote = fork.remote
			}},
		{name: "a damaged remembered head", module: one, want: sumdb.ErrUnavailable, local: true,
			prepare: func(_ *testing.T, _ *database, k *disk) {
				k.edit("latest", func(data []byte) []byte { return data[:len(data)/2] })
			}},
		{name: "a remembered head that is newer than the tiles", module: one, want: sumdb.ErrUnavailable, local: true, prepare: newerHead},
		{name: "the same, and a record by itself will do", module: one, prepare: newerHead, options: func(o *sumdb.Options, _ *database) { o.Alone = true }},
		{name: "the same, and the database does not answer", module: one, prepare: newerHead, options: func(o *sumdb.Options, _ *database) {
			o.Alone = true
			o.Remote = func(context.Context, string) ([]byte, error) { return nil, errors.New("connection refused") }
		}},
		{name: "the same, and the database answers", module: one, prepare: newerHead, options: ask},
		{name: "another hash in a cached record, which is not believed by itself either", module: one, want: sumdb.ErrUntrusted, local: true,
			options: func(o *sumdb.Options, _ *database) { o.Alone = true },
			prepare: func(_ *testing.T, _ *database, k *disk) { k.edit("!one@", otherHash) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, k := &database{t: t, key: large.key, server: large.server}, newDisk(t)
			k.download(d, one, two)
			if tt.prepare != nil {
				tt.prepare(t, d, k)
			}
			before := []map[string]string{readTree(t, k.cache), readTree(t, k.config)}
			o := k.options(d)
			if tt.options != nil {
				tt.options(&o, d)
			}
			lines, err := sumdb.New(o).Lookup(t.Context(), tt.module)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			m := tt.module
			m.Version = strings.TrimSuffix(m.Version, "/go.mod")
			if tt.want == nil && !slices.Equal(lines, sumLines(m)) {
				t.Errorf("got %q", lines)
			}
			var e *sumdb.Error
			if errors.As(err, &e) && e.Local != tt.local && e.Kind != sumdb.ErrSkipped && e.Kind != sumdb.ErrUnknown {
				t.Errorf("local: %v, want %v: %v", e.Local, tt.local, err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("not one clean line: %q", err)
			}
			if after := []map[string]string{readTree(t, k.cache), readTree(t, k.config)}; !slices.EqualFunc(before, after, maps.Equal) {
				t.Error("it wrote something")
			}
		})
	}
}

func ask(o *sumdb.Options, d *database) { o.Remote = d.remote }

// newerHead makes another GOMODCACHE see a later head in the same GOPATH.
func newerHead(t *testing.T, d *database, k *disk) {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == ',' {
			return -1
		}
		return r
	}, t.Name())
	(&disk{t, t.TempDir(), k.config}).download(d, module.Version{Path: "example.com/" + strings.ToLower(name), Version: "v1.0.0"})
}

func TestCancelled(t *testing.T) {
	d, k := newDatabase(t, "key"), newDisk(t)
	o := k.options(d)
	ctx, cancel := context.WithCancel(t.Context())
	o.Remote = func(ctx context.Context, path string) ([]byte, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if _, err := sumdb.New(o).Lookup(ctx, one); !errors.Is(err, context.Canceled) || errors.Is(err, sumdb.ErrUnavailable) {
		t.Errorf("got %v, want the context's own error", err)
	}
}

// A lookup that failed is asked again: what was down comes back.
func TestFailuresPass(t *testing.T) {
	d, k := newDatabase(t, "key"), newDisk(t)
	o := k.options(d)
	down := true
	o.Remote = func(ctx context.Context, path string) ([]byte, error) {
		if down && strings.HasPrefix(path, "/tile/") {
			return nil, errors.New("timeout")
		}
		return d.remote(ctx, path)
	}
	c := sumdb.New(o)
	if _, err := c.Lookup(t.Context(), one); !errors.Is(err, sumdb.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	down = false
	if _, err := c.Lookup(t.Context(), one); err != nil {
		t.Fatal(err)
	}
}

// Many at once make no two equal requests at a time.
func TestConcurrent(t *testing.T) {
	d, k := newDatabase(t, "key"), newDisk(t)
	fill(d, 0, 300)
	o := k.options(d)
	var mu sync.Mutex
	asked := map[string]int{}
	o.Remote = func(ctx context.Context, path string) ([]byte, error) {
		mu.Lock()
		if asked[path]++; asked[path] > 1 {
			t.Errorf("%s is asked for while it is asked for", path)
		}
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			asked[path]--
		}()
		return d.remote(ctx, path)
	}
	c := sumdb.New(o)
	var wg sync.WaitGroup
	for i := range 64 {
		m := module.Version{Path: fmt.Sprintf("filler.example.com/m%d", i%16), Version: "v1.0.0"}
		wg.Go(func() {
			if lines, err := c.Lookup(t.Context(), m); err != nil || !slices.Equal(lines, sumLines(m)) {
				t.Errorf("%s: %v %q", m, err, lines)
			}
		})
	}
	wg.Wait()
}

// The files that Used is told under one head are all that a client with nothing
// else needs, in whatever order it asks.
func TestUsedSuffices(t *testing.T) {
	d, k := newDatabase(t, "key"), newDisk(t)
	var ms []module.Version
	for i := range 12 {
		fill(d, i*90, (i+1)*90) // every record comes with another head
		m := module.Version{Path: fmt.Sprintf("example.com/M%d", i), Version: "v1.0.0"}
		k.download(d, m)
		ms = append(ms, m)
	}
	first := sumdb.New(k.options(d))
	for _, m := range ms {
		if _, err := first.Lookup(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	tree := map[string][]byte{}
	o := k.options(d)
	o.Head, o.Remote = first.Head(), d.remote
	o.Used = func(name string, data []byte) {
		if tree[name] != nil {
			t.Errorf("%s was told twice", name)
		}
		tree[name] = data
	}
	second := sumdb.New(o)
	for _, m := range ms {
		if _, err := second.Lookup(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 20 {
		rand.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
		client := modsumdb.NewClient(&bare{key: d.key, tree: tree})
		for _, m := range ms {
			if lines, err := client.Lookup(m.Path, m.Version); err != nil || !slices.Equal(lines, sumLines(m)[:1]) {
				t.Fatalf("round %d: %s: %v %q", round, m, err, lines)
			}
		}
	}
}

// bare is a client of a tree of files, on a machine that never asked before.
type bare struct {
	key    string
	tree   map[string][]byte
	latest []byte
}

func (b *bare) ReadRemote(path string) ([]byte, error) {
	if data, ok := b.tree[dbName+path]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
}
func (b *bare) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(b.key), nil
	}
	return b.latest, nil
}
func (b *bare) WriteConfig(_ string, _, new []byte) error { b.latest = new; return nil }
func (b *bare) ReadCache(string) ([]byte, error)          { return nil, fs.ErrNotExist }
func (b *bare) WriteCache(string, []byte)                 {}
func (b *bare) Log(string)                                {}
func (b *bare) SecurityError(string)                      {}

// Without a network the same tiles prove what they prove, and no more.
func TestUsedFromDisk(t *testing.T) {
	d, k := newDatabase(t, "key"), newDisk(t)
	fill(d, 0, 700)
	k.download(d, one, two)
	cached := readTree(t, k.cache)
	o := k.options(d)
	got := map[string]string{}
	o.Used = func(name string, data []byte) { got[name] = string(data) }
	c := sumdb.New(o)
	for _, m := range []module.Version{one, two, three} {
		c.Lookup(t.Context(), m) // three fails, and leaves nothing behind
	}
	for name, data := range got {
		if cached[name] != data {
			t.Errorf("told %s, which is not cached like this", name)
		}
	}
	for _, m := range []string{"!one@v1.0.0", "two@v1.2.3"} {
		if got[dbName+"/lookup/example.com/"+m] == "" {
			t.Errorf("not told the record of %s", m)
		}
	}
	if slices.ContainsFunc(slices.Collect(maps.Keys(got)), func(name string) bool { return strings.Contains(name, "three") }) {
		t.Error("told of a lookup that failed")
	}
}

func TestVerifies(t *testing.T) {
	const toolchain = "golang.org/toolchain"
	for _, tt := range []struct {
		name, proxy, db, skip, path string
		want                        bool
	}{
		{"by default", "https://proxy.example.com", dbName, "", "example.com/m", true},
		{"a private module", "https://proxy.example.com", dbName, "*.corp.example,example.com", "example.com/m", false},
		{"the database is off", "https://proxy.example.com", "off", "", "example.com/m", false},
		{"a toolchain, and the database is off", "https://proxy.example.com", "off", "", toolchain, true},
		{"a toolchain that GONOSUMDB names", "https://proxy.example.com", dbName, toolchain, toolchain, true},
		{"a toolchain out of a single file tree", "file:///tree", "off", "", toolchain, false},
		{"a toolchain out of a file tree in a chain", "file:///tree,direct", "off", "", toolchain, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &env.Env{Vars: []env.Var{{Name: "GONOSUMDB", Value: tt.skip}, {Name: "GOPROXY", Value: tt.proxy}, {Name: "GOSUMDB", Value: tt.db}}}
			if got := sumdb.Verifies(e, tt.path); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestFileStaysBelow(t *testing.T) {
	for _, name := range []string{"../x", "/etc/passwd", "a/../../x", ""} {
		if path, err := sumdb.File("/cache", name); err == nil {
			t.Errorf("%q became %s", name, path)
		}
	}
}
