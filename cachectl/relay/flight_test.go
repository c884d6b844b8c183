package relay

import (
	"context"
	"errors"
	"testing"
)

// One who goes away ends nothing for the other; the last one ends the work.
func TestFlights(t *testing.T) {
	t.Parallel()
	f := flights[int]{base: t.Context()}
	begun, end, ended := make(chan bool), make(chan int), make(chan error, 1)
	work := func(ctx context.Context) (int, error) {
		close(begun)
		select {
		case n := <-end:
			return n, nil
		case <-ctx.Done():
			ended <- ctx.Err()
			return 0, ctx.Err()
		}
	}
	type result struct {
		n   int
		err error
	}
	ask := func(ctx context.Context) chan result {
		c := make(chan result, 1)
		go func() {
			n, err := f.do(ctx, "key", work)
			c <- result{n, err}
		}()
		return c
	}
	waiting := func(want int) {
		for n := -1; n != want; {
			f.mu.Lock()
			n = 0
			if fl := f.by["key"]; fl != nil {
				n = fl.waiting
			}
			f.mu.Unlock()
		}
	}
	impatient, leave := context.WithCancel(t.Context())
	first := ask(impatient)
	<-begun
	second := ask(t.Context())
	waiting(2)
	leave()
	if r := <-first; !errors.Is(r.err, context.Canceled) {
		t.Errorf("%+v", r)
	}
	end <- 7
	if r := <-second; r.n != 7 || r.err != nil {
		t.Errorf("%+v", r)
	}

	begun = make(chan bool)
	impatient, leave = context.WithCancel(t.Context())
	last := ask(impatient)
	<-begun
	leave()
	<-last
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	waiting(0)
	if _, err := f.do(t.Context(), "key", func(context.Context) (int, error) { panic("oh") }); err == nil {
		t.Error("a panic is no error")
	}
	f.wait()
}
