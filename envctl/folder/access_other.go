//go:build !(linux || darwin || freebsd)

package folder

import (
	"io/fs"
	"os"
)

// access goes by the mode alone where nobody better can be asked.
func access(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && info.Mode().Perm()&0o200 == 0 {
		return fs.ErrPermission
	}
	return err
}
