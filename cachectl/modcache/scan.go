package modcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gpx/cachectl/internal/walk"
	"gpx/envctl/redact"
)

const (
	// reportEvery keeps a screen that draws every report at ten frames a second.
	reportEvery = 100 * time.Millisecond
	// scanWorkers are the zips and folders that are read at a time.
	scanWorkers = 8
)

// A Phase is what a scan is doing.
type Phase string

// The phases, in order.
const (
	Listing    Phase = "listing"    // which versions have which parts; Done counts folders
	Estimating Phase = "estimating" // sizes of trees from their zips' central directories; of Total zips
	Counting   Phase = "counting"   // the trees themselves, of Total
	Done       Phase = "done"
)

// Progress is how far a scan is.
type Progress struct {
	Phase       Phase
	Done, Total int64 // Total is 0 while nobody knows
	// Inventory is what is known by now. It is nil while only counters moved.
	Inventory *Inventory
}

// ScanOptions say how to scan. The zero value is fine.
type ScanOptions struct {
	// IndexFile is where the sizes of this cache are kept from one scan to the
	// next; empty: nowhere. What is in it is believed only where it was written
	// whole and the folders are those that were seen. Not being able to write it
	// is no error.
	IndexFile string
	Workers   int // folders at a time; 0 means 8
	// Report is told of progress, from one goroutine: at most ten times a second,
	// and at the end of each phase with an inventory. The scan waits for it.
	Report func(Progress)
	Now    func() time.Time // the clock; nil means time.Now
}

// Scan says what is in the cache. Folders that cannot be read count as nothing
// and stand in the inventory's Problems. The error is the context's, or says why
// the cache's own folder cannot be read.
//
// The sum is that of `find GOMODCACHE -type f -printf '%s\n'`. With an index it
// is so as long as extracted trees are not changed in place, which their modes
// forbid: of a tree that was counted before only its own folder is looked at.
func (c *Cache) Scan(ctx context.Context, opt ScanOptions) (*Inventory, error) {
	s := newScan(c.dir, opt)
	defer s.remember() // also what a cancelled scan found out
	for _, phase := range []struct {
		name Phase
		work func(context.Context) error
	}{{Listing, s.list}, {Estimating, s.estimate}, {Counting, s.count}} {
		if err := s.during(ctx, phase.name, phase.work); err != nil {
			return nil, err
		}
	}
	inv := s.inventory()
	if s.opt.Report != nil {
		s.opt.Report(Progress{Phase: Done, Inventory: inv})
	}
	return inv, nil
}

// A scan is one run. What its workers find they write under mu.
type scan struct {
	dir     string
	opt     ScanOptions
	started time.Time

	mu          sync.Mutex
	listing     *listing
	rows        []versionRow
	learned     bool // what the index does not know
	problems    []string
	phase       Phase
	done, total int64
	moved       chan struct{} // a counter moved since the last look
	told        time.Time     // when Report was called last
}

func newScan(dir string, opt ScanOptions) *scan {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Workers <= 0 {
		opt.Workers = scanWorkers
	}
	started := opt.Now()
	return &scan{dir: dir, opt: opt, started: started, told: started, listing: &listing{}, moved: make(chan struct{}, 1)}
}

// during runs the work of a phase and reports, from the goroutine that called
// Scan, what it does.
func (s *scan) during(ctx context.Context, phase Phase, work func(context.Context) error) error {
	s.mu.Lock()
	s.phase, s.done, s.total = phase, 0, 0
	s.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- work(ctx) }()
	for {
		select {
		case <-s.moved:
			s.report(false)
		case err := <-ended:
			if err != nil {
				return err
			}
			s.report(true)
			return nil
		}
	}
}

// step counts one thing done, with what it changes.
func (s *scan) step(change func()) {
	s.mu.Lock()
	change()
	s.done++
	s.mu.Unlock()
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

func (s *scan) report(end bool) {
	if s.opt.Report == nil {
		return
	}
	now := s.opt.Now()
	if !end && now.Sub(s.told) < reportEvery {
		return
	}
	s.told = now
	s.mu.Lock()
	p := Progress{Phase: s.phase, Done: s.done, Total: s.total}
	s.mu.Unlock()
	if end || p.Phase == Counting {
		p.Inventory = s.inventory()
	}
	s.opt.Report(p)
}

func (s *scan) inventory() *Inventory {
	s.mu.Lock()
	defer s.mu.Unlock()
	inv := s.listing.inventory(s.dir, s.rows, s.started)
	inv.Problems = slices.Sorted(slices.Values(s.problems))
	return inv
}

// problem notes what could not be read.
func (s *scan) problem(rel string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.problems) < maxProblems {
		s.problems = append(s.problems, redact.Clean(fmt.Sprintf("%s: %s", rel, reason(err))))
	}
}

// maxProblems bounds [Inventory.Problems].
const maxProblems = 100

func (s *scan) walkOptions() walk.Options {
	return walk.Options{Workers: s.opt.Workers, Problem: s.problem}
}

// list finds out which versions have which parts, of what the index knows only
// where something changed.
func (s *scan) list(ctx context.Context) error {
	known, stale, err := s.recall(ctx)
	if err == nil {
		err = s.read(ctx, known, stale)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failed(ctx, err)
	}
	rows := s.listing.rows()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = rows
	return nil
}

// read lists the folders whose paths are given, and below them all that listed
// has not. The scan's listing is listed with these in their places.
func (s *scan) read(ctx context.Context, listed *listing, paths []string) error {
	if len(paths) == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listing = listed
		return nil
	}
	known := make(map[string]*listedFolder, len(listed.folders))
	for _, f := range listed.folders {
		known[f.path] = f
	}
	var found []*listedFolder
	err := walk.Folders(ctx, s.dir, paths, s.walkOptions(), func(f *walk.Folder) {
		r, _ := f.Data.(*folderReader)
		if r == nil {
			r = newFolderReader(f, s.settled)
			f.Data = r
		}
		r.add(f.Entries)
		for i := range f.Entries {
			if e := &f.Entries[i]; e.Type.IsDir() && known[join(f.Path, e.Name)] != nil {
				e.Skip = true
			}
		}
		if !f.Last || f.First && errors.Is(f.Err, fs.ErrNotExist) {
			return
		}
		folder := r.finish()
		folder.settled = folder.settled && f.Err == nil
		if old := known[f.Path]; old != nil {
			folder.recall(old)
		}
		s.step(func() { found = append(found, folder) })
	})
	if err != nil {
		return err
	}
	for _, p := range paths {
		delete(known, p) // found again, unless it vanished
	}
	for _, f := range found {
		known[f.path] = f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listing, s.learned = listingOf(known), true
	return nil
}

// failed is the error of a scan that cannot go on.
func (s *scan) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return unreadable(s.dir, err)
}

// estimate reads the central directories of the zips that nobody read before.
// It makes sizes of trees without a walk, and finds damaged zips.
func (s *scan) estimate(ctx context.Context) error {
	type zip struct {
		rel   string
		entry *listedEntry
	}
	var zips []zip
	for _, f := range s.listing.folders {
		for i := range f.entries {
			if e := &f.entries[i]; e.has&hasZip != 0 && e.central == centralUnread {
				zips = append(zips, zip{f.below(e.version + ".zip"), e})
			}
		}
	}
	s.setTotal(len(zips))
	s.learned = s.learned || len(zips) > 0
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(s.opt.Workers, len(zips)) {
		all.Go(func() {
			buf := make([]byte, zipTail)
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(zips) {
					return
				}
				z := zips[i]
				total, files, err := unzippedFile(filepath.Join(s.dir, filepath.FromSlash(z.rel)), buf)
				s.step(func() { z.entry.learn(total, files, err) })
				if err != nil && !errors.Is(err, errZip) && !errors.Is(err, fs.ErrNotExist) {
					s.problem(z.rel, err)
				}
			}
		})
	}
	all.Wait()
	return ctx.Err()
}

// count measures the trees that nobody measured before.
func (s *scan) count(ctx context.Context) error {
	var trees []*listedTree
	var rels []string
	for _, f := range s.listing.folders {
		for i := range f.trees {
			if t := &f.trees[i]; !t.counted {
				trees, rels = append(trees, t), append(rels, f.below(t.name))
			}
		}
	}
	s.setTotal(len(trees))
	if len(trees) == 0 {
		return nil
	}
	err := walk.Trees(ctx, s.dir, rels, s.walkOptions(), func(i int, size walk.Size, err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.problem(rels[i], err)
		}
		s.step(func() {
			t := trees[i]
			t.bytes, t.files, t.counted = size.Bytes, size.Files, true
			t.settled = t.settled && size.Unread == 0 && err == nil
			s.learned = s.learned || t.settled
		})
	})
	if err != nil {
		return s.failed(ctx, err)
	}
	return nil
}

func (s *scan) setTotal(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total = int64(n)
}
