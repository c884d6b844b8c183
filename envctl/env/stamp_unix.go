//go:build linux || darwin

package env

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// stampOf tells a file, behind links too, from what may later stand in its place;
// "" when it is not there, or cannot be told. Package syscall names its times in
// another way on each system.
func stampOf(name string) string {
	var st unix.Stat_t
	err := unix.Stat(name, &st)
	for err == unix.EINTR {
		err = unix.Stat(name, &st)
	}
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %d %d %d %d %o", st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano(), st.Mode)
}
