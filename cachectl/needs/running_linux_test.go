package needs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
)

func TestRunningIn(t *testing.T) {
	const stat = "1 (go) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %d 20\n" // started so many 1/100 s after boot
	dir := write(t, map[string]string{
		"proc/uptime": "100000.00 1\n", "proc/meminfo": "", "proc/20/status": "",
		"proc/10/comm": "go\n", "proc/10/stat": fmt.Sprintf(stat, 9_999_000),
		"proc/11/comm": "bash\n", "proc/11/stat": fmt.Sprintf(stat, 100),
		"proc/12/comm": "a.out\n", "proc/12/stat": fmt.Sprintf(stat, 100),
		"proc/13/comm": "compile\n", "proc/13/stat": fmt.Sprintf(stat, 100),
		"proc/14/comm": "gopls\n", "proc/14/stat": fmt.Sprintf(stat, 100), "proc/14/environ": "GOMODCACHE=/elsewhere\x00",
		"proc/15/comm": "gopls\n", "proc/15/stat": fmt.Sprintf(stat, 100), "proc/15/environ": "HOME=/nowhere\x00GOMODCACHE=DIR/mod\x00",
		"proc/16/comm": "go\n", "proc/16/stat": fmt.Sprintf(stat, 9_997_000), "proc/16/environ": "GOPATH=DIR:/x\x00",
		"proc/17/comm": "go\n", "proc/17/stat": fmt.Sprintf(stat, 1_000), // of last week
		"app/go.mod": "module app\n", "app/sub/x": "", "edited/go.mod": "module edited\n",
	})
	cache := filepath.Join(dir, "pkg", "mod")
	must(t, os.MkdirAll(cache, 0o777))
	must(t, os.Symlink(cache, filepath.Join(dir, "mod")))
	proc := filepath.Join(dir, "proc")
	for _, pid := range []string{"15", "16"} {
		file := filepath.Join(proc, pid, "environ")
		data, err := os.ReadFile(file)
		must(t, err)
		must(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(data), "DIR", dir)), 0o666))
	}
	for name, to := range map[string]string{
		"10/exe": "/usr/local/go/bin/go", "10/cwd": dir + "/app/sub", "11/exe": "/bin/bash", "11/cwd": "/src/other",
		// The kernel says when the file is gone.
		"12/exe": cache + "/golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64/pkg/tool/linux_amd64/link (deleted)", "12/cwd": "/tmp/go-build1",
		"13/exe": "/usr/local/go/pkg/tool/linux_amd64/compile", "13/cwd": cache + "/example.com/!upper@v1.0.0/internal/x",
		"14/exe": "/home/u/go/bin/gopls", "14/cwd": "/src/elsewhere", "15/exe": "/home/u/go/bin/gopls", "15/cwd": dir + "/edited",
		"16/exe": "/usr/local/go/bin/go", "16/cwd": "/tmp", "17/exe": "/usr/local/go/bin/go", "17/cwd": "/tmp",
	} {
		must(t, os.Symlink(to, filepath.Join(proc, name)))
	}
	now := time.Now()
	r := running(t.Context(), proc, filepath.Join(dir, "mod"), now)
	for _, want := range []string{dir + "/app/sub", "/usr/local/go/bin/go", "/tmp/go-build1"} {
		if !slices.Contains(r.Paths, want) {
			t.Errorf("%s is not among %q", want, r.Paths)
		}
	}
	if list := strings.Join(r.Paths, " "); strings.Contains(list, "/src/other") || strings.Contains(list, "/src/elsewhere") {
		t.Errorf("a shell, or a command of another cache, is among %q", r.Paths)
	}
	if !slices.Equal(r.Roots, []string{dir + "/app"}) || !slices.Equal(r.Editors, []string{dir + "/edited"}) {
		t.Errorf("roots %q, editors %q", r.Roots, r.Editors)
	}
	if ago := now.Sub(r.Since); ago != 30*time.Second {
		t.Errorf("the oldest go command was started %v ago, want 30 s", ago)
	}
	in := r.In(cache)
	slices.SortFunc(in, func(a, b module.Version) int { return strings.Compare(a.Path, b.Path) })
	if want := []module.Version{mv("example.com/Upper@v1.0.0"), mv("golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64")}; !slices.Equal(in, want) {
		t.Errorf("in the cache %v, want %v", in, want)
	}
	if r.Unseen != "" {
		t.Errorf("unseen: %s", r.Unseen)
	}
	if r := running(t.Context(), filepath.Join(dir, "none"), cache, now); !strings.Contains(r.Unseen, "no such file") {
		t.Errorf("without /proc: %q", r.Unseen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := running(ctx, proc, cache, now); !strings.Contains(r.Unseen, "canceled") {
		t.Errorf("interrupted: %q", r.Unseen)
	}
}

// A real process that has a tool's name and works in a project.
func TestRunning(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("sleep is not installed")
	}
	data, err := os.ReadFile(sleep)
	must(t, err)
	dir := write(t, map[string]string{"app/go.mod": "module app\n", "app/sub/x": ""})
	tool := filepath.Join(dir, "gopls")
	must(t, os.WriteFile(tool, data, fs.FileMode(0o755)))
	cmd := exec.CommandContext(t.Context(), tool, "600")
	cmd.Args[0] = "sleep" // where one program is all of coreutils, this decides
	cmd.Dir, cmd.Env = filepath.Join(dir, "app", "sub"), []string{"GOMODCACHE=" + filepath.Join(dir, "mod")}
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	r := Running(t.Context(), filepath.Join(dir, "mod"))
	if !slices.Contains(r.Editors, filepath.Join(dir, "app")) {
		t.Errorf("editors %q, want the project of the process", r.Editors)
	}
	if r := Running(t.Context(), filepath.Join(dir, "other")); slices.Contains(r.Editors, filepath.Join(dir, "app")) {
		t.Errorf("a process of another cache counts: %q", r.Editors)
	}
}
