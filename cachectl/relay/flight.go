package relay

import (
	"context"
	"fmt"
	"sync"
)

// Flights make one piece of work of several equal ones at a time. Who waits may
// go away: the work goes on for the others, and ends when nobody waits any more.
type flights[T any] struct {
	base context.Context // of all work

	mu  sync.Mutex
	by  map[string]*flight[T]
	all sync.WaitGroup
}

type flight[T any] struct {
	waiting int
	cancel  context.CancelFunc
	done    chan struct{}
	value   T
	err     error
}

// do is get's result, or that of an equal call that is under way.
func (f *flights[T]) do(ctx context.Context, key string, get func(context.Context) (T, error)) (T, error) {
	f.mu.Lock()
	fl := f.by[key]
	if fl == nil {
		fl = f.start(key, get)
	}
	fl.waiting++
	f.mu.Unlock()
	select {
	case <-fl.done:
		return fl.value, fl.err
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.waiting--; fl.waiting == 0 {
		fl.cancel()
		f.forget(key, fl) // who comes now begins anew
	}
	var none T
	return none, ctx.Err()
}

// start begins work. f is locked.
func (f *flights[T]) start(key string, get func(context.Context) (T, error)) *flight[T] {
	ctx, cancel := context.WithCancel(f.base)
	fl := &flight[T]{cancel: cancel, done: make(chan struct{})}
	if f.by == nil {
		f.by = map[string]*flight[T]{}
	}
	f.by[key] = fl
	f.all.Go(func() {
		defer cancel()
		defer func() {
			if p := recover(); p != nil { // of one request, not of all
				fl.err = fmt.Errorf("%s: %v", key, p)
			}
			f.mu.Lock()
			f.forget(key, fl)
			f.mu.Unlock()
			close(fl.done)
		}()
		fl.value, fl.err = get(ctx)
	})
	return fl
}

// forget takes a flight off the list. f is locked.
func (f *flights[T]) forget(key string, fl *flight[T]) {
	if f.by[key] == fl {
		delete(f.by, key)
	}
}

// wait ends when no work is under way. Nobody may call do any more.
func (f *flights[T]) wait() { f.all.Wait() }
