package probe

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"

	"golang.org/x/mod/module"
)

// A Visit is a run of questions to one endpoint. Where a probe pays for a new
// connection, because a go command would, a visit keeps its connections: it asks
// about many versions and times none. It may be used by several goroutines at
// once.
type Visit struct {
	p  *Prober
	ep Endpoint

	mu      sync.Mutex
	session *session
	left    int // answers that may still be cut short in this session
	using   map[*session]int
}

// maxCut is how many answers are cut short before a visit goes on with a new
// session: each costs a connection, and a session remembers its own.
const maxCut = 64

// Visit begins a visit. The caller ends it with Close.
func (p *Prober) Visit(ep Endpoint) *Visit {
	return &Visit{p: p, ep: ep, using: map[*session]int{}}
}

// Close ends the connections of the visit.
func (v *Visit) Close() {
	v.mu.Lock()
	s := v.session
	v.session = nil
	v.mu.Unlock()
	if s != nil {
		s.close()
	}
}

// take hands out the session; a spent one is replaced, and closed by the last
// that used it.
func (v *Visit) take() *session {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.session == nil || v.left <= 0 {
		if old := v.session; old != nil && v.using[old] == 0 {
			old.close()
		}
		v.session, v.left = v.p.newSession(), maxCut
		// As many as are used at once are kept, not net/http's two.
		if t, ok := v.session.client.Transport.(*http.Transport); ok {
			t.MaxIdleConnsPerHost = maxCut
		}
	}
	v.using[v.session]++
	return v.session
}

func (v *Visit) give(s *session, cut bool) {
	v.mu.Lock()
	if cut && s == v.session {
		v.left--
	}
	v.using[s]--
	over := v.using[s] == 0
	if over {
		delete(v.using, s)
	}
	over = over && s != v.session
	v.mu.Unlock()
	if over {
		s.close()
	}
}

// Request is [Prober.Request] for this endpoint.
func (v *Visit) Request(ctx context.Context, m module.Version, f File) Result {
	if v.ep.Kind == KindDirect {
		return v.p.requestDirect(ctx, v.ep, m)
	}
	ctx, cancel := v.p.attempt(ctx)
	defer cancel()
	s := v.take()
	defer v.give(s, false)
	return v.p.request(ctx, s, v.ep, m, f)
}

// PeekZip says whether the endpoint gives the zip of a version, without fetching
// it: it asks for the first bytes and looks whether a zip begins there. A server
// that sends the whole file is cut off. What follows the first bytes is not
// known: a zip that is damaged further on, or has another hash, is ok here.
func (v *Visit) PeekZip(ctx context.Context, m module.Version) Result {
	ctx, cancel := v.p.attempt(ctx)
	defer cancel()
	base, x := parseBase(v.ep)
	if x != nil {
		return v.p.result(v.ep, m, x)
	}
	u, err := moduleURL(base, m, Zip)
	if err != nil {
		x = &exchange{finding: finding{ConfigInvalid, LayerConfig, err.Error()}}
		return v.p.result(v.ep, m, x)
	}
	x = &exchange{}
	if u.Scheme == "file" {
		v.p.getFile(ctx, u, peekBytes, x)
		if x.class == OK || x.class == TooLarge {
			x.judgePeek()
		}
		return v.p.result(v.ep, m, x)
	}
	s := v.take()
	x.peek(ctx, s, u, true)
	if x.status != 0 && !refusesRange(x.status) {
		v.give(s, x.partial)
		return v.p.result(v.ep, m, x)
	}
	if x.status != 0 { // it does not like what the go command never asks for
		x = &exchange{}
		x.peek(ctx, s, u, false)
	}
	v.give(s, x.partial)
	return v.p.result(v.ep, m, x)
}

// peekBytes is enough for a zip's first header, and to recognise a web page.
const peekBytes = 64

// refusesRange reports whether a status may be about the header Range, not about
// the file.
func refusesRange(status int) bool {
	switch status {
	case http.StatusRequestedRangeNotSatisfiable, http.StatusBadRequest, http.StatusNotImplemented:
		return true
	}
	return false
}

// peek reads the beginning of a file; partial says that there was more.
func (x *exchange) peek(ctx context.Context, s *session, u *url.URL, part bool) {
	if part {
		ctx = context.WithValue(ctx, rangeKey{}, "bytes=0-63")
	}
	res, t, cancel := s.open(ctx, u, x)
	defer cancel()
	if res == nil {
		return
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusPartialContent && part {
		res.StatusCode = http.StatusOK // of the part that was asked for
	}
	if res.StatusCode != http.StatusOK {
		x.receive(ctx, res, t, s.p.cfg.BodyLimit)
		return
	}
	t.enter(stBody)
	if res.TLS != nil {
		t.leaf(*res.TLS)
	}
	x.status = res.StatusCode
	var err error
	x.body, err = io.ReadAll(io.LimitReader(res.Body, peekBytes))
	x.partial = len(x.body) == peekBytes && res.ContentLength != peekBytes
	x.copy(t.now())
	if err != nil {
		x.finding = classify(ctx, err, progress{stage: stBody, tunnel: true}, nil)
		return
	}
	x.judgePeek()
}

// judgePeek says whether a zip begins here. An empty zip begins with its end.
func (x *exchange) judgePeek() {
	switch {
	case bytes.HasPrefix(x.body, []byte("PK\x03\x04")), bytes.HasPrefix(x.body, []byte("PK\x05\x06")):
		x.finding = finding{OK, LayerContent, ""}
	case looksHTML(x.body):
		x.finding = finding{CaptivePortal, LayerProtocol, "a web page instead of " + describe(Zip)}
	default:
		x.finding = finding{ProtocolInvalid, LayerProtocol, "what it sends as " + describe(Zip) + " is none"}
	}
}
