package change

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
)

// Env reads the environment as it is now.
func (c *Changer) Env(ctx context.Context) (*env.Env, error) {
	if c.o.Env == nil {
		return nil, errors.New("the environment cannot be read")
	}
	return c.o.Env(ctx)
}

// PlanUndo plans how to take back change id, or, when id is empty, the last
// change of which something is still in force. Apply applies it. It fails with
// [ErrNothing] when there is none, without force with [ErrChangedSince] when it
// would overwrite what was done later, and with [ErrForGood] when nothing can
// bring back what the change took away; when id is empty, such a change is
// passed over and the plan's warnings name it. The plan of a change that
// somebody has taken back by hand is [Plan.Empty].
func (c *Changer) PlanUndo(ctx context.Context, id string, force bool) (*Plan, error) {
	p, err := c.planUndo(ctx, id, force)
	if err != nil {
		return nil, brief(err)
	}
	return p, nil
}

func (c *Changer) planUndo(ctx context.Context, id string, force bool) (*Plan, error) {
	rs, err := c.o.Journal.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	byID := recordsByID(rs)
	if id != "" {
		r, err := pick(byID, id)
		if err != nil {
			return nil, err
		}
		return c.planUndoOf(ctx, rs, r, force)
	}
	var passed []string // changes that stay, newest first
	for _, r := range slices.Backward(rs) {
		if r.State != Applied || isUndo(byID, r) {
			continue
		}
		p, err := c.planUndoOf(ctx, rs, r, force)
		if errors.Is(err, ErrForGood) {
			passed = append(passed, fmt.Sprintf("%s (change %s) %s", redact.Clean(r.Title), r.ID, redact.Text(err.Error())))
			continue
		}
		if err != nil || !p.Empty() || len(p.shell) > 0 {
			if err == nil && len(passed) > 0 {
				p.Warn("not the last change: " + few(passed))
			}
			return p, err
		}
	}
	if len(passed) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNothing, few(passed))
	}
	return nil, ErrNothing
}

// planUndoOf plans how to take back r.
func (c *Changer) planUndoOf(ctx context.Context, rs []Record, r Record, force bool) (*Plan, error) {
	steps, err := c.images(r.ID)
	if err != nil {
		return nil, err
	}
	gs, err := groups(steps)
	if err != nil {
		return nil, err
	}
	e, err := c.Env(ctx)
	if err != nil {
		return nil, err
	}
	p := &Plan{Title: undoTitle(r.Title), Undoes: r.ID}
	if r.Undoes != "" {
		// What comes back had an end, and keeps it.
		p.Expires = wire.At(recordsByID(rs)[r.Undoes].Expires)
	}
	for i := len(gs) - 1; i >= 0; i-- {
		q, err := gs[i].kind.Undo(ctx, e, r.ID, gs[i].steps, force)
		if err != nil {
			return nil, explain(rs, r, err)
		}
		p.Merge(q)
	}
	return p, nil
}

// undoTitle names the undo of a change, of an undo, of a redo.
func undoTitle(title string) string {
	if what, ok := strings.CutPrefix(title, "undo: "); ok {
		return "redo: " + what
	}
	return "undo: " + strings.TrimPrefix(title, "redo: ")
}

func recordsByID(rs []Record) map[string]Record {
	byID := map[string]Record{}
	for _, r := range rs {
		byID[r.ID] = r
	}
	return byID
}

// pick finds the record that is named, if it can be taken back.
func pick(byID map[string]Record, id string) (Record, error) {
	r, ok := byID[id]
	switch {
	case !ok:
		return r, errors.New("there is no such change; see them with: gpx changes")
	case r.State == Undone && r.UndoneBy == "":
		return r, errors.New("what it did was overwritten since, so there is nothing to take back")
	case r.State == Undone:
		return r, fmt.Errorf("it was taken back already, by change %s", r.UndoneBy)
	case r.State == Aborted:
		return r, errors.New("it failed and was rolled back then")
	case r.State == Begun:
		return r, errors.New("it is in flight; start gpx again to recover it")
	}
	return r, nil
}

// isUndo reports whether r takes another change back: pressing undo twice goes
// two changes back, and does not swing to and fro. The undo of an undo is a
// change again.
func isUndo(byID map[string]Record, r Record) bool {
	undo := false
	for range len(byID) {
		if r.Undoes == "" {
			break
		}
		undo = !undo
		r = byID[r.Undoes]
	}
	return undo
}

// images reads the raw steps of a change.
func (c *Changer) images(id string) ([]Step, error) {
	st, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer st.unlock()
	steps, err := st.load(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("what it replaced is no longer kept (%d days); the old values stand in: gpx changes", int(keepFor.Hours()/24))
	}
	return steps, err
}

// explain adds the later change of gpx itself that is in the way, if any.
func explain(rs []Record, r Record, err error) error {
	if !errors.Is(err, ErrChangedSince) {
		return err
	}
	targets := map[string]bool{}
	for _, a := range r.Actions {
		targets[a.Target] = true
	}
	for _, later := range slices.Backward(rs) {
		if later.ID == r.ID {
			break
		}
		for _, a := range later.Actions {
			if later.State == Applied && targets[a.Target] {
				return fmt.Errorf("%w; or first take back the later change: gpx undo %s", err, later.ID)
			}
		}
	}
	return err
}

// Close marks change id as no longer in force, without a plan: what it did has
// been overwritten since, so that there is nothing to take back.
func (c *Changer) Close(ctx context.Context, id string) error {
	st, err := c.lock()
	if err != nil {
		return err
	}
	defer st.unlock()
	if err := c.o.Journal.MarkUndone(ctx, id, "", c.o.Now()); err != nil {
		return fmt.Errorf("close %s: %w", redact.Clean(id), brief(err))
	}
	st.forget(id)
	return c.markExpiry(ctx, st)
}
