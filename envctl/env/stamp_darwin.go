package env

import (
	"fmt"
	"os"
	"syscall"
)

// stampOf tells a file, behind links too, from what may later stand in its place;
// "" when it is not there, or cannot be told.
func stampOf(name string) string {
	fi, err := os.Stat(name)
	if err != nil {
		return ""
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d %d %d %d %d %v", st.Dev, st.Ino, fi.Size(), fi.ModTime().UnixNano(), st.Ctimespec.Nano(), fi.Mode())
}
