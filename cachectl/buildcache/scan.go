package buildcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"gpx/envctl/redact"
)

// ScanOptions say how to scan.
type ScanOptions struct {
	// Report may be nil. It is told how far the scan is, by one goroutine at a
	// time, at most ten times a second and at the end.
	Report  func(Progress)
	Workers int              // folders that are read at a time; 0 means 8
	Now     func() time.Time // nil means time.Now
	// Kinds has every output opened to see what it holds: the scan then takes
	// several times as long.
	Kinds bool
}

// A Progress is how far a scan has come. Inventory grows, and is a new one each
// time.
type Progress struct {
	Done, Total int // shards
	Inventory   *Inventory
}

const (
	reportEvery = 100 * time.Millisecond
	maxProblems = 20
)

// Scan reads the whole cache. Its sizes are those of find -type f. What cannot
// be read is named in Problems; it fails when ctx is done, and when the folder
// itself cannot be read.
func (c *Cache) Scan(ctx context.Context, o ScanOptions) (*Inventory, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &scan{o: o, inv: Inventory{Dir: c.dir, At: o.Now(), LastTrim: lastTrim(c.readStamp("trim.txt"))}}
	s.inv.NextTrim = nextTrim(s.inv.LastTrim, s.inv.At)
	s.cutoff = trimCutoff(s.inv.NextTrim)
	if o.Kinds {
		root, err := os.OpenRoot(c.dir)
		if err == nil {
			defer root.Close()
			s.look = root
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, failed(c.dir, err)
		}
	}
	if err := c.list(ctx, o.Workers, s.problem, func(path string, last bool, files []file) {
		s.merge(s.count(ctx, files), last && isShard(path))
	}); err != nil {
		return nil, failed(c.dir, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = shards // those that are not there have nothing in them
	s.report(s.o.Now())
	return s.inventory(), nil
}

// failed says on which cache something failed.
func failed(dir string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("build cache %s: %w", redact.Clean(dir), brief{err})
}

// brief makes an error's text fit to be shown. The error itself stays reachable.
type brief struct{ error }

func (b brief) Error() string { return redact.Text(b.error.Error()) }
func (b brief) Unwrap() error { return b.error }

// A count is what some files add up to.
type count struct {
	bytes, files, entries, trimTake int64
	kinds                           map[Kind]int64
	ages                            [len(ages)]int64
}

func (n *count) add(m count) {
	n.bytes, n.files = n.bytes+m.bytes, n.files+m.files
	n.entries, n.trimTake = n.entries+m.entries, n.trimTake+m.trimTake
	if n.kinds == nil {
		n.kinds = map[Kind]int64{}
	}
	for k, bytes := range m.kinds {
		n.kinds[k] += bytes
	}
	for i := range n.ages {
		n.ages[i] += m.ages[i]
	}
}

// A scan is one run of [Cache.Scan].
type scan struct {
	o      ScanOptions
	cutoff time.Time // what was last used before it goes with the next trim
	look   *os.Root  // the cache, when outputs are to be opened

	mu       sync.Mutex
	inv      Inventory // what is known from the start
	sum      count
	done     int // shards
	reported time.Time
	problems []string
	more     int // problems beyond maxProblems
}

// count adds up the files of one folder.
func (s *scan) count(ctx context.Context, files []file) count {
	n := count{kinds: map[Kind]int64{}}
	for _, f := range files {
		if f.dir || ctx.Err() != nil {
			continue
		}
		n.bytes, n.files = n.bytes+f.size, n.files+1
		n.kinds[s.kind(f)] += f.size
		if f.class == action {
			n.entries++
		}
		if f.shard == "" || f.class == rest {
			continue
		}
		for i, age := range ages {
			if s.inv.At.Sub(f.used) >= age {
				n.ages[i] += f.size
			}
		}
		if f.used.Before(s.cutoff) {
			n.trimTake += f.size
		}
	}
	return n
}

func (s *scan) kind(f file) Kind {
	switch f.class {
	case action:
		return Action
	case inside:
		if f.program {
			return Executable
		}
	case corpus:
		return Fuzz
	case output:
		if s.look == nil {
			return Unread
		}
		k, err := readKind(s.look, f.shard+"/"+f.name, f.size)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.problem(f.shard+"/"+f.name, err)
		}
		return k
	}
	return Other
}

// merge adds what a folder holds, and whether that was the last of a shard.
func (s *scan) merge(n count, shardDone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.add(n)
	if shardDone {
		s.done++
	}
	if now := s.o.Now(); now.Sub(s.reported) >= reportEvery && s.done < shards {
		s.report(now)
	}
}

func (s *scan) report(now time.Time) {
	s.reported = now
	if s.o.Report != nil {
		s.o.Report(Progress{Done: s.done, Total: shards, Inventory: s.inventory()})
	}
}

// problem notes what could not be read.
func (s *scan) problem(path string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.problems) == maxProblems {
		s.more++
		return
	}
	s.problems = append(s.problems, redact.Text(path+": "+err.Error()))
}

// inventory is what was counted so far.
func (s *scan) inventory() *Inventory {
	inv := s.inv
	inv.Bytes, inv.Files, inv.Entries, inv.TrimTake = s.sum.bytes, s.sum.files, s.sum.entries, s.sum.trimTake
	inv.ByKind = map[Kind]int64{}
	maps.Copy(inv.ByKind, s.sum.kinds)
	for i, age := range ages {
		inv.ByAge = append(inv.ByAge, Age{OlderThan: age, Bytes: s.sum.ages[i]})
	}
	inv.Problems = slices.Sorted(slices.Values(s.problems))
	if s.more > 0 {
		inv.Problems = append(inv.Problems, fmt.Sprintf("and %d more", s.more))
	}
	return &inv
}
