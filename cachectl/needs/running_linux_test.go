package needs

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

func TestProcessesIn(t *testing.T) {
	dir := write(t, map[string]string{
		"proc/10/comm": "go\n", "proc/11/comm": "bash\n", "proc/12/comm": "a.out\n", "proc/13/comm": "compile\n", "proc/14/comm": "gopls\n",
		"proc/14/environ": "GOMODCACHE=/elsewhere\x00", "proc/meminfo": "", "proc/15/status": "",
	})
	proc, cache := filepath.Join(dir, "proc"), filepath.Join(dir, "mod")
	for name, to := range map[string]string{
		"10/exe": "/usr/local/go/bin/go", "10/cwd": "/src/app/sub", "11/exe": "/bin/bash", "11/cwd": "/src/other",
		// The kernel cuts names off at 15 bytes and says when the file is gone.
		"12/exe": cache + "/golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64/pkg/tool/linux_amd64/link (deleted)", "12/cwd": "/tmp/go-build1",
		"13/exe": "/usr/local/go/pkg/tool/linux_amd64/compile", "13/cwd": cache + "/example.com/!upper@v1.0.0/internal/x",
		"14/exe": "/home/u/go/bin/gopls", "14/cwd": "/src/elsewhere",
	} {
		must(t, os.Symlink(to, filepath.Join(proc, name)))
	}
	r := processesIn(t.Context(), proc, cache)
	for _, want := range []string{"/src/app/sub", "/usr/local/go/bin/go", "/tmp/go-build1"} {
		if !slices.Contains(r.Paths, want) {
			t.Errorf("%s is not among %q", want, r.Paths)
		}
	}
	if list := strings.Join(r.Paths, " "); strings.Contains(list, "/src/other") || strings.Contains(list, "/src/elsewhere") {
		t.Errorf("a shell, or a command of another cache, is among %q", r.Paths)
	}
	in := r.In(cache)
	slices.SortFunc(in, func(a, b module.Version) int { return strings.Compare(a.Path, b.Path) })
	if want := []module.Version{mv("example.com/Upper@v1.0.0"), mv("golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64")}; !slices.Equal(in, want) {
		t.Errorf("in the cache %v, want %v", in, want)
	}
	if r.Unseen != "" {
		t.Errorf("unseen: %s", r.Unseen)
	}
	if r := processesIn(t.Context(), filepath.Join(dir, "none"), cache); !strings.Contains(r.Unseen, "cannot be read") {
		t.Errorf("without /proc: %q", r.Unseen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := processesIn(ctx, proc, cache); !strings.Contains(r.Unseen, "interrupted") {
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
	if !slices.Contains(r.Roots, filepath.Join(dir, "app")) {
		t.Errorf("roots %q, want the one of the process", r.Roots)
	}
	if r := Running(t.Context(), filepath.Join(dir, "other")); slices.Contains(r.Roots, filepath.Join(dir, "app")) {
		t.Errorf("a process of another cache counts: %q", r.Roots)
	}
}
