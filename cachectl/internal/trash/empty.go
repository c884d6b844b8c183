package trash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gpx/cachectl/internal/flock"
	"gpx/envctl/change"
	"gpx/envctl/redact"
)

// KeepFor is how long the trash is kept: over night, so that what was thrown
// away in the evening can be had back in the morning.
const KeepFor = 24 * time.Hour

// purgeBehind deletes what a change took out of the cache for good.
func purgeBehind(ctx context.Context, id string, steps []change.Step) error {
	b, err := batchOf(steps)
	if err != nil {
		return err
	}
	_, err = boxOf(b.root, id, purge).delete(ctx)
	switch {
	case ctx.Err() != nil:
		return errors.New("deleting was interrupted; the rest is deleted at the next start")
	case err != nil:
		return fmt.Errorf("%w; the rest is deleted at the next start", err)
	}
	return nil
}

// Empty deletes what is in the trash of the module cache at root for longer
// than [KeepFor], and what a killed process had begun to delete. It says what it
// did, one clean sentence each. Where there is no trash it costs one system
// call. Call it after [change.Changer.Recover], which puts back what was in
// flight; what it does not know of, because its journal was lost, is kept once
// more as long, and said.
func Empty(ctx context.Context, root string, now time.Time) (did []string, err error) {
	entries, err := os.ReadDir(Dir(root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("trash of the module cache: %w", err)
	}
	did, late, err := expire(ctx, root, entries, now)
	if err != nil {
		return did, err
	}
	if entries, err = os.ReadDir(Dir(root)); err != nil {
		return did, fmt.Errorf("trash of the module cache: %w", err)
	}
	var errs []error
	for _, e := range entries {
		name, doomed := strings.CutSuffix(e.Name(), purge)
		if !doomed || !e.IsDir() {
			continue
		}
		files, err := boxOf(root, name, purge).delete(ctx)
		id := idOf(name)
		switch since, expired := late[name]; {
		case expired:
			did = append(did, fmt.Sprintf("emptied the trash of change %s, of %s: %d files", id, since.Local().Format("2006-01-02 15:04"), files))
		case files > 0:
			did = append(did, fmt.Sprintf("change %s was interrupted while it deleted what it had taken out of the module cache; the other %d files are deleted now", id, files))
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return did, fmt.Errorf("trash of the module cache: %w", err)
	}
	return did, nil
}

// idOf is the change that a box is of.
func idOf(name string) string {
	id, _, _ := strings.Cut(redact.Clean(name), ".")
	return id
}

// expire dooms the boxes whose time is over, and says since when each was there.
// A box of a change in flight that nobody has put back begins its time now.
func expire(ctx context.Context, root string, entries []fs.DirEntry, now time.Time) (did []string, late map[string]time.Time, err error) {
	late = map[string]time.Time{}
	for _, e := range entries {
		info, err := e.Info()
		// A box's time is that of its folder: nothing enters or leaves it later,
		// unless it is put back.
		if err == nil && e.IsDir() && !strings.HasSuffix(e.Name(), purge) && now.Sub(info.ModTime()) >= KeepFor {
			late[e.Name()] = info.ModTime()
		}
	}
	if len(late) == 0 {
		return nil, late, nil
	}
	unlock, err := lockTrash(ctx, root)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	for name := range late {
		to := boxOf(root, name, purge)
		lost := strings.HasSuffix(name, moving)
		if lost {
			delete(late, name)
			to = boxOf(root, strings.TrimSuffix(name, moving), again)
		}
		switch err := os.Rename(boxOf(root, name, "").dir, to.dir); {
		case errors.Is(err, fs.ErrNotExist): // it was put back just now
		case err != nil:
			return did, nil, fmt.Errorf("trash of the module cache: %w", err)
		case lost:
			os.Chtimes(to.dir, now, now) // else it goes a day earlier
			did = append(did, fmt.Sprintf("change %s was interrupted while it pruned the module cache, and its record is lost; what it had taken is in %s for 24 h", idOf(name), redact.Clean(to.dir)))
		}
	}
	return did, late, nil
}

// delete deletes a doomed box, unless another process is at it, and counts the
// files. It can be cut short and called again.
func (b box) delete(ctx context.Context) (files int64, err error) {
	const name = "lock" // no module path begins with a name without a dot
	f, err := flock.Try(filepath.Join(b.dir, name))
	if errors.Is(err, flock.ErrHeld) || errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	files, err = wipe(ctx, b.dir, name)
	f.Close() // Windows removes no open file
	if ctx.Err() != nil {
		return files, err
	}
	// The lock, and what a file system did not show while it was emptied.
	if rest := os.RemoveAll(b.dir); rest != nil {
		return files, errors.Join(err, rest)
	}
	return files, nil
}
