//go:build unix

package probe

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

const homeVariable = "HOME"

func envName(name string) string { return name }

// ownSession makes cmd the leader of a session, and of a process group that is
// killed whole.
func ownSession(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

func splitList(path string) []string { return filepath.SplitList(path) }

// joinExecutable keeps a relative entry of PATH from being taken for a plain name.
func joinExecutable(dir, name string) string {
	if dir == "" {
		dir = "."
	}
	return filepath.Clean(dir) + string(filepath.Separator) + name
}
