package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"gpx/probe"
)

// A Request is one line of a server's log.
type Request struct {
	At     time.Time
	Path   string
	Kind   probe.File // "" for what is no request of the module protocol
	Module string     // MODULE or MODULE@VERSION, unescaped; "" if it names none
	Status int        // 0 until a status was sent
	Done   bool       // false while the server still holds the request
}

type serverOptions struct {
	tls       bool
	private   bool
	sumdbOnly bool
	forward   bool
	prefix    string
	lacking   []string
}

// portState is what the server's port does.
type portState int

const (
	portClosed portState = iota
	portOpen
	portDropping
)

// A Server is one GOPROXY server, or the checksum database's own host, on a
// port of its own. The port stays the same when it is closed and opened again.
type Server struct {
	Name string
	lab  *Lab
	opts serverOptions
	port *port

	applyMu sync.Mutex // serialises changes of the port; taken before mu
	state   portState
	accepts sync.WaitGroup // the accept loop
	workers sync.WaitGroup // connections and the schedule's timer

	mu       sync.Mutex
	schedule Schedule
	since    time.Time     // when the schedule began
	changed  chan struct{} // closed and replaced at every change of faults
	closed   bool
	done     chan struct{}
	conns    map[*conn]struct{}
	log      []*Request
	touched  time.Time // last begin or end of a request
	count    int
}

func (l *Lab) newServer(name string, s Schedule, o serverOptions) (*Server, error) {
	p, err := newPort()
	if err != nil {
		return nil, err
	}
	o.prefix = strings.Trim(o.prefix, "/")
	if o.prefix != "" {
		o.prefix = "/" + o.prefix
	}
	srv := &Server{
		Name: name, lab: l, opts: o, port: p, schedule: s, since: l.clock.Now(), touched: l.clock.Now(),
		changed: make(chan struct{}), done: make(chan struct{}), conns: make(map[*conn]struct{}),
	}
	l.mu.Lock()
	l.servers[name] = srv
	l.mu.Unlock()
	l.onClose(srv.close)
	return srv, nil
}

// start opens the port as the schedule says and follows the schedule.
func (s *Server) start() error {
	if err := s.apply(); err != nil {
		return err
	}
	s.workers.Go(s.follow)
	return nil
}

// follow applies the schedule's steps when their time has come.
func (s *Server) follow() {
	for {
		s.mu.Lock()
		wait, more := s.schedule.next(s.lab.clock.Now().Sub(s.since))
		changed := s.changed
		s.mu.Unlock()
		var timer <-chan time.Time
		if more {
			timer = s.lab.clock.After(wait)
		}
		select {
		case <-s.done:
			return
		case <-changed:
		case <-timer:
			s.announce()
			// A port that cannot be opened again was taken by someone else;
			// clients then see refused, which is what a broken server looks like.
			_ = s.apply()
		}
	}
}

// announce wakes whatever waits for a change of faults.
func (s *Server) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// SetFault gives the server one fault from now on, also for requests that it
// holds: those are answered as the new fault says, or cut when part of the
// answer is out. With Only it concerns these kinds of request alone, and the
// rest of the schedule is forgotten.
func (s *Server) SetFault(f Fault, only ...probe.File) { s.SetSchedule(Always(f, only...)) }

// SetSchedule replaces the schedule; its offsets count from now.
func (s *Server) SetSchedule(schedule Schedule) {
	s.mu.Lock()
	s.schedule, s.since = schedule, s.lab.clock.Now()
	s.mu.Unlock()
	s.announce()
	_ = s.apply()
}

// Fault returns the fault that the whole server has now.
func (s *Server) Fault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.schedule.server(s.lab.clock.Now().Sub(s.since))
}

// faultFor returns the fault for the n-th request, of a kind, and the channel
// that is closed when it may have changed.
func (s *Server) faultFor(kind probe.File, n int) (Fault, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, whole := s.schedule.at(s.lab.clock.Now().Sub(s.since), kind)
	if f.Every > 1 {
		if n%f.Every != 1 {
			return Fault{}, s.changed
		}
		whole = false
	}
	switch mode := f.mode(); {
	case mode == ModeRefuse:
		f.Mode = ModeReset
	case mode == ModeBlackhole, mode == ModeTLSSilent:
		f.Mode = ModeHang
	case strings.HasPrefix(string(mode), "tls-"):
		// The handshake is over: a whole server's fault shows at the next
		// connection, one that concerns some requests cannot show at all.
		if f.Mode = ModeOK; !whole {
			f.Mode = ModeHang
		}
	}
	return f, s.changed
}

// apply makes the port do what the fault of now says.
func (s *Server) apply() error {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	s.mu.Lock()
	closed := s.closed
	f := s.schedule.server(s.lab.clock.Now().Sub(s.since))
	s.mu.Unlock()
	want := portOpen
	switch {
	case closed:
		want = portClosed
	case f.Every > 1:
	case f.Mode == ModeRefuse:
		want = portClosed
	case f.Mode == ModeBlackhole:
		want = portDropping
	}
	if strings.HasPrefix(string(f.Mode), "tls-") {
		s.cut(false)
	}
	if want == s.state {
		return nil
	}
	switch s.state {
	case portOpen:
		s.port.pause()
		s.accepts.Wait()
	case portDropping:
		s.port.release()
	}
	var err error
	switch want {
	case portOpen:
		if err = s.port.listen(); err == nil {
			s.accepts.Go(s.accept)
		} else {
			want = portClosed
		}
	case portDropping:
		if err = s.port.drop(); err != nil {
			want = portClosed
		}
	case portClosed:
		s.port.close()
		s.cut(true)
	}
	s.state = want
	return err
}

// cut resets open connections: all of them, or those without a request.
func (s *Server) cut(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if all || c.idle {
			c.reset()
		}
	}
}

// accept serves connections until the port is paused or closed.
func (s *Server) accept() {
	for {
		nc, err := s.port.accept()
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() || errors.Is(err, net.ErrClosed) {
				return
			}
			continue // a client that left while it was queued
		}
		c := &conn{srv: s, tcp: nc, raw: nc, idle: true}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			nc.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.workers.Go(func() {
			defer func() {
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
				c.raw.Close()
			}()
			c.serve()
		})
	}
}

func (s *Server) close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	s.mu.Unlock()
	err := s.apply()
	s.cut(true)
	s.workers.Wait()
	s.port.free()
	return err
}

// tlsConfig is how the server speaks TLS now.
func (s *Server) tlsConfig(m Mode) *tls.Config { return s.lab.certs.config(m) }

// URL is the address of the proxy, as an entry of GOPROXY (or, for the checksum
// database, as the second word of GOSUMDB).
func (s *Server) URL() string {
	if s.opts.tls {
		return "https://" + s.Addr() + s.opts.prefix
	}
	return "http://" + s.Addr() + s.opts.prefix
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return s.port.addr }

// Log returns the requests so far, oldest first.
func (s *Server) Log() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Request, len(s.log))
	for i, r := range s.log {
		list[i] = *r
	}
	return list
}

// ResetLog forgets the log; requests that are held stay in it.
func (s *Server) ResetLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var held []*Request
	for _, r := range s.log {
		if !r.Done {
			held = append(held, r)
		}
	}
	s.log = held
}

// Held is the number of requests that were read and are still unanswered, in
// whole or in part. A server whose port is a black hole never reads one.
func (s *Server) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.log {
		if !r.Done {
			n++
		}
	}
	return n
}

// Idle says how long ago a request last began or ended.
func (s *Server) Idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lab.clock.Now().Sub(s.touched)
}

// WaitHeld waits until the server holds at least n requests, so that tests need
// no sleep.
func (s *Server) WaitHeld(ctx context.Context, n int) error {
	for s.Held() < n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

func (s *Server) begin(req *http.Request) (*Request, int) {
	r := &Request{At: s.lab.clock.Now(), Path: req.URL.Path}
	r.Kind, r.Module = s.classify(req.URL.Path)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, r)
	s.touched = r.At
	s.count++
	return r, s.count
}

func (s *Server) sent(r *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Status = status
}

func (s *Server) end(r *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Done = true
	s.touched = s.lab.clock.Now()
}
