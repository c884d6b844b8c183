package walk

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// An osFolder is a folder by what package os has everywhere. An [os.Root] opens
// each name below the one before, and nothing outside of it.
type osFolder struct {
	root *os.Root // of base, the same for all folders of a walk
	base bool     // it is base, and closes root: it is held while any other is open
	dir  *os.File
	path string // below root, with slashes
}

// openPortable opens the folder where a walk begins.
func openPortable(name string) (folder, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	dir, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &osFolder{root: root, base: true, dir: dir, path: "."}, nil
}

func (f *osFolder) close() {
	f.dir.Close()
	if f.base {
		f.root.Close()
	}
}

func (f *osFolder) stamp() (Stamp, error) {
	info, err := f.dir.Stat()
	if err != nil {
		return Stamp{}, err
	}
	return stampOfInfo(info), nil
}

func (f *osFolder) open(rel string) (folder, error) {
	at := path.Join(f.path, rel)
	// Open would follow a link that stays below root.
	switch info, err := f.root.Lstat(at); {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, &fs.PathError{Op: "open", Path: at, Err: syscall.ENOTDIR}
	}
	dir, err := f.root.Open(at)
	if err != nil {
		return nil, err
	}
	return &osFolder{root: f.root, dir: dir, path: at}, nil
}

func (f *osFolder) next(batch []Entry, _ bool, failed func(string, error)) ([]Entry, error) {
	entries, err := f.dir.ReadDir(part) // io.EOF at the end
	for _, d := range entries {
		switch info, err := d.Info(); {
		case err == nil:
			batch = append(batch, entryOf(d.Name(), info))
		case !errors.Is(err, fs.ErrNotExist):
			failed(d.Name(), err)
		}
	}
	return batch, err
}

func (f *osFolder) stat(rel string) (Entry, error) {
	info, err := f.root.Lstat(path.Join(f.path, rel))
	if err != nil {
		return Entry{}, err
	}
	return entryOf(rel, info), nil
}

func entryOf(name string, info fs.FileInfo) Entry {
	return Entry{Name: name, Type: info.Mode().Type(), Size: info.Size(), Stamp: stampOfInfo(info)}
}
