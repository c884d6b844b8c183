package bundle

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gpx/cachectl/buildcache"
)

// A forgedCache is a build cache that a test writes by hand.
type forgedCache struct {
	t   testing.TB
	dir string
}

func newForgedCache(t testing.TB) *forgedCache { return &forgedCache{t, t.TempDir()} }

func actionID(name string) buildcache.ID    { return sha256.Sum256([]byte("action " + name)) }
func outputID(content string) buildcache.ID { return sha256.Sum256([]byte(content)) }

// output puts an output and its entry.
func (c *forgedCache) output(name, content string) buildcache.ID {
	id := outputID(content)
	write(c.t, filepath.Join(c.dir, outputPath(id)), content)
	c.entry(name, id, len(content))
	return id
}

func (c *forgedCache) program(name, program, content string) buildcache.ID {
	id := outputID(content)
	write(c.t, filepath.Join(c.dir, outputPath(id), program), content)
	c.entry(name, id, len(content))
	return id
}

func (c *forgedCache) entry(name string, out buildcache.ID, size int) {
	e := buildcache.Entry{Action: actionID(name), Output: out, Size: int64(size), Time: time.Unix(0, 1)}
	write(c.t, filepath.Join(c.dir, entryPath(e.Action)), string(e.Text()))
}

var _ = json.Marshal
var _ = os.Open
