package relay

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe"
)

const (
	// routeTime is how long one way to the checksum database has for one answer: a
	// database that does not know a version yet fetches it first. The next way is
	// asked long before.
	routeTime = 15 * time.Second
	// routeRest is how long a way that failed twice is used last.
	routeRest = 5 * time.Second
	// lieRest is the same for one whose answers do not prove themselves.
	lieRest = time.Minute
	// unanswered is how long one was waited for that is said to have been silent, and
	// not just slower than another.
	unanswered = 2 * time.Second
)

const noAnswer = string(probe.Timeout) + ": no answer in time"

// errNoRoute says that there is nobody to be asked.
var errNoRoute = errors.New("there is no way to the checksum database in the chain")

// Routes are the ways to the checksum database. Since it signs what it says, any
// of them will do: the first that answers.
type routes struct {
	list  []*route
	hedge time.Duration
}

// A route is one way. A remote of its own gives up for good when it has failed,
// so a failed one is replaced.
type route struct {
	name string // redacted
	open func() *probe.SumDBRemote

	mu      sync.Mutex
	now     *using
	strikes int
	until   time.Time
	why     string    // it failed last; clean
	at      time.Time // when
}

// Using counts who uses a remote, since it is closed when nobody does.
type using struct {
	*probe.SumDBRemote
	n    int
	over bool
}

func newRoutes(p *probe.Prober, chains []chain.Chain, db chain.SumDB, hedge time.Duration) *routes {
	rs := &routes{hedge: hedge}
	for _, c := range chains {
		rs.list = append(rs.list, &route{name: c.Redacted(), open: func() *probe.SumDBRemote {
			remote := p.NewSumDBRemote(c, db)
			remote.Patience = routeTime
			return remote
		}})
	}
	return rs
}

func (rs *routes) close() {
	for _, r := range rs.list {
		if r.now != nil {
			r.now.Close()
		}
	}
}

// order puts those that failed lately last.
func (rs *routes) order() []*route {
	var good, bad []*route
	for _, r := range rs.list {
		r.mu.Lock()
		if r.strikes >= 2 && time.Now().Before(r.until) {
			bad = append(bad, r)
		} else {
			good = append(good, r)
		}
		r.mu.Unlock()
	}
	return append(good, bad...)
}

// A reply is what one route, or all, said.
type reply struct {
	by   *route
	data []byte
	err  error
}

// Get asks for a path below the database: by the first route, and when that is
// late or fails by the next too. An error that wraps fs.ErrNotExist says that one
// answered, and there is no such file.
func (rs *routes) Get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	order := rs.order()
	if len(order) == 0 {
		return nil, errNoRoute
	}
	replies := make(chan reply)
	running, next := 0, 0
	waiting := map[*route]bool{}
	late := time.NewTimer(rs.hedge)
	defer late.Stop()
	launch := func() {
		r := order[next]
		next++
		running++
		waiting[r] = true
		late.Reset(rs.hedge)
		go func() {
			data, err := r.get(ctx, path)
			replies <- reply{r, data, err}
		}()
	}
	launch()
	var won *reply
	var failed error
	for running > 0 {
		select {
		case got := <-replies:
			running--
			delete(waiting, got.by)
			switch {
			case won != nil:
			case got.err == nil:
				won = &got
				for _, r := range order[:slices.Index(order, got.by)] {
					if waiting[r] { // it was asked before
						r.strike()
					}
				}
				cancel()
			default:
				// That there is no such file says more than any failure.
				if failed == nil || errors.Is(got.err, fs.ErrNotExist) {
					failed = got.err
				}
				if next < len(order) && ctx.Err() == nil {
					launch()
				}
			}
		case <-late.C:
			if won == nil && next < len(order) && ctx.Err() == nil {
				launch()
			}
		}
	}
	if won != nil {
		return won.data, nil
	}
	return nil, failed
}

func (r *route) get(ctx context.Context, path string) ([]byte, error) {
	began := time.Now()
	u := r.take()
	data, err := u.Get(ctx, path)
	failed := err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist)
	switch {
	case failed:
		r.note(whyNot(err))
	case err != nil && time.Since(began) >= unanswered:
		r.note(noAnswer)
	}
	r.give(u, failed, err == nil)
	return data, err
}

// note keeps why it failed.
func (r *route) note(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why, r.at = why, time.Now()
}

// whyNot is an error of one route as a line about an upstream has it: class and detail.
func whyNot(err error) string {
	var e *probe.SumDBError
	switch {
	case !errors.As(err, &e):
		return redact.Text(err.Error())
	case e.Detail == "":
		return string(e.Class)
	}
	return string(e.Class) + ": " + e.Detail
}

// said is a line about each route that has failed after an instant, or that is still
// being waited for.
func (rs *routes) said(since time.Time) (lines []string) {
	for _, r := range rs.list {
		r.mu.Lock()
		switch {
		case r.now != nil && r.now.n > 0:
			lines = append(lines, r.name+": "+noAnswer)
		case r.at.After(since):
			lines = append(lines, r.name+": "+r.why)
		}
		r.mu.Unlock()
	}
	return lines
}

func (r *route) take() *using {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil {
		r.now = &using{SumDBRemote: r.open()}
	}
	r.now.n++
	return r.now
}

func (r *route) give(u *using, failed, good bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u.n--
	switch {
	case good: // but who lied is not believed again because it lies at once
		if time.Until(r.until) < routeRest {
			r.strikes = 0
		}
	case failed:
		r.strikes++
		r.until = time.Now().Add(routeRest)
		if r.now == u {
			u.over, r.now = true, nil
		}
	}
	if u.over && u.n == 0 {
		u.Close()
	}
}

// strike notes a failure.
func (r *route) strike() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.strikes++
	r.until = time.Now().Add(routeRest)
}

// down reports whether every way failed lately.
func (rs *routes) down() bool {
	for _, r := range rs.list {
		r.mu.Lock()
		bad := r.strikes >= 2 && time.Now().Before(r.until)
		r.mu.Unlock()
		if !bad {
			return false
		}
	}
	return true
}

// distrust puts a route behind the others as one that failed.
func (r *route) distrust() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.strikes, r.until = 2, time.Now().Add(lieRest)
	r.why, r.at = string(probe.SumDBUntrusted)+": what it says does not prove itself", time.Now()
}
