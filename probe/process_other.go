//go:build !unix

package probe

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

var homeVariable = map[string]string{"windows": "USERPROFILE", "plan9": "home"}[runtime.GOOS]

// envName folds the names of environment variables where the system does.
func envName(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// ownSession leaves cmd as it is: exec kills the process itself at the deadline.
func ownSession(*exec.Cmd) {}

func splitList(path string) []string { return filepath.SplitList(path) }

func joinExecutable(dir, name string) string { return filepath.Join(dir, name) }
