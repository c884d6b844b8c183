//go:build !unix

package trash

import "os"

// A rootHandle is a folder as package os can hold one.
type rootHandle struct{ root *os.Root }

func openHandle(dir string) (handle, error) {
	root, err := os.OpenRoot(dir)
	return rootHandle{root}, err
}

func (h rootHandle) open(name string) (handle, error) {
	root, err := h.root.OpenRoot(name)
	return rootHandle{root}, err
}

func (h rootHandle) list() (*os.File, error) { return h.root.Open(".") }

func (h rootHandle) remove(name string) (folder bool, err error) {
	if info, err := h.root.Lstat(name); err == nil && info.IsDir() {
		return true, nil
	}
	return false, h.root.Remove(name)
}

func (h rootHandle) removeFolder(name string) error { return h.root.Remove(name) }
func (h rootHandle) chmod(name string) error        { return h.root.Chmod(name, 0o700) }
func (h rootHandle) close()                         { h.root.Close() }
