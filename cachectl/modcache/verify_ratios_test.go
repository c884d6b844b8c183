package modcache

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	modzip "golang.org/x/mod/zip"

	"gpx/cachectl/internal/trash"
)

// TestVerifyRatios is what `make bench` prints of a verification: beside go mod
// verify, on the same modules, in turns. With GPX_BENCH_MODCACHE and
// GPX_BENCH_PROJECTS (folders of projects whose modules are in it) it takes a
// real cache and only reads it; else it makes modules of the toolchain's own
// source.
func TestVerifyRatios(t *testing.T) {
	if os.Getenv("GPX_BENCH") == "" {
		t.Log("GPX_BENCH is not set; make bench sets it")
		return
	}
	root, projects := os.Getenv("GPX_BENCH_MODCACHE"), filepath.SplitList(os.Getenv("GPX_BENCH_PROJECTS"))
	if root == "" || len(projects) == 0 {
		root, projects = stdModules(t)
	}
	const rounds, promised = 5, 0.8
	var table strings.Builder
	fmt.Fprintf(&table, "\n| modules | size of the zips | go mod verify | gpx | ratio |\n|---|---|---|---|---|\n")
	for _, project := range projects {
		environ := benchEnv(t, root)
		versions := buildList(t, root, project, environ)
		var bytes int64
		for i := range versions {
			bytes += versions[i].ZipBytes
		}
		var ours, theirs []time.Duration
		var ratios []float64
		for round := range rounds + 1 {
			a := timed(func() {
				cmd := exec.Command("go", "mod", "verify")
				cmd.Dir, cmd.Env = project, environ
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("go mod verify: %v\n%s", err, out)
				}
			})
			b := timed(func() {
				r, err := (&Cache{dir: root}).Verify(t.Context(), VerifyOptions{Versions: versions})
				if err != nil || r.OK != len(versions) {
					t.Fatalf("%+v %v", r, err)
				}
			})
			if round == 0 {
				continue // reads the disk
			}
			theirs, ours, ratios = append(theirs, a), append(ours, b), append(ratios, float64(b)/float64(a))
		}
		slices.Sort(ours)
		slices.Sort(theirs)
		slices.Sort(ratios)
		ratio := ratios[rounds/2]
		fmt.Fprintf(&table, "| %d | %d MB | %.2f s | %.2f s | %.2f (%.2f–%.2f) |\n", len(versions), bytes/1e6,
			theirs[rounds/2].Seconds(), ours[rounds/2].Seconds(), ratio, ratios[0], ratios[rounds-1])
		if ratio > promised {
			t.Errorf("%s: verifying takes %.2f of go mod verify, promised is %.2f", project, ratio, promised)
		}
	}
	t.Log(table.String())
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func benchEnv(t *testing.T, root string) []string {
	home := t.TempDir()
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GOPATH=" + filepath.Join(home, "go"), "GOCACHE=" + filepath.Join(home, "build"),
		"GOMODCACHE=" + root, "GOENV=off", "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local", "GOPROXY=off", "GOTELEMETRY=off",
	}
}

// buildList is what go mod verify looks at: the selected versions of the module
// graph that are in the cache.
func buildList(t *testing.T, root, project string, environ []string) []Version {
	t.Helper()
	cmd := exec.Command("go", "mod", "graph")
	cmd.Dir, cmd.Env = project, environ
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod graph in %s: %v", project, err)
	}
	selected := map[string]string{}
	for _, word := range strings.Fields(string(out)) {
		if path, version, ok := strings.Cut(word, "@"); ok && semver.Compare(version, selected[path]) > 0 {
			selected[path] = version
		}
	}
	var versions []Version
	for path, version := range selected {
		v := Version{Version: module.Version{Path: path, Version: version}}
		n, err := trash.NamesOf(v.Version)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(root, filepath.FromSlash(n.File("zip")))); err == nil {
			v.ZipBytes = info.Size()
			versions = append(versions, v)
		}
	}
	return versions
}

// stdModules makes a module of every large folder of the toolchain's source,
// downloads them into a cache, and returns that with a project that needs them.
func stdModules(t *testing.T) (root string, projects []string) {
	t.Helper()
	dir := t.TempDir()
	src := filepath.Join(strings.TrimSpace(output(t, "go", "env", "GOROOT")), "src")
	proxy := filepath.Join(dir, "proxy")
	gomod := "module example.com/bench\n\ngo 1.26\n"
	for _, folder := range []string{"cmd/compile", "cmd/go", "cmd/internal", "cmd/link", "cmd/vendor", "crypto", "encoding", "go", "internal", "net", "os", "runtime", "syscall", "vendor"} {
		m := module.Version{Path: "example.com/" + folder, Version: "v1.0.0"}
		base := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
		check(t, os.MkdirAll(base, 0o777))
		f, err := os.Create(filepath.Join(base, "v1.0.0.zip"))
		check(t, err)
		check(t, modzip.CreateFromDir(f, m, filepath.Join(src, filepath.FromSlash(folder))))
		check(t, f.Close())
		check(t, os.WriteFile(filepath.Join(base, "v1.0.0.info"), []byte(`{"Version":"v1.0.0"}`), 0o666))
		check(t, os.WriteFile(filepath.Join(base, "v1.0.0.mod"), []byte("module "+m.Path+"\n"), 0o666))
		gomod += "\nrequire " + m.Path + " v1.0.0\n"
	}
	root, project := filepath.Join(dir, "mod"), filepath.Join(dir, "project")
	check(t, os.MkdirAll(project, 0o777))
	check(t, os.WriteFile(filepath.Join(project, "go.mod"), []byte(gomod), 0o666))
	cmd := exec.Command("go", "mod", "download")
	cmd.Dir = project
	cmd.Env = append(benchEnv(t, root), "GOPROXY=file://"+filepath.ToSlash(proxy), "GOSUMDB=off", "GOFLAGS=-modcacherw -mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go mod download: %v\n%s", err, out)
	}
	return root, []string{project}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	check(t, err)
	return string(out)
}
