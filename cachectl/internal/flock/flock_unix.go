//go:build unix && !aix && !solaris

package flock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func try(f *os.File, k kind) error {
	how := unix.LOCK_EX
	if k == shared {
		how = unix.LOCK_SH
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrHeld
		default:
			return err
		}
	}
}
