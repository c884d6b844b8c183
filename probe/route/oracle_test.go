package route

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/lab"
)

// A world is a scenario made real: a lab, a project, and the environment of a go
// command that can reach nothing else.
type world struct {
	s       scenario
	lab     *lab.Lab
	dir     string
	servers map[string]*lab.Server // by name: A, B, … and "own"
	names   map[string]string      // redacted URL of a hop → name
	goproxy string
	gosumdb string
	environ []string
}

// build makes a world in dir. The caller closes it.
func build(dir string, s scenario) (*world, error) {
	l, err := lab.Start(lab.Options{Modules: modules()})
	if err != nil {
		return nil, err
	}
	w := &world{s: s, lab: l, dir: dir, servers: map[string]*lab.Server{"own": l.SumDB()}, names: map[string]string{}}
	if err := w.furnish(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// modules are the lab's, and a toolchain.
var modules = sync.OnceValue(func() []*lab.Module {
	m, err := lab.NewModule(toolchain.Path, toolchain.Version, time.Unix(1e9, 0), map[string]string{
		"go.mod": "module " + toolchain.Path + "\n", "VERSION": "go1.99.0\n"})
	if err != nil {
		panic(err)
	}
	return append(lab.DefaultModules(), m)
})

func (w *world) close() {
	w.lab.Close()
	// -modcacherw keeps the tree removable.
	os.RemoveAll(w.dir)
}

func (w *world) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

func (w *world) furnish() error {
	for _, d := range []string{"home", "proj", "modcache", "gopath"} {
		if err := os.MkdirAll(w.path(d), 0o777); err != nil {
			return err
		}
	}
	// With telemetry on, the go command leaves a process behind that writes to
	// the home directory after it has ended.
	if err := write(w.path("home", "go", "telemetry", "mode"), []byte("off")); err != nil {
		return err
	}
	w.gosumdb = w.lab.VerifierKey()
	switch w.s.SumDB {
	case "off":
		w.gosumdb = "off"
	case "url":
		w.gosumdb += " " + w.lab.SumDB().URL()
	case "bad":
		w.gosumdb = "sum.example.com"
	}
	if err := errors.Join(w.hops(), w.project(), w.cache(), w.sumCache()); err != nil {
		return err
	}
	// A request counts as held until the server has seen that it is over.
	for w.lab.SumDB().Held() > 0 {
		runtime.Gosched()
	}
	w.lab.SumDB().ResetLog()
	if w.s.Own != "" {
		w.lab.SumDB().SetFault(faults[w.s.Own].lab)
	}
	w.names[w.lab.SumDB().URL()] = "own"
	git, err := gitConfig(w.s.NoGit)
	if err != nil {
		return err
	}
	w.environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.path("home"), "XDG_CONFIG_HOME=" + w.path("home"), "TMPDIR=" + os.TempDir(),
		"GOENV=off", "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw", "GOWORK=off",
		"GOPATH=" + w.path("gopath"), "GOMODCACHE=" + w.path("modcache"), "GOCACHE=" + w.path("home", "gocache"),
		"GOPROXY=" + w.goproxy, "GOSUMDB=" + w.gosumdb,
		"GOPRIVATE=" + w.s.Private, "GONOPROXY=" + w.s.NoProxy, "GONOSUMDB=" + w.s.NoSum,
		"SSL_CERT_FILE=" + w.lab.CAFile(), "SSL_CERT_DIR=" + w.path("home"),
		"GIT_CONFIG_GLOBAL=" + git, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
	return nil
}

// hops starts the servers and trees of the chain.
func (w *world) hops() error {
	var b strings.Builder
	for i, h := range w.s.Hops {
		name := string(rune('A' + i))
		switch h.Kind {
		case chain.Proxy:
			f := faults[h.Fault]
			var opts []lab.ProxyOption
			if h.TLS {
				opts = append(opts, lab.TLS())
			}
			var schedule lab.Schedule
			if h.Fault != "" {
				schedule = lab.Always(f.lab, h.Only...)
			}
			if h.Again { // the same entry as the first, a second time
				b.WriteString(w.servers["A"].URL())
				break
			}
			srv := w.lab.Proxy(name, schedule, opts...)
			url := srv.URL()
			if h.Fault == "credentials" {
				url = strings.Replace(url, "://", "://user:secret@", 1)
			}
			w.servers[name] = srv
			w.names[redact.URL(url)] = name
			b.WriteString(url)
		case chain.File:
			dir := w.path("tree" + name)
			if err := w.plant(dir, h.Fault); err != nil {
				return err
			}
			w.names["file://"+dir] = name
			b.WriteString("file://" + dir)
		default:
			b.WriteString(string(h.Kind))
		}
		b.WriteString(string(h.Sep))
	}
	w.goproxy = b.String()
	return nil
}

// module is the lab's module that the scenario asks for.
func (w *world) module() (*lab.Module, error) {
	for _, m := range w.lab.Modules() {
		if m.Version == w.s.version() {
			return m, nil
		}
	}
	return nil, fmt.Errorf("the lab has no %s", w.s.version())
}

// plant writes a GOPROXY file tree.
func (w *world) plant(dir, flaw string) error {
	if flaw == "no-dir" {
		return write(dir, []byte("a file where a tree should be\n"))
	}
	if err := os.MkdirAll(dir, 0o777); err != nil || flaw == "empty" {
		return err
	}
	m, err := w.module()
	if err != nil {
		return err
	}
	files := map[string][]byte{"info": m.Info, "mod": []byte(m.Files["go.mod"]), "zip": m.Zip}
	if flaw == "no-zip" {
		delete(files, "zip")
	}
	if !m.Private {
		if err := writeVersion(dir, m.Version, files); err != nil {
			return err
		}
	}
	if flaw == "no-sumdb" {
		return nil
	}
	if err := w.warm(filepath.Join(dir, "sumdb"), ""); err != nil {
		return err
	}
	return write(filepath.Join(dir, "sumdb", w.lab.SumDBName(), "supported"), nil)
}

func (w *world) project() error {
	m, err := w.module()
	if err != nil {
		return err
	}
	gomod := "module lab.example.com/main\n\ngo 1.21\n"
	if !w.s.Foreign {
		gomod += fmt.Sprintf("\nrequire %s %s\n", m.Path, m.Version.Version)
	}
	var sum strings.Builder
	line := func(suffix string, l Line, genuine string) {
		switch l {
		case Mismatch:
			genuine = "h1:" + strings.Repeat("A", 43) + "="
		case NoLine:
			return
		}
		fmt.Fprintf(&sum, "%s %s%s %s\n", m.Path, m.Version.Version, suffix, genuine)
	}
	line("", w.s.Lines.Zip, m.ZipHash)
	line("/go.mod", w.s.Lines.Mod, m.ModHash)
	return errors.Join(write(w.path("proj", "go.mod"), []byte(gomod)), write(w.path("proj", "go.sum"), []byte(sum.String())))
}

// cache puts into GOMODCACHE what the scenario says is there.
func (w *world) cache() error {
	m, err := w.module()
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	c := w.s.Cached
	for _, f := range []struct {
		have bool
		name string
		data []byte
	}{{c.Info, "info", m.Info}, {c.Mod, "mod", []byte(m.Files["go.mod"])}, {c.Zip, "zip", m.Zip}, {c.ZipHash, "ziphash", []byte(m.ZipHash)}} {
		if f.have {
			files[f.name] = f.data
		}
	}
	return writeVersion(w.path("modcache", "cache", "download"), m.Version, files)
}

// sumCache fills the caches of the checksum database's client.
func (w *world) sumCache() error {
	if w.s.SumHave == "" {
		return nil
	}
	dir := w.path("modcache", "cache", "download", "sumdb")
	if err := w.warm(dir, w.path("gopath", "pkg", "sumdb")); err != nil {
		return err
	}
	switch w.s.SumHave {
	case "tiles":
		return os.RemoveAll(filepath.Join(dir, w.lab.SumDBName(), "lookup"))
	case "head":
		return os.RemoveAll(dir)
	}
	return nil
}

// warm does one lookup as the go command's client would, into a cache and, when
// config is not "", a head file.
func (w *world) warm(cache, config string) error {
	m, err := w.module()
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(w.lab.CAFile())
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer tr.CloseIdleConnections()
	v := m.Version
	if m.Private { // not in the database: any other record brings the tiles
		v = module.Version{Path: "lab.example.com/alpha", Version: "v1.0.0"}
	}
	ops := &warmOps{http: &http.Client{Transport: tr}, base: w.lab.SumDB().URL(), key: w.lab.VerifierKey(), cache: cache, config: config}
	_, err = sumdb.NewClient(ops).Lookup(v.Path, v.Version)
	return errors.Join(err, ops.err)
}

type warmOps struct {
	http                     *http.Client
	base, key, cache, config string
	mu                       sync.Mutex
	err                      error
}

func (o *warmOps) ReadRemote(path string) ([]byte, error) {
	resp, err := o.http.Get(o.base + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

func (o *warmOps) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(o.key), nil
	}
	return []byte{}, nil
}

func (o *warmOps) WriteConfig(file string, _, data []byte) error {
	if o.config == "" {
		return nil
	}
	return write(filepath.Join(o.config, file), data)
}

func (o *warmOps) ReadCache(string) ([]byte, error) { return nil, os.ErrNotExist }

func (o *warmOps) WriteCache(file string, data []byte) {
	err := write(filepath.Join(o.cache, file), data)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = errors.Join(o.err, err)
}

func (o *warmOps) Log(string)               {}
func (o *warmOps) SecurityError(msg string) { o.err = errors.New(msg) }

func write(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o666)
}

// writeVersion writes files of a module version in the layout that proxies and
// the module cache share.
func writeVersion(dir string, v module.Version, files map[string][]byte) error {
	path, err := module.EscapePath(v.Path)
	if err != nil {
		return err
	}
	for suffix, data := range files {
		if err := write(filepath.Join(dir, path, "@v", v.Version+"."+suffix), data); err != nil {
			return err
		}
	}
	return nil
}

// git repositories behind "direct", made once for all tests.
var repos struct {
	once sync.Once
	dir  string
	err  error
}

// gitConfig returns a git configuration that turns GitHub into local
// repositories, or into nothing.
func gitConfig(gone bool) (string, error) {
	repos.once.Do(func() { repos.dir, repos.err = makeRepos() })
	if gone {
		return filepath.Join(repos.dir, "gone"), repos.err
	}
	return filepath.Join(repos.dir, "config"), repos.err
}

func makeRepos() (string, error) {
	dir, err := os.MkdirTemp("", "gpx-route-git-")
	if err != nil {
		return "", err
	}
	for _, m := range lab.DefaultModules() {
		if !strings.HasPrefix(m.Path, "github.com/gpx-lab") || m.Version.Version != "v1.0.0" {
			continue
		}
		repo := filepath.Join(dir, "repos", strings.TrimPrefix(m.Path, "github.com/"))
		for name, data := range m.Files {
			if err := write(filepath.Join(repo, name), []byte(data)); err != nil {
				return dir, err
			}
		}
		for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "one"}, {"tag", m.Version.Version}} {
			cmd := exec.Command("git", append([]string{"-c", "user.name=lab", "-c", "user.email=lab@example.com", "-c", "init.defaultBranch=main"}, args...)...)
			cmd.Dir = repo
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}
			if out, err := cmd.CombinedOutput(); err != nil {
				return dir, fmt.Errorf("git %v: %v: %s", args, err, out)
			}
		}
	}
	config := func(file, where string) error {
		return write(filepath.Join(dir, file), fmt.Appendf(nil, "[url \"file://%s/\"]\n\tinsteadOf = https://github.com/\n", filepath.Join(dir, where)))
	}
	return dir, errors.Join(config("config", "repos"), config("gone", "nowhere"))
}

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
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-done
			return o, fmt.Errorf("%w: %s", ctx.Err(), out.String())
		case <-tick.C:
			if w.holds(patience) {
				o.outcome = "hangs"
				syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
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
		if seen, err = w.observe(ctx); err != nil {
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

// observe is the prediction from what the real prober finds out. The logs are
// empty again when it returns.
func (w *world) observe(ctx context.Context) (Route, error) {
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
	pr := probe.New(probe.DefaultConfig(), e, probe.WithRootCAs(pool))
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

// agree reports that two request sequences agree, but for tiles that the
// observer cannot know to be cached.
func (w *world) agree(log, want []string) bool {
	if w.s.SumHave == "" {
		return slices.Equal(log, want)
	}
	notTile := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.HasSuffix(s, " tile") })
	}
	return slices.Equal(notTile(log), notTile(want))
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
