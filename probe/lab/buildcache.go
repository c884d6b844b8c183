package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// BuildCache is a GOCACHE for go commands that only compile, under the folder for
// temporary files: one for all tests of this user, since an empty one costs a minute
// of compiling the standard library, and the developer's own is not ours to fill.
// The go command trims it.
var BuildCache = sync.OnceValue(func() string {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("gpx-test-gocache-%d", os.Getuid()))
	err := os.MkdirAll(dir, 0o700)
	if info, statErr := os.Lstat(dir); err == nil && statErr == nil && info.IsDir() && info.Mode().Perm()&0o022 == 0 {
		return dir
	}
	// Somebody else's: who may write there could put any program in.
	if dir, err = os.MkdirTemp("", "gpx-test-gocache-"); err != nil {
		panic(err) // there is no folder for temporary files: no test can run
	}
	return dir
})
