package view

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/probe/monitor"
	"gpx/tui/actions"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

// A View is one tab.
type View interface {
	Name() string  // "proxies": what actions name
	Title() string // "Proxies": what the tab shows
	Actions() []actions.Action
	// Update handles what changed around the view: snapshots and environment.
	Update(Event) tea.Cmd
	// Render draws exactly h lines of w cells.
	Render(w, h int) Body
	// Pending is the number of edits that are not written yet, Discard forgets
	// them.
	Pending() int
	Discard()
	// Filter narrows the rows; it is what the user typed behind "/".
	Filter() *string
	Filtered()         // rebuilds the rows after the filter was changed
	NextOrder() string // sorts in the next way and names it
	// Select selects the row drawn in line y, for the mouse; false when there
	// is none. Move moves the selection, Open opens the row and Back closes
	// what Open opened; false when nothing was open.
	Select(y int) bool
	Move(n int)
	Page() int
	Open() tea.Cmd
	Back() bool
	// Copy is what y copies.
	Copy() string
}

// A Body is what a view draws between the borders.
type Body struct {
	Lines  []widget.Line
	Splits map[int]widget.Line // titles of divider lines by index; the frame draws them
	Status widget.Line         // right end of the tab line
	Hint   widget.Line         // the message line while there is no message
	Foot   widget.Line         // right end of the lower border: what is out of sight
}

// An Event is what happened around a view.
type Event int

// The events.
const (
	SnapshotChanged Event = iota
	EnvChanged
	Shown   // the view is the one that is seen now
	Moved   // the selection was moved
	Applied // a plan was applied, or given up while it was; or what a view does without one has ended
)

// Common is what the router shares with its views. Everything in it is used
// from Bubble Tea's update loop only; work runs in commands that [Start] makes.
type Common struct {
	Ctx      context.Context
	Services Services
	Theme    *theme.Theme
	Now      func() time.Time
	ReadOnly string // why nothing can be changed (replay); "" when it can

	Snapshot monitor.Snapshot // clean; the zero value before the first one
	Player   *Player          // what Snapshot comes from in a replay; nil while it is live
	Env      *env.Env         // nil until it was read
	EnvErr   error
	Status   Status

	Dialogs Stack
	Message Message
	Log     []LogEntry // commands run, oldest first

	// Press is the key of an action as it is pressed from the view that is
	// shown: "s", and "1 s" from another one. It is "" where the action cannot
	// be done now.
	Press func(id string) string
	// Propose shows a plan and applies it when the user agrees.
	Propose func(Proposal) tea.Cmd
	// Replay shows the recording of an incident in all views.
	Replay func(id int64) tea.Cmd
	// Tell tells every view of an event.
	Tell func(Event) tea.Cmd

	nextID  int
	running map[int]*Work
	newest  map[string]int // slot → id of its newest work
	active  atomic.Int64   // commands that run now
}

// Instant is when what Snapshot shows is seen: now, or then in a replay.
func (c *Common) Instant() time.Time {
	if c.Player != nil {
		return c.Player.At().In(c.Now().Location())
	}
	return c.Now()
}

// A Proposal is a plan with what the dialog says beside it.
type Proposal struct {
	Plan *change.Plan
	// Why says in a few words what the plan is good for.
	Why []string
	// Notes are warnings beside the plan's own.
	Notes []string
	// Applied runs after the plan was applied, Cancelled when the user does not
	// want it; nil says so and nothing else.
	Applied   func(change.Change) tea.Cmd
	Cancelled func() tea.Cmd
}

// A Message stands on the line above the footer.
type Message struct {
	Role theme.Role
	Text string
	At   time.Time
}

// A LogEntry is one line of the log of commands.
type LogEntry struct {
	At     time.Time
	Change string // the change that it was part of; "" when it failed
	Text   string
	Err    string
}

// Work is something that runs.
type Work struct {
	ID      int
	Title   string // "" is not worth showing
	Slot    string
	Started time.Time
	cancel  context.CancelFunc
	whole   bool // its end is waited for, also when it is cancelled
	stopped bool // it was cancelled, and has not ended yet
	step    atomic.Pointer[Step]
}

// A Done is the message with which work ends. The router gives it to
// [Common.Finish].
type Done struct {
	id   int
	slot string
	then func() tea.Cmd
}

// Start returns a command that runs fn and then, in the update loop, then.
// A newer Start in the same slot cancels an older one, and the result of the
// older one is dropped. A panic in fn becomes an error that names the crash
// file. title is shown while it runs.
func Start[T any](c *Common, slot, title string, fn func(context.Context) (T, error), then func(T, error) tea.Cmd) tea.Cmd {
	return start(c, &Work{Slot: slot, Title: title}, fn, then)
}

// StartWhole is Start for work whose end then hears of in any case: when it is
// cancelled, that is shown until it has stopped. Only newer work in its slot makes
// it be forgotten.
func StartWhole[T any](c *Common, slot, title string, fn func(context.Context) (T, error), then func(T, error) tea.Cmd) tea.Cmd {
	return start(c, &Work{Slot: slot, Title: title, whole: true}, fn, then)
}

func start[T any](c *Common, w *Work, fn func(context.Context) (T, error), then func(T, error) tea.Cmd) tea.Cmd {
	if c.running == nil {
		c.running, c.newest = map[int]*Work{}, map[string]int{}
	}
	if old, ok := c.running[c.newest[w.Slot]]; ok && old.Slot == w.Slot {
		old.cancel()
		delete(c.running, old.ID)
	}
	ctx, cancel := context.WithCancel(context.WithValue(c.Ctx, workKey{}, w))
	c.nextID++
	w.ID, w.Started, w.cancel = c.nextID, c.Now(), cancel
	c.newest[w.Slot] = w.ID
	c.running[w.ID] = w
	crash := c.Services.Crash
	return func() (msg tea.Msg) {
		c.active.Add(1)
		defer c.active.Add(-1)
		defer cancel()
		var (
			value T
			err   error
		)
		defer func() {
			if r := recover(); r != nil {
				err = crashed(r, crash)
			}
			msg = Done{w.ID, w.Slot, func() tea.Cmd { return then(value, err) }}
		}()
		value, err = fn(ctx)
		return nil
	}
}

func crashed(r any, crash func(any, []byte) string) error {
	where := ""
	if crash != nil {
		if path := crash(r, debug.Stack()); path != "" {
			where = "; the report is in " + path
		}
	}
	return fmt.Errorf("gpx has a bug here: %s%s", redact.Text(fmt.Sprint(r)), where)
}

// A Crashed is the message of a command that panicked.
type Crashed struct{ Err error }

// Cmd makes a command of fn that is counted by [Common.Wait] and whose panic
// becomes a [Crashed] message: what bubbletea prints about it would be lost
// with the alternate screen.
func (c *Common) Cmd(fn func() tea.Msg) tea.Cmd {
	crash := c.Services.Crash
	return func() (msg tea.Msg) {
		c.active.Add(1)
		defer c.active.Add(-1)
		defer func() {
			if r := recover(); r != nil {
				msg = Crashed{crashed(r, crash)}
			}
		}()
		return fn()
	}
}

// Finish handles the end of work; results of cancelled or older work are dropped.
func (c *Common) Finish(d Done) tea.Cmd {
	if _, ok := c.running[d.id]; !ok || c.newest[d.slot] != d.id {
		return nil
	}
	delete(c.running, d.id)
	return d.then()
}

// Running is the oldest work that is worth showing, nil when there is none.
func (c *Common) Running() *Work {
	var first *Work
	for _, w := range c.running {
		if w.Title != "" && (first == nil || w.ID < first.ID) {
			first = w
		}
	}
	return first
}

// Cancel stops all work that is shown and returns how much that was. What
// StartWhole began is waited for: its end says what it left.
func (c *Common) Cancel() int {
	n := 0
	for id, w := range c.running {
		switch {
		case w.Title == "" || w.stopped:
			continue
		case w.whole:
			w.stopped = true
		default:
			delete(c.running, id)
		}
		w.cancel()
		n++
	}
	return n
}

// Wait returns when every command that Start made and Bubble Tea ran has
// ended, or after limit. Bubble Tea itself does not wait for its commands.
func (c *Common) Wait(limit time.Duration) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); c.active.Load() > 0 && time.Now().Before(deadline); {
		<-tick.C
	}
}

// Say puts a message on the line above the footer.
func (c *Common) Say(role theme.Role, format string, args ...any) tea.Cmd {
	c.Message = Message{role, redact.Text(fmt.Sprintf(format, args...)), c.Now()}
	return nil
}

// Fail says an error. A cancelled context is no error of the user's.
func (c *Common) Fail(err error) tea.Cmd {
	if err == nil || c.Ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return c.Say(theme.Bad, "%v", err)
}

// OriginWord is an origin in a column; [env.Origin.Words] is for sentences.
func OriginWord(o env.Origin) string {
	switch o {
	case env.OS:
		return "shell"
	case env.User:
		return "user file"
	case env.GOROOT:
		return "$GOROOT/go.env"
	}
	return string(o)
}

// Lacking is the reason why an action cannot be done when the service that it
// needs is not there.
func Lacking(service bool) string {
	if service {
		return ""
	}
	return "not available here"
}

// A Dialog is drawn over the views and gets every key while it is on top.
type Dialog interface {
	Title() string
	// Key handles a key; done closes the dialog.
	Key(k tea.KeyMsg) (done bool, cmd tea.Cmd)
	// Lines draws the inside: at most h lines of at most w cells; the dialog is
	// as large as that.
	Lines(th *theme.Theme, w, h int) []widget.Line
	// Hints are its keys with their names, for the footer.
	Hints() []key.Binding
}

// A Stack holds the open dialogs; the last one is on top.
type Stack []Dialog

// Push opens d on top.
func (s *Stack) Push(d Dialog) { *s = append(*s, d) }

// Top is the dialog that gets the keys, nil when none is open.
func (s Stack) Top() Dialog {
	if len(s) == 0 {
		return nil
	}
	return s[len(s)-1]
}

// Remove closes d, wherever it is in the stack.
func (s *Stack) Remove(d Dialog) {
	for i := len(*s) - 1; i >= 0; i-- {
		if (*s)[i] == d {
			*s = append((*s)[:i:i], (*s)[i+1:]...)
			return
		}
	}
}
