package story

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/probe/lab"
)

// TestColleague is the machine of a colleague who has just been given it: no module
// cache, no settings, at soak scale no build cache either, and no network at all but
// gpx serve of somebody who has built the project before. It builds, checksums on: with the project's go.sum, and
// without it, when the checksum database can only be asked by way of gpx.
//
// GPX_COLLEAGUE is the folder of a project to build instead of a small one, from
// nothing, and GPX_COLLEAGUE_BUILD what to build of it (./... unless it says so).
func TestColleague(t *testing.T) {
	needs(t, "git", "unshare", "ip")
	t.Parallel()
	if err := exec.Command("unshare", "-n", "true").Run(); err != nil {
		t.Skip("unshare is not permitted here")
	}
	up := realUpstream(t)
	within := 2 * time.Minute
	project, build := t.TempDir(), "./..."
	if dir := os.Getenv("GPX_COLLEAGUE"); dir != "" {
		within = 30 * time.Minute
		must(t, os.CopyFS(project, os.DirFS(dir)))
		if v := os.Getenv("GPX_COLLEAGUE_BUILD"); v != "" {
			build = v
		}
	} else {
		up.program(t, project)
	}
	nowhere := "http://" + freePort(t)
	owner := t.TempDir() // who has built it before
	has := up.base(owner, up.url)
	do(t, within, project, has, "go", "mod", "download")
	do(t, within, project, has, "go", "list", "-deps", build)
	list := do(t, within, project, has, "go", "list", "-m", "all")
	sums := filepath.Join(project, "go.sum")
	known, err := os.ReadFile(sums)
	must(t, err)
	must(t, os.Remove(sums))
	do(t, within, project, has, "go", "list", "-mod=mod", "-deps", build) // and what the database says of it

	// To compile the standard library takes a minute, and is no business of gpx.
	compiled := lab.BuildCache()
	if os.Getenv("GPX_COLLEAGUE") != "" || os.Getenv("GPX_TEST_SCALE") == "soak" {
		compiled = filepath.Join(t.TempDir(), "gocache")
	}
	for _, text := range [][]byte{known, nil} {
		name := "with go.sum"
		if text == nil {
			name = "without go.sum"
		}
		t.Run(name, func(t *testing.T) {
			copied := t.TempDir()
			must(t, os.CopyFS(copied, os.DirFS(project)))
			must(t, os.WriteFile(filepath.Join(copied, "go.sum"), text, 0o644))
			home := t.TempDir()
			empty := append(up.base(home, "the script says it"), "GOCACHE="+compiled)
			commands := "go build -o /dev/null " + build
			if text == nil {
				commands = strings.Replace(commands, "build", "build -mod=mod", 1)
			}
			start := time.Now()
			offline(t, within, copied, up.base(owner, nowhere), empty, commands)
			took := time.Since(start)
			t.Logf("%d modules, go.sum of %d lines: %s took %.1f s with no network but gpx serve, %d zips",
				strings.Count(list, "\n"), bytes.Count(text, []byte("\n")), commands, took.Seconds(), zips(t, home))
			if n := zips(t, home); n == 0 {
				t.Error("nothing was downloaded")
			}
		})
	}
}

// offline runs gpx serve with one environment and commands with another, behind
// it, where there is no network but the loopback.
func offline(t *testing.T, within time.Duration, dir string, serving, building []string, commands string) {
	t.Helper()
	scratch := t.TempDir()
	write := func(name string, environ []string) string {
		var b strings.Builder
		for _, v := range environ {
			key, value, _ := strings.Cut(v, "=")
			fmt.Fprintf(&b, "%s='%s'\nexport %s\n", key, strings.ReplaceAll(value, "'", `'\''`), key)
		}
		file := filepath.Join(scratch, name)
		must(t, os.WriteFile(file, []byte(b.String()), 0o600))
		return file
	}
	script := `ip link set lo up && mkfifo "$3/first" || exit 9
( . "$1"; cd "$3" && exec "$4" serve >first ) & serve=$!
read line <"$3/first"
. "$2"
eval "$line"
go env GOPROXY GOSUMDB
` + commands + `
status=$?
kill -TERM $serve # a shell has what runs behind it ignore an interrupt
wait $serve
exit $status`
	do(t, within, dir, os.Environ(), "unshare", "-n", "sh", "-c", script, "sh", write("serving", serving), write("building", building), scratch, gpx)
}

// do runs a command that must succeed, and returns what it printed.
func do(t *testing.T, within time.Duration, dir string, environ []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environ, &out, &said
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		text := hosts.ReplaceAllString(out.String()+said.String(), "//…")
		t.Fatalf("%s %s: %v\n%.3000s", name, args[0], err, text)
	}
	return out.String()
}

// program writes a small program that needs what the upstream has.
func (u *upstream) program(t *testing.T, dir string) {
	t.Helper()
	imports := map[string]string{"rsc.io/quote": "rsc.io/quote", "rsc.io/sampler": "rsc.io/sampler", "golang.org/x/sync": "golang.org/x/sync/errgroup"}
	goMod, code := "module example.com/program\n\ngo 1.21\n\nrequire (\n", "package main\n\nimport (\n"
	for _, m := range u.modules {
		path, version, _ := strings.Cut(m, "@")
		pkg := imports[path]
		if strings.HasPrefix(path, "lab.example.com/") {
			pkg = path
		}
		if pkg != "" && path != "lab.example.com/big" {
			goMod += "\t" + path + " " + version + "\n"
			code += "\t_ \"" + pkg + "\"\n"
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(goMod+")\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(code+")\n\nfunc main() {}\n"), 0o644))
	do(t, time.Minute, dir, u.environ(t, u.url), "go", "mod", "tidy")
}

// zips counts those in a module cache.
func zips(t *testing.T, home string) int {
	t.Helper()
	var list []string
	must(t, filepath.WalkDir(filepath.Join(home, "gopath", "pkg", "mod", "cache", "download"), func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".zip") {
			list = append(list, path)
		}
		return err
	}))
	return len(list)
}
