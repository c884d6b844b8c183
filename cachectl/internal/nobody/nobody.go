//go:build unix

package nobody

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// id is the user and group that own nothing.
const id = 65534

// Tests runs those whose names match the expression. It does nothing unless root asks:
// for anybody else they ran already.
func Tests(t *testing.T, run string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the other tests ran as a normal user")
	}
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o777))
	own, err := os.Executable()
	must(t, err)
	data, err := os.ReadFile(own)
	must(t, err)
	exe := filepath.Join(dir, "tests") // its own place is closed to others
	must(t, os.WriteFile(exe, data, 0o755))
	cmd := exec.Command(exe, "-test.timeout=3m", "-test.run="+run)
	cmd.Dir, cmd.Env = dir, []string{"TMPDIR=" + dir, "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Skipf("nobody cannot run %s here: %v", exe, err)
	}
	if err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
