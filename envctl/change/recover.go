package change

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"gpx/envctl/redact"
)

// Recover finishes or rolls back what a killed process left in flight, and
// says what (Change.Note). It also removes before-images that are past their
// time and private copies of killed processes, and sees to the expiry marker.
// Call it at every start; when nothing is in flight it reads the journal, two
// directories and the marker.
func (c *Changer) Recover(ctx context.Context) ([]Change, error) {
	// With the lock held no other process is between begin and commit.
	st, err := c.lock()
	if err != nil {
		return nil, fmt.Errorf("recover: %w", brief(err))
	}
	defer st.unlock()
	rs, err := c.o.Journal.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("recover: journal: %w", brief(err))
	}
	found := []Change{}
	var errs []error
	byID := recordsByID(rs)
	for _, r := range rs {
		switch {
		case r.State == Begun:
			ch, err := c.recoverOne(ctx, st, r)
			found = append(found, ch)
			errs = append(errs, err)
		case r.State == Applied && r.Undoes != "" && byID[r.Undoes].State == Applied:
			// Killed between commit and the mark on what it took back.
			errs = append(errs, c.finish(ctx, st, r))
		}
	}
	errs = append(errs, c.sweep(st, byID))
	sweepCopies(time.Now())
	errs = append(errs, c.markExpiry(ctx, st))
	if err := errors.Join(errs...); err != nil {
		return found, fmt.Errorf("recover: %w", brief(err))
	}
	return found, nil
}

// recoverOne deals with one change that was begun.
func (c *Changer) recoverOne(ctx context.Context, st *state, r Record) (Change, error) {
	ctx, heard := listening(ctx)
	abort := func(note string) (Change, error) {
		note = joinNotes(note, heard.into(nil))
		st.forget(r.ID)
		return changeOf(r, errors.New(note)), c.o.Journal.Abort(ctx, r.ID, note)
	}
	steps, err := st.load(r.ID)
	if errors.Is(err, fs.ErrNotExist) {
		// Nothing is touched before the images are kept.
		return abort("interrupted before it began; nothing was changed")
	}
	if err != nil {
		return changeOf(r, err), err
	}
	gs, err := groups(steps)
	if err != nil {
		return changeOf(r, err), err
	}
	done := true
	for _, g := range gs {
		ok, derr := g.kind.Done(ctx, r.ID, g.steps)
		done, err = done && ok, errors.Join(err, derr)
	}
	if err != nil {
		return changeOf(r, err), err
	}
	if done {
		for _, s := range steps {
			if f, err := fileOf(s); err == nil && f != nil {
				removeLeftovers(f.Path, r.ID)
			}
		}
		r.State = Applied
		text := "interrupted when it was done already; it stands"
		if slices.ContainsFunc(steps, func(s Step) bool { return s.Action.Undoable }) {
			text += ", and can be undone"
		}
		return changeOf(r, errors.New(text)), c.finish(ctx, st, r)
	}
	err = revert(ctx, r.ID, gs)
	if errors.Is(err, ErrHalfWay) {
		// The images stay, and the next start tries again.
		return changeOf(r, fmt.Errorf("interrupted half way: %w", brief(err))), err
	}
	if err != nil {
		return abort(redact.Text("interrupted half way: " + err.Error()))
	}
	return abort("interrupted half way and rolled back")
}

// sweep removes undo files that are past their time or of no more use, and
// the copies that a killed process without a database left behind.
func (c *Changer) sweep(st *state, byID map[string]Record) error {
	entries, err := st.list()
	if err != nil {
		return err
	}
	for _, u := range entries {
		r, known := byID[u.id]
		waits := r.State == Applied && !r.Expires.IsZero() // its end needs the image, whenever that is
		switch {
		case known && (r.State == Undone || r.State == Aborted), c.o.Now().Sub(u.at) > keepFor && !waits:
			st.forget(u.id)
		case !known:
			steps, err := st.load(u.id)
			for _, s := range steps {
				if f, ferr := fileOf(s); err == nil && ferr == nil && f != nil {
					removeLeftovers(f.Path, u.id)
				}
			}
		}
	}
	return nil
}
