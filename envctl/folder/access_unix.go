//go:build linux || darwin || freebsd

package folder

import "golang.org/x/sys/unix"

// access asks the kernel, which knows of read-only mounts and access lists as well
// as of modes. It goes by the effective user, as what makes a file does.
func access(dir string) error {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}
