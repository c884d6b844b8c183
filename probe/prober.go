package probe

import (
	"context"
	"crypto/x509"
	"net"
	"net/url"
	"os"
	"runtime"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/net/http/httpproxy"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
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
	environ  []string
	resolver *net.Resolver
	roots    *x509.CertPool
	now      func() time.Time
	forward  func(*url.URL) (*url.URL, error)
	auth     *authority
	guarded  bool // see WithGuardedRedirects
	marked   bool // see WithMark
	files    fileReader
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

// MarkHeader is in the requests of a prober [WithMark].
const MarkHeader = "Gpx-Probe"

// WithMark has requests to plain http on this machine say that they are probes, so
// that a relay there does not take them for somebody's work. Elsewhere nothing tells
// them from those of the go command.
func WithMark() Option { return func(p *Prober) { p.marked = true } }

// New returns a Prober that behaves as the go command would in e.
func New(cfg Config, e *env.Env, opts ...Option) *Prober {
	if e == nil {
		e = &env.Env{}
	}
	p := &Prober{cfg: cfg, env: e, environ: e.Environ, now: time.Now, resolver: goResolver()}
	if p.environ == nil {
		p.environ = os.Environ()
	}
	for _, o := range opts {
		o(p)
	}
	p.forward = proxyFromEnviron(lookupIn(p.environ))
	p.auth = newAuthority(e.Get("GOAUTH"), p.environ, p.now)
	return p
}

// goResolver resolves as the go command does. That is built without cgo, so
// where Go has a resolver of its own, that is the one; it also ends when it is
// told to, which the C library's does not.
func goResolver() *net.Resolver {
	own := runtime.GOOS != "windows" && runtime.GOOS != "darwin"
	return &net.Resolver{PreferGo: own}
}

// proxyFromEnviron is net/http.ProxyFromEnvironment for another environment than
// the process's own; what it leaves out (loopback, localhost, NO_PROXY) is left
// out here too.
func proxyFromEnviron(getenv func(string) string) func(*url.URL) (*url.URL, error) {
	first := func(names ...string) string {
		for _, n := range names {
			if v := getenv(n); v != "" {
				return v
			}
		}
		return ""
	}
	c := httpproxy.Config{
		HTTPProxy:  first("HTTP_PROXY", "http_proxy"),
		HTTPSProxy: first("HTTPS_PROXY", "https_proxy"),
		NoProxy:    first("NO_PROXY", "no_proxy"),
		CGI:        getenv("REQUEST_METHOD") != "",
	}
	return c.ProxyFunc()
}

// forwardProxy is the forward proxy for a URL, nil for none.
func (p *Prober) forwardProxy(u *url.URL) (*url.URL, error) { return p.forward(u) }

// Probe checks an endpoint the short way: one .info of its canary, or what the
// kind of endpoint has in its place.
func (p *Prober) Probe(ctx context.Context, ep Endpoint) Result {
	switch ep.Kind {
	case KindProxy, KindFile:
		return p.Request(ctx, ep, ep.canary(), Info)
	case KindDirect:
		return p.probeDirect(ctx, ep)
	case KindSumDB:
		return p.probeSumDB(ctx, ep)
	case KindForward:
		return p.probeForward(ctx, ep)
	case KindOff:
		x := &exchange{finding: finding{OK, LayerConfig, "module downloads end here"}}
		return p.result(ep, module.Version{}, x)
	default:
		x := &exchange{finding: finding{ConfigInvalid, LayerConfig, "unknown kind of endpoint"}}
		return p.result(ep, module.Version{}, x)
	}
}

// Request makes the one request that the go command would make for a file and
// says what came of it. The class judges the content too: a web page is a
// captive_portal although the go command takes any answer to .mod or /supported
// that has status 200; Whole says where it would. The hash of a .mod or .zip is
// in Sum, for the caller to compare.
func (p *Prober) Request(ctx context.Context, ep Endpoint, m module.Version, f File) Result {
	if m.Path == "" {
		m = ep.canary()
	}
	if ep.Kind == KindDirect {
		return p.requestDirect(ctx, ep, m)
	}
	ctx, cancel := p.attempt(ctx)
	defer cancel()
	s := p.newSession()
	defer s.close()
	return p.request(ctx, s, ep, m, f)
}

// request is Request in a session and a context that exist already.
func (p *Prober) request(ctx context.Context, s *session, ep Endpoint, m module.Version, f File) Result {
	base, x := parseBase(ep)
	switch {
	case x != nil:
		return p.result(ep, m, x)
	case f == Supported, f == Lookup, f == Tile, f == Head:
		x = p.requestSumDB(ctx, s, ep, base, m, f)
		return p.result(ep, m, x)
	}
	u, err := moduleURL(base, m, f)
	if err != nil {
		x = &exchange{finding: finding{ConfigInvalid, LayerConfig, err.Error()}}
		return p.result(ep, m, x)
	}
	x = s.get(ctx, u, p.limitOf(f))
	sum := x.judge(ctx, m, f)
	if base.Scheme == "file" {
		p.checkTree(base, x)
	}
	r := p.result(ep, m, x)
	r.Sum = sum
	return r
}

// attempt is the time of one attempt, credentials not counted: they are asked
// for once, and bounded on their own.
func (p *Prober) attempt(ctx context.Context) (context.Context, context.CancelFunc) {
	p.auth.prepare(ctx)
	return context.WithTimeout(ctx, p.cfg.Attempt)
}

// parseBase reads the URL of a proxy, a file tree or a checksum database; where
// it cannot be used, the exchange says so.
func parseBase(ep Endpoint) (*url.URL, *exchange) {
	invalid := func(what string) (*url.URL, *exchange) {
		return nil, &exchange{finding: finding{ConfigInvalid, LayerConfig, what}}
	}
	raw := ep.address()
	if ep.Kind == KindProxy || ep.Kind == KindFile {
		hop, err := chain.ParseHop(raw)
		if err != nil {
			return invalid(err.Error())
		}
		if hop.Kind != chain.Proxy && hop.Kind != chain.File {
			return invalid("no URL of a proxy or file tree")
		}
		raw = hop.URL
	}
	u, err := url.Parse(raw)
	if err != nil {
		return invalid(message(err))
	}
	if u.Host == "" && u.Scheme != "file" {
		return invalid("a URL without a host")
	}
	return u, nil
}

// result makes an exchange fit to be shown.
func (p *Prober) result(ep Endpoint, m module.Version, x *exchange) Result {
	r := Result{
		At:         wire.At(p.now()),
		URL:        redact.URL(ep.address()),
		Kind:       ep.Kind,
		Class:      x.class,
		Layer:      x.layer,
		Detail:     x.clean(x.detail),
		HTTPStatus: x.status,
		RemoteAddr: redact.Clean(x.remote),
		TLSExpires: wire.At(x.expires),
		Phases:     x.phases,
		RetryAfter: wire.Millis(x.retryAfter),
		Whole:      x.whole,
		Lines:      x.lines,
		Record:     x.record,
	}
	if m.Path != "" {
		r.Module = redact.Clean(m.String())
	}
	if x.class == AuthRequired || x.class == Forbidden {
		if hint := p.auth.hint(); hint != "" {
			r.Detail = truncate(r.Detail+" ("+hint+")", detailRunes)
		}
	}
	return r
}
