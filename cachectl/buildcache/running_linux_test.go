package buildcache

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// ticks are the hundredths of a second that the stat file counts in.
const ticks = 100

// A proc is a /proc of a system that is up for 100,000 s.
type proc struct {
	t   *testing.T
	dir string
}

func newProc(t *testing.T) *proc {
	p := &proc{t, t.TempDir()}
	must(t, os.WriteFile(filepath.Join(p.dir, "uptime"), []byte("100000.50 150000.00\n"), 0o666))
	return p
}

// process adds one that was started so long ago.
func (p *proc) process(pid int, comm string, started time.Duration, environ string) {
	dir := filepath.Join(p.dir, fmt.Sprint(pid))
	must(p.t, os.Mkdir(dir, 0o777))
	at := int((100000.5 - started.Seconds()) * ticks)
	stat := fmt.Sprintf("%d (%s) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %d 20 21\n", pid, comm, at)
	must(p.t, os.Symlink("/usr/local/go/bin/go", filepath.Join(dir, "exe")))
	for name, content := range map[string]string{"comm": comm + "\n", "stat": stat, "environ": environ} {
		must(p.t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666))
	}
}

func TestOldestGo(t *testing.T) {
	cache := t.TempDir()
	for _, c := range []struct {
		name string
		add  func(p *proc)
		want time.Duration // ago; 0 for none
	}{
		{"none", func(p *proc) { p.process(1, "init", 27*time.Hour, "") }, 0},
		{"the oldest of two", func(p *proc) { p.process(1, "go", time.Hour, ""); p.process(2, "go", 3*time.Hour, "") }, 3 * time.Hour},
		{"one with another cache", func(p *proc) { p.process(1, "go", time.Hour, "A=b\x00GOCACHE=/elsewhere\x00") }, 0},
		{"one with this cache", func(p *proc) { p.process(1, "go", time.Hour, "GOCACHE="+cache+"\x00A=b") }, time.Hour},
		{"a go run of days beside a build", func(p *proc) { p.process(1, "go", 26*time.Hour, ""); p.process(2, "go", time.Minute, "") }, time.Minute},
		{"what is called differently", func(p *proc) { p.process(1, "gopls", time.Hour, ""); p.process(2, "go) S (x", time.Hour, "") }, 0},
		{"no stat", func(p *proc) {
			p.process(1, "go", time.Hour, "")
			must(t, os.WriteFile(filepath.Join(p.dir, "1", "stat"), []byte("1 (go"), 0o666))
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProc(t)
			c.add(p)
			now := time.Now()
			got := oldestGoIn(context.Background(), p.dir, cache, now)
			if c.want == 0 {
				if !got.IsZero() {
					t.Errorf("%v ago, want none", now.Sub(got))
				}
				return
			}
			if ago := now.Sub(got); (ago - c.want).Abs() > time.Second {
				t.Errorf("%v ago, want %v", ago, c.want)
			}
		})
	}
}

// A program of that name that really runs.
func TestOldestGoSeesRealProcesses(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	dir := t.TempDir()
	must(t, os.Symlink(self, filepath.Join(dir, "go")))
	cmd := exec.Command(filepath.Join(dir, "go"))
	cmd.Env = []string{childEnv + "=" + justWait, "GOCACHE=" + dir}
	in, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	defer cmd.Wait()
	defer in.Close()
	only := t.TempDir() // a /proc with this process alone
	for _, name := range []string{"uptime", fmt.Sprint(cmd.Process.Pid)} {
		must(t, os.Symlink(filepath.Join("/proc", name), filepath.Join(only, name)))
	}
	now := time.Now()
	if got := oldestGoIn(context.Background(), only, dir, now); got.IsZero() || now.Sub(got).Abs() > time.Minute {
		t.Errorf("started %v", got)
	}
	if got := oldestGoIn(context.Background(), only, t.TempDir(), now); !got.IsZero() {
		t.Error("it is taken to use another cache than its own")
	}
}
