package probe

import (
	"context"
	"crypto/x509"
	"net"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/env"
)

// Config bounds a probe. All of it are settings; [DefaultConfig] has the reasons.
type Config struct {
	Attempt    time.Duration // one attempt, from the name to the last byte
	VCSAttempt time.Duration // one attempt at version control
	BodyLimit  int64         // bytes of a body that are read
	ZipLimit   int64         // bytes of a zip or go.mod that are read
	Redirects  int           // redirects that are followed
}

// DefaultConfig returns the bounds that gpx starts with.
func DefaultConfig() Config {
	return Config{
		Attempt:    2 * time.Second, // so that a burst fits into the 2.5 s that a screen may take to know
		VCSAttempt: 8 * time.Second, // git needs several round trips and a process
		BodyLimit:  64 << 10,        // an .info has some 200 bytes; a login page is recognised by its first ones
		ZipLimit:   8 << 20,         // held in memory while it is hashed
		Redirects:  10,              // as cmd/go/internal/web/http.go, checkRedirect
	}
}

// A Prober probes endpoints with one user's environment. It may be used by
// several goroutines at once; none of its own outlives a call.
type Prober struct {
	cfg      Config
	env      *env.Env
	resolver *net.Resolver
	roots    *x509.CertPool
	now      func() time.Time
}

// An Option changes a Prober.
type Option func(*Prober)

// WithResolver uses r instead of the system's resolver.
func WithResolver(r *net.Resolver) Option { return func(p *Prober) { p.resolver = r } }

// WithNow takes the instants of results from now.
func WithNow(now func() time.Time) Option { return func(p *Prober) { p.now = now } }

// WithRootCAs trusts the authorities of pool instead of the system's, as
// SSL_CERT_FILE does for the go command.
func WithRootCAs(pool *x509.CertPool) Option { return func(p *Prober) { p.roots = pool } }

// New returns a Prober that behaves as the go command would in e.
func New(cfg Config, e *env.Env, opts ...Option) *Prober {
	p := &Prober{cfg: cfg, env: e, now: time.Now}
	for _, o := range opts {
		o(p)
	}
	return p
}

// Probe checks an endpoint the short way: one .info of its canary, or what the
// kind of endpoint has in its place.
func (p *Prober) Probe(ctx context.Context, ep Endpoint) Result {
	return Result{Kind: ep.Kind, Class: ClassUnknown}
}

// Deep checks everything that the go command may ask of an endpoint, and lists
// it in Checks.
func (p *Prober) Deep(ctx context.Context, ep Endpoint) Result { return p.Probe(ctx, ep) }

// Request makes one request as the go command would and says what the go command
// would see: an HTML page is an OK answer to /supported, and a wrong go.mod is one
// to .mod; its hash is in Sum.
func (p *Prober) Request(ctx context.Context, ep Endpoint, m module.Version, f File) Result {
	return p.Probe(ctx, ep)
}

// SumDBRoute walks the chain as the checksum database's client does at its first
// request (cmd/go/internal/modfetch/sumdb.go, initBase). It returns one result per
// hop asked and the raw base URL that the client would use; an empty base means
// that the client ends with the error of the last result that failed.
func (p *Prober) SumDBRoute(ctx context.Context, c chain.Chain, db chain.SumDB) (route []Result, base string) {
	return []Result{}, ""
}
