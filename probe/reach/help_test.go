package reach_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/lab"
	"gpx/probe/reach"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 20 * time.Second       // of attempts that end by themselves
	brief    = 400 * time.Millisecond // of attempts whose time must run out
)

var (
	alpha  = module.Version{Path: "lab.example.com/alpha", Version: "v1.0.0"}
	alpha1 = module.Version{Path: "lab.example.com/alpha", Version: "v1.1.0"}
	beta   = module.Version{Path: "lab.example.com/beta", Version: "v1.0.0"}
	upper  = module.Version{Path: "lab.example.com/Upper", Version: "v1.2.3"}
	gitOne = module.Version{Path: "github.com/gpx-lab/one", Version: "v1.0.0"}
	gitTwo = module.Version{Path: "github.com/gpx-lab/two", Version: "v1.0.0"}
	secret = module.Version{Path: "corp.example.com/secret", Version: "v1.0.0"}
)

// A world is a lab with what reach is asked with.
type world struct {
	t *testing.T
	*lab.Lab
	attempt time.Duration
	environ []string
	options reach.Options
	public  map[string]bool // URLs of public proxies
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l, err := lab.Start(lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, Lab: l, attempt: patience, public: map[string]bool{}}
	w.options.Public = func(raw string) bool { return w.public[raw] }
	w.options.PerCall = time.Minute
	return w
}

func (w *world) chain(hops ...string) {
	w.t.Helper()
	c, err := chain.Parse(strings.Join(hops, ","))
	if err != nil {
		w.t.Fatal(err)
	}
	w.options.Chain = c
}

func (w *world) reacher() *reach.Reacher {
	w.t.Helper()
	pem, err := os.ReadFile(w.CAFile())
	if err != nil {
		w.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	e := &env.Env{
		Dir:     w.t.TempDir(),
		Environ: append([]string{"HOME=" + w.t.TempDir(), "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1"}, w.environ...),
	}
	cfg := probe.DefaultConfig()
	cfg.Attempt, cfg.VCSAttempt = w.attempt, patience
	return reach.New(probe.New(cfg, e, probe.WithRootCAs(pool)), w.options)
}

func (w *world) ask(versions ...module.Version) map[module.Version]reach.Answer {
	w.t.Helper()
	return where(w.t, w.reacher(), versions...)
}

func where(t *testing.T, r *reach.Reacher, versions ...module.Version) map[module.Version]reach.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answers, err := r.Where(ctx, versions, nil)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

// requests lists what a server was asked for, without its own path.
func requests(s *lab.Server) (paths []string) {
	for _, r := range s.Log() {
		paths = append(paths, strings.TrimPrefix(r.Path, "/"))
	}
	return paths
}

// except is a proxy that answers what the lab's does, unless odd does it.
func except(t *testing.T, s *lab.Server, odd func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	to, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	back := &http.Transport{DisableKeepAlives: true}
	pass := &httputil.ReverseProxy{Transport: back, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !odd(w, r) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return front.URL
}

func classOf(a reach.Answer) probe.Class {
	if len(a.Sources) == 0 {
		return ""
	}
	return a.Sources[0].Class
}
