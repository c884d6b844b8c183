package lab_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/probe/lab"
)

// inSandbox runs a command in the sandbox's project.
func inSandbox(t *testing.T, b *lab.Sandbox, limit time.Duration, env []string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		t.Skip(args[0] + " is not on PATH")
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = b.Project, append(b.Environ(), env...), 5*time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.String(), err
}

// startScenario starts a scenario that ends with the test.
func startScenario(t *testing.T, name string) *lab.Sandbox {
	t.Helper()
	s, ok := lab.FindScenario(name)
	if !ok {
		t.Fatalf("no scenario %q", name)
	}
	b, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(b.Dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", b.Dir, err)
		}
	})
	return b
}

// hurts says what the outage does to the go command, by scenario: what it prints,
// or nothing when it is still waiting after two seconds.
var hurts = map[string]string{
	"outage": "", "hang": "", "slow": "", // three answers of the slow proxy take longer
	"refused": "connection refused", "sumdb": "checksum database: upstream is not reachable",
	"captive": "SECURITY ERROR", "expired-cert": "certificate has expired",
	"ratelimit": "429 Too Many Requests", "flaky": "503 Service Unavailable",
}

// list makes the go command download everything that the project needs, without
// compiling anything.
var list = []string{"go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}@{{.Version}}{{end}}", "."}

func TestEveryScenarioBeginsHealthyAndBreaksAndCanBeMended(t *testing.T) {
	t.Parallel()
	for _, s := range lab.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			b := startScenario(t, s.Name)
			cache := []string{"GOCACHE=" + lab.BuildCache()}
			if out, err := inSandbox(t, b, generous, cache, list...); err != nil || !strings.Contains(out, "lab.example.com/gamma@v0.3.0") {
				t.Fatalf("before the outage: %v\n%s", err, out)
			}

			// The outage, without waiting for it. The module cache that the
			// first run left is taken away, unless the story needs one.
			for i, srv := range b.Servers {
				steps := s.Proxies[i].Schedule
				for j := range steps {
					if steps[j].From == lab.Calm {
						srv.SetSchedule(lab.Schedule{{Fault: steps[j].Fault, Only: steps[j].Only}})
					}
				}
			}
			if s.Cached {
				offline := []string{"GOCACHE=" + lab.BuildCache(), "GOPROXY=file://" + filepath.Join(b.Getenv("HOME"), "go/pkg/mod/cache/download")}
				if out, err := inSandbox(t, b, generous, offline, list...); err != nil {
					t.Errorf("offline: %v\n%s", err, out)
				}
				return
			}
			fresh := []string{"GOCACHE=" + lab.BuildCache(), "GOMODCACHE=" + filepath.Join(b.Dir, "fresh")}
			command := list
			if s.Name == "sumdb" {
				command = []string{"go", "mod", "download", "lab.example.com/nightly@latest"}
			}
			says, limit := hurts[s.Name], generous
			if says == "" {
				limit = 2 * time.Second
			}
			out, err := inSandbox(t, b, limit, fresh, command...)
			if waits := errors.Is(err, context.DeadlineExceeded); err == nil || waits != (says == "") || !strings.Contains(out, says) {
				t.Errorf("the outage: %v, want %q in:\n%s", err, says, out)
			}
			if s.Name == "captive" {
				return
			}
			fresh = append(fresh, "GOPROXY="+b.Servers[1].URL()+"|"+b.Servers[0].URL())
			if out, err := inSandbox(t, b, generous, fresh, command...); err != nil {
				t.Errorf("after the switch: %v\n%s", err, out)
			}
		})
	}
}

// The screen's go build has to be real, so one scenario compiles.
func TestSandboxProjectBuildsAndRuns(t *testing.T) {
	t.Parallel()
	b := startScenario(t, lab.DefaultScenario)
	// The standard library compiles for many seconds in an empty cache.
	out, err := inSandbox(t, b, time.Minute, []string{"GOCACHE=" + lab.BuildCache()}, "go", "run", ".")
	if err != nil || !strings.Contains(out, "built with gamma v0.3.0 and delta v2.0.1") {
		t.Fatalf("go run: %v\n%s", err, out)
	}
	settings, err := inSandbox(t, b, generous, nil, "go", "env", "GOPROXY", "GOENV", "GOMODCACHE", "GOCACHE")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(settings, "\n")
	if lines[0] != b.Chain {
		t.Errorf("GOPROXY is %s, want %s", lines[0], b.Chain)
	}
	for _, path := range lines[1:4] {
		if !strings.HasPrefix(path, b.Dir) {
			t.Errorf("%s is outside of the sandbox", path)
		}
	}
}

func TestEnterScript(t *testing.T) {
	t.Parallel()
	b := startScenario(t, "refused")
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", filepath.Join(b.Dir, "enter.sh"))
	cmd.Env = append(os.Environ(), "SHELL=/bin/sh", "GOPROXY=off", "GOFLAGS=-mod=vendor", "https_proxy=http://127.0.0.1:1")
	cmd.Stdin = strings.NewReader("go env GOPROXY; pwd; echo \"[$https_proxy$GOFLAGS]\"\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	project, err := filepath.EvalSymlinks(b.Project)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{b.Chain + "\n", project + "\n", "[]\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
