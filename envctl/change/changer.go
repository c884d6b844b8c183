package change

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"gpx/envctl/advice"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
)

// Options configure a [Changer].
type Options struct {
	Journal  Journal
	StateDir string // "" means DefaultStateDir()
	// Env reads the environment as it is now; PlanUndo needs it.
	Env   func(ctx context.Context) (*env.Env, error)
	Now   func() time.Time // nil means time.Now
	NewID func() string    // nil means a random one
	Actor string           // who asks: "cli", "tui", "watch", [ByItself]
}

// A Changer applies plans, one at a time on this machine, and takes them back.
type Changer struct{ o Options }

// New returns a Changer.
func New(o Options) *Changer {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	if o.Journal == nil {
		o.Journal = NewMemoryJournal()
	}
	return &Changer{o}
}

// newID returns six characters that are easy to read out and to type: 30 bits
// without i, l, o and u. The journal refuses the rare repetition.
func newID() string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	var b [6]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = alphabet[b[i]%byte(len(alphabet))]
	}
	return string(b[:])
}

// DefaultStateDir is $XDG_STATE_HOME/gpx, by default ~/.local/state/gpx (on
// Windows the local application data).
func DefaultStateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "gpx"), nil
	}
	if runtime.GOOS == "windows" {
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "gpx"), nil
		}
	}
	home, err := os.UserHomeDir()
	if err != nil || home == "" {
		return "", advice.Add(errors.New("there is no place for gpx's state, because neither HOME nor XDG_STATE_HOME is set"), "set HOME")
	}
	return filepath.Join(home, ".local", "state", "gpx"), nil
}

// Apply does p, journaled. On an error the machine is as it was before. What
// was left as it is, because somebody else is at work on it, is named in the
// plan's warnings and in the change's note. Under a context of [WithProgress] it
// tells how far it has come.
func (c *Changer) Apply(ctx context.Context, p *Plan) (Change, error) {
	ctx, heard := listening(ctx)
	ch, err := c.apply(ctx, p)
	switch {
	case err == nil:
		behind(ctx, ch.ID, p.steps)
		ch.Note = joinNotes(ch.Note, heard.into(p))
		return ch, nil
	case errors.Is(err, ErrHalfWay):
		return ch, fmt.Errorf("%s: %w", redact.Clean(p.Title), brief(err))
	default:
		return ch, advised(fmt.Errorf("%s: %w; nothing was changed", redact.Clean(p.Title), brief(err)), p)
	}
}

// behind does what follows a change that is done.
func behind(ctx context.Context, id string, steps []Step) {
	gs, err := groups(steps)
	for _, g := range gs {
		if err == nil && g.kind.Behind != nil {
			err = g.kind.Behind(ctx, id, g.steps)
		}
	}
	if err != nil {
		Remark(ctx, brief(err).Error())
	}
}

// joinNotes puts two notes into one; either may be empty.
func joinNotes(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// advised says what to do about an error of the file system.
func advised(err error, p *Plan) error {
	next := ""
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		next = "make the directory writable"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		next = "free some space"
	default:
		return err
	}
	var as []Assignment
	for _, s := range p.steps {
		var v variableStep
		if s.Action.Kind == SetVariable && json.Unmarshal(s.Payload, &v) == nil {
			as = append(as, Assignment{Name: v.Name, Value: deref(v.New), Unset: v.New == nil})
		}
	}
	if len(as) > 0 {
		next += ", or " + instead(as)
	}
	return advice.Add(err, "%s", next)
}

func (c *Changer) apply(ctx context.Context, p *Plan) (Change, error) {
	switch {
	case p.Applied:
		return Change{}, fmt.Errorf("plan %s was applied already", p.ID)
	case p.DryRun:
		return Change{}, errors.New("this is a dry run")
	case p.Empty():
		return Change{}, errors.New("there is nothing to do; what it says about the shell is for the shell to run")
	}
	gs, err := groups(p.steps)
	if err != nil {
		return Change{}, err
	}
	st, err := c.lock()
	if err != nil {
		return Change{}, err
	}
	defer st.unlock()
	for _, g := range gs {
		if err := g.kind.Check(ctx, g.steps); err != nil {
			return Change{}, err
		}
	}
	r := c.record(p)
	if err := c.o.Journal.Begin(ctx, r); err != nil {
		return Change{}, fmt.Errorf("journal: %w", err)
	}
	if err := c.do(ctx, st, r, p.steps, gs); err != nil {
		return Change{}, err
	}
	p.ID, p.Applied = r.ID, true
	// From here on the machine is changed; what cannot be written down is
	// put right by Recover.
	r.State, r.DoneAt = Applied, c.o.Now()
	return changeOf(r, c.finish(context.WithoutCancel(ctx), st, r)), nil
}

// record makes the journal's line for p.
func (c *Changer) record(p *Plan) Record {
	r := Record{
		ID: p.ID, At: c.o.Now(), Actor: c.o.Actor, Title: p.Title, Actions: p.Actions,
		Undoes: p.Undoes, Expires: p.Expires.Time, State: Begun,
	}
	if r.ID == "" {
		r.ID = c.o.NewID()
	}
	for _, s := range p.steps {
		hash := ""
		if raw := secret(s); raw != "" {
			hash = HashValue(raw)
		}
		r.Hashes = append(r.Hashes, hash)
	}
	return r
}

// do keeps the before-images and does the steps; what fails half way is rolled
// back.
func (c *Changer) do(ctx context.Context, st *state, r Record, steps []Step, gs []group) error {
	err := st.keep(r, steps)
	if err != nil {
		err = fmt.Errorf("keeping what undo needs: %w", err)
	}
	done := 0
	for err == nil && done < len(gs) {
		if err = gs[done].kind.Do(ctx, r.ID, gs[done].steps); err == nil {
			done++
		}
	}
	if err == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if rerr := revert(ctx, r.ID, gs[:done]); rerr != nil {
		return fmt.Errorf("%w, and %w: %w", err, ErrHalfWay, rerr)
	}
	if errors.Is(err, ErrHalfWay) {
		return err
	}
	st.forget(r.ID)
	if aerr := c.o.Journal.Abort(ctx, r.ID, redact.Text(err.Error())); aerr != nil {
		return fmt.Errorf("%w (and the journal: %w)", err, aerr)
	}
	return err
}

// revert takes groups back, last first. It goes on after an error.
func revert(ctx context.Context, id string, gs []group) error {
	var errs []error
	for i := len(gs) - 1; i >= 0; i-- {
		errs = append(errs, gs[i].kind.Revert(ctx, id, gs[i].steps))
	}
	return errors.Join(errs...)
}

// finish writes down that r is done. Each part can be repeated by Recover.
func (c *Changer) finish(ctx context.Context, st *state, r Record) error {
	err := c.o.Journal.Commit(ctx, r.ID, c.o.Now())
	if r.Undoes != "" {
		err = errors.Join(err, c.o.Journal.MarkUndone(ctx, r.Undoes, r.ID, c.o.Now()))
		st.forget(r.Undoes)
	}
	return errors.Join(err, c.markExpiry(ctx, st))
}

// markExpiry writes or removes the file that tells a shell prompt, at the cost
// of one test, that a change waits for its end.
func (c *Changer) markExpiry(ctx context.Context, st *state) error {
	rs, err := c.o.Journal.List(ctx)
	if err != nil {
		return err
	}
	var first time.Time
	for _, r := range rs {
		if r.State == Applied && !r.Expires.IsZero() && (first.IsZero() || r.Expires.Before(first)) {
			first = r.Expires
		}
	}
	return st.expiry(first)
}

// Changes lists the changes that were applied, newest first.
func (c *Changer) Changes(ctx context.Context) ([]Change, error) {
	rs, err := c.o.Journal.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	cs := []Change{}
	for i := len(rs) - 1; i >= 0; i-- {
		if s := rs[i].State; s == Applied || s == Undone {
			cs = append(cs, changeOf(rs[i], nil))
		}
	}
	return cs, nil
}

func changeOf(r Record, note error) Change {
	ch := Change{
		ID: r.ID, At: wire.At(r.At), Actor: r.Actor, Title: r.Title, Actions: r.Actions,
		Undone: r.State == Undone, Undoes: r.Undoes, Expires: wire.At(r.Expires),
	}
	if note != nil {
		ch.Note = note.Error()
	}
	return ch
}

// brief makes the text of an error fit for one clean line. The error itself
// stays reachable.
func brief(err error) error { return &clean{err} }

type clean struct{ err error }

func (c *clean) Error() string {
	return redact.Text(strings.Join(strings.Fields(c.err.Error()), " "))
}
func (c *clean) Unwrap() error { return c.err }
