package change

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"gpx/envctl/redact"
)

// PlanUndo plans how to take back change id, or, when id is empty, the last
// change that is not undone. Apply applies it. Without force it fails, with
// [ErrChangedSince], when that would overwrite what was done later.
func (c *Changer) PlanUndo(ctx context.Context, id string, force bool) (*Plan, error) {
	p, err := c.planUndo(ctx, id, force)
	if err != nil {
		what := "undo"
		if id != "" {
			what += " " + redact.Clean(id)
		}
		return nil, fmt.Errorf("%s: %w", what, brief(err))
	}
	return p, nil
}

func (c *Changer) planUndo(ctx context.Context, id string, force bool) (*Plan, error) {
	rs, err := c.o.Journal.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	r, err := pick(rs, id)
	if err != nil {
		return nil, err
	}
	steps, err := c.images(r.ID)
	if err != nil {
		return nil, err
	}
	gs, err := groups(steps)
	if err != nil {
		return nil, err
	}
	if c.o.Env == nil {
		return nil, errors.New("the environment cannot be read")
	}
	e, err := c.o.Env(ctx)
	if err != nil {
		return nil, err
	}
	p := &Plan{Title: undoTitle(r.Title), Undoes: r.ID}
	for i := len(gs) - 1; i >= 0; i-- {
		q, err := gs[i].kind.Undo(ctx, e, gs[i].steps, force)
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

// pick finds the record to take back.
func pick(rs []Record, id string) (Record, error) {
	byID := map[string]Record{}
	for _, r := range rs {
		byID[r.ID] = r
	}
	if id == "" {
		for i := len(rs) - 1; i >= 0; i-- {
			if rs[i].State == Applied && !isUndo(byID, rs[i]) {
				return rs[i], nil
			}
		}
		return Record{}, ErrNothing
	}
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
	for i := len(rs) - 1; i >= 0 && rs[i].ID != r.ID; i-- {
		if rs[i].State != Applied {
			continue
		}
		for _, a := range rs[i].Actions {
			if targets[a.Target] {
				return fmt.Errorf("%w; or first take back the later change: gpx undo %s", err, rs[i].ID)
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
