package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
)

const (
	// sumPatience is the time of one request. A database that has to fetch a
	// module before it can answer takes longer than a probe would wait, and the
	// go command would wait for ever.
	sumPatience = 15 * time.Second
	// sumAtOnce bounds the requests in flight, whoever makes them: enough to hide
	// the way there and back, few enough for a server of somebody else.
	sumAtOnce = 6
	// sumFailures in a row, and the database is down: thousands of versions that
	// each wait for an answer would be an hour of nothing.
	sumFailures = 8
)

// A SumDBRemote asks the checksum database for many things, by the route that
// one go command would take: chosen at the first request and kept
// (cmd/go/internal/modfetch/sumdb.go, initBase), with the credentials and the
// forward proxy that this takes, and connections that are used again.
//
// Its Get is a Remote of [gpx/envctl/sumdb]. It stores nothing.
//
//	o, err := sumdb.Of(e)
//	remote := prober.NewSumDBRemote(chain, o.DB)
//	defer remote.Close()
//	o.Remote = remote.Get
//	client := sumdb.New(o)
type SumDBRemote struct {
	p     *Prober
	chain chain.Chain
	db    chain.SumDB
	s     *session
	slots chan struct{}

	// Patience bounds one request; it is set before the first.
	Patience time.Duration

	mu     sync.Mutex
	route  []Result
	base   *url.URL // once it is chosen
	down   error    // nobody is asked any more
	failed int      // requests in a row
}

// A SumDBError is a request to the checksum database that failed. All text in it
// is redacted.
type SumDBError struct {
	URL    string
	Class  Class
	Detail string
}

func (e *SumDBError) Error() string {
	text := e.URL + ": " + e.Class.Words()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap makes a database's own 404 and 410 fs.ErrNotExist: it was asked, and
// has no such file.
func (e *SumDBError) Unwrap() error {
	if e.Class == NotFound {
		return fs.ErrNotExist
	}
	return nil
}

// NewSumDBRemote returns a way to ask db, which must not be off, through c. It
// has to be closed.
func (p *Prober) NewSumDBRemote(c chain.Chain, db chain.SumDB) *SumDBRemote {
	s := p.newSession()
	if t, ok := s.client.Transport.(*http.Transport); ok {
		t.MaxIdleConnsPerHost = sumAtOnce // else all but two are dialled again each time
	}
	return &SumDBRemote{p: p, chain: c, db: db, s: s, slots: make(chan struct{}, sumAtOnce), Patience: sumPatience}
}

// Close ends the connections. No request may be under way.
func (r *SumDBRemote) Close() { r.s.close() }

// Route is what was asked to find the way to the database, and where that leads,
// redacted: "" while nothing was asked, or when there is no way.
func (r *SumDBRemote) Route() ([]Result, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.base == nil {
		return r.route, ""
	}
	return r.route, redact.URL(r.base.String())
}

// Get asks for a path that begins with /lookup/ or /tile/. It fails with a
// [*SumDBError], or with the context's error.
func (r *SumDBRemote) Get(ctx context.Context, path string) ([]byte, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	base, err := r.where(ctx)
	if err != nil {
		return nil, err
	}
	r.p.auth.prepare(ctx)
	within, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	x := r.s.get(within, joinURL(base, path), r.p.cfg.BodyLimit)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = r.judge(base, path, x)
	r.count(err)
	if err != nil {
		return nil, err
	}
	return x.body, nil
}

// judge is nil for an answer that a client can look at.
func (r *SumDBRemote) judge(base *url.URL, path string, x *exchange) error {
	class, detail := x.class, x.clean(x.detail)
	switch {
	case class == OK && x.html && strings.HasPrefix(path, "/lookup/"):
		class, detail = CaptivePortal, "a web page instead of a record"
	case class == OK && x.whole:
		return nil
	case class == OK:
		class = Truncated
	case class == NotFound && base.Scheme == "file":
		class = MissingFile // a tree that lacks an answer is not the database's "no"
	}
	return &SumDBError{URL: redact.URL(joinURL(base, path).String()), Class: class, Detail: detail}
}

// count gives the database up after too many failures in a row.
func (r *SumDBRemote) count(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		r.failed = 0
		return
	}
	if r.failed++; r.failed >= sumFailures && r.down == nil && r.base.Scheme != "file" {
		r.down = fmt.Errorf("given up after %d failures in a row: %w", sumFailures, err)
	}
}

// where chooses the route, once. One request at a time does that; the others
// wait, as in the go command.
func (r *SumDBRemote) where(ctx context.Context) (*url.URL, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.down != nil:
		return nil, r.down
	case r.base != nil:
		return r.base, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	route, raw := r.p.SumDBRoute(ctx, r.chain, r.db)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.route = route
	if raw == "" {
		r.down = r.noRoute()
		return nil, r.down
	}
	base, x := parseBase(Endpoint{URL: raw, Kind: KindSumDB, SumDB: r.db})
	if x != nil {
		r.down = &SumDBError{URL: redact.URL(raw), Class: x.class, Detail: x.clean(x.detail)}
		return nil, r.down
	}
	r.base = base
	return base, nil
}

// noRoute says why the chain leads to no database.
func (r *SumDBRemote) noRoute() error {
	for i := len(r.route) - 1; i >= 0; i-- {
		if hop := r.route[i]; hop.Class != OK && hop.Class != NotFound && hop.Class != MissingFile {
			return &SumDBError{URL: hop.URL + "/sumdb/" + redact.Clean(r.db.Name) + "/supported", Class: hop.Class, Detail: hop.Detail}
		}
	}
	return &SumDBError{URL: redact.Clean(r.db.Name), Class: ConfigInvalid, Detail: "no way to the checksum database"}
}
