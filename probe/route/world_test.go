package route

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
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

// running is a toolchain of the lab for this machine. It hands everything over to
// the go command that LAB_GO names.
const running = "go1.97.0"

// modules are the lab's, and two toolchains.
var modules = sync.OnceValue(func() []*lab.Module {
	m, err := lab.NewModule(toolchain.Path, toolchain.Version, time.Unix(1e9, 0), map[string]string{
		"go.mod": "module " + toolchain.Path + "\n", "VERSION": "go1.99.0\n"})
	if err != nil {
		panic(err)
	}
	v := fmt.Sprintf("v0.0.1-%s.%s-%s", running, runtime.GOOS, runtime.GOARCH)
	runs, err := lab.NewModule(toolchain.Path, v, time.Unix(1e9, 0), map[string]string{
		"go.mod": "module " + toolchain.Path + "\n", "VERSION": running + "\n", "pkg/tool/none": "", "lib/none": "", "bin/gofmt": "",
		"bin/go": "#!/bin/sh\nunset GOROOT GOTOOLCHAIN_INTERNAL_SWITCH_VERSION\nGOTOOLCHAIN=local exec \"$LAB_GO\" \"$@\"\n"})
	if err != nil {
		panic(err)
	}
	return append(lab.DefaultModules(), m, runs)
})

func (w *world) close() {
	w.lab.Close()
	w.chmod(0o777)
	// -modcacherw keeps the tree removable.
	os.RemoveAll(w.dir)
}

// chmod sets the mode of every folder of the module cache.
func (w *world) chmod(mode os.FileMode) error {
	return filepath.WalkDir(w.path("modcache"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, mode)
	})
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
	if w.s.Locked {
		if err := w.chmod(0o555); err != nil {
			return err
		}
	}
	for _, set := range w.s.Set {
		w.environ = append(w.environ, strings.ReplaceAll(set, "WORLD", w.dir))
	}
	return nil
}

// hops starts the servers and trees of the chain.
func (w *world) hops() error {
	var b strings.Builder
	first := "" // the text of hop A
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
				b.WriteString(first)
				break
			}
			srv := w.lab.Proxy(name, schedule, opts...)
			url := srv.URL()
			if h.Fault == "credentials" {
				url = strings.Replace(url, "://", "://user:secret@", 1)
			}
			w.servers[name] = srv
			w.names[redact.URL(url)] = name
			if i == 0 {
				first = url
			}
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
