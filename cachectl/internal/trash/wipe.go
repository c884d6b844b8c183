package trash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gpx/cachectl/internal/overlap"
	"gpx/cachectl/internal/pace"
	"gpx/envctl/change"
)

// wipe deletes everything in dir but the name spare, and counts the files. It
// follows no link and cannot leave dir, whoever changes it meanwhile: every
// name is that of something in an open folder. What is cut short by ctx goes on
// at the next call.
func wipe(ctx context.Context, dir, spare string) (files int64, err error) {
	top, err := openHandle(dir)
	if err != nil {
		return 0, err
	}
	w := &wiper{ctx: ctx, spare: spare, open: 1, pace: pace.New(overlap.Cores(), time.Now())}
	w.work = sync.NewCond(&w.mu)
	w.stack = []*folder{{handle: top, waits: 1}}
	defer overlap.Calls()()
	w.mu.Lock()
	w.hire()
	w.mu.Unlock()
	w.owner.Wait()
	err = ctx.Err()
	if err == nil {
		err = w.err
	}
	return w.files.Load(), err
}

// A wiper is the state of one wipe. Its stack is last in, first out, so that
// few folders are open at a time: those between dir and the removers.
type wiper struct {
	ctx   context.Context
	spare string // in the topmost folder
	files atomic.Int64
	owner sync.WaitGroup // of the removers

	mu    sync.Mutex
	work  *sync.Cond // the stack has grown, or nothing is open any more
	stack []*folder  // to be emptied
	open  int        // folders that are not gone yet
	err   error      // the first one

	folders int64 // that are gone
	pace    pace.Pace
	hired   int // removers that run
}

// A folder is removed when nothing in it is waited for any more.
type folder struct {
	handle handle  // nil until its turn comes
	name   string  // in up
	up     *folder // nil for the topmost, which stays
	waits  int     // its own turn, and folders in it; under wiper.mu
}

// A handle is an open folder. Names are single ones, and no link is followed.
type handle interface {
	open(name string) (handle, error)
	// list opens the folder once more, to read the names in it.
	list() (*os.File, error)
	// remove removes what is no folder; it says when it meets one.
	remove(name string) (folder bool, err error)
	removeFolder(name string) error
	chmod(name string) error // gives the user every right on a folder; "." is this one
	close()
}

// hire makes the removers as many as the pace allows; those who are too many
// leave by themselves. w.mu is held.
func (w *wiper) hire() {
	for ; w.hired < w.pace.Removers(); w.hired++ {
		w.owner.Go(w.run)
	}
}

func (w *wiper) run() {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.hired-- }()
	for {
		for len(w.stack) == 0 && w.open > 0 {
			w.work.Wait()
		}
		if w.open == 0 {
			return
		}
		if w.hired > w.pace.Removers() {
			w.work.Signal() // what this one leaves is another's
			return
		}
		f := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		w.mu.Unlock()
		below, err := w.clear(f)
		w.mu.Lock()
		w.fail(err)
		f.waits += len(below)
		w.open += len(below)
		w.stack = append(w.stack, below...)
		if len(below) > 1 {
			w.work.Broadcast()
		}
		w.leave(f)
		w.pace.Look(time.Now(), w.files.Load()+w.folders)
		w.hire()
	}
}

// fail keeps the first error. w.mu is held.
func (w *wiper) fail(err error) {
	if w.err == nil && !errors.Is(err, fs.ErrNotExist) { // another process may be faster
		w.err = err
	}
}

// leave removes f, and the folders above it, as soon as nothing in them is
// waited for. w.mu is held.
func (w *wiper) leave(f *folder) {
	for ; f != nil; f = f.up {
		if f.waits--; f.waits > 0 {
			return
		}
		w.mu.Unlock()
		var err error
		if f.handle != nil {
			f.handle.close()
		}
		if f.up != nil && w.ctx.Err() == nil {
			err = insist(f.up.handle, func() error { return f.up.handle.removeFolder(f.name) })
		}
		w.mu.Lock()
		w.folders++
		w.fail(err)
		w.open--
	}
	if w.open == 0 {
		w.work.Broadcast()
	}
}

// clear deletes the files of a folder, and returns the folders in it.
func (w *wiper) clear(f *folder) (below []*folder, err error) {
	if w.ctx.Err() != nil {
		return nil, nil
	}
	if f.handle == nil {
		f.handle, err = f.up.handle.open(f.name)
		if errors.Is(err, fs.ErrPermission) && f.up.handle.chmod(f.name) == nil {
			f.handle, err = f.up.handle.open(f.name)
		}
		if err != nil {
			return nil, err
		}
	}
	d, err := f.handle.list()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var errs []error
	for {
		const batch = 256 // names; one read of a folder gives about as many
		names, err := d.Readdirnames(batch)
		for _, name := range names {
			if f.up == nil && name == w.spare {
				continue
			}
			// Trying is cheaper than asking first, since nearly all are files.
			isFolder := false
			err := insist(f.handle, func() (err error) { isFolder, err = f.handle.remove(name); return err })
			switch {
			case err != nil:
				errs = append(errs, err)
			case isFolder:
				below = append(below, &folder{name: name, up: f, waits: 1})
			default:
				w.files.Add(1)
			}
		}
		change.Report(w.ctx, change.Progress{What: "deleting", Done: w.files.Load(), Unit: "files"})
		if errors.Is(err, io.EOF) || w.ctx.Err() != nil {
			return below, errors.Join(errs...)
		}
		if err != nil {
			return below, err
		}
	}
}

// insist removes something from a folder, which the go command has made
// read-only.
func insist(in handle, remove func() error) error {
	err := remove()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if cerr := in.chmod("."); cerr != nil {
		return fmt.Errorf("%w (%w)", err, cerr)
	}
	return remove()
}
