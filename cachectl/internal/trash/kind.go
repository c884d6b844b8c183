package trash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"gpx/cachectl/needs"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// The kinds of action that take versions out of the cache and put them back.
const (
	TrashVersion   = "trash_version"   // into the trash; undone by restore_version
	RemoveVersion  = "remove_version"  // for good
	RestoreVersion = "restore_version" // out of the trash; undone by trash_version
)

func init() {
	take := change.Kind{Check: checkTake, Revert: untake}
	take.Name, take.Do, take.Done, take.Undo = TrashVersion, trash, trashed, undoTrash
	change.Register(take)
	take.Name, take.Do, take.Done, take.Undo = RemoveVersion, remove, removed, undoRemove
	take.Behind = purgeBehind
	change.Register(take)
	change.Register(change.Kind{
		Name: RestoreVersion, Check: checkRestore, Do: restore, Done: restored, Revert: unrestore, Undo: undoRestore,
	})
}

// A batch is what the steps of one group do, in one cache.
type batch struct {
	root     string
	box      string // of a restore
	steps    []change.Step
	removals []*Removal // parallel
}

func batchOf(steps []change.Step) (batch, error) {
	b := batch{steps: steps}
	for i, s := range steps {
		r := &Removal{}
		if err := json.Unmarshal(s.Payload, r); err != nil {
			return b, fmt.Errorf("%s %s: %w", s.Action.Kind, s.Action.Target, err)
		}
		if err := r.valid(); err != nil {
			return b, err
		}
		if i == 0 {
			b.root, b.box = r.Root, r.Box
		}
		if r.Root != b.root || r.Box != b.box {
			return b, fmt.Errorf("%s %s: one change of two module caches", s.Action.Kind, s.Action.Target)
		}
		b.removals = append(b.removals, r)
	}
	return b, nil
}

func checkTake(_ context.Context, steps []change.Step) error {
	b, err := batchOf(steps)
	if err != nil {
		return err
	}
	info, err := os.Stat(b.root)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return fmt.Errorf("%s: there is no module cache any more: it %w", b.root, change.ErrStale)
	}
	return err
}

// each does something to every version, tells how far it is, and leaves out
// what cannot be done now. It fails when nothing could be done at all, when ctx
// ends, and when a version is in two places.
func (b batch) each(ctx context.Context, what string, do func(*Removal) error) error {
	var first error
	done := 0
	for i, r := range b.removals {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch err := do(r); {
		case errors.Is(err, errStuck):
			return fmt.Errorf("%s: %w", r, err)
		case err != nil:
			change.Leave(ctx, b.steps[i].Action, err.Error())
			if first == nil {
				first = fmt.Errorf("%s: %w", r, err)
			}
		default:
			done++
		}
		change.Report(ctx, change.Progress{What: what, Done: int64(i + 1), Total: int64(len(b.removals)), Unit: "versions"})
	}
	if done > 0 {
		return nil
	}
	if n := len(b.removals); n > 1 {
		return fmt.Errorf("none of %d versions: %w", n, first)
	}
	return first
}

func trash(ctx context.Context, id string, steps []change.Step) error {
	return takeAll(ctx, id, steps, "moving to the trash", "")
}

func remove(ctx context.Context, id string, steps []change.Step) error {
	return takeAll(ctx, id, steps, "taking out of the cache", purge)
}

// takeAll moves versions into the box of change id. What it is called in the
// end decides whether that is the trash or the end of them.
func takeAll(ctx context.Context, id string, steps []change.Step, what, suffix string) error {
	b, err := batchOf(steps)
	if err != nil {
		return err
	}
	box := boxOf(b.root, id, moving)
	if err := box.make(); err != nil {
		return err
	}
	// A plan may have been looked at for an hour.
	busy := needs.InUse(ctx, b.root)
	err = b.each(ctx, what, func(r *Removal) error {
		if len(busy.Whole(r.module())) > 0 {
			return errors.New("a go command that runs now needs it")
		}
		return box.take(ctx, r)
	})
	if err == nil {
		err = box.become(suffix)
	}
	if err == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if rerr := b.untake(ctx, box); rerr != nil {
		return fmt.Errorf("%w, and %w: %w", err, change.ErrHalfWay, rerr)
	}
	return errors.Join(err, box.leave(ctx))
}

// untake puts everything back that is in the box of a change in flight, but for
// what was fetched again meanwhile.
func (b batch) untake(ctx context.Context, box box) error {
	var errs []error
	for i, r := range slices.Backward(b.removals) {
		if kept, err := box.give(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r, err))
		} else if kept {
			change.Leave(ctx, b.steps[i].Action, "it was fetched again meanwhile")
		}
	}
	return errors.Join(errs...)
}

// leave ends a change in flight: the box goes, or what is left in it is kept for
// a while.
func (b box) leave(ctx context.Context) error {
	if b.clear() {
		return nil
	}
	change.Remark(ctx, "what could not be put back is in the trash of the module cache for 24 h")
	return b.become(again)
}

// untake is the Revert of both kinds that take.
func untake(ctx context.Context, id string, steps []change.Step) error {
	b, err := batchOf(steps)
	if err != nil {
		return err
	}
	box := boxOf(b.root, id, moving)
	return errors.Join(b.untake(ctx, box), box.leave(ctx))
}

func trashed(_ context.Context, id string, steps []change.Step) (bool, error) {
	b, err := batchOf(steps)
	return err == nil && there(boxOf(b.root, id, "").dir), err
}

func removed(_ context.Context, id string, steps []change.Step) (bool, error) {
	b, err := batchOf(steps)
	if err != nil || there(boxOf(b.root, id, moving).dir) {
		return false, err
	}
	// Another process may have emptied the trash to its end since.
	return there(boxOf(b.root, id, purge).dir) || slices.ContainsFunc(b.removals, (*Removal).gone), nil
}

// undoTrash plans to take out of the trash what change id threw away.
func undoTrash(_ context.Context, _ *env.Env, id string, steps []change.Step, _ bool) (*change.Plan, error) {
	b, err := batchOf(steps)
	if err != nil {
		return nil, err
	}
	box := boxOf(b.root, id, "")
	if !there(box.dir) {
		return nil, fmt.Errorf("%w: the trash was emptied since, which happens after 24 h; fetch what is needed again with: go mod download", change.ErrForGood)
	}
	p := &change.Plan{}
	for i, r := range b.removals {
		in := box.holds(r)
		back := slices.ContainsFunc(r.Parts, func(p Part) bool { return there(box.in(p)) && !there(box.home(p)) })
		switch {
		case in && !back:
			p.Warn(r.String() + " is in the cache again, so the one in the trash stays there until that is emptied")
		case in:
			r.Box = id
			s, err := r.Step(RestoreVersion, steps[i].Action.Bytes)
			if err != nil {
				return nil, err
			}
			p.Add(s)
		}
	}
	return p, nil
}

func undoRemove(context.Context, *env.Env, string, []change.Step, bool) (*change.Plan, error) {
	return nil, fmt.Errorf("%w: it was deleted; fetch what is needed again with: go mod download, and prune with --trash to be able to undo", change.ErrForGood)
}

func checkRestore(_ context.Context, steps []change.Step) error {
	b, err := batchOf(steps)
	if err == nil && !there(boxOf(b.root, b.box, "").dir) {
		err = fmt.Errorf("the trash %w: it was emptied", change.ErrStale)
	}
	return err
}

func restore(ctx context.Context, _ string, steps []change.Step) error {
	b, err := batchOf(steps)
	if err != nil {
		return err
	}
	unlock, err := lockTrash(ctx, b.root)
	if err != nil {
		return err
	}
	defer unlock()
	box := boxOf(b.root, b.box, "")
	err = b.each(ctx, "taking out of the trash", func(r *Removal) error {
		kept, err := box.give(ctx, r)
		if err == nil && kept {
			err = errors.New("it was fetched again meanwhile")
		}
		return err
	})
	if err != nil {
		return errors.Join(err, b.unrestore(context.WithoutCancel(ctx), box))
	}
	box.clear()
	return nil
}

func restored(_ context.Context, _ string, steps []change.Step) (bool, error) {
	b, err := batchOf(steps)
	if err != nil {
		return false, err
	}
	box := boxOf(b.root, b.box, "")
	return !slices.ContainsFunc(b.removals, func(r *Removal) bool {
		return box.holds(r) || slices.ContainsFunc(r.Parts, func(p Part) bool { return p.unsettled(b.root) })
	}), nil
}

// unrestore moves back into the trash what came out of it whole.
func (b batch) unrestore(ctx context.Context, box box) error {
	var errs []error
	for _, r := range b.removals {
		if box.holds(r) {
			if _, err := box.give(ctx, r); err != nil { // killed in the middle of it
				errs = append(errs, err)
			}
		}
		if err := box.take(ctx, r); err != nil && !errors.Is(err, errChanged) {
			errs = append(errs, fmt.Errorf("%s: %w", r, err))
		}
	}
	return errors.Join(errs...)
}

func unrestore(ctx context.Context, _ string, steps []change.Step) error {
	b, err := batchOf(steps)
	if err != nil {
		return err
	}
	return b.unrestore(ctx, boxOf(b.root, b.box, ""))
}

// undoRestore plans to throw away again what a restore brought back.
func undoRestore(_ context.Context, _ *env.Env, _ string, steps []change.Step, _ bool) (*change.Plan, error) {
	b, err := batchOf(steps)
	if err != nil {
		return nil, err
	}
	p := &change.Plan{}
	for i, r := range b.removals {
		if err := r.unchanged(); err != nil {
			p.Warn(r.String() + " stays: " + redact.Text(err.Error()))
			continue
		}
		r.Box = ""
		s, err := r.Step(TrashVersion, steps[i].Action.Bytes)
		if err != nil {
			return nil, err
		}
		p.Add(s)
	}
	return p, nil
}
