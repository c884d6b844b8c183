package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// readFolder reads a bundle that lies unpacked, or any GOPROXY file tree.
func readFolder(ctx context.Context, in string, v visitor) error {
	root, err := os.OpenRoot(in)
	if err != nil {
		return unwrapPath(err)
	}
	defer root.Close()
	f := &folderReader{ctx: ctx, root: root, v: v}
	text, err := f.readSmall(ManifestName, limits[partManifest])
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f.walk()
	case err != nil:
		return fmt.Errorf("%s: %w", ManifestName, unwrapPath(err))
	}
	m, err := parseManifest(text)
	if err != nil {
		return err
	}
	if skip, err := v.manifest(m, text); skip || err != nil {
		return err
	}
	for i := range m.Files {
		if err := f.visit(m.Files[i].name, &m.Files[i]); err != nil {
			return err
		}
	}
	return nil
}

// A folderReader never leaves its folder, whatever the links in it say
// ([os.Root]), and opens nothing but regular files.
type folderReader struct {
	ctx  context.Context
	root *os.Root
	v    visitor
}

// open opens a regular file.
func (f *folderReader) open(p string) (*os.File, int64, error) {
	info, err := f.root.Lstat(p)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, 0, fmt.Errorf("%s is no regular file; a bundle has only files", p)
	}
	file, err := f.root.Open(p)
	return file, info.Size(), err
}

func (f *folderReader) readSmall(p string, limit int64) ([]byte, error) {
	file, _, err := f.open(p)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return data, err
}

// visit shows one file to the visitor. Lists and records change while a tree
// grows, and no list is imported; so of those the manifest's line is not held
// against the file.
func (f *folderReader) visit(n name, want *File) error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	file, size, err := f.open(n.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is in its manifest and not in it", n.path)
		}
		return unwrapPath(err)
	}
	defer file.Close()
	if n.part == partList || n.part == partLookup {
		want = nil
	}
	if want != nil && want.Size != size {
		return fmt.Errorf("%s has %d bytes, its manifest says %d", n.path, size, want.Size)
	}
	if size > limits[n.part] {
		return fmt.Errorf("%s has %d bytes, more than a %s may have (%d)", n.path, size, n.part, limits[n.part])
	}
	return f.v.file(member{name: n, size: size, r: contextReader{f.ctx, io.LimitReader(file, size)}, want: want})
}

// walk visits what belongs in a bundle, in a folder that has no manifest: one
// that was made by hand, or the download folder of another module cache.
func (f *folderReader) walk() error {
	var list []name
	err := fs.WalkDir(f.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = f.ctx.Err()
		}
		if err != nil || d.IsDir() {
			return err
		}
		n, ok, err := parseName(p)
		if err != nil || !ok {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file; a bundle has only files", p)
		}
		if list = append(list, n); len(list) > maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
		return nil
	})
	if err != nil {
		return unwrapPath(err)
	}
	if len(list) == 0 {
		return errors.New("it holds no module: a bundle is a GOPROXY file tree, with MODULE/@v/VERSION.zip in it")
	}
	for _, n := range list {
		if err := f.visit(n, nil); err != nil {
			return err
		}
	}
	return nil
}
