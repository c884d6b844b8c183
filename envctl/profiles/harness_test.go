package profiles

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/note"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/project"
)

// dbName is nothing that resolves: whoever dials it goes through HTTPS_PROXY,
// where the dial is counted.
const dbName = "sumdb.lab.example"

// A world is a proxy with modules and a checksum database, and a user with a
// project that requires them.
type world struct {
	t       *testing.T
	dir     string // home
	project string
	cache   string // GOMODCACHE
	skey    string
	vkey    string
	proxy   *httptest.Server
	dials   atomic.Int64 // connections to HTTPS_PROXY
	forward net.Listener
	files   map[string][]byte // proxy path → content
	sums    map[string]string // "path version" → hash
	environ []string
}

func newWorld(t *testing.T, modules int) *world {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed")
	}
	w := &world{t: t, dir: t.TempDir(), files: map[string][]byte{}, sums: map[string]string{}}
	w.project, w.cache = filepath.Join(w.dir, "project"), filepath.Join(w.dir, "mod, cache 100%")
	var err error
	w.skey, w.vkey, err = note.GenerateKey(nil, dbName)
	must(t, err)
	for i := range modules {
		w.module(modPath(i))
	}
	w.serve()
	w.countDials()
	w.environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "XDG_CONFIG_HOME=" + filepath.Join(w.dir, "config"),
		"GOPATH=" + filepath.Join(w.dir, "gopath"), "GOMODCACHE=" + w.cache, "GOCACHE=" + filepath.Join(w.dir, "build"),
		"TEST_TELEMETRY_DIR=" + filepath.Join(w.dir, "telemetry"), "HTTPS_PROXY=http://" + w.forward.Addr().String(),
		"GIT_TERMINAL_PROMPT=0", "GOVCS=*:off",
	}
	w.write("telemetry/mode", "off")
	w.write("config/go/env", "# mine\nGOFLAGS=-modcacherw\nGOPROXY="+w.proxy.URL+"\nGOSUMDB="+w.vkey+"\n")
	gomod, imports := "module example.com/main\n\ngo 1.26\n", "package main\n"
	for i := range modules {
		gomod += fmt.Sprintf("\nrequire %s v1.0.0\n", modPath(i))
		imports += fmt.Sprintf("\nimport _ %q\n", modPath(i))
	}
	w.write("project/go.mod", gomod)
	w.write("project/main.go", imports+"\nfunc main() {}\n")
	return w
}

// modPath names module i; the first two are under a path that tests make
// private.
func modPath(i int) string {
	if i < 2 {
		return fmt.Sprintf("private.example.com/m%d", i)
	}
	return fmt.Sprintf("public.example.com/M%d", i) // escaped as !m
}

func (w *world) write(name, content string) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	must(w.t, os.MkdirAll(filepath.Dir(file), 0o777))
	must(w.t, os.WriteFile(file, []byte(content), 0o666))
}

// module makes one module version that the proxy serves and the database knows.
func (w *world) module(path string) {
	w.t.Helper()
	escaped, err := module.EscapePath(path)
	must(w.t, err)
	gomod := []byte("module " + path + "\n\ngo 1.20\n")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{"go.mod": string(gomod), "x.go": "package x\n"} {
		f, err := z.Create(path + "@v1.0.0/" + name)
		must(w.t, err)
		io.WriteString(f, content)
	}
	must(w.t, z.Close())
	base := "/" + escaped + "/@v/v1.0.0"
	w.files[base+".info"], w.files[base+".mod"], w.files[base+".zip"] = []byte(`{"Version":"v1.0.0"}`), gomod, b.Bytes()
	zipFile := filepath.Join(w.dir, "module.zip")
	must(w.t, os.WriteFile(zipFile, b.Bytes(), 0o666))
	sum, err := dirhash.HashZip(zipFile, dirhash.Hash1)
	must(w.t, err)
	modSum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(gomod)), nil })
	must(w.t, err)
	w.sums[path+" v1.0.0"], w.sums[path+" v1.0.0/go.mod"] = sum, modSum
}

func (w *world) serve() {
	db := sumdb.NewServer(sumdb.NewTestServer(w.skey, func(path, version string) ([]byte, error) {
		sum, ok := w.sums[path+" "+version]
		if !ok {
			return nil, os.ErrNotExist
		}
		return fmt.Appendf(nil, "%s %s %s\n%s %s/go.mod %s\n", path, version, sum, path, version, w.sums[path+" "+version+"/go.mod"]), nil
	}))
	mux := http.NewServeMux()
	mux.Handle("/sumdb/"+dbName+"/", http.StripPrefix("/sumdb/"+dbName, db))
	mux.HandleFunc("/sumdb/"+dbName+"/supported", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		data, ok := w.files[r.URL.Path]
		if !ok {
			http.NotFound(rw, r)
			return
		}
		rw.Write(data)
	})
	w.proxy = httptest.NewServer(mux)
	w.t.Cleanup(w.proxy.Close)
}

// countDials listens where everything that is not loopback would be dialled,
// and hangs up.
func (w *world) countDials() {
	var err error
	w.forward, err = net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := w.forward.Accept()
			if err != nil {
				return
			}
			w.dials.Add(1)
			c.Close()
		}
	}()
	w.t.Cleanup(func() { w.forward.Close(); <-done })
}

func (w *world) env(more ...string) *env.Env {
	w.t.Helper()
	e, err := env.Read(w.t.Context(), env.Options{Dir: w.project, Environ: append(slices.Clone(w.environ), more...)})
	must(w.t, err)
	return e
}

func (w *world) find(e *env.Env) *project.Project {
	w.t.Helper()
	p, err := project.Find(w.project, e)
	must(w.t, err)
	must(w.t, p.Problem)
	return p
}

// gocmd runs the real go command in the project.
func (w *world) gocmd(more []string, args ...string) (stdout, stderr string, err error) {
	return w.run(w.project, more, append([]string{"go"}, args...)...)
}

func (w *world) run(dir string, more []string, args ...string) (stdout, stderr string, err error) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(w.environ), more...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func (w *world) mustGo(more []string, args ...string) {
	w.t.Helper()
	if _, stderr, err := w.gocmd(more, args...); err != nil {
		w.t.Fatalf("go %q: %v\n%s", args, err, stderr)
	}
}

// goSum writes go.sum with the lines that keep says.
func (w *world) goSum(keep func(path string, gomod bool) bool) {
	w.t.Helper()
	var lines []string
	for mod, sum := range w.sums {
		path, version, _ := strings.Cut(mod, " ")
		if keep(path, strings.HasSuffix(version, "/go.mod")) {
			lines = append(lines, mod+" "+sum+"\n")
		}
	}
	slices.Sort(lines)
	w.write("project/go.sum", strings.Join(lines, ""))
}

func (w *world) changer() *change.Changer {
	return change.New(change.Options{
		StateDir: filepath.Join(w.dir, "state"),
		Env:      func(context.Context) (*env.Env, error) { return w.env(), nil },
	})
}

// refused asks the go command which modules it will not take. One refusal can
// end a whole go mod download, so each module is required by a project of its
// own, with the same go.sum, and then all of them together.
func (w *world) refused(p *project.Project, prefix ...string) []string {
	w.t.Helper()
	sums := read(w.t, filepath.Join(w.project, "go.sum"))
	download := func(ms ...module.Version) (stderr string, failed bool) {
		dir := filepath.Join("oracle", fmt.Sprint(len(ms)))
		gomod := "module example.com/main\n\ngo 1.26\n"
		for _, m := range ms {
			gomod += "\nrequire " + m.Path + " " + m.Version + "\n"
			if r, ok := p.Replacement(m); ok {
				gomod += "\nreplace " + m.Path + " => " + r.Path + "\n"
			}
		}
		w.write(filepath.Join(dir, "go.mod"), gomod)
		w.write(filepath.Join(dir, "go.sum"), sums)
		_, stderr, err := w.run(filepath.Join(w.dir, dir), nil, append(slices.Clone(prefix), "go", "mod", "download")...)
		return stderr, err != nil
	}
	refused := []string{}
	var all []module.Version
	for _, r := range p.Requires {
		all = append(all, r.Version)
		stderr, failed := download(r.Version)
		if !failed {
			continue
		}
		refused = append(refused, r.Path)
		if !strings.Contains(stderr, "verifying") {
			w.t.Errorf("%s is refused for another reason: %s", r.Path, stderr)
		}
	}
	if stderr, failed := download(all...); failed != (len(refused) > 0) {
		w.t.Errorf("all together: failed %v, alone are refused %v: %s", failed, refused, stderr)
	}
	slices.Sort(refused)
	return refused
}

func paths(ms []module.Version) []string {
	ps := []string{}
	for _, m := range ms {
		ps = append(ps, m.Path)
	}
	slices.Sort(ps)
	return ps
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
