//go:build unix

package trash

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Permissions do not hold root back, so root runs the other tests again as
// nobody.
func TestAsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests ran as a normal user")
	}
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o777))
	exe, err := os.Executable()
	must(t, err)
	data, err := os.ReadFile(exe)
	must(t, err)
	exe = filepath.Join(dir, "trash.test") // where nobody may run it
	must(t, os.WriteFile(exe, data, 0o755))
	const nobody = 65534
	cmd := exec.Command(exe, "-test.timeout=3m")
	cmd.Dir, cmd.Env = dir, []string{"TMPDIR=" + dir, "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Skipf("nobody cannot run %s here: %v", exe, err)
	}
	if err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}
