// Package buildcache looks after a build cache (GOCACHE): what it holds, by age
// and by kind, what the go command's next trim will take, and what can be taken
// out of it beside running builds.
//
//	GOCACHE/
//	  00/ … ff/
//	    <id>-a   an action: "v1 <action> <output> <size> <unixnano>"
//	    <id>-d   an output, named by the SHA-256 of its bytes; an executable is a folder with one file
//	  trim.txt        when the go command last trimmed, Unix seconds
//	  testexpire.txt  test results older than this do not count, Unix nanoseconds
//	  fuzz/           corpora, which nothing can make again
//
// The rules are those of cmd/go/internal/cache (cache.go): a file's mtime is
// its last use, to within an hour. What is in a shard can be made again; so
// nothing that this package takes away is kept, and everything else stays.
package buildcache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gpx/envctl/advice"
	"gpx/envctl/redact"
)

// What the go command's own times mean (cmd/go/internal/cache, "Time constants
// for cache expiration").
const (
	mtimeInterval = time.Hour          // a use moves the mtime at most this often
	trimInterval  = 24 * time.Hour     // a trim runs at most this often
	trimLimit     = 5 * 24 * time.Hour // and takes what was unused for this long
)

// keepRecent is what no prune touches: a running build looks an output up once
// and reads it later, without a lock, and takes it for granted meanwhile.
const keepRecent = time.Hour

// shards is the number of folders that entries are spread over.
const shards = 256

func shardName(i int) string { return fmt.Sprintf("%02x", i) }

// A Kind is what an output holds, as far as its bytes tell.
type Kind string

// The kinds.
const (
	Archive    Kind = "archive"     // a compiled package
	Executable Kind = "executable"  // a linked program, for go run and go tool
	TestResult Kind = "test_result" // the log of a passed test, and what it looked at
	Action     Kind = "action"      // the index entries
	Fuzz       Kind = "fuzz"        // corpora
	Other      Kind = "other"       // listings, vet facts, embedded files …
	Unread     Kind = "unread"      // outputs that nobody has looked into (see [ScanOptions])
)

// An Age is what has not been used for some time.
type Age struct {
	OlderThan time.Duration
	Bytes     int64
}

// ages are the ages that an [Inventory] knows: those that the rules of the go
// command and of gpx turn on.
var ages = [...]time.Duration{time.Hour, 24 * time.Hour, 48 * time.Hour, trimLimit, 30 * 24 * time.Hour}

// An Inventory is what a scan found. It is not changed once it was handed out.
type Inventory struct {
	Dir     string
	Bytes   int64 // of all regular files below Dir
	Files   int64
	Entries int64          // action entries
	ByKind  map[Kind]int64 // bytes; the sum is Bytes
	ByAge   []Age          // 1 h, 1 d, 2 d, 5 d, 30 d; of what is in the shards
	At      time.Time

	LastTrim time.Time // zero: never, or unreadable
	NextTrim time.Time // the first instant at which a go command will trim
	TrimTake int64     // what that will take if nothing is used until then

	Problems []string // what could not be read or does not belong here, one clean line each
}

// A Cache is a build cache on disk.
type Cache struct{ dir string }

// Open names the build cache in dir, which must be absolute. A folder that is
// not there is an empty cache, as it is for the go command.
func Open(dir string) (*Cache, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("build cache %q: not an absolute path; see it with: go env GOCACHE", redact.Clean(dir))
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Cache{dir: filepath.Clean(dir)}, nil
	case err != nil:
		return nil, fmt.Errorf("build cache: %s", redact.Text(err.Error()))
	case !info.IsDir():
		return nil, advice.Add(fmt.Errorf("build cache %s: not a folder", redact.Clean(dir)), "choose another with: go env -w GOCACHE=DIR")
	}
	// The root may be a link, as the go command allows; below it none is followed.
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return &Cache{dir: dir}, nil
}

// Dir is the folder, with links resolved.
func (c *Cache) Dir() string { return c.dir }
