//go:build unix

package trash

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// An fd is a folder by its descriptor. os.Root does the same in half as much
// time again.
type fd int

func openHandle(dir string) (handle, error) { return fd(unix.AT_FDCWD).open(dir) }

func (d fd) open(name string) (handle, error) {
	n := -1
	err := call("open", name, func() (err error) {
		n, err = unix.Openat(int(d), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	return fd(n), err
}

func (d fd) list() (*os.File, error) {
	h, err := d.open(".")
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h.(fd)), "."), nil
}

func (d fd) remove(name string) (folder bool, err error) {
	err = call("remove", name, func() error { return unix.Unlinkat(int(d), name, 0) })
	// Linux says EISDIR of a folder, others EPERM, as POSIX has it.
	if errors.Is(err, unix.EISDIR) {
		return true, nil
	}
	if errors.Is(err, unix.EPERM) {
		var st unix.Stat_t
		if unix.Fstatat(int(d), name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return true, nil
		}
	}
	return false, err
}

func (d fd) removeFolder(name string) error {
	return call("remove", name, func() error { return unix.Unlinkat(int(d), name, unix.AT_REMOVEDIR) })
}

func (d fd) chmod(name string) error {
	return call("chmod", name, func() error { return unix.Fchmodat(int(d), name, 0o700, 0) })
}

func (d fd) close() { unix.Close(int(d)) }

// call repeats a system call that a signal interrupted, and names what it was
// about when it fails.
func call(op, name string, f func() error) error {
	for {
		switch err := f(); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return &fs.PathError{Op: op, Path: name, Err: err}
		default:
			return nil
		}
	}
}
