package buildcache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"gpx/cachectl/internal/walk"
)

// What a file of the cache is.
type class byte

const (
	rest   class = iota // README, trim.txt, and what does not belong here
	corpus              // below fuzz/
	action              // <id>-a, a regular file
	output              // <id>-d, a regular file or an executable's folder
	inside              // in a folder of a shard that is an output or a stray
	stray               // ends in -a or -d, so that a trim takes it, and is nothing that a go command looks for
)

// A file is one name of the cache.
type file struct {
	shard   string // "" outside of shards
	name    string // of the shard's entry; what is inside a folder has the folder's
	class   class
	id      ID   // of an action and of an output, also for what is inside it
	program bool // inside an output
	dir     bool
	size    int64     // bytes, 0 for a folder
	used    time.Time // mtime; for what is inside a folder, the folder's
}

// list calls see for every folder of the cache with what is in it (a large one
// comes in parts), from several goroutines at once. Links are not followed, and
// what is neither file nor folder is told as a problem. A cache that is not
// there is empty.
func (c *Cache) list(ctx context.Context, workers int, problem func(path string, err error), see func(path string, last bool, files []file)) error {
	opt := walk.Options{Workers: workers, Problem: problem}
	err := walk.Folders(ctx, c.dir, []string{"."}, opt, func(f *walk.Folder) {
		files := make([]file, 0, len(f.Entries))
		for _, e := range f.Entries {
			if !e.Type.IsRegular() && !e.Type.IsDir() {
				problem(f.Path+"/"+e.Name, errors.New("no file and no folder; it stays"))
				continue
			}
			files = append(files, fileOf(f, e))
		}
		see(f.Path, f.Last, files)
	})
	if errors.Is(err, fs.ErrNotExist) {
		if _, serr := os.Stat(c.dir); errors.Is(serr, fs.ErrNotExist) {
			return ctx.Err()
		}
	}
	return err
}

// fileOf says what an entry of a folder is.
func fileOf(folder *walk.Folder, e walk.Entry) file {
	f := file{name: e.Name, dir: e.Type.IsDir(), size: e.Size, used: time.Unix(0, e.Stamp.MTime)}
	if f.dir {
		f.size = 0
	}
	first, below, deep := strings.Cut(folder.Path, "/")
	switch {
	case first == "fuzz":
		f.class = corpus
	case !isShard(first):
	case !deep:
		f.shard = first
		f.class, f.id = classOf(first, e)
	default:
		f.shard = first
		f.name, _, _ = strings.Cut(below, "/")
		if f.class, f.id = classOf(first, walk.Entry{Name: f.name, Type: fs.ModeDir}); f.class != rest {
			// A trim takes the folder as a whole, by the folder's own time.
			// The go command puts nothing deeper than one level.
			f.program, f.class = f.class == output, inside
			f.used = time.Unix(0, folder.Stamp.MTime)
		}
	}
	return f
}

// classOf says what a name of a shard is.
func classOf(shard string, e walk.Entry) (class, ID) {
	if !strings.HasSuffix(e.Name, "-a") && !strings.HasSuffix(e.Name, "-d") {
		return rest, ID{}
	}
	switch id, kind, ok := ParseName(shard, e.Name); {
	case ok && kind == 'd':
		return output, id
	case ok && e.Type.IsRegular():
		return action, id
	default:
		return stray, ID{}
	}
}

// isShard reports whether name is 00 … ff.
func isShard(name string) bool {
	return len(name) == 2 && isHex(name[0]) && isHex(name[1])
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
