package probe

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"

	"gpx/envctl/wire"
)

// A stage is how far an exchange has come. When time is up, the stage alone says
// what it was waiting for.
type stage int

const (
	stIdle    stage = iota
	stDNS           // a lookup is running
	stTCP           // a dial is running
	stDialed        // connected; CONNECT, TLS or the request comes next
	stTLS           // the handshake is running
	stWriting       // connection is ready, the request goes out
	stWaiting       // request written, no byte of the answer yet
	stHeaders       // the answer has begun
	stBody          // headers are complete
)

// A tracker follows one exchange, redirects included, through httptrace. The
// transport calls it from goroutines of its own, also late.
type tracker struct {
	mu       sync.Mutex
	stage    stage
	tunnel   bool // past the forward proxy
	socks    bool // the forward proxy is none that answers CONNECT
	remote   string
	began    time.Time // of the stage that is being timed
	phases   Phases
	start    time.Time
	expires  time.Time // of the leaf certificate
	connect  int       // status of a forward proxy's answer to CONNECT
	onTunnel func()    // called when a forward proxy let the connection through
	answered bool      // some answer has been received completely, before a redirect
	retried  bool      // net/http asks again: the request was sent on a connection that then ended
	outside  bool      // the first host is none of this machine's network; see guard
	guarding bool      // what is dialled now may not be inside
}

func newTracker() *tracker {
	return &tracker{start: time.Now()}
}

// enter begins a stage, and times it where the phase has not begun yet.
func (t *tracker) enter(s stage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s == stTCP && t.stage == stTCP {
		return // a second address of the same host, in parallel
	}
	t.stage, t.began = s, time.Now()
	if s == stTLS && t.socks {
		t.through() // the handshake is the target's
	}
}

// leave ends a stage that was timed: its time is added to phase.
func (t *tracker) leave(s, next stage, phase *wire.Millis) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stage != s {
		return
	}
	*phase += wire.Millis(time.Since(t.began))
	t.stage, t.began = next, time.Now()
}

func (t *tracker) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:  func(string) { t.restart() },
		DNSStart: func(httptrace.DNSStartInfo) { t.enter(stDNS) },
		DNSDone: func(i httptrace.DNSDoneInfo) {
			if i.Err == nil {
				t.leave(stDNS, stIdle, &t.phases.DNS)
			}
		},
		ConnectStart: func(_, addr string) {
			t.enter(stTCP)
			t.mu.Lock()
			t.remote = addr
			t.mu.Unlock()
		},
		ConnectDone: func(_, addr string, err error) {
			if err == nil {
				t.leave(stTCP, stDialed, &t.phases.TCP)
				t.mu.Lock()
				t.remote = addr
				t.mu.Unlock()
			}
		},
		TLSHandshakeStart: func() { t.enter(stTLS) },
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			if err == nil {
				t.leave(stTLS, stWriting, &t.phases.TLS)
				t.leaf(s)
			}
		},
		GotConn: func(i httptrace.GotConnInfo) {
			t.enter(stWriting)
			t.mu.Lock()
			t.tunnel = true
			t.remote = i.Conn.RemoteAddr().String()
			t.mu.Unlock()
		},
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				t.wrote()
			}
		},
		GotFirstResponseByte: t.firstByte,
	}
}

// restart prepares for the connection of the first request, of a redirect's or of
// a repetition.
func (t *tracker) restart() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.stage >= stHeaders:
		t.answered, t.retried = true, false
	case t.stage >= stWriting:
		t.retried = true
	}
	t.stage, t.tunnel, t.connect = stIdle, false, 0
}

// wrote begins the wait for the first byte, unless that was faster than the
// hook (HTTP/2 calls it late).
func (t *tracker) wrote() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stage == stWriting {
		t.stage, t.began = stWaiting, time.Now()
	}
}

// firstByte ends the wait. A server that answers before it was asked is faster
// than the hook of the request.
func (t *tracker) firstByte() {
	t.leave(stWaiting, stHeaders, &t.phases.TTFB)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stage = max(t.stage, stHeaders)
}

func (t *tracker) leaf(s tls.ConnectionState) {
	if len(s.PeerCertificates) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expires = s.PeerCertificates[0].NotAfter
}

// connected records a forward proxy's answer to CONNECT.
func (t *tracker) connected(status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connect = status
	if status == 200 {
		t.through()
	}
}

// through is called with the lock held.
func (t *tracker) through() {
	t.tunnel = true
	if t.onTunnel != nil {
		t.onTunnel()
	}
}

// A progress is a tracker's state at one instant.
type progress struct {
	stage    stage
	tunnel   bool
	connect  int
	answered bool
	retried  bool
	remote   string
	expires  time.Time
	phases   Phases
}

func (t *tracker) now() progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.phases
	if spent := wire.Millis(time.Since(t.began)); t.stage != stIdle {
		// A phase that never ended took until now.
		switch t.stage {
		case stDNS:
			p.DNS += spent
		case stTCP:
			p.TCP += spent
		case stTLS:
			p.TLS += spent
		case stWaiting:
			p.TTFB += spent
		}
	}
	p.Total = wire.Millis(time.Since(t.start))
	return progress{t.stage, t.tunnel, t.connect, t.answered, t.retried, t.remote, t.expires, p}
}
