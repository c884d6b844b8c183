package change

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"gpx/envctl/advice"
	"gpx/envctl/env"
)

// A Kind says how one kind of action is done and taken back. Consecutive steps
// of one kind are given together, so that several variables of one file change
// in one instant.
type Kind struct {
	Name string // as in Action.Kind
	// Check fails when the machine is no longer what the steps were planned
	// against (an error that wraps [ErrStale]), or when Do could not work.
	Check func(ctx context.Context, steps []Step) error
	// Do does all of the steps, or none when it fails. id is the change's,
	// unique, fit for a file name.
	Do func(ctx context.Context, id string, steps []Step) error
	// Done reports whether Do has come to its end.
	Done func(ctx context.Context, id string, steps []Step) (bool, error)
	// Revert puts back at once what was there before Do, also when the process
	// was killed in the middle of it.
	// It leaves alone what somebody else has changed meanwhile, and removes
	// what Do left lying about.
	Revert func(ctx context.Context, id string, steps []Step) error
	// Undo plans how to take the steps of change id back later. Without force
	// it fails with an error that wraps [ErrChangedSince] when that would lose
	// what somebody else did since, and always with one that wraps
	// [ErrForGood] when nothing can bring back what was there.
	Undo func(ctx context.Context, e *env.Env, id string, steps []Step, force bool) (*Plan, error)
	// Behind may be nil. It does what can follow at leisure once the change is
	// in the journal as done, without the lock that keeps other gpx processes
	// waiting. Cut short by ctx or SIGKILL, it is for the kind's package to
	// finish at the next start.
	Behind func(ctx context.Context, id string, steps []Step) error
}

// Errors that callers may want to tell apart.
var (
	// ErrStale: something changed between plan and apply.
	ErrStale = errors.New("changed since the plan was made")
	// ErrChangedSince: an undo would overwrite a later change.
	ErrChangedSince = errors.New("changed since")
	// ErrNothing: there is no change to take back.
	ErrNothing = errors.New("nothing to undo")
	// ErrForGood: what a change took away is gone for good.
	ErrForGood = errors.New("cannot be taken back")
	// ErrHalfWay: a failed change could not be rolled back whole. A Kind's Do
	// wraps it when that is so; the change then stays in flight, and
	// [Changer.Recover] tries again.
	ErrHalfWay = errors.New("rolling back failed too")
)

// Stale is [ErrStale] of what, and what to do about it.
func Stale(what string) error {
	return advice.Add(fmt.Errorf("%s %w", what, ErrStale), "make the plan again")
}

var (
	kindsMu sync.RWMutex
	kinds   = map[string]Kind{}
)

// Register makes a kind known. It panics when the name is taken: two meanings
// of one journaled word could not be told apart at recovery.
func Register(k Kind) {
	kindsMu.Lock()
	defer kindsMu.Unlock()
	if _, taken := kinds[k.Name]; taken {
		panic("change: kind " + k.Name + " is registered already")
	}
	kinds[k.Name] = k
}

func kindOf(name string) (Kind, error) {
	kindsMu.RLock()
	defer kindsMu.RUnlock()
	k, ok := kinds[name]
	if !ok {
		return Kind{}, fmt.Errorf("this gpx does not know actions of kind %q; use the gpx that made the change", name)
	}
	return k, nil
}

// A group is a run of steps of one kind.
type group struct {
	kind  Kind
	steps []Step
}

// groups cuts steps into runs of one kind, in order.
func groups(steps []Step) ([]group, error) {
	var gs []group
	for i, s := range steps {
		if i > 0 && s.Action.Kind == steps[i-1].Action.Kind {
			last := &gs[len(gs)-1]
			last.steps = append(last.steps, s)
			continue
		}
		k, err := kindOf(s.Action.Kind)
		if err != nil {
			return nil, err
		}
		gs = append(gs, group{kind: k, steps: []Step{s}})
	}
	return gs, nil
}
