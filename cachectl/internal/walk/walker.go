package walk

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"sync"
	"sync/atomic"
	"syscall"

	"gpx/cachectl/internal/overlap"
)

const (
	// maxRel is the length from which on a path is not told from where the walk
	// began, but from a folder that is held open for it: a path and one more
	// name must stay below PATH_MAX (4096).
	maxRel = 2048
	// part is how many entries of a folder are looked at together. All but a few
	// folders of a cache have fewer.
	part = 1024
	// wide is how many folders within one folder are found before the rest of it
	// waits until they are done, so that what waits is bounded by how deep the
	// tree is, and not by how wide.
	wide = 4096
)

// A folder is an open folder.
type folder interface {
	// stamp is what tells whether the folder was changed since.
	stamp() (Stamp, error)
	// next appends some more of its entries to batch; io.EOF says that there are
	// none. Regular files have their size, and with stats every entry has its
	// stamp. What cannot be measured is told to failed and left out.
	next(batch []Entry, stats bool, failed func(name string, err error)) ([]Entry, error)
	// open opens a folder below by its path, through no symbolic link.
	open(rel string) (folder, error)
	// stat measures what is below by its path, a symbolic link as itself.
	stat(rel string) (Entry, error)
	close()
}

// A walker has folders to read and reads them.
//
// What waits is a stack: the folders found last are read first, as in a walk
// into the depth, so that no more wait than stand beside the way down.
type walker struct {
	opt   Options
	base  *anchor
	visit func(*Folder) // shown every folder; nil where trees are measured
	done  func(*tree)   // told of every tree that is measured

	mu       sync.Mutex
	wake     sync.Cond
	waiting  []task
	busy     int // workers that may still find folders
	problems int
}

// A tree is one that was asked for.
type tree struct {
	index                      int
	bytes, files, dirs, unread atomic.Int64
	open                       atomic.Int64 // its folders that are not read yet
	err                        error        // its own folder could not be read
}

func (t *tree) size() Size {
	return Size{Bytes: t.bytes.Load(), Files: t.files.Load(), Dirs: t.dirs.Load(), Unread: t.unread.Load()}
}

// An anchor is an open folder from which others are opened. The last that needs
// it closes it.
type anchor struct {
	folder
	path string // below base
	used atomic.Int64
}

func (a *anchor) hold() *anchor { a.used.Add(1); return a }

func (a *anchor) release() {
	if a.used.Add(-1) == 0 {
		a.close()
	}
}

// A task is a folder to read, or to go on reading.
type task struct {
	tree *tree
	from *anchor // held
	rel  string  // its path from there
	top  bool    // it is what was asked for
	dir  *anchor // held, once it is open
	show *Folder // what visit is shown

	failed error // why one of its entries could not be measured
}

// path is the folder's path below base.
func (t *task) path() string { return path.Join(t.from.path, t.rel) }

func newWalker(base string, opt Options) (*walker, error) {
	if opt.open == nil {
		opt.open = openNative
	}
	root, err := opt.open(base)
	if err != nil {
		return nil, err
	}
	if opt.Workers <= 0 {
		opt.Workers = workers
	}
	if opt.atOnce == 0 {
		opt.atOnce = atOnce
	}
	w := &walker{opt: opt, base: &anchor{folder: root, path: "."}}
	w.wake.L = &w.mu
	return w, nil
}

// run walks the trees and returns when all workers have ended.
func (w *walker) run(ctx context.Context, paths []string) error {
	w.base.hold()
	defer w.base.release()
	defer overlap.Calls()()
	w.waiting = make([]task, 0, len(paths))
	for i := len(paths) - 1; i >= 0; i-- { // the first on top
		t := &tree{index: i}
		t.open.Store(1)
		w.waiting = append(w.waiting, task{tree: t, from: w.base.hold(), rel: path.Clean(paths[i]), top: true})
	}
	var all sync.WaitGroup
	for range w.opt.Workers {
		all.Go(func() { w.work(ctx) })
	}
	all.Wait()
	for i := range w.waiting { // some only after a cancellation
		w.waiting[i].close()
	}
	return ctx.Err()
}

// work reads folders until none waits and no other worker can find one.
func (w *walker) work(ctx context.Context) {
	var batch []Entry
	var found []task
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.waiting) == 0 && w.busy > 0 && ctx.Err() == nil {
			w.wake.Wait()
		}
		if len(w.waiting) == 0 || ctx.Err() != nil {
			w.wake.Broadcast() // so that the others see it too
			return
		}
		last := len(w.waiting) - 1
		t := w.waiting[last]
		w.waiting[last] = task{}
		w.waiting = w.waiting[:last]
		w.busy++
		w.mu.Unlock()

		batch, found = w.read(ctx, &t, batch, found[:0])

		w.mu.Lock()
		w.busy--
		w.waiting = append(w.waiting, found...)
		if len(found) > 1 || w.busy == 0 {
			w.wake.Broadcast()
		}
	}
}

// read reads a folder and appends the folders in it to found. Where those are
// very many it puts the folder itself before them, so that it is gone on with
// when they are done.
func (w *walker) read(ctx context.Context, t *task, batch []Entry, found []task) ([]Entry, []task) {
	if t.dir == nil {
		if err := w.enter(t); err != nil {
			w.finish(t, err)
			return batch, found
		}
	}
	below, prefix := t.from, t.rel+"/"
	if len(t.rel) > maxRel {
		below, prefix = t.dir, ""
	}
	for {
		var err error
		batch, err = w.next(ctx, t, batch[:0])
		if ctx.Err() != nil {
			t.close()
			return batch, found
		}
		var bytes, files int64
		for i := range batch {
			switch e := &batch[i]; {
			case e.Type == 0:
				bytes, files = bytes+e.Size, files+1
			case e.Type == fs.ModeDir && !e.Skip:
				t.tree.open.Add(1)
				found = append(found, task{tree: t.tree, from: below.hold(), rel: prefix + e.Name})
			}
		}
		t.tree.bytes.Add(bytes)
		t.tree.files.Add(files)
		switch {
		case errors.Is(err, io.EOF):
			w.finish(t, nil)
			return batch, found
		case err != nil:
			w.finish(t, err)
			return batch, found
		case len(found) >= wide:
			return batch, append([]task{*t}, found...)
		}
	}
}

// enter opens the task's folder.
func (w *walker) enter(t *task) error {
	dir, err := t.from.open(t.rel)
	if err != nil {
		return err
	}
	t.dir = &anchor{folder: dir, path: t.path()}
	t.dir.hold()
	t.tree.dirs.Add(1)
	if w.visit != nil {
		// The stamp is older than what is read: a change in between shows later.
		stamp, err := dir.stamp()
		if err != nil {
			return err
		}
		t.show = &Folder{Path: t.dir.path, Stamp: stamp, First: true}
	}
	return nil
}

// next reads the next part of the task's folder and shows it. Its error is the
// reading's.
func (w *walker) next(ctx context.Context, t *task, batch []Entry) ([]Entry, error) {
	failed := func(name string, err error) {
		t.failed = err
		w.problem(t.tree, path.Join(t.path(), name), err)
	}
	var err error
	for err == nil && len(batch) < part && ctx.Err() == nil {
		batch, err = t.dir.next(batch, w.visit != nil, failed)
	}
	if t.show != nil && ctx.Err() == nil {
		t.show.Entries, t.show.Last = batch, err != nil
		switch {
		case errors.Is(err, io.EOF):
			t.show.Err = t.failed
		case err != nil:
			t.show.Err = err
		}
		w.visit(t.show)
		t.show.First = false
	}
	return batch, err
}

// finish ends a task: it was read, or could not be.
func (w *walker) finish(t *task, err error) {
	switch {
	case err == nil:
	case t.top && t.dir == nil && w.done != nil: // which is told
		t.tree.err = err
		t.tree.unread.Add(1)
	case vanished(err) && t.dir == nil:
	default:
		w.problem(t.tree, t.path(), err)
	}
	if w.visit != nil && t.show == nil {
		w.visit(&Folder{Path: t.path(), First: true, Last: true, Err: err})
	}
	t.close()
	if t.tree.open.Add(-1) == 0 && w.done != nil {
		w.done(t.tree)
	}
}

// close lets go of what the task holds.
func (t *task) close() {
	if t.dir != nil {
		t.dir.release()
	}
	t.from.release()
}

// problem counts what cannot be read, and tells of the first of it.
func (w *walker) problem(t *tree, path string, err error) {
	t.unread.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.problems++; w.problems <= maxProblems && w.opt.Problem != nil {
		w.opt.Problem(path, err)
	}
}

// vanished reports whether a folder that was there is none any more: removed,
// or replaced by something else, while the tree was walked.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}
