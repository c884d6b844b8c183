package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/dirhash"

	"gpx/envctl/bounded"
	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/folder"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/probe"
)

// resolve finds the module version that is meant: the one that go.mod requires
// when m has none, and what replaces it. A replacement by a directory has no
// version. The note says what was done.
func resolve(p *project.Project, m module.Version) (_ module.Version, note string, err error) {
	named := redact.Clean(m.Path)
	asked := m.Version
	if p != nil && asked == "" {
		if slices.Contains(p.Modules, m.Path) {
			return m, "", errors.New("it is the main module, nothing is downloaded; name one that it requires")
		}
		for _, r := range p.Requires {
			if r.Path == m.Path && semver.Compare(r.Version.Version, m.Version) > 0 {
				m = r.Version
			}
		}
	}
	if m.Version == "" {
		return m, "", fmt.Errorf("go.mod does not require it, so the version is not known; give one: gpx route %s@VERSION", named)
	}
	if p != nil && (asked == "" || required(p, m)) {
		if by, ok := p.Replacement(m); ok {
			if by.Version == "" {
				return module.Version{Path: m.Path}, "replaced by the directory " + redact.Clean(by.Path) + ": nothing is downloaded", nil
			}
			return by, "replaced by " + redact.Clean(by.String()), nil
		}
	}
	if module.CanonicalVersion(m.Version) != m.Version {
		return m, "", fmt.Errorf("not an exact version; resolve the query first: go list -m %s@%s",
			named, redact.Clean(m.Version))
	}
	return m, "", nil
}

func required(p *project.Project, m module.Version) bool {
	return slices.ContainsFunc(p.Requires, func(r project.Require) bool { return r.Version == m })
}

// gather fills an Input with everything but the classes. The records are go.sum
// lines that are proven by the checksum cache.
func gather(e *env.Env, p *project.Project, m module.Version) (in Input, cache sumCache, records []string) {
	in = Input{Module: m, Refusal: refusal(e, p), CacheErr: e.CacheRefusal(), NoProxy: e.NoProxy(), NoSumDB: e.NoSumDB()}
	in.VCSErr, in.VCSKnown = vcsRefusal(e, m.Path)
	in.Chain, in.ChainErr = e.Chain()
	in.SumDB, in.SumDBErr = e.SumDB()
	dir := filepath.Join(e.Get("GOMODCACHE"), "cache", "download")
	var files cachedFiles
	if in.CacheErr == nil {
		files = readCached(e.Get("GOMODCACHE"), m)
	}
	in.Cached = files.Cached
	if in.CacheErr == nil {
		in.CacheErr = keepErr(e.Get("GOMODCACHE"), m, in.Cached)
	}
	if p != nil {
		in.Required = required(p, m)
		in.Vendor = vendoring(e, p, m)
		in.SumLines = SumLines{
			Mod: compareLine(p.Sums[module.Version{Path: m.Path, Version: m.Version + "/go.mod"}], files.modSum),
			Zip: compareLine(p.Sums[m], files.zipSum),
		}
		records = append(records, goSumLines(p, m)...)
	}
	if in.SumDBErr != nil || in.SumDB.Off || in.SumLines.Mod != NoLine && in.SumLines.Zip != NoLine {
		return in, cache, records
	}
	gopath := firstOf(e.Get("GOPATH"))
	if gopath == "" { // the client wants its newest head from there before anything else (modfetch, ReadConfig)
		in.SumDBErr = errors.New("could not locate sumdb file: missing $GOPATH")
		return in, cache, records
	}
	cache = sumCache{db: in.SumDB, dir: filepath.Join(dir, "sumdb"), config: filepath.Join(gopath, "pkg", "sumdb")}
	needs, lines, err := cache.needs(m, nil)
	if err != nil {
		in.SumDBErr = err
	}
	in.SumNeeds = needs
	return in, cache, append(records, lines...)
}

// keepErr is why the go command cannot put what it lacks of m into the module cache that
// is there: without a place for the zip, it stops before it asks for one. An .info and a
// .mod that it cannot keep it uses all the same (modfetch, DownloadZip and download).
func keepErr(modcache string, m module.Version, c Cached) error {
	path, err := module.EscapePath(m.Path)
	switch {
	case err != nil || modcache == "": // which is told elsewhere
		return nil
	case !c.Zip:
		return folder.Keep(filepath.Join(modcache, "cache", "download", path, "@v"))
	case !c.Dir:
		return folder.Keep(filepath.Dir(filepath.Join(modcache, path)))
	}
	return nil
}

// goSumLines are the module's lines of go.sum that the go command compares with:
// the first with a hash that it knows.
func goSumLines(p *project.Project, m module.Version) []string {
	var lines []string
	for _, v := range []string{m.Version, m.Version + "/go.mod"} {
		if h := firstKnown(p.Sums[module.Version{Path: m.Path, Version: v}]); h != "" {
			lines = append(lines, m.Path+" "+v+" "+h)
		}
	}
	return lines
}

func firstKnown(hashes []string) string {
	for _, h := range hashes {
		if strings.HasPrefix(h, "h1:") {
			return h
		}
	}
	return ""
}

// compareLine is what go.sum says about a file. A line is taken to be that of the
// genuine file unless the cached one, which would be used, has another hash.
func compareLine(hashes []string, cached string) Line {
	known := firstKnown(hashes)
	switch {
	case known == "":
		return NoLine
	case cached != "" && cached != known:
		return Mismatch
	default:
		return Match
	}
}

// cachedFiles are the files of a version in the module cache, with the hashes
// that the go command would compare.
type cachedFiles struct {
	Cached
	modSum, zipSum string
}

// readCached looks into GOMODCACHE as cmd/go/internal/modfetch/cache.go does: an
// .info must be JSON, anything else that is there counts.
func readCached(modcache string, m module.Version) (c cachedFiles) {
	path, err1 := module.EscapePath(m.Path)
	version, err2 := module.EscapeVersion(m.Version)
	if modcache == "" || err1 != nil || err2 != nil {
		return c
	}
	base := filepath.Join(modcache, "cache", "download", path, "@v", version)
	if data, err := os.ReadFile(base + ".info"); err == nil {
		c.Info = json.Valid(data)
	}
	if data, err := os.ReadFile(base + ".mod"); err == nil && !bytes.HasPrefix(data, []byte("//vgo 0.0.")) {
		c.Mod = true
		c.modSum = probe.ModSum(data)
	}
	_, err := os.Stat(base + ".zip")
	c.Zip = err == nil
	data, err := os.ReadFile(base + ".ziphash")
	c.ZipHash = err == nil
	switch {
	case c.Zip && c.ZipHash:
		c.zipSum = strings.TrimSpace(string(data))
	case c.Zip:
		// The go command hashes such a zip anew; so does this, for the zips of
		// which that is true are few.
		c.zipSum, _ = dirhash.HashZip(base+".zip", dirhash.DefaultHash)
	}
	_, err = os.Stat(filepath.Join(modcache, path+"@"+version))
	c.Dir = err == nil
	return c
}

// vendoring says whether a build takes m from the vendor directory
// (modload.setDefaultBuildMod): it does when there is one, unless -mod says
// otherwise.
func vendoring(e *env.Env, p *project.Project, m module.Version) Vendor {
	mode := e.Flag("mod")
	if mode == "" && p.Vendored && semver.Compare("v"+p.Go, "v1.14") >= 0 {
		mode = "vendor"
	}
	if mode != "vendor" {
		return NotVendored
	}
	data, _ := bounded.ReadFile(filepath.Join(p.Root, "vendor", "modules.txt"), 64<<20)
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) >= 3 && f[0] == "#" && f[1] == m.Path && f[2] == m.Version {
			return Vendored
		}
	}
	if required(p, m) {
		return VendorLacking
	}
	return NotVendored // another version than the build's: `go mod download` gets it all the same
}

func firstOf(list string) string {
	dirs := filepath.SplitList(list)
	if len(dirs) == 0 {
		return ""
	}
	return dirs[0]
}

// A sumCache is what the go command has cached of a checksum database.
type sumCache struct {
	db     chain.SumDB
	dir    string // GOMODCACHE/cache/download/sumdb: records and tiles
	config string // GOPATH/pkg/sumdb: the newest head
}

// needs runs the checksum database's own client over what is cached, without a
// network, and says what it would have to ask for, nil for everything. With the
// answer to a lookup it tells whether that needs tiles. Nothing is written.
func (c sumCache) needs(m module.Version, record []byte) (needs []probe.File, lines []string, err error) {
	ops := &cacheOps{sumCache: c, answer: record}
	cached := false
	if path, err := module.EscapePath(m.Path); err == nil {
		record, err := ops.ReadCache(c.db.Name + "/lookup/" + path + "@" + m.Version)
		cached = err == nil && len(record) > 0
	}
	client := sumdb.NewClient(ops)
	for _, v := range []string{m.Version, m.Version + "/go.mod"} {
		more, err := client.Lookup(m.Path, v)
		switch {
		case ops.security != "":
			return nil, nil, errors.New("the cached records contradict each other: a security error")
		case ops.asked == probe.Tile && ops.answered:
			return []probe.File{probe.Lookup, probe.Tile}, nil, nil
		case ops.asked == probe.Tile && cached:
			return []probe.File{probe.Tile}, nil, nil
		case ops.asked == probe.Tile: // those of the head, before anything else
			return []probe.File{probe.Tile, probe.Lookup, probe.Tile}, nil, nil
		case ops.asked == probe.Lookup:
			return nil, nil, nil
		case err != nil:
			return nil, nil, fmt.Errorf("damaged checksum cache: %w", err)
		}
		lines = append(lines, more...)
	}
	if ops.answered {
		return []probe.File{probe.Lookup}, lines, nil
	}
	return []probe.File{}, lines, nil
}

// cacheOps are a checksum database's client that may read the go command's caches
// and nothing else.
type cacheOps struct {
	sumCache
	answer []byte // to the lookup

	mu       sync.Mutex
	answered bool
	asked    probe.File // the first thing that is missing
	security string
}

var errOffline = errors.New("not cached")

func (o *cacheOps) ReadRemote(path string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	file := probe.Tile
	if strings.HasPrefix(path, "/lookup/") {
		file = probe.Lookup
		if o.answer != nil && o.asked == "" {
			o.answered = true
			return o.answer, nil
		}
	}
	if o.asked == "" {
		o.asked = file
	}
	return nil, errOffline
}

func (o *cacheOps) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(o.db.Key), nil
	}
	data, err := os.ReadFile(filepath.Join(o.config, filepath.FromSlash(file)))
	if errors.Is(err, os.ErrNotExist) {
		return []byte{}, nil
	}
	return data, err
}

func (o *cacheOps) ReadCache(file string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(o.dir, filepath.FromSlash(file)))
	if err == nil && len(data) == 0 {
		err = os.ErrNotExist // as the go command: a file that is being written
	}
	return data, err
}

func (o *cacheOps) WriteConfig(string, []byte, []byte) error { return nil }
func (o *cacheOps) WriteCache(string, []byte)                {}
func (o *cacheOps) Log(string)                               {}
func (o *cacheOps) SecurityError(msg string)                 { o.security = msg }
