// Package trash moves module versions out of a module cache and back. It is the
// hand of [gpx/cachectl/modcache], which decides what goes; it registers the
// kinds of action for that with [gpx/envctl/change].
//
// The trash is a folder of the cache itself, so that throwing something away is
// a rename:
//
//	GOMODCACHE/cache/gpx-trash/
//	  lock          taken by what empties the trash and by what takes out of it
//	  <id>.moving/  change <id> is in flight, or was killed: its Revert puts it back
//	  <id>/         what change <id> threw away, for 24 h
//	  <id>.purge/   nothing brings this back; it is being deleted, or will be at the next start
//	  <id>.again/   could not be put back, since it was fetched again meanwhile; for 24 h
//
// Below each, everything has the name that it had in GOMODCACHE. One rename is
// the commit point of a change: <id>.moving becomes <id>, or <id>.purge.
//
// Each version is moved under the lock that the go command takes for it, which
// is never waited for and never removed. Folders that become empty stay: the go
// command may be about to extract something into them.
package trash

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
)

// What the name of a folder in the trash may end in, after the change's ID.
const (
	moving = ".moving"
	purge  = ".purge"
	again  = ".again"
)

// Dir is the trash of the module cache at root.
func Dir(root string) string { return filepath.Join(root, "cache", "gpx-trash") }

// A box is one folder of the trash.
type box struct {
	root string // GOMODCACHE
	dir  string
}

// boxOf is the box of change id: suffix is moving, purge, again, or nothing.
func boxOf(root, id, suffix string) box {
	return box{root: root, dir: filepath.Join(Dir(root), id+suffix)}
}

func (b box) home(p Part) string { return filepath.Join(b.root, filepath.FromSlash(p.Rel)) }
func (b box) in(p Part) string   { return filepath.Join(b.dir, filepath.FromSlash(p.Rel)) }

// holds reports whether some of a version is in the box.
func (b box) holds(r *Removal) bool {
	return slices.ContainsFunc(r.Parts, func(p Part) bool { return there(b.in(p)) })
}

// make creates the box, which must not exist, in a trash that is a folder.
func (b box) make() error {
	trash := filepath.Dir(b.dir)
	if err := os.MkdirAll(trash, 0o777); err != nil {
		return err
	}
	if info, err := os.Lstat(trash); err != nil {
		return err
	} else if !info.IsDir() {
		return &fs.PathError{Op: "prune", Path: trash, Err: errors.New("not a folder; a link to another place is not used as trash")}
	}
	return os.Mkdir(b.dir, 0o777)
}

// become renames the box: nothing in it is moved, so it cannot be half done.
func (b box) become(suffix string) error {
	to := strings.TrimSuffix(b.dir, moving) + suffix
	if err := os.Rename(b.dir, to); err != nil {
		return err
	}
	syncFolder(filepath.Dir(to))
	return nil
}

// errStuck: some of a version is in the box and some at home, and it could not
// be put together again.
var errStuck = errors.New("it could not be put back")

// take moves a version out of the cache into the box. On an error the version
// is as it was, unless the error wraps errStuck.
func (b box) take(ctx context.Context, r *Removal) error {
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := r.settle(); err != nil {
		return err
	}
	if err := r.unchanged(); err != nil {
		return err
	}
	for i, p := range r.Parts {
		if err := move(b.home(p), b.in(p), p); err != nil {
			if _, berr := b.putBack(r.Parts[:i+1]); berr != nil {
				return fmt.Errorf("%w, and %w: %w", err, errStuck, berr)
			}
			return err
		}
	}
	relist(ctx, r)
	return nil
}

// give moves what the box holds of a version back home. What is there already,
// because somebody has fetched it again, stays as it is, and so does its
// counterpart in the box: then kept is true.
func (b box) give(ctx context.Context, r *Removal) (kept bool, err error) {
	unlock, err := r.lock()
	if err != nil {
		return true, err
	}
	defer unlock()
	kept, err = b.putBack(r.Parts)
	relist(ctx, r)
	return kept, err
}

// putBack moves parts home, last first. The version's lock is held.
func (b box) putBack(parts []Part) (kept bool, err error) {
	twice := slices.ContainsFunc(parts, func(p Part) bool { return p.Mode.IsDir() && there(b.in(p)) && there(b.home(p)) })
	for _, p := range slices.Backward(parts) {
		// A whole tree was extracted meanwhile: the mark of a half one is not
		// put on it.
		stays := twice && strings.HasSuffix(p.Rel, ".partial")
		switch {
		case !there(b.in(p)): // it never left home, or is gone for good
		case stays || there(b.home(p)):
			kept = true
			continue
		default:
			if err := move(b.in(p), b.home(p), p); err != nil {
				return true, err
			}
		}
		if err := p.settle(b.root); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// clear removes the folders of the box that hold nothing any more; what holds
// something stays. It reports whether nothing is left.
func (b box) clear() bool {
	var dirs []string
	filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if strings.Contains(d.Name(), "@") && d.Name() != "@v" {
			return fs.SkipDir // a tree
		}
		dirs = append(dirs, path)
		return nil
	})
	for _, dir := range slices.Backward(dirs) {
		os.Remove(dir)
	}
	return !there(b.dir)
}

// lockTrash takes the trash's own lock: what empties the trash holds it for a
// few renames, another change for as long as it moves something back.
func lockTrash(ctx context.Context, root string) (unlock func(), err error) {
	if err := os.MkdirAll(Dir(root), 0o777); err != nil {
		return nil, err
	}
	unlock, err = flock.Soon(ctx, filepath.Join(Dir(root), "lock"))
	if err != nil {
		err = fmt.Errorf("the trash of the module cache: %w; try again", err)
	}
	return unlock, err
}

// there reports whether anything stands at path.
func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// syncFolder makes renames in a folder durable, where the file system can.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
