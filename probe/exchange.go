package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"gpx/envctl/redact"
)

// An exchange is one request and all that came of it. It is raw: text in it is
// made safe when it enters a [Result].
type exchange struct {
	finding
	status     int
	body       []byte
	whole      bool // status 200, and the body was read to its end
	partial    bool // ok, as far as it was read
	html       bool // the body begins like a web page
	labelled   bool // the answer says that it is a web page
	size       int64
	remote     string
	expires    time.Time
	phases     Phases
	retryAfter time.Duration
	secrets    []string // what was sent and must not be echoed
	lines      []string // of go.sum, as the checksum database has them, verified
	record     []byte   // the answer to a lookup
}

// A session is what one probe sends its requests through: connections of its own,
// which end with it.
type session struct {
	p        *Prober
	client   http.Client
	insecure bool // GOINSECURE applies: version control only
	// tunnelOnly ends a request as soon as a forward proxy let it through.
	tunnelOnly bool

	forward func(*url.URL) (*url.URL, error)

	mu     sync.Mutex
	closed bool
	conns  []net.Conn
	dials  sync.WaitGroup
}

// newSession prepares the client that cmd/go/internal/web uses
// (securityPreservingDefaultClient over http.DefaultTransport), with bounds.
func (p *Prober) newSession() *session {
	s := &session{p: p, forward: p.forwardProxy}
	s.client = http.Client{
		CheckRedirect: s.checkRedirect,
		Transport: &http.Transport{
			Proxy:                  s.proxyFor,
			DialContext:            s.dial,
			TLSClientConfig:        &tls.Config{RootCAs: p.roots},
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    goTLSTimeout,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: maxHeaders,
			OnProxyConnectResponse: func(ctx context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
				if t, ok := ctx.Value(trackerKey{}).(*tracker); ok {
					t.connected(res.StatusCode)
				}
				return nil
			},
		},
	}
	return s
}

// close ends every connection, also those whose handshake still runs in the
// transport's goroutines, and waits for dials.
func (s *session) close() {
	s.mu.Lock()
	s.closed = true
	conns := s.conns
	s.conns = nil
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	s.client.CloseIdleConnections()
	s.dials.Wait()
}

type (
	trackerKey struct{}
	doneKey    struct{}
	rangeKey   struct{} // a string: the part of a file that is asked for
)

// dial dials as http.DefaultTransport does. The transport detaches the context
// of a dial from its request (a later request could use the connection); here
// nobody will, so the two are tied together again.
func (s *session) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, net.ErrClosed
	}
	s.dials.Add(1)
	s.mu.Unlock()
	defer s.dials.Done()

	if req, ok := ctx.Value(doneKey{}).(context.Context); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(req, cancel)()
	}
	d := net.Dialer{Timeout: goDialTimeout, KeepAlive: 30 * time.Second, Resolver: s.resolver()}
	if t, ok := ctx.Value(trackerKey{}).(*tracker); ok && s.p.guarded {
		d.Control = t.control
	}
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return s.own(&asking{Conn: conn, asked: make(chan struct{})}, nil)
}

// An asking connection is read only after something was written to it. Some
// servers talk first; net/http would call that an answer or an error, as the
// moment falls, and write it to the standard logger.
type asking struct {
	net.Conn
	once  sync.Once
	asked chan struct{} // closed by the first Write, or by Close
}

func (c *asking) Read(data []byte) (int, error) {
	<-c.asked
	return c.Conn.Read(data)
}

func (c *asking) Write(data []byte) (int, error) {
	n, err := c.Conn.Write(data)
	c.once.Do(func() { close(c.asked) })
	return n, err
}

func (c *asking) Close() error {
	c.once.Do(func() { close(c.asked) })
	return c.Conn.Close()
}

// own makes a new connection end with the session.
func (s *session) own(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return nil, net.ErrClosed
	}
	s.conns = append(s.conns, conn)
	return conn, nil
}

// resolver is the prober's with connections that end with the session: a lookup
// that is given up otherwise waits on in the background, until a silent name
// server's 5 s are over.
func (s *session) resolver() *net.Resolver {
	r := s.p.resolver
	dial := r.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &net.Resolver{
		PreferGo:     r.PreferGo,
		StrictErrors: r.StrictErrors,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			s.mu.Lock()
			closed := s.closed
			s.mu.Unlock()
			if closed {
				return nil, net.ErrClosed
			}
			return s.own(dial(ctx, network, addr))
		},
	}
}

func (s *session) proxyFor(req *http.Request) (*url.URL, error) {
	u, err := s.forward(req.URL)
	if t, ok := req.Context().Value(trackerKey{}).(*tracker); ok && u != nil {
		t.mu.Lock()
		t.socks = strings.HasPrefix(u.Scheme, "socks5")
		t.mu.Unlock()
	}
	return u, err
}

// checkRedirect follows what cmd/go/internal/web follows.
func (s *session) checkRedirect(req *http.Request, via []*http.Request) error {
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" && !s.insecure {
		return fmt.Errorf("%w: %s", errInsecureRedirect, redact.URL(req.URL.String()))
	}
	if err := s.guard(req, via); err != nil {
		return err
	}
	if len(via) >= s.p.cfg.Redirects {
		return fmt.Errorf("%w: stopped after %d", errRedirects, len(via))
	}
	return nil
}

// get sends one GET as cmd/go/internal/web.Get does and reads at most limit bytes
// of the answer. ctx carries the attempt's deadline.
func (s *session) get(ctx context.Context, u *url.URL, limit int64) *exchange {
	x := &exchange{}
	if u.Scheme == "file" {
		s.p.getFile(ctx, u, limit, x)
		return x
	}
	res, t, cancel := s.open(ctx, u, x)
	defer cancel()
	if res != nil {
		defer res.Body.Close()
		x.receive(ctx, res, t, limit)
	}
	return x
}

// open sends a GET and returns the response when its headers are there. Without
// a response x says why.
func (s *session) open(ctx context.Context, u *url.URL, x *exchange) (*http.Response, *tracker, context.CancelFunc) {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		x.finding = finding{ConfigInvalid, LayerConfig, "unsupported scheme " + strconv.Quote(u.Scheme)}
		return nil, nil, func() {}
	case u.Scheme == "http" && u.User != nil && !s.insecure:
		x.finding = finding{ConfigInvalid, LayerConfig, "credentials in a plain http URL, which the go command refuses to send"}
		return nil, nil, func() {}
	}
	x.addSecret(userinfoSecrets(u.User)...)

	res, t, cancel := s.send(ctx, u, x)
	// The go command sends an https 4xx again, with what GOAUTH says of this URL.
	// An equal request has an equal answer, so only other credentials are tried.
	if res != nil && u.Scheme == "https" && res.StatusCode >= 400 && res.StatusCode < 500 && s.p.auth.renew(ctx, u, res) {
		res.Body.Close()
		cancel()
		x.finding = finding{}
		return s.send(ctx, u, x)
	}
	return res, t, cancel
}

// send makes one request. Without a response x says why.
func (s *session) send(ctx context.Context, u *url.URL, x *exchange) (*http.Response, *tracker, context.CancelFunc) {
	t := newTracker()
	reqCtx, cancel := context.WithCancel(ctx)
	if s.tunnelOnly {
		t.onTunnel = cancel
	}
	reqCtx = context.WithValue(reqCtx, doneKey{}, reqCtx)
	reqCtx = context.WithValue(reqCtx, trackerKey{}, t)
	reqCtx = httptrace.WithClientTrace(reqCtx, t.hooks())
	fail := func(err error) (*http.Response, *tracker, context.CancelFunc) {
		at := t.now()
		x.copy(at)
		if s.tunnelOnly && at.tunnel {
			x.finding = finding{class: OK}
			return nil, t, cancel
		}
		forward, _ := s.forward(u)
		x.finding = classify(ctx, err, at, forward)
		var cert *tls.CertificateVerificationError
		if errors.As(err, &cert) && len(cert.UnverifiedCertificates) > 0 {
			x.expires = cert.UnverifiedCertificates[0].NotAfter
		}
		return nil, t, cancel
	}
	req, err := http.NewRequestWithContext(reqCtx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fail(err)
	}
	if r, ok := ctx.Value(rangeKey{}).(string); ok {
		req.Header.Set("Range", r)
	}
	if s.p.marked && u.Scheme == "http" && net.ParseIP(u.Hostname()).IsLoopback() {
		req.Header.Set(MarkHeader, "1")
	}
	if u.Scheme == "https" && !s.tunnelOnly {
		if why := s.p.auth.refusal(); why != "" {
			x.finding = finding{ConfigInvalid, LayerConfig, why}
			return nil, t, cancel
		}
		x.addSecret(s.p.auth.add(req)...)
	}
	if forward, _ := s.forward(u); forward != nil {
		x.addSecret(userinfoSecrets(forward.User)...)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fail(err)
	}
	return res, t, cancel
}

// copy takes over what a tracker saw.
func (x *exchange) copy(at progress) {
	x.remote, x.phases = at.remote, at.phases
	if !at.expires.IsZero() {
		x.expires = at.expires
	}
}

// retryAfter reads a Retry-After header: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	const most = 24 * time.Hour // beyond that it is no advice about an outage
	var d time.Duration
	if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
		d = time.Duration(min(max(n, 0), int(most/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), most)
}

// statusText is a status as the go command prints it.
func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprintf("status %d", status)
}
