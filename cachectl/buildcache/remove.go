package buildcache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"gpx/cachectl/internal/pace"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// RemoveEntries is the kind of action that takes files out of a build cache.
//
//	<id>-d  ──▶  <id>-gpx-<change>-d      aside: no go command finds it any more
//	<id>-a  ──▶  <id>-gpx-<change>-a
//	gpx-prune-<change>                    all of them are: the change is done
//	…       ──▶  removed, then the marker: behind the user's back
//
// Until the marker stands everything can be put back. A go command meets an
// output or does not: without it, an entry is a miss, and the go command makes
// both again. So outputs go first; the other way round, a build that makes one
// again would find the output in place, count on it, and lose it.
//
// A build looks an output up, which makes its mtime new, and reads it later. So
// the mtime is looked at once more when the file is aside, and one that was
// used in that very moment goes back. What is left is the chance of DiskCache.Trim,
// made smaller: a build that opens a file within the microseconds that it is aside.
//
// The names aside end as entries do: should gpx never run again, a trim of the
// go command's own takes them.
const RemoveEntries = "remove_build_entries"

func init() {
	change.Register(change.Kind{
		Name: RemoveEntries, Check: checkRemoval, Do: doRemoval, Done: removalDone, Revert: revertRemoval, Behind: purgeBehind,
		Undo: func(context.Context, *env.Env, string, []change.Step, bool) (*change.Plan, error) {
			return nil, fmt.Errorf("what was taken out of the build cache %w, and need not: the go command makes it again", change.ErrForGood)
		},
	})
}

const markerPrefix = "gpx-prune-"

func marker(id string) string { return markerPrefix + id }

// asideName is where change id puts a file of a shard for the time being.
func asideName(name, id string) string {
	return name[:len(name)-2] + "-gpx-" + id + name[len(name)-2:]
}

// originalName is the name that change id put aside as name.
func originalName(name, id string) (string, bool) {
	if len(name) < 2 {
		return "", false
	}
	base, ok := strings.CutSuffix(name[:len(name)-2], "-gpx-"+id)
	return base + name[len(name)-2:], ok
}

func eachBound(steps []change.Step, f func(*bound) error) error {
	for _, s := range steps {
		var b bound
		if err := json.Unmarshal(s.Payload, &b); err != nil {
			return fmt.Errorf("%s %s: %w", s.Action.Kind, s.Action.Target, err)
		}
		if err := f(&b); err != nil {
			return err
		}
	}
	return nil
}

func checkRemoval(_ context.Context, steps []change.Step) error {
	return eachBound(steps, func(b *bound) error { return checkDir(b.Dir) })
}

func doRemoval(ctx context.Context, id string, steps []change.Step) error {
	i := 0
	err := eachBound(steps, func(b *bound) error {
		moved, denied, err := b.putAside(ctx, id)
		why := "it was used since the plan was made, or is gone already"
		switch {
		case err != nil:
			return err
		case denied != nil && moved == 0:
			return denied
		case denied != nil:
			why = redact.Text(denied.Error())
		}
		if a := steps[i].Action; moved < a.Bytes {
			a.Target, a.Bytes = "part of "+a.Target, a.Bytes-moved
			change.Leave(ctx, a, why)
		}
		i++
		return os.WriteFile(filepath.Join(b.Dir, marker(id)), nil, 0o666)
	})
	if err == nil {
		return nil
	}
	if rerr := revertRemoval(context.WithoutCancel(ctx), id, steps); rerr != nil {
		return fmt.Errorf("%w, and %w: %w", err, change.ErrHalfWay, rerr)
	}
	return err
}

// removalDone reports whether all that goes is aside.
func removalDone(_ context.Context, id string, steps []change.Step) (bool, error) {
	done := true
	err := eachBound(steps, func(b *bound) error {
		_, err := os.Lstat(filepath.Join(b.Dir, marker(id)))
		if errors.Is(err, fs.ErrNotExist) {
			done, err = false, nil
		}
		return err
	})
	return done && err == nil, err
}

// putAside moves all that b takes out of the go command's sight, and returns
// how many bytes that was, and the first reason why something may not be moved.
func (b *bound) putAside(ctx context.Context, id string) (moved int64, denied, err error) {
	c := &Cache{b.Dir}
	k, err := c.read(ctx)
	if err != nil {
		return 0, nil, err
	}
	m := &mover{id: id}
	for p := range k.pairs() {
		if b.takes(&p) {
			m.add(&p)
		}
	}
	if err := m.move(ctx, c, &m.outputs); err != nil {
		return 0, nil, err
	}
	err = m.move(ctx, c, &m.entries)
	return m.bytes.Load(), m.denied, err
}

// A move is one file that is to go aside.
type move struct {
	name string
	size int64
	used int64 // Unix nanoseconds
	// stays is shared by a pair. An output that is in use sets it, and then
	// the entries stay too.
	stays  *bool
	output bool
}

// A mover moves the files of pairs aside.
type mover struct {
	id               string
	outputs, entries [shards][]move
	total            int64
	done, bytes      atomic.Int64

	once   sync.Once
	denied error // the first reason why something may not be moved
}

// add takes the files of a pair in.
func (m *mover) add(p *pair) {
	stays := new(bool)
	if o := p.output; o != nil {
		m.outputs[o.id[0]] = append(m.outputs[o.id[0]], move{o.id.OutputFile(), o.size, o.used, stays, true})
	}
	for _, a := range p.actions {
		m.entries[a.id[0]] = append(m.entries[a.id[0]], move{a.id.ActionFile(), EntrySize, a.used, stays, false})
	}
	if s := p.stray; s != nil {
		m.entries[s.shard] = append(m.entries[s.shard], move{s.name, s.size, s.used, stays, false})
	}
	m.total += int64(p.files())
}

// move puts aside what is in moves. It stops at the first error.
func (m *mover) move(ctx context.Context, c *Cache, moves *[shards][]move) error {
	going, stop := context.WithCancel(ctx)
	defer stop()
	err := c.eachShard(func(i int, shard *os.Root, step func()) error {
		for _, mv := range moves[i] {
			if going.Err() != nil {
				return nil
			}
			moved, err := m.moveOne(shard, mv)
			if errors.Is(err, fs.ErrPermission) { // several users may share a cache
				m.once.Do(func() { m.denied = fmt.Errorf("%s: %w", filepath.Join(c.dir, shardName(i)), cause(err)) })
				err = nil
			}
			if err != nil {
				stop()
				return err
			}
			if moved {
				m.bytes.Add(mv.size)
			} else if mv.output {
				*mv.stays = true
			}
			change.Report(ctx, change.Progress{What: "taking out of the build cache", Done: m.done.Add(1), Total: m.total, Unit: "files"})
			step()
		}
		return nil
	})
	return errors.Join(err, ctx.Err())
}

// moveOne puts one file aside, unless it was used since the plan was made.
func (m *mover) moveOne(shard *os.Root, mv move) (bool, error) {
	unused := func(name string) bool {
		info, err := shard.Lstat(name)
		return err == nil && info.ModTime().UnixNano() == mv.used
	}
	if *mv.stays || !unused(mv.name) {
		return false, nil
	}
	aside := asideName(mv.name, m.id)
	err := shard.Rename(mv.name, aside)
	switch {
	case errors.Is(err, fs.ErrNotExist), inUse(err):
		return false, nil
	case err != nil:
		return false, err
	case !unused(aside):
		return false, putBack(shard, aside, mv.name)
	}
	return true, nil
}

// cause is an error without the names that it gives: those of a shard say nothing
// without the shard's own.
func cause(err error) error {
	var l *os.LinkError
	var p *fs.PathError
	switch {
	case errors.As(err, &l):
		return l.Err
	case errors.As(err, &p):
		return p.Err
	}
	return err
}

// inUse reports whether a file could not be moved because somebody has it open.
// Windows says so with the error of a missing permission.
func inUse(err error) bool {
	return runtime.GOOS == "windows" && errors.Is(err, fs.ErrPermission)
}

// putBack gives a file its name again. Where a go command made the file anew
// meanwhile, that one stays.
func putBack(shard *os.Root, aside, name string) error {
	_, err := shard.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return shard.Rename(aside, name)
	}
	if err != nil {
		return err
	}
	return shard.RemoveAll(aside)
}

func revertRemoval(ctx context.Context, id string, steps []change.Step) error {
	return eachBound(steps, func(b *bound) error {
		// Without the marker first: killed in between, it is reverted again.
		err := os.Remove(filepath.Join(b.Dir, marker(id)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return (&Cache{b.Dir}).eachAside(ctx, id, func(shard *os.Root, aside, name string) error {
			return putBack(shard, aside, name)
		})
	})
}

func purgeBehind(ctx context.Context, id string, steps []change.Step) error {
	return eachBound(steps, func(b *bound) error { return (&Cache{b.Dir}).purge(ctx, id) })
}

// purge removes what change id put aside, and its marker.
func (c *Cache) purge(ctx context.Context, id string) error {
	var done atomic.Int64
	err := c.eachAside(ctx, id, func(shard *os.Root, aside, name string) error {
		change.Report(ctx, change.Progress{What: "freeing space", Done: done.Add(1), Unit: "files"})
		err := shard.RemoveAll(aside)
		if errors.Is(err, fs.ErrPermission) && !inUse(err) {
			// The folder of a program that another user has put there: no later
			// start can remove it either.
			change.Remark(ctx, filepath.Join(c.dir, name[:2], name)+" cannot be removed, so it stays: "+cause(err).Error())
			return putBack(shard, aside, name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("not all space is free yet, the next start goes on: %w", err)
	}
	err = os.Remove(filepath.Join(c.dir, marker(id)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another gpx was faster
	}
	return err
}

// Finish frees the space of prunes whose process was killed after they were
// done. Where there is none it reads one folder. Call it at a start, after
// [change.Changer.Recover].
func (c *Cache) Finish(ctx context.Context) error {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), markerPrefix); ok {
			errs = append(errs, c.purge(ctx, id))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return failed(c.dir, err)
	}
	return nil
}

// eachAside calls f for all that change id put aside, and goes on after an
// error.
func (c *Cache) eachAside(ctx context.Context, id string, f func(shard *os.Root, aside, name string) error) error {
	err := c.eachShard(func(_ int, shard *os.Root, step func()) error {
		dir, err := shard.Open(".")
		if err != nil {
			return err
		}
		names, err := dir.Readdirnames(-1)
		dir.Close()
		if err != nil {
			return err
		}
		var errs []error
		for _, aside := range names {
			if name, ok := originalName(aside, id); ok && ctx.Err() == nil {
				errs = append(errs, f(shard, aside, name))
				step()
			}
		}
		return errors.Join(errs...)
	})
	return errors.Join(err, ctx.Err())
}

// eachShard calls f for every shard that is there and may be read, several at a
// time, and waits for all of them: of what cannot be read nothing was ever put
// aside. f calls step after each file.
func (c *Cache) eachShard(f func(i int, shard *os.Root, step func()) error) error {
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var errs [shards]error
	pace.Each(shards, func(i int, step func()) {
		shard, err := root.OpenRoot(shardName(i))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return
		}
		if err == nil {
			err = errors.Join(f(i, shard, step), shard.Close())
		}
		errs[i] = err
	})
	return errors.Join(errs[:]...)
}
