//go:build unix

package project

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A repository may hold links to whatever never ends; a pipe stands for it.
func TestFileWithoutAnEnd(t *testing.T) {
	for _, name := range []string{"go.mod", "go.sum", "go.work"} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"go.mod": "module example.com/m\n"}
			delete(files, name)
			dir := write(t, files)
			if err := syscall.Mkfifo(filepath.Join(dir, name), 0o666); err != nil {
				t.Skip("no named pipes here:", err)
			}
			checkProblem(t, find(t, dir, nil), "not a regular file")
		})
	}
}
