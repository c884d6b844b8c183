package relay

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"gpx/probe"
)

// A look is a lookup in the checksum database that was begun before the file is
// there that it is for.
type look struct {
	done  chan struct{}
	lines []string
	err   error
	told  atomic.Bool // its failure was, to the first who asked
}

// ahead begins the lookup that a file will need while the file is on its way: a way
// there and back less before the client has it. It is nil when the file needs none,
// or when the version may be one that nobody but the user knows of: the database is
// told of it only when an upstream has given something of it, as by a go command.
// Who calls it calls end before the context ends.
func (c *core) ahead(ctx context.Context, t target) (l *look, end func()) {
	if !c.verifies(t) || c.inGoSum(t) || !c.stage.Has(t.m, probe.Info) || c.sums.routes.down() || c.sums.proven(t.m) != nil {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	l = &look{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.lines, l.err = c.sums.lines(ctx, t.m)
	}()
	return l, func() {
		cancel()
		<-l.done
	}
}

// inGoSum reports whether go.sum says what a file's hash is.
func (c *core) inGoSum(t target) bool {
	key := t.m
	if t.file == probe.Mod {
		key.Version += "/go.mod"
	}
	return slices.ContainsFunc(c.Sums[key], func(h string) bool { return strings.HasPrefix(h, "h1:") })
}

type lookKey struct{}

// with lets who proves a file within ctx wait for the look.
func (l *look) with(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	return context.WithValue(ctx, lookKey{}, l)
}

// begun waits for the look that ctx has. ok is false without one, and when its failure
// was told before: then it is time to ask again.
func begun(ctx context.Context) (lines []string, ok bool, err error) {
	l, _ := ctx.Value(lookKey{}).(*look)
	if l == nil {
		return nil, false, nil
	}
	select {
	case <-l.done:
		return l.lines, l.err == nil || !l.told.Swap(true), l.err
	case <-ctx.Done():
		return nil, true, ctx.Err()
	}
}
