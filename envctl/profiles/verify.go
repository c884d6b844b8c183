package profiles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
)

// Unverifiable lists the required modules that the go command could not verify
// without a network: those with a go.sum line missing, for the zip or for
// go.mod, that the database must vouch for (GOSUMDB, GONOSUMDB, GOPRIVATE),
// where neither the cached lookups and tiles suffice nor a signed head newer
// than they allow it.
//
// It asks as the go command would, with the same client and the same files,
// but it writes nothing and never dials.
func Unverifiable(ctx context.Context, e *env.Env, p *project.Project) ([]module.Version, error) {
	missing := []module.Version{}
	if p == nil {
		return missing, nil
	}
	db, err := e.SumDB()
	if err != nil {
		return nil, fmt.Errorf("checksum database: %w", err)
	}
	if db.Off {
		return missing, nil
	}
	client := newOfflineClient(e, db)
	seen := map[module.Version]bool{}
	for _, r := range p.Requires {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, local := fetched(p, r.Version)
		if local || seen[m] || module.MatchPrefixPatterns(e.NoSumDB(), m.Path) {
			continue
		}
		seen[m] = true
		if !client.vouches(p, m) {
			missing = append(missing, m)
		}
	}
	return missing, nil
}

// fetched is what the go command fetches for m; local says that it is a
// directory, which nobody verifies.
func fetched(p *project.Project, m module.Version) (_ module.Version, local bool) {
	if r, ok := p.Replacement(m); ok {
		return r, r.Version == ""
	}
	return m, false
}

// An offlineClient looks modules up in what is on disk.
type offlineClient struct {
	db *sumdb.Client
}

func newOfflineClient(e *env.Env, db chain.SumDB) *offlineClient {
	ops := &diskOps{
		key:   db.Key,
		cache: filepath.Join(e.Get("GOMODCACHE"), "cache", "download", "sumdb"),
		name:  db.Name,
	}
	// cmd/go/internal/cfg: SumdbDir is below the first entry of GOPATH.
	if list := filepath.SplitList(e.Get("GOPATH")); len(list) > 0 {
		ops.config = filepath.Join(list[0], "pkg", "sumdb")
	}
	return &offlineClient{db: sumdb.NewClient(ops)}
}

// vouches reports whether go.sum or the database on disk has both hashes of m.
func (c *offlineClient) vouches(p *project.Project, m module.Version) bool {
	return (p.Sums.Has(m) || c.finds(m, m.Version)) && (p.Sums.HasGoMod(m) || c.finds(m, m.Version+"/go.mod"))
}

func (c *offlineClient) finds(m module.Version, vers string) bool {
	lines, err := c.db.Lookup(m.Path, vers)
	if err != nil {
		return false
	}
	prefix := m.Path + " " + vers + " h1:"
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// diskOps serves a checksum database client from the files that the go command
// keeps (cmd/go/internal/modfetch, dbClient). What the client wants to write
// stays in memory, and there is no remote: with GOPROXY=file://…/cache/download
// the remote is the same directory as the cache.
type diskOps struct {
	key    string
	name   string
	cache  string // GOMODCACHE/cache/download/sumdb
	config string // GOPATH/pkg/sumdb, "" without a GOPATH

	mu     sync.Mutex
	latest map[string][]byte // heads that the client merged
}

func (o *diskOps) ReadRemote(path string) ([]byte, error) {
	return o.ReadCache(o.name + path)
}

func (o *diskOps) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(o.key), nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if data, ok := o.latest[file]; ok {
		return data, nil
	}
	if o.config == "" {
		return nil, errors.New("missing GOPATH")
	}
	path, err := inside(o.config, file)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return []byte{}, nil
	}
	return data, err
}

func (o *diskOps) WriteConfig(file string, old, new []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.latest == nil {
		o.latest = map[string][]byte{}
	}
	o.latest[file] = new
	return nil
}

func (o *diskOps) ReadCache(file string) ([]byte, error) {
	path, err := inside(o.cache, file)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err == nil && len(data) == 0 {
		// The go command takes a file that is being written for none.
		err = &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	}
	return data, err
}

func (o *diskOps) WriteCache(string, []byte) {}
func (o *diskOps) Log(string)                {}

// SecurityError reports a lie. The lookup fails as well, which is all that
// matters here.
func (o *diskOps) SecurityError(string) {}

// inside joins a slash-separated name to dir, and refuses one that leads out.
func inside(dir, name string) (string, error) {
	name = filepath.FromSlash(name)
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%s: not a name below %s", redact.Clean(name), redact.Clean(dir))
	}
	return filepath.Join(dir, name), nil
}
