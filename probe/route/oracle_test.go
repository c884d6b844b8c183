package route

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
)

// An observation is what the go command did.
type observation struct {
	outcome string   // served, fails, hangs
	log     []string // "A info", in order, without repetitions
	output  string
}

// hangAfter is how long a hop must hold a request, with nothing else going on,
// for the go command to count as hanging. Where the prediction says otherwise,
// the go command gets more time to prove it: a machine under load is slow.
const (
	hangAfter   = 3 * time.Second
	hangPatient = 10 * time.Second
)

// run is the reference command. It is killed, with its children, when it hangs.
func (w *world) run(ctx context.Context, expectHang bool) (observation, error) {
	cmd := exec.Command("go", "mod", "download", w.s.version().String())
	cmd.Dir, cmd.Env = w.path("proj"), w.environ
	ownGroup(cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return observation{}, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	patience := hangPatient
	if expectHang {
		patience = hangAfter
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var o observation
	for o.outcome == "" {
		select {
		case err := <-done:
			var exit *exec.ExitError
			switch {
			case err == nil:
				o.outcome = "served"
			case errors.As(err, &exit):
				o.outcome = "fails"
			default:
				return o, err
			}
		case <-ctx.Done():
			killGroup(cmd)
			<-done
			return o, fmt.Errorf("%w: %s", ctx.Err(), out.String())
		case <-tick.C:
			if w.holds(patience) {
				o.outcome = "hangs"
				killGroup(cmd)
				<-done
			}
		}
	}
	o.output, o.log = out.String(), w.requests()
	return o, nil
}

// holds reports whether a server has held a request of the module protocol for
// at least d, with no request anywhere meanwhile. (The endless body counts: it
// is one request that goes on and on.)
func (w *world) holds(d time.Duration) bool {
	held := false
	for _, srv := range w.servers {
		if srv.Idle() < d {
			return false
		}
		for _, r := range srv.Log() {
			held = held || !r.Done && r.Kind != ""
		}
	}
	return held
}

// requests is the log of all servers in order. What the go command sends twice
// by itself counts once: an https request that got a 4xx (credentials), one on a
// reused connection that broke (net/http), redirects, a partial tile and the full
// one.
func (w *world) requests() []string {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	for name, srv := range w.servers {
		for _, r := range srv.Log() {
			if r.Kind != "" {
				lines = append(lines, line{r.At, name + " " + string(r.Kind)})
			}
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	texts := []string{}
	for _, l := range lines {
		if len(texts) == 0 || texts[len(texts)-1] != l.text {
			texts = append(texts, l.text)
		}
	}
	return texts
}

// expected is the request sequence that a route predicts, as the log would show
// it: only requests to servers, and only those that a server sees.
func (w *world) expected(r Route) []string {
	texts := []string{}
	for _, s := range r.Steps {
		name := w.names[s.Hop]
		if w.servers[name] == nil || unseen(s.Class) {
			continue
		}
		text := name + " " + s.File
		if len(texts) == 0 || texts[len(texts)-1] != text {
			texts = append(texts, text)
		}
	}
	return texts
}

// unseen reports whether a request of this class never reaches the server's
// log, because it ends before HTTP.
func unseen(c probe.Class) bool {
	switch c.Info().Layer {
	case probe.LayerConfig, probe.LayerDNS, probe.LayerTCP, probe.LayerTLS:
		return true
	}
	return false
}

// outcomeOf is a route's result in the words of an observation.
func outcomeOf(result string) string {
	switch result {
	case Served, Direct:
		return "served"
	case Hangs:
		return "hangs"
	default:
		return "fails"
	}
}

// differ runs both sides of a scenario and says how they differ: "" is
// agreement. With observed the real prober predicts too.
func differ(ctx context.Context, dir string, s scenario, observed bool) (diff string, r Route, err error) {
	w, err := build(dir, s)
	if err != nil {
		return "", Route{}, err
	}
	defer w.close()
	r = w.predict()
	var seen Route
	if observed {
		if seen, err = w.observe(ctx, r.Result == Hangs); err != nil {
			return "", r, err
		}
	}
	o, err := w.run(ctx, r.Result == Hangs)
	if err != nil {
		return "", r, err
	}
	diff = w.compare(r, o)
	if observed {
		diff += w.compareObserved(seen, o)
	}
	return diff, r, nil
}

// compareObserved holds what the real prober led to against the go command.
func (w *world) compareObserved(r Route, o observation) string {
	var diffs []string
	git := slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Hop == "direct" })
	if git && (w.s.Lines.Mod == Mismatch || w.s.Lines.Zip == Mismatch) {
		return "" // what version control has is not hashed
	}
	if want := outcomeOf(r.Result); o.outcome != want {
		diffs = append(diffs, fmt.Sprintf("observed outcome: the go command %s, predicted %s (%s)", o.outcome, want, r.Why))
	}
	if want := w.expected(r); !w.agree(o.log, want) {
		diffs = append(diffs, fmt.Sprintf("requests: %q\nobserved prediction: %q", o.log, want))
	}
	if len(diffs) > 0 {
		diffs = append(diffs, "steps:\n\t"+strings.Join(w.words(r), "\n\t"), "go: "+strings.TrimSpace(o.output))
	}
	return strings.Join(diffs, "\n")
}

func (w *world) compare(r Route, o observation) string {
	var diffs []string
	if want := outcomeOf(r.Result); o.outcome != want {
		diffs = append(diffs, fmt.Sprintf("outcome: the go command %s, predicted %s (%s)", o.outcome, want, r.Why))
	}
	if want := w.expected(r); !slices.Equal(o.log, want) {
		diffs = append(diffs, fmt.Sprintf("requests: %q\npredicted: %q", o.log, want))
	}
	if off := strings.Contains(o.output, "disabled by GOPROXY=off"); off != (r.Result == Off) {
		diffs = append(diffs, fmt.Sprintf("the go command names GOPROXY=off: %v, predicted result %q", off, r.Result))
	}
	if len(diffs) > 0 {
		diffs = append(diffs, "go: "+strings.TrimSpace(o.output))
	}
	return strings.Join(diffs, "\n")
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if repos.dir != "" {
		os.RemoveAll(repos.dir)
	}
	os.Exit(code)
}

// observePatient is the attempt of a probe where nothing is expected to hang: then
// only a machine under load needs more than the default.
const observePatient = 8 * time.Second

// observe is the prediction from what the real prober finds out. The logs are
// empty again when it returns.
func (w *world) observe(ctx context.Context, expectHang bool) (Route, error) {
	e, err := env.Read(ctx, env.Options{Dir: w.path("proj"), Environ: w.environ})
	if err != nil {
		return Route{}, err
	}
	p, err := project.Find(w.path("proj"), e)
	if err != nil {
		return Route{}, err
	}
	pem, err := os.ReadFile(w.lab.CAFile())
	if err != nil {
		return Route{}, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	cfg := probe.DefaultConfig()
	if !expectHang {
		cfg.Attempt = observePatient
	}
	pr := probe.New(cfg, e, probe.WithRootCAs(pool))
	r, err := Observe(ctx, pr, e, p, w.s.version())
	if err != nil {
		return r, err
	}
	return r, w.settle(ctx)
}

// settle waits until the servers have read what the observer gave up halfway,
// and forgets it.
func (w *world) settle(ctx context.Context) error {
	const quiet = 100 * time.Millisecond
	tick := time.NewTicker(quiet / 10)
	defer tick.Stop()
	for {
		busy := false
		for _, srv := range w.servers {
			busy = busy || srv.Held() > 0 || srv.Idle() < quiet
		}
		if !busy {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, srv := range w.servers {
		srv.ResetLog()
	}
	return nil
}

// agree reports that two request sequences agree. Where a head is cached and its
// tiles are not, the observer cannot ask for those tiles alone, and so may not
// know which of the database's requests is the one that fails.
func (w *world) agree(log, want []string) bool {
	if w.s.SumHave != "head" {
		return slices.Equal(log, want)
	}
	short := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
			return strings.HasSuffix(s, " tile") || strings.HasSuffix(s, " lookup")
		})
	}
	return slices.Equal(short(log), short(want))
}

// predict is the prediction from the faults of the lab.
func (w *world) predict() Route { return Predict(w.s.input(w.goproxy, w.gosumdb)) }

// words are the steps of a route with the hops by name.
func (w *world) words(r Route) []string {
	list := []string{}
	for _, s := range r.Steps {
		name := w.names[s.Hop]
		switch {
		case name != "":
		case s.Hop == "direct":
			name = "git"
		default:
			name = s.Hop
		}
		list = append(list, fmt.Sprintf("%s %s %s %s", s.File, name, s.Class, s.Action))
	}
	return list
}
