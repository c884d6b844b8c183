package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gpx/cachectl/internal/flock"
	"gpx/cachectl/internal/vlist"
	"gpx/envctl/advice"
	"gpx/envctl/change"
)

// Files become visible in the order in which the go command writes them, so
// that at every instant it sees a state that it knows: .info, .mod, .ziphash,
// .zip. A version's .zip and .ziphash are placed with its lock held.

// A placed file is a name in the stage and one in the cache.
type placed struct{ from, to string }

// files are what item i becomes, in order.
func (st *stage) files(i int) []placed {
	it := &st.s.Add[i]
	to := st.s.target(it.Path)
	if it.name.part == partZip && !it.Hashed && !st.leaves(it) {
		return []placed{{st.hash(i), st.s.hashTarget(it)}, {st.file(i), to}}
	}
	return []placed{{st.file(i), to}}
}

// place makes the files visible.
func (st *stage) place(ctx context.Context, proofs map[int]bool) error {
	var order []int
	for i, it := range st.s.Add {
		if it.name.db == "" || proofs[i] {
			order = append(order, i)
		}
	}
	rank := []part{partTile, partLookup, partInfo, partMod, partZip}
	slices.SortStableFunc(order, func(a, b int) int {
		return slices.Index(rank, st.s.Add[a].name.part) - slices.Index(rank, st.s.Add[b].name.part)
	})
	for n, i := range order {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := st.placeOne(ctx, i); err != nil {
			return err
		}
		change.Report(ctx, change.Progress{What: "placing", Done: int64(n + 1), Total: int64(len(order)), Unit: "files"})
	}
	return st.relistAll(ctx)
}

func (st *stage) placeOne(ctx context.Context, i int) error {
	it := &st.s.Add[i]
	to := st.s.target(it.Path)
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	if it.name.part == partZip {
		unlock, err := flock.Soon(ctx, strings.TrimSuffix(to, "zip")+"lock")
		if errors.Is(err, flock.ErrHeld) {
			return advice.Add(fmt.Errorf("a go command is at work on %s", it.name.version), "try again")
		}
		if err != nil {
			return err
		}
		defer unlock()
		if exists(to) {
			return nil // fetched meanwhile, with a .ziphash of its own
		}
		if err := st.hashFits(it); err != nil {
			return err
		}
	}
	for _, f := range st.files(i) {
		if err := st.show(i, f); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// link makes a file visible that must not replace another.
func link(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return renameNew(from, to) // no hard links here
}

// lookAndRename is all that some systems offer: what comes between the look and
// the rename is replaced. The zips are safe from that, by their locks.
func lookAndRename(from, to string) error {
	if exists(to) {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// revert takes back what was placed, and removes the stage.
func (st *stage) revert(ctx context.Context) error {
	var errs []error
	if exists(st.mark()) || !exists(st.dir) && st.allThere() {
		for i := range slices.Backward(st.s.Add) {
			for _, f := range slices.Backward(st.files(i)) {
				if st.owns(i, f) {
					errs = append(errs, st.takeBack(i, f))
				}
			}
		}
		errs = append(errs, st.relistAll(ctx))
	}
	for i := range st.s.Add {
		removeEmpty(filepath.Dir(st.s.target(st.s.Add[i].Path)), st.s.Cache)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	st.clean()
	return nil
}

// relistAll writes the lists of the modules whose .mod files come or go.
func (st *stage) relistAll(ctx context.Context) error {
	lists := map[string]bool{}
	for i := range st.s.Add {
		if it := &st.s.Add[i]; it.name.part == partMod {
			lists[filepath.Dir(st.s.target(it.Path))] = true
		}
	}
	for dir := range lists {
		if err := relist(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

// owns reports whether a file of the cache is the one that this import placed.
func (st *stage) owns(i int, f placed) bool {
	target, err := os.Lstat(f.to)
	if err != nil {
		return false
	}
	if staged, err := os.Lstat(f.from); err == nil {
		return os.SameFile(staged, target)
	}
	// It was renamed, or the stage is gone: then its bytes tell, and the
	// .ziphash went with the zip.
	if zip, ok := strings.CutSuffix(f.to, "hash"); ok {
		return !exists(zip)
	}
	return sameBytes(f.to, &st.s.Add[i])
}

// removeEmpty removes dir and its parents as long as they are empty, up to top.
func removeEmpty(dir, top string) {
	for ; len(dir) > len(top) && strings.HasPrefix(dir, top); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			return
		}
	}
}

// relist writes the list of an @v folder as the go command does when it adds a
// .mod file, and removes one that has nothing to list.
func relist(ctx context.Context, dir string) error {
	if !exists(dir) {
		return nil
	}
	path := filepath.Join(dir, "list")
	unlock, err := flock.Soon(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	text, err := vlist.Of(dir)
	switch {
	case err != nil:
		return err
	case text == "":
		return os.Remove(path)
	}
	return vlist.Overwrite(path, text)
}
