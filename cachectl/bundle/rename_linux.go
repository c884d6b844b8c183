package bundle

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNew renames a file that must not replace another, in one step. Not every
// file system can do that (renameat2(2): EINVAL), nor every kernel.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return lookAndRename(from, to)
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}
