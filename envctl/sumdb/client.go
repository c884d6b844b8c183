package sumdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
)

// A Client looks module versions up. It may be used by several goroutines at
// once, and starts none that outlives a call.
//
// Each lookup is a client of x/mod's own, so that its failure is its own: that
// client remembers errors for good, and cannot say afterwards which request
// they came from. What the lookups share is kept here.
type Client struct {
	o      Options
	heads  heads
	remote flights

	memoMu sync.Mutex
	memo   map[string][]byte // files that were asked for and proven; bounded

	toldMu sync.Mutex
	told   map[string]bool // names that Used has been told
}

// New returns a client. It reads nothing yet.
func New(o Options) *Client {
	c := &Client{o: o, memo: map[string][]byte{}, told: map[string]bool{}}
	c.heads.read = c.remembered
	return c
}

// Name is the name of the database.
func (c *Client) Name() string { return c.o.DB.Name }

// Head is the largest signed tree head that lookups have proven, or that the
// go command remembers; nil when there is none yet.
func (c *Client) Head() []byte {
	if c.o.Head != nil {
		return bytes.Clone(c.o.Head)
	}
	head, _ := c.heads.current()
	return bytes.Clone(head)
}

// Lookup returns the go.sum lines of a module version, for its zip and for its
// go.mod, proven by the database's signature. It fails with an [*Error], or
// with the context's error.
func (c *Client) Lookup(ctx context.Context, m module.Version) ([]string, error) {
	m.Version = strings.TrimSuffix(m.Version, "/go.mod")
	fail := func(kind, err error) ([]string, error) {
		return nil, &Error{Module: m, DB: c.o.DB.Name, Kind: kind, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.o.DB.Key == "" {
		return fail(ErrUnavailable, errors.New("no database is named"))
	}
	if c.o.Skip != nil && c.o.Skip(m.Path) {
		return fail(ErrSkipped, nil)
	}
	_, perr := module.EscapePath(m.Path)
	_, verr := module.EscapeVersion(m.Version)
	if err := errors.Join(perr, verr); err != nil {
		return fail(ErrUnknown, err)
	}
	lines, err := c.lookup(ctx, m, false)
	if errors.Is(err, ErrUnavailable) && c.o.Alone && c.o.Head == nil {
		if alone, aerr := c.lookup(ctx, m, true); aerr == nil {
			return alone, nil
		}
	}
	return lines, err
}

// lookup is one lookup; alone begins it as if nothing had been asked before.
func (c *Client) lookup(ctx context.Context, m module.Version, alone bool) ([]string, error) {
	l := &lookup{c: c, ctx: ctx, alone: alone, used: map[string][]byte{}, missed: map[string]string{}}
	client := sumdb.NewClient(l)
	lines, err := client.Lookup(m.Path, m.Version)
	if err == nil {
		var more []string
		more, err = client.Lookup(m.Path, m.Version+"/go.mod") // the same record
		lines = append(lines, more...)
	}
	if err == nil && len(lines) == 0 {
		err = errors.New("the record is about something else")
	}
	if err != nil {
		return nil, l.explain(m, err)
	}
	c.tell(l.used)
	return lines, nil
}

// explain says what a failed lookup means. A contradiction that was noticed
// counts for more than a file that could not be had.
func (l *lookup) explain(m module.Version, err error) error {
	if cerr := l.ctx.Err(); cerr != nil {
		return cerr
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &Error{Module: m, DB: l.c.o.DB.Name, Kind: ErrUntrusted, Local: !l.asked, Err: err}
	switch {
	case l.fork:
		e.Err = errors.New("two signed tree heads have different histories: a fork")
	case l.unknown:
		e.Kind, e.Err = ErrUnknown, nil
	case len(l.failed) > 0:
		e.Kind, e.Err = ErrUnavailable, l.failed[0].err
	}
	return e
}

// tell hands the files of a successful lookup to the observer.
func (c *Client) tell(used map[string][]byte) {
	if c.o.Used == nil {
		return
	}
	c.toldMu.Lock()
	defer c.toldMu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !c.told[name] {
			c.told[name] = true
			c.o.Used(name, used[name])
		}
	}
}

// memoMost bounds the files that are kept in memory: a full tile has 8 KiB, so
// this is 16 MiB. A cache's lookups share few tiles but those of the upper
// levels, which come back at once.
const memoMost = 2048

func (c *Client) remember(name string, data []byte) {
	c.memoMu.Lock()
	defer c.memoMu.Unlock()
	if len(c.memo) >= memoMost {
		clear(c.memo)
	}
	c.memo[name] = data
}

func (c *Client) recall(name string) ([]byte, bool) {
	c.memoMu.Lock()
	defer c.memoMu.Unlock()
	data, ok := c.memo[name]
	return data, ok
}

// A flights value makes one request out of several equal ones at a time.
type flights struct {
	mu sync.Mutex
	by map[string]*flight
}

type flight struct {
	done    chan struct{}
	data    []byte
	err     error
	givenUp bool // because its caller's context ended
}

// do calls get, or waits for the call that is under way. One that ended with
// its caller's context is nobody else's failure.
func (f *flights) do(ctx context.Context, key string, get func() ([]byte, error)) ([]byte, error) {
	for {
		f.mu.Lock()
		other := f.by[key]
		if other == nil {
			if f.by == nil {
				f.by = map[string]*flight{}
			}
			own := &flight{done: make(chan struct{}), err: fmt.Errorf("%s: the request panicked", key)}
			f.by[key] = own
			f.mu.Unlock()
			defer func() {
				f.mu.Lock()
				delete(f.by, key)
				f.mu.Unlock()
				close(own.done)
			}()
			own.data, own.err = get()
			own.givenUp = ctx.Err() != nil
			return own.data, own.err
		}
		f.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-other.done:
		}
		if !other.givenUp {
			return other.data, other.err
		}
	}
}
