package change

import (
	"context"
	"errors"
	"time"

	"gpx/envctl/env"
)

// Options configure a [Changer].
type Options struct {
	Journal  Journal
	StateDir string // "" means DefaultStateDir()
	// Env reads the environment as it is now; PlanUndo needs it.
	Env   func(ctx context.Context) (*env.Env, error)
	Now   func() time.Time // nil means time.Now
	NewID func() string    // nil means a random one
	Actor string           // who asks: "cli", "tui", "auto"
}

// A Changer applies plans, one at a time on this machine, and takes them back.
type Changer struct{ o Options }

// New returns a Changer.
func New(o Options) *Changer { return &Changer{o} }

// Apply does p, journaled. On an error the machine is as it was before.
func (c *Changer) Apply(ctx context.Context, p *Plan) (Change, error) {
	return Change{}, errors.New("change: not there yet")
}

// PlanUndo plans how to take back change id, or, when id is empty, the last
// change that is not undone. Apply applies it.
func (c *Changer) PlanUndo(ctx context.Context, id string, force bool) (*Plan, error) {
	return nil, errors.New("change: not there yet")
}

// Changes lists the changes that were applied, newest first.
func (c *Changer) Changes(ctx context.Context) ([]Change, error) { return nil, nil }

// Recover finishes or rolls back what a killed process left in flight, and
// says what (Change.Note). It also removes before-images that are past their
// time. Call it at every start.
func (c *Changer) Recover(ctx context.Context) ([]Change, error) { return nil, nil }

// PlanEnv plans to change variables of the user's go env file.
func PlanEnv(e *env.Env, title string, as []Assignment) (*Plan, error) {
	return nil, errors.New("change: not there yet")
}

// DefaultStateDir is $XDG_STATE_HOME/gpx.
func DefaultStateDir() (string, error) { return "", errors.New("change: not there yet") }
