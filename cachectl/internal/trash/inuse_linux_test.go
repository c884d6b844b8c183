package trash

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A go command that was started after the plan was made keeps what its project
// needs.
func TestWhatIsInUseByNow(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("sleep is not installed")
	}
	c := newCache(t)
	c.version(one)
	c.version(two)
	p := c.plan(TrashVersion, c.removal(one, false), c.removal(two, false))

	project := t.TempDir()
	must(t, os.WriteFile(filepath.Join(project, "go.mod"), []byte("module app\n\ngo 1.20\n\nrequire example.com/One v1.0.0\n"), 0o666))
	data, err := os.ReadFile(sleep)
	must(t, err)
	tool := filepath.Join(t.TempDir(), "go")
	must(t, os.WriteFile(tool, data, 0o755))
	cmd := exec.CommandContext(t.Context(), tool, "600")
	cmd.Args[0] = "sleep" // where one program is all of coreutils, this decides
	cmd.Dir, cmd.Env = project, []string{"GOMODCACHE=" + c.root}
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })

	c.apply(p)
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "example.com/One@v1.0.0 was left as it is: a go command that runs now needs it") {
		t.Errorf("warnings %q", p.Warnings)
	}
	if !there(filepath.Join(c.root, "example.com", "!one@v1.0.0")) || there(filepath.Join(c.root, "example.com", "!one@v1.1.0-!r!c1")) {
		t.Errorf("the cache is\n%s", c.listing())
	}
}
