package view

import (
	"context"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// A Step is how far work has come, for the message line.
type Step struct {
	Text        string // what is going on now: "counting"
	Done, Total int64  // Total is 0 while nobody knows
}

type workKey struct{}

// Report says how far the work that ctx belongs to has come. It may be called
// from any goroutine, as often as one likes: the frame that is drawn next shows
// the newest.
func Report(ctx context.Context, s Step) {
	if w, ok := ctx.Value(workKey{}).(*Work); ok {
		w.step.Store(&s)
	}
}

// Step is how far w has come, the zero value while it has said nothing.
func (w *Work) Step() Step {
	if s := w.step.Load(); s != nil {
		return *s
	}
	return Step{}
}

// Stopped reports whether w was cancelled and has not ended yet.
func (w *Work) Stopped() bool { return w.stopped }

// Stream is [Start] for work that hands out parts of its result while it runs.
// What fn sends comes to each, in the update loop, in its order and all of it
// before then is called; what came in quick succession comes together. fn may
// send from any goroutine and is never held up by the screen. As in [StartWhole],
// then hears of the end also when the work is cancelled.
func Stream[P, T any](c *Common, slot, title string, fn func(ctx context.Context, send func(P)) (T, error),
	each func([]P), then func(T, error) tea.Cmd) tea.Cmd {
	box := &mailbox[P]{more: make(chan struct{}, 1), ended: make(chan struct{})}
	work := StartWhole(c, slot, title, func(ctx context.Context) (T, error) {
		defer close(box.ended)
		return fn(ctx, box.put)
	}, func(value T, err error) tea.Cmd {
		if rest := box.take(); len(rest) > 0 {
			each(rest)
		}
		return then(value, err)
	})
	id := c.nextID
	var listen func() tea.Cmd
	listen = func() tea.Cmd {
		return c.Cmd(func() tea.Msg {
			if !box.wait(c.Ctx) {
				return nil // the end of the work brings what is left
			}
			return Part{id, func() tea.Cmd {
				if parts := box.take(); len(parts) > 0 {
					each(parts)
				}
				return listen()
			}}
		})
	}
	return tea.Batch(work, listen())
}

// A Part is the message with which a part of a result comes. The router gives
// it to [Common.Take].
type Part struct {
	id   int
	take func() tea.Cmd
}

// Take hands a part to the work that sent it; parts of cancelled or older work
// are dropped.
func (c *Common) Take(p Part) tea.Cmd {
	if _, ok := c.running[p.id]; !ok {
		return nil
	}
	return p.take()
}

// A mailbox holds what was sent and not taken yet.
type mailbox[P any] struct {
	mu    sync.Mutex
	parts []P
	more  chan struct{} // holds a token while there are parts
	ended chan struct{}
}

func (b *mailbox[P]) put(p P) {
	b.mu.Lock()
	b.parts = append(b.parts, p)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

func (b *mailbox[P]) take() []P {
	b.mu.Lock()
	defer b.mu.Unlock()
	parts := b.parts
	b.parts = nil
	return parts
}

// gather is how long parts are collected: View runs once per message, and no eye
// follows more than ten changes a second.
const gather = 100 * time.Millisecond

// wait blocks until there are parts to take; false means that the work has
// ended, or the screen.
func (b *mailbox[P]) wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-b.ended:
		return false
	case <-b.more:
	}
	timer := time.NewTimer(gather)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-b.ended:
		return false
	case <-timer.C:
		return true
	}
}
