package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/cachectl/internal/vlist"
	"gpx/cachectl/internal/ziphash"
	"gpx/envctl/bounded"
	"gpx/probe"
)

// inCache is where the go command keeps what t asks for.
func (c *core) inCache(t target) string {
	if c.Cache == "" {
		return ""
	}
	return filepath.Join(c.Cache, filepath.FromSlash(t.String()[1:]))
}

// cachedSmall is an .info or .mod of the go command's own cache, when it is fit to
// be passed on: what the go command would go on with. Files that were cut or changed
// since are not: an upstream has better ones.
func (c *core) cachedSmall(ctx context.Context, t target) (small, bool) {
	name := c.inCache(t)
	if name == "" {
		return small{}, false
	}
	gist := infoVersion
	if t.file == probe.Mod {
		gist = probe.ModSum
	}
	got, err := c.r.smalls.read(name, probe.MaxSize(t.file), gist)
	if err != nil {
		return small{}, false
	}
	if t.file == probe.Mod {
		key := module.Version{Path: t.m.Path, Version: t.m.Version + "/go.mod"}
		return got, len(got.data) > 0 && c.agrees(ctx, t, key, got.gist)
	}
	return got, got.gist == t.m.Version
}

// infoVersion is the version that an .info names, "" for none.
func infoVersion(data []byte) string {
	var info struct{ Version string }
	if json.Unmarshal(data, &info) != nil {
		return ""
	}
	return info.Version
}

// cachedZip opens a zip of the go command's own cache, when it is fit; nil when it
// is not, or is not there.
func (c *core) cachedZip(ctx context.Context, t target) *os.File {
	name := c.inCache(t)
	if name == "" {
		return nil
	}
	f, err := openRegular(name)
	if err != nil {
		return nil
	}
	if c.zipFits(ctx, t, f) {
		return f
	}
	f.Close()
	return nil
}

// agrees reports whether neither go.sum nor what this machine has of the checksum
// database contradicts a hash. key is its module in go.sum.
func (c *core) agrees(ctx context.Context, t target, key module.Version, sum string) bool {
	isSum := func(h string) bool { return strings.HasPrefix(h, "h1:") }
	lines := c.Sums[key]
	known := slices.ContainsFunc(lines, isSum)
	switch {
	case known:
		return slices.Contains(lines, sum)
	case !c.verifies(t):
		return true
	}
	return c.unopposed.ask(ctx, key, sum, func() bool {
		prefix := key.Path + " " + key.Version + " "
		lines := c.sums.here(ctx, t.m)
		return slices.Contains(lines, prefix+sum) || !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
	})
}

// Agreed are hashes that were asked about once, and not contradicted.
type agreed struct {
	mu sync.Mutex
	by map[module.Version]string
}

// maxAgreed bounds what is remembered, some 200 bytes each.
const maxAgreed = 20_000

// ask is what find says of a hash, which is not asked again when it agrees, unless ctx
// has ended meanwhile.
func (a *agreed) ask(ctx context.Context, key module.Version, sum string, find func() bool) bool {
	a.mu.Lock()
	had := a.by[key]
	a.mu.Unlock()
	if had == sum {
		return true
	}
	if ok := find(); !ok || ctx.Err() != nil {
		return ok
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil || len(a.by) >= maxAgreed {
		a.by = map[module.Version]string{}
	}
	a.by[key] = sum
	return true
}

// zipFits reports whether a zip has the hash that the go command wrote beside it
// when it had verified it.
func (c *core) zipFits(ctx context.Context, t target, f *os.File) bool {
	want, err := c.r.smalls.read(f.Name()+"hash", 1<<10, trimmed) // .ziphash
	if err != nil {
		return false
	}
	sum, err := c.r.zips.sum(ctx, f)
	return err == nil && sum == want.gist && c.agrees(ctx, t, t.m, sum)
}

func trimmed(data []byte) string { return string(bytes.TrimSpace(data)) }

func openRegular(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait
		return nil, errors.New("not a regular file")
	}
	return os.Open(name)
}

// Zips are hashed once, as long as size, time and inode stay what they were.
type zips struct {
	flights flights[string]

	mu sync.Mutex
	by map[string]hashed
}

type hashed struct {
	info os.FileInfo
	sum  string
}

// maxZips bounds what is remembered, some 300 bytes each.
const maxZips = 20_000

func (z *zips) sum(ctx context.Context, f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	z.mu.Lock()
	had, ok := z.by[f.Name()]
	z.mu.Unlock()
	if ok && same(had.info, info) {
		return had.sum, nil
	}
	return z.flights.do(ctx, f.Name(), func(ctx context.Context) (string, error) {
		own, err := os.Open(f.Name()) // f ends with its request
		if err != nil {
			return "", err
		}
		defer own.Close()
		info, err := own.Stat()
		if err != nil {
			return "", err
		}
		sum, err := ziphash.Sum(ctx, own, info.Size())
		if err != nil {
			return "", err
		}
		z.mu.Lock()
		defer z.mu.Unlock()
		if z.by == nil || len(z.by) >= maxZips {
			z.by = map[string]hashed{}
		}
		z.by[f.Name()] = hashed{info, sum}
		return sum, nil
	})
}

// stale is what the cache knows of a list or of @latest; nil for nothing.
func (c *core) stale(t target) []byte {
	if c.Cache == "" || t.file == probe.Info {
		return nil
	}
	list := target{m: t.m, file: probe.List}
	text, err := vlist.Of(filepath.Dir(c.inCache(list)))
	if err != nil || text == "" {
		return nil
	}
	versions := strings.Fields(text) // in order
	var tagged, releases []string
	for _, v := range versions {
		if module.IsPseudoVersion(v) {
			continue
		}
		tagged = append(tagged, v)
		if semver.Prerelease(v) == "" {
			releases = append(releases, v)
		}
	}
	if t.file == probe.List {
		return []byte(strings.Join(append(tagged, ""), "\n"))
	}
	// The order of choice is the go command's (modload, query.go: latest).
	for _, choice := range [][]string{releases, tagged, versions} {
		for _, v := range slices.Backward(choice) {
			info := target{m: module.Version{Path: t.m.Path, Version: v}, file: probe.Info}
			if data, err := bounded.ReadFile(c.inCache(info), probe.MaxSize(probe.Info)); err == nil && json.Valid(data) {
				return data
			}
		}
	}
	return nil
}

// Kept bounds the folder: the oldest files go.
type kept struct {
	most int64

	mu     sync.Mutex
	files  []keptFile
	total  int64
	doubts map[string]doubt // by name
}

type keptFile struct {
	name string
	size int64
}

// A doubt is about a file that nothing could vouch for when it came.
type doubt struct {
	from string    // who gave it, redacted
	next time.Time // it is not proven again before
}

// maxKept bounds how many files are noted, some 200 bytes each.
const maxKept = 100_000

// doubtRest is how long a file that nothing could vouch for again is passed on as
// it is: proving it takes a look at all of it, and an answer of the database.
const doubtRest = 10 * time.Second

// add notes a file that is in the folder now. Who reads one that goes may read on.
func (k *kept) add(name string) {
	info, err := os.Stat(name)
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files = append(k.files, keptFile{name, info.Size()})
	k.total += info.Size()
	for (k.total > k.most || len(k.files) > maxKept) && len(k.files) > 1 {
		os.Remove(k.files[0].name)
		delete(k.doubts, k.files[0].name)
		k.total -= k.files[0].size
		k.files = k.files[1:]
	}
}

// clear removes all files, and reports whether there were any: where the disk is full
// before most is reached, the next file matters more than those before.
func (k *kept) clear() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.files {
		os.Remove(f.name)
	}
	had := len(k.files) > 0
	k.files, k.total = nil, 0
	clear(k.doubts)
	return had
}

// doubt notes that nothing vouches for a file that is in the folder.
func (k *kept) doubt(name, from string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.doubts == nil {
		k.doubts = map[string]doubt{}
	}
	k.doubts[name] = doubt{from: from}
}

// doubted reports whether a file is to be proven again now, and who gave it.
func (k *kept) doubted(name string) (from string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d, ok := k.doubts[name]
	return d.from, ok && !time.Now().Before(d.next)
}

// settle ends the doubt about a file; unproven it is left alone for a while.
func (k *kept) settle(name string, proven bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d, ok := k.doubts[name]
	switch {
	case proven:
		delete(k.doubts, name)
	case ok:
		d.next = time.Now().Add(doubtRest)
		k.doubts[name] = d
	}
}

// gone forgets a file that is no longer in the folder.
func (k *kept) gone(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.doubts, name)
	if i := slices.IndexFunc(k.files, func(f keptFile) bool { return f.name == name }); i >= 0 {
		k.total -= k.files[i].size
		k.files = slices.Delete(k.files, i, i+1)
	}
}
