package change

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// An image is a file at one instant: its bytes, or that it does not exist.
type image struct {
	Exists bool        `json:"exists"`
	Data   []byte      `json:"data,omitempty"`
	Mode   fs.FileMode `json:"mode,omitempty"`
}

func (i image) equal(j image) bool {
	return i.Exists == j.Exists && bytes.Equal(i.Data, j.Data)
}

// maxImage bounds what is read of a file that gpx is about to change: user
// files and markers have a few hundred bytes.
const maxImage = 4 << 20

func readImage(path string) (image, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return image{}, nil
	}
	if err != nil {
		return image{}, err
	}
	if !info.Mode().IsRegular() {
		return image{}, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if info.Size() > maxImage {
		return image{}, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%d bytes, more than gpx would change", info.Size())}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return image{}, err
	}
	return image{Exists: true, Data: data, Mode: info.Mode().Perm()}, nil
}

// resolve follows symbolic links to the file that a write through path would
// change, which need not exist. The system takes ".." for the parent of the
// real directory, which is not the one that the name has where a directory is
// a link as well; so directories are resolved before anything is joined.
func resolve(path string) (string, error) {
	// 40 is what Linux allows (ELOOP).
	for range 40 {
		dir, base := filepath.Split(path)
		real, err := filepath.EvalSymlinks(dir)
		if errors.Is(err, fs.ErrNotExist) {
			real, err = filepath.Clean(dir), nil
		}
		if errors.Is(err, syscall.ENOTDIR) { // which comes without a path
			err = &fs.PathError{Op: "resolve", Path: dir, Err: syscall.ENOTDIR}
		}
		if err != nil {
			return "", err
		}
		path = filepath.Join(real, base)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = real + string(filepath.Separator) + to
		}
		path = to
	}
	return "", &fs.PathError{Op: "resolve", Path: path, Err: errors.New("too many symbolic links")}
}

// missingDirs lists the parents of path that do not exist, deepest first: what
// an undo may remove again.
func missingDirs(path string) []string {
	var dirs []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return dirs
		}
		dirs = append(dirs, dir)
		if dir == filepath.Dir(dir) {
			return dirs
		}
	}
}

// removeEmpty removes those of dirs (deepest first) that are empty.
func removeEmpty(dirs []string) {
	for _, dir := range dirs {
		if os.Remove(dir) != nil {
			return
		}
	}
}

// beside is the name of the copy that becomes path. It is in the same
// directory, so that the rename is atomic, and carries the change's id, so
// that recovery can name what it removes.
func beside(path, id string) string { return path + ".gpx-" + id }

// checkWritable fails when path is a file that its owner made read-only. The
// rename would succeed all the same, but go env -w would not, and a read-only
// file is a wish.
func checkWritable(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// put makes path hold exactly want: old bytes or new bytes at every instant,
// never torn, and durable when it returns, as far as the file system can tell.
func put(path, id string, want image) error {
	if !want.Exists {
		err := os.Remove(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		syncDir(filepath.Dir(path))
		return nil
	}
	if err := checkWritable(path); err != nil {
		return err
	}
	// cmd/go/internal/envcmd, updateEnvFile: a missing directory is made
	// with 0777, a missing file with 0666, less the umask.
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	tmp := beside(path, id)
	if err := writeCopy(tmp, path, want); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return err
	}
	syncDir(filepath.Dir(path)) // whatever it says, the rename stands
	return nil
}

// writeCopy writes want to tmp with the mode and owner of path, durably. On an
// error it leaves no tmp, unless that was there before.
func writeCopy(tmp, path string, want image) (err error) {
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			os.Remove(tmp)
		}
	}()
	mode := want.Mode
	if info, serr := os.Stat(path); serr == nil {
		mode = info.Mode().Perm()
		keepOwner(f, info)
	}
	if mode != 0 {
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	if _, err := f.Write(want.Data); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes a rename in dir durable. Windows has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync a directory, and say EINVAL or ENOTSUP.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// removeLeftovers removes the copy of path that change id left beside it.
func removeLeftovers(path, id string) {
	if path == "" || id == "" || strings.ContainsAny(id, `/\`) {
		return
	}
	os.Remove(beside(path, id))
}
