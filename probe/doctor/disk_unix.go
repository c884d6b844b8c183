//go:build linux || darwin || freebsd

package doctor

import "golang.org/x/sys/unix"

// free is how many bytes this user can still write below dir, -1 when that is
// not known.
func free(dir string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return -1
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
