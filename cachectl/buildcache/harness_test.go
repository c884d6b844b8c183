package buildcache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		pruneChild(dir)
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if std.dir != "" {
			os.RemoveAll(std.dir)
		}
		os.Exit(code)
	}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scale picks a size by GPX_TEST_SCALE.
func scale(plain, system, soak int) int {
	switch os.Getenv("GPX_TEST_SCALE") {
	case "system":
		return system
	case "soak":
		return soak
	}
	return plain
}

// A fake writes a build cache by hand, so that a test knows what is in it.
type fake struct {
	t   testing.TB
	dir string
	now time.Time
}

func newFake(t testing.TB) *fake {
	f := &fake{t: t, dir: filepath.Join(t.TempDir(), "go build, 100%"), now: time.Now().Truncate(time.Second)}
	must(t, os.MkdirAll(f.dir, 0o777)) // shards as they are needed: 256 folders take a while
	return f
}

// ago is how long before the fake's now something was used.
type ago = time.Duration

func (f *fake) write(name, content string, used ago) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	must(f.t, os.MkdirAll(filepath.Dir(path), 0o777))
	must(f.t, os.WriteFile(path, []byte(content), 0o666))
	f.touch(name, used)
}

func (f *fake) touch(name string, used ago) {
	f.t.Helper()
	at := f.now.Add(-used)
	must(f.t, os.Chtimes(filepath.Join(f.dir, name), at, at))
}

// action and output name the files of an entry.
func actionPath(id ID) string { return id.Shard() + "/" + id.ActionFile() }
func outputPath(id ID) string { return id.Shard() + "/" + id.OutputFile() }

// named is an action ID that a test can tell apart.
func named(name string) ID { return sha256.Sum256([]byte("action " + name)) }

// idOf is the ID of an output.
func idOf(content string) ID { return sha256.Sum256([]byte(content)) }

// output puts an output and returns its ID.
func (f *fake) output(content string, used ago) ID {
	id := idOf(content)
	f.write(outputPath(id), content, used)
	return id
}

// program puts an executable.
func (f *fake) program(content string, used ago) ID {
	id := idOf(content)
	f.write(outputPath(id)+"/prog", content, used)
	f.touch(outputPath(id), used)
	return id
}

// entry puts an action entry.
func (f *fake) entry(action, output ID, size int, used ago) {
	f.write(actionPath(action), entryLine(action, output, int64(size), f.now.UnixNano()), used)
}

// pair puts an output and the action that made it.
func (f *fake) pair(name, content string, used ago) {
	f.entry(named(name), f.output(content, used), len(content), used)
}

func (f *fake) open() *Cache {
	f.t.Helper()
	c, err := Open(f.dir)
	must(f.t, err)
	return c
}

func (f *fake) scan(o ScanOptions) *Inventory {
	f.t.Helper()
	o.Now = func() time.Time { return f.now }
	inv, err := f.open().Scan(context.Background(), o)
	must(f.t, err)
	return inv
}

// names lists the files below dir, folders of executables with what is in them.
func names(t testing.TB, dir string) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(stats(t, dir)))
}

// stats is what find would print: every regular file with its size and time.
func stats(t testing.TB, dir string) map[string]fs.FileInfo {
	t.Helper()
	found := map[string]fs.FileInfo{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		found[filepath.ToSlash(rel)] = info
		return err
	}))
	return found
}

// A gohome is a user of the go command with a build cache of its own.
type gohome struct {
	t       testing.TB
	dir     string
	cache   string // GOCACHE
	project string
	environ []string
}

// newGohome makes one with a project of some packages that import nothing but
// each other, because compiling the standard library takes longer than all of
// these tests.
func newGohome(t testing.TB, packages int) *gohome {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed")
	}
	dir := t.TempDir()
	h := &gohome{t: t, dir: dir, cache: filepath.Join(dir, "go build"), project: filepath.Join(dir, "project")}
	h.environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"),
		"GOPATH=" + filepath.Join(dir, "gopath"), "GOMODCACHE=" + filepath.Join(dir, "mod"), "GOCACHE=" + h.cache,
		"GOENV=off", "GOFLAGS=", "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOTELEMETRY=off",
		"TEST_TELEMETRY_DIR=" + filepath.Join(dir, "telemetry"),
	}
	h.write("go.mod", "module example.com/project\n\ngo 1.26\n")
	for i := range packages {
		h.write(pkg(i)+"/x.go", source(i, 0))
	}
	return h
}

func pkg(i int) string { return fmt.Sprintf("p%02d", i) }

// source is package i, which imports the one before it.
func source(i, edition int) string {
	imports, value := "", fmt.Sprint(edition)
	if i > 0 {
		imports = fmt.Sprintf("import %q\n\n", "example.com/project/"+pkg(i-1))
		value += " + " + pkg(i-1) + ".Value()"
	}
	return fmt.Sprintf("package %s\n\n%sfunc Value() int { return %s }\n", pkg(i), imports, value)
}

func (h *gohome) write(name, content string) {
	h.t.Helper()
	path := filepath.Join(h.project, name)
	must(h.t, os.MkdirAll(filepath.Dir(path), 0o777))
	must(h.t, os.WriteFile(path, []byte(content), 0o666))
}

// command is a go command of this home.
func (h *gohome) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = h.project, h.environ
	return cmd
}

// run runs a go command that must succeed and returns all that it prints.
func (h *gohome) run(args ...string) string {
	h.t.Helper()
	out, err := h.command(context.Background(), args...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (h *gohome) open() *Cache {
	h.t.Helper()
	c, err := Open(h.cache)
	must(h.t, err)
	return c
}

// age makes everything in the cache look as if it was last used then.
func (h *gohome) age(at time.Time) {
	h.t.Helper()
	must(h.t, filepath.WalkDir(h.cache, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && !strings.HasSuffix(path, "-d") {
			return err
		}
		return os.Chtimes(path, at, at)
	}))
}

// std is a build cache with what every test binary needs, made once.
var std struct {
	once sync.Once
	dir  string
	err  error
}

// withStd fills the home's cache with the compiled standard library that go
// test needs. Compiling it takes the better part of a minute on a busy machine.
func (h *gohome) withStd() {
	h.t.Helper()
	if scale(0, 1, 1) == 0 {
		h.t.Skip("compiles the standard library; GPX_TEST_SCALE=system runs it")
	}
	std.once.Do(func() {
		std.dir, std.err = os.MkdirTemp("", "gpx-buildcache-std-*")
		if std.err != nil {
			return
		}
		one := *h
		one.environ = append(slices.Clone(h.environ), "GOCACHE="+std.dir)
		h.write("std/std_test.go", "package std\n\nimport \"testing\"\n\nfunc Test(t *testing.T) {}\n")
		cmd := one.command(context.Background(), "test", "-vet=off", "./std")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			std.err = fmt.Errorf("go test: %v\n%s", err, out.String())
		}
	})
	must(h.t, std.err)
	must(h.t, os.RemoveAll(filepath.Join(h.project, "std")))
	must(h.t, os.CopyFS(h.cache, os.DirFS(std.dir)))
}
