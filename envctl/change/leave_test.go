package change

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"gpx/envctl/env"
)

// The kind of these tests does what its payload says.
type puppet struct {
	Name   string
	Busy   bool // somebody else holds it
	ForAll bool // nothing brings it back
}

var behindCalls atomic.Int64

func init() {
	of := func(s Step) (p puppet) { json.Unmarshal(s.Payload, &p); return p }
	Register(Kind{
		Name:  "puppet",
		Check: func(context.Context, []Step) error { return nil },
		Do: func(ctx context.Context, id string, steps []Step) error {
			for i, s := range steps {
				switch p := of(s); {
				case p.Name == "stuck":
					return fmt.Errorf("%s, and %w", p.Name, ErrHalfWay)
				case p.Busy:
					Leave(ctx, s.Action, "somebody is at work on it\x1b[31m")
				}
				Report(ctx, Progress{What: "pulling strings", Done: int64(i + 1), Total: int64(len(steps)), Unit: "puppets"})
			}
			return nil
		},
		Done:   func(context.Context, string, []Step) (bool, error) { return false, nil },
		Revert: func(ctx context.Context, _ string, steps []Step) error { Remark(ctx, "strings are cut"); return nil },
		Undo: func(_ context.Context, _ *env.Env, id string, steps []Step, _ bool) (*Plan, error) {
			p := &Plan{}
			for _, s := range steps {
				if of(s).ForAll {
					return nil, fmt.Errorf("%w: puppets of %s are burnt", ErrForGood, id)
				}
				p.Add(s)
			}
			return p, nil
		},
		Behind: func(ctx context.Context, _ string, steps []Step) error {
			behindCalls.Add(1)
			return ctx.Err()
		},
	})
}

// puppets plans one step for each.
func puppets(t *testing.T, title string, ps ...puppet) *Plan {
	t.Helper()
	plan := &Plan{Title: title}
	for _, p := range ps {
		payload, err := json.Marshal(p)
		must(t, err)
		plan.Add(Step{Action: Action{Kind: "puppet", Target: p.Name, Bytes: 10, Undoable: !p.ForAll}, Payload: payload})
		plan.FreedBytes += 10
	}
	return plan
}

func TestApplyNamesWhatItLeft(t *testing.T) {
	m := newMachine(t)
	p := puppets(t, "show", puppet{Name: "a"}, puppet{Name: "b", Busy: true}, puppet{Name: "c", Busy: true})
	var told []Progress
	before := behindCalls.Load()
	ch, err := m.changer.Apply(WithProgress(t.Context(), func(p Progress) { told = append(told, p) }), p)
	must(t, err)
	if p.FreedBytes != 10 {
		t.Errorf("freed %d bytes, want those of the one that was done", p.FreedBytes)
	}
	if want := []string{"b was left as it is: somebody is at work on it", "c was left as it is: somebody is at work on it"}; strings.Join(p.Warnings, "|") != strings.Join(want, "|") {
		t.Errorf("warnings %q, want %q", p.Warnings, want)
	}
	if ch.Note != "left as it is: b, c" {
		t.Errorf("note %q", ch.Note)
	}
	if len(told) != 3 || told[2] != (Progress{"pulling strings", 3, 3, "puppets"}) {
		t.Errorf("told %+v", told)
	}
	if n := behindCalls.Load() - before; n != 1 {
		t.Errorf("Behind was called %d times, want once", n)
	}
}

// What follows a change may fail; the change stands.
func TestBehindIsCutShort(t *testing.T) {
	m := newMachine(t)
	ctx, cancel := context.WithCancel(t.Context())
	ctx = WithProgress(ctx, func(Progress) { cancel() })
	p := puppets(t, "show", puppet{Name: "a"})
	ch, err := m.changer.Apply(ctx, p)
	must(t, err)
	if ch.Note != "context canceled" || len(p.Warnings) != 1 || p.Warnings[0] != ch.Note {
		t.Errorf("note %q, warnings %q", ch.Note, p.Warnings)
	}
	if cs, err := m.changer.Changes(t.Context()); err != nil || len(cs) != 1 {
		t.Errorf("changes %+v %v, want the one", cs, err)
	}
}

func TestUndoPassesOverWhatIsGoneForGood(t *testing.T) {
	m := newMachine(t)
	gone := m.apply(puppets(t, "burn the oldest", puppet{Name: "z", ForAll: true}))
	_, err := m.changer.PlanUndo(t.Context(), "", false)
	if !errors.Is(err, ErrNothing) {
		t.Fatalf("error %v, want ErrNothing", err)
	}
	oneLine(t, err, "burn the oldest", gone.ID, "cannot be taken back", "puppets of "+gone.ID+" are burnt")

	kept := m.apply(puppets(t, "hang", puppet{Name: "a"}))
	for i := range 5 {
		m.apply(puppets(t, fmt.Sprintf("burn %d", i), puppet{Name: "b", ForAll: true}))
	}
	p, err := m.changer.PlanUndo(t.Context(), "", false)
	must(t, err)
	if p.Undoes != kept.ID || len(p.Warnings) != 1 {
		t.Fatalf("plan %+v, want one that takes back %s and warns", p, kept.ID)
	}
	for _, want := range []string{"not the last change", "burn 4", "and 2 more"} {
		if !strings.Contains(p.Warnings[0], want) {
			t.Errorf("warning %q, want %q in it", p.Warnings[0], want)
		}
	}
	_, err = m.changer.PlanUndo(t.Context(), gone.ID, true)
	if !errors.Is(err, ErrForGood) {
		t.Errorf("named and forced: error %v, want ErrForGood", err)
	}
}

// A change that could not be rolled back stays in flight, and the next start
// tries again.
func TestHalfWayStaysInFlight(t *testing.T) {
	m := newMachine(t)
	_, err := m.changer.Apply(t.Context(), puppets(t, "tangle", puppet{Name: "a"}, puppet{Name: "stuck"}))
	if !errors.Is(err, ErrHalfWay) || strings.Contains(err.Error(), "nothing was changed") {
		t.Fatalf("error %v", err)
	}
	found, err := m.changer.Recover(t.Context())
	must(t, err)
	if len(found) != 1 || found[0].Note != "interrupted half way and rolled back; strings are cut" {
		t.Errorf("found %+v", found)
	}
}
