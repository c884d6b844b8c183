package probe_test

import (
	"context"
	"crypto/x509"
	"flag"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/lab"
)

// TestMain lets more tests run at once than there are processors: nearly all of
// their time they wait for something that does not come.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const (
	// patience is the attempt of a probe that ends by itself: only a machine
	// under load ever needs it.
	patience = 20 * time.Second
	// brief is the attempt of a probe whose time must run out.
	brief = time.Second
)

// startLab starts a lab that ends with the test.
func startLab(t testing.TB) *lab.Lab {
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
	return l
}

// A setup is what a test's prober is made with.
type setup struct {
	attempt time.Duration
	goenv   map[string]string // go env
	environ []string          // the OS environment, on top of an empty home
	options []probe.Option
}

// prober makes a prober that sees nothing of this machine and trusts the lab.
func (s setup) prober(t testing.TB, l *lab.Lab) *probe.Prober {
	t.Helper()
	e := &env.Env{
		Dir:     t.TempDir(),
		Environ: append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1"}, s.environ...),
	}
	vars := map[string]string{"GOAUTH": "netrc", "GOPATH": t.TempDir()}
	maps.Copy(vars, s.goenv)
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		e.Vars = append(e.Vars, env.Var{Name: name, Value: vars[name]})
	}
	cfg := probe.DefaultConfig()
	cfg.Attempt, cfg.VCSAttempt = patience, patience
	if s.attempt != 0 {
		cfg.Attempt, cfg.VCSAttempt = s.attempt, s.attempt
	}
	options := s.options
	if l != nil {
		options = append([]probe.Option{probe.WithRootCAs(roots(t, l))}, options...)
	}
	return probe.New(cfg, e, options...)
}

func roots(t testing.TB, l *lab.Lab) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(l.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// sumdbOf is the lab's checksum database as GOSUMDB names it.
func sumdbOf(t testing.TB, l *lab.Lab) chain.SumDB {
	t.Helper()
	db, err := chain.ParseSumDB(l.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// alpha is a module that every lab proxy has.
func alpha(l *lab.Lab) (m probe.Endpoint) {
	return probe.Endpoint{Kind: probe.KindProxy, Module: l.Modules()[0].Version}
}

// at is an endpoint of the lab: a proxy that is asked for alpha.
func at(l *lab.Lab, url string) probe.Endpoint {
	ep := alpha(l)
	ep.URL = url
	return ep
}

// bound is a context that ends long before the test does.
func bound(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
