package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A Clock is the time of a lab; tests may bring their own.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

type realClock struct{}

func (realClock) Now() time.Time                         { return time.Now() }
func (realClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Options are what a lab is started with; the zero value is a good lab.
type Options struct {
	// Modules are what the proxies serve; nil means [DefaultModules].
	Modules []*Module
	// Clock drives schedules and delays; nil is the real one.
	Clock Clock
	// SumDBName is the name of the checksum database. Empty means the address
	// of the database's own server (127.0.0.1:PORT), so that even a go command
	// that dials the database directly stays on loopback.
	SumDBName string
}

// A Lab owns its servers, its certificates and one temporary directory.
type Lab struct {
	clock   Clock
	modules []*Module
	certs   *certs
	log     *sumLog // the checksum database
	own     *Server // the host of the checksum database
	dir     string

	gitOnce   sync.Once
	gitConfig string
	gitErr    error

	mu      sync.Mutex
	closers []func() error
	servers map[string]*Server
}

// Start starts a lab: its certificates, its checksum database on a host of its
// own, and no proxy yet.
func Start(o Options) (*Lab, error) {
	if o.Modules == nil {
		o.Modules = DefaultModules()
	}
	if o.Clock == nil {
		o.Clock = realClock{}
	}
	dir, err := os.MkdirTemp("", "gpx-lab-")
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	l := &Lab{clock: o.Clock, modules: o.Modules, dir: dir, servers: make(map[string]*Server)}
	fail := func(err error) (*Lab, error) {
		l.Close()
		return nil, fmt.Errorf("lab: %w", err)
	}
	if l.certs, err = newCerts(o.Clock.Now()); err != nil {
		return fail(err)
	}
	if err := os.WriteFile(l.CAFile(), l.certs.rootPEM, 0o666); err != nil {
		return fail(err)
	}
	own, err := l.newServer("sumdb", nil, serverOptions{tls: true, sumdbOnly: true})
	if err != nil {
		return fail(err)
	}
	l.own = own
	if o.SumDBName == "" {
		o.SumDBName = own.Addr()
	}
	if l.log, err = newSumLog(o.SumDBName, o.Modules); err != nil {
		return fail(err)
	}
	return l, own.start()
}

// Close stops every server, ends every connection that is held, and removes the
// lab's directory. No goroutine of the lab is left when it returns.
func (l *Lab) Close() error {
	l.mu.Lock()
	closers := l.closers
	l.closers = nil
	l.mu.Unlock()
	var errs []error
	for _, c := range closers {
		errs = append(errs, c())
	}
	errs = append(errs, removeAll(l.dir))
	return errors.Join(errs...)
}

func (l *Lab) onClose(c func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closers = append(l.closers, c)
}

// Proxy starts one GOPROXY server on a port of its own. It serves every public
// module and the checksum database over plain http unless options say otherwise.
// A lab that cannot listen on loopback cannot go on: Proxy panics then.
func (l *Lab) Proxy(name string, s Schedule, opts ...ProxyOption) *Server {
	var o serverOptions
	for _, opt := range opts {
		opt(&o)
	}
	srv, err := l.newServer(name, s, o)
	if err == nil {
		err = srv.start()
	}
	if err != nil {
		panic(fmt.Sprintf("lab: proxy %s: %v", name, err))
	}
	return srv
}

// A ProxyOption changes what a proxy of the lab serves.
type ProxyOption func(*serverOptions)

// TLS makes the proxy speak https with a certificate of the lab's authority.
func TLS() ProxyOption { return func(o *serverOptions) { o.tls = true } }

// Private makes the proxy serve the private modules too.
func Private() ProxyOption { return func(o *serverOptions) { o.private = true } }

// Lacking makes the proxy answer 404 for modules whose path, or path@version,
// matches one of the patterns (module.MatchPrefixPatterns on the path).
func Lacking(patterns ...string) ProxyOption {
	return func(o *serverOptions) { o.lacking = append(o.lacking, patterns...) }
}

// Under puts the proxy below a path, as in https://host/PATH.
func Under(path string) ProxyOption { return func(o *serverOptions) { o.prefix = path } }

// Modules returns what the lab serves.
func (l *Lab) Modules() []*Module { return l.modules }

// CAFile is the PEM file of the lab's certificate authority, for SSL_CERT_FILE.
func (l *Lab) CAFile() string { return filepath.Join(l.dir, "ca.pem") }

// Dir is the lab's temporary directory.
func (l *Lab) Dir() string { return l.dir }

// SumDB is the server of the checksum database's own host.
func (l *Lab) SumDB() *Server { return l.own }

// SumDBName is the name of the checksum database.
func (l *Lab) SumDBName() string { return l.log.name }

// VerifierKey is the key of the checksum database: the value of GOSUMDB.
func (l *Lab) VerifierKey() string { return l.log.verifier }

// sumdbName is SumDBName, and "" while the lab is being started.
func (l *Lab) sumdbName() string {
	if l.log == nil {
		return ""
	}
	return l.log.name
}
