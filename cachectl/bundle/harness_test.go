package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/probe/lab"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A world is a proxy with modules and a checksum database on loopback.
type world struct {
	t     *testing.T
	lab   *lab.Lab
	proxy string
	key   string                   // of the checksum database
	grow  func(what string, n int) // adds records to the database of a growing world
}

// dbName is nothing that resolves: only a tree or the proxy can answer for it.
const dbName = "sumdb.lab.example"

func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed")
	}
	l, err := lab.Start(lab.Options{SumDBName: dbName})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return &world{t: t, lab: l, proxy: l.Proxy("one", nil).URL(), key: l.VerifierKey()}
}

func (w *world) db() chain.SumDB {
	w.t.Helper()
	db, err := chain.ParseSumDB(w.key)
	must(w.t, err)
	return db
}

// A home is a user: a module cache and what the go command keeps elsewhere.
type home struct {
	w       *world
	dir     string
	journal change.Journal
}

func (w *world) home() *home {
	dir := w.t.TempDir()
	// The module cache is read-only, as it is by default: -modcacherw is off.
	w.t.Cleanup(func() { makeWritable(dir) })
	return &home{w: w, dir: dir, journal: change.NewMemoryJournal()}
}

func (h *home) cache() string { return filepath.Join(h.dir, "gopath", "pkg", "mod") }

// run runs the go command in a folder of the home.
func (h *home) run(in, proxy string, args ...string) (string, error) {
	h.w.t.Helper()
	dir := filepath.Join(h.dir, in)
	must(h.w.t, os.MkdirAll(dir, 0o777))
	cmd := exec.CommandContext(h.w.t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(h.w.lab.GoEnv(h.dir, proxy), "GOFLAGS=", "GOSUMDB="+h.w.key, "HTTPS_PROXY=http://127.0.0.1:1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h *home) mustRun(in, proxy string, args ...string) string {
	h.w.t.Helper()
	out, err := h.run(in, proxy, args...)
	if err != nil {
		h.w.t.Fatalf("GOPROXY=%s go %s: %v\n%s", proxy, strings.Join(args, " "), err, out)
	}
	return out
}

// download fills the module cache from the proxy.
func (h *home) download(mods ...string) {
	h.w.t.Helper()
	h.mustRun(".", h.w.proxy, append([]string{"mod", "download"}, mods...)...)
}

// project makes a project that needs modules, go.mod without go.sum. It is no
// program, so that building it compiles no runtime.
func (h *home) project(name string, mods ...string) {
	h.w.t.Helper()
	gomod, imports := "module example.com/p\n\ngo 1.21\n", "package p\n"
	for _, m := range mods {
		path, version, _ := strings.Cut(m, "@")
		gomod += fmt.Sprintf("\nrequire %s %s\n", path, version)
		imports += fmt.Sprintf("\nimport _ %q\n", path)
	}
	write(h.w.t, filepath.Join(h.dir, name, "go.mod"), gomod)
	write(h.w.t, filepath.Join(h.dir, name, "p.go"), imports)
}

func (h *home) export(change func(*ExportOptions)) (Result, error) {
	o := ExportOptions{Cache: h.cache(), Out: filepath.Join(h.dir, "bundle.tar.zst"), SumDB: h.w.db()}
	if change != nil {
		change(&o)
	}
	return Export(h.w.t.Context(), o)
}

func (h *home) mustExport(change func(*ExportOptions)) Result {
	h.w.t.Helper()
	r, err := h.export(change)
	must(h.w.t, err)
	return r
}

// A changer applies plans for one home.
func (h *home) changer() *change.Changer {
	return change.New(change.Options{
		StateDir: filepath.Join(h.dir, "state"), Journal: h.journal,
		Env: func(context.Context) (*env.Env, error) { return &env.Env{}, nil },
	})
}

func (h *home) plan(in string, options ...func(*ImportOptions)) (*Preview, error) {
	o := ImportOptions{In: in, Cache: h.cache(), SumDB: h.w.db(), Config: filepath.Join(h.dir, "gopath", "pkg", "sumdb")}
	for _, f := range options {
		f(&o)
	}
	return PlanImport(h.w.t.Context(), o)
}

func (h *home) imports(in string, options ...func(*ImportOptions)) (change.Change, error) {
	p, err := h.plan(in, options...)
	if err != nil {
		return change.Change{}, err
	}
	return h.changer().Apply(h.w.t.Context(), p.Plan)
}

func (h *home) mustImport(in string, options ...func(*ImportOptions)) change.Change {
	h.w.t.Helper()
	ch, err := h.imports(in, options...)
	must(h.w.t, err)
	return ch
}

func (h *home) undo() *change.Plan {
	h.w.t.Helper()
	p, err := h.changer().PlanUndo(h.w.t.Context(), "", false)
	must(h.w.t, err)
	_, err = h.changer().Apply(h.w.t.Context(), p)
	must(h.w.t, err)
	return p
}

// to sets where an export is written.
func to(out string) func(*ExportOptions) { return func(o *ExportOptions) { o.Out = out } }

func write(t testing.TB, file, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(file), 0o777))
	must(t, os.WriteFile(file, []byte(content), 0o666))
}

func read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	return string(data)
}

// listing is every file below dir with its mode and the hash of its bytes.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		fmt.Fprintf(&b, "%s %v", filepath.ToSlash(rel), info.Mode())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(data)
			fmt.Fprintf(&b, " %s", hex.EncodeToString(sum[:8]))
		}
		b.WriteByte('\n')
		return nil
	})
	if !os.IsNotExist(err) {
		must(t, err)
	}
	return b.String()
}

// names are the files below dir, as bundles name them.
func names(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	}))
	return list
}

func makeWritable(dir string) {
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o777)
		}
		return nil
	})
}

func versionsOf(mods ...string) []module.Version {
	var list []module.Version
	for _, m := range mods {
		path, version, _ := strings.Cut(m, "@")
		list = append(list, module.Version{Path: path, Version: version})
	}
	return list
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rounds scales a test.
func rounds(unset, system, soak int) int {
	switch os.Getenv("GPX_TEST_SCALE") {
	case "system":
		return system
	case "soak":
		return soak
	}
	return unset
}

// labMods are what the tests put into a cache.
var labMods = []string{
	"lab.example.com/alpha@v1.0.0", "lab.example.com/alpha@v1.1.0", "lab.example.com/beta@v1.0.0",
	"lab.example.com/gamma@v0.3.0", "lab.example.com/delta/v2@v2.0.1", "lab.example.com/Upper@v1.2.3",
	"lab.example.com/nightly@v0.0.0-20240107030405-0123456789ab",
}

func equalLists(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// tampered is a sound zip of a module version with other bytes in it.
func (w *world) tampered(m string) []byte {
	w.t.Helper()
	path, version, _ := strings.Cut(m, "@")
	other, err := lab.NewModule(path, version, time.Unix(0, 0), map[string]string{"go.mod": "module " + path + "\n", "evil.go": "package evil\n"})
	must(w.t, err)
	return other.Zip
}

func readAll(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, 1<<20)) }

// startNginx serves a folder on loopback.
func startNginx(t *testing.T, nginx, dir string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	tmp := t.TempDir()
	must(t, os.Chmod(tmp, 0o777))
	config := filepath.Join(tmp, "nginx.conf")
	write(t, config, fmt.Sprintf(`
daemon off;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server { listen %[2]s; root %[3]s; }
}
`, tmp, addr, dir))
	// The worker of a root nginx is nobody, who has to reach the folder.
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	cmd := exec.Command(nginx, "-c", config, "-e", filepath.Join(tmp, "error.log"), "-g", user)
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return "http://" + addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not listen: %s", read(t, filepath.Join(tmp, "error.log")))
		}
	}
}
