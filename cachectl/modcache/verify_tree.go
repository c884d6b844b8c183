package modcache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"gpx/envctl/bounded"
)

// A treeFile is one name in an extracted tree.
type treeFile struct {
	name    string // below the tree, with slashes
	regular bool
}

// treeMost bounds the files of one tree. A zip whose directory is read at all
// (ziphash.Open) holds fewer.
const treeMost = 1 << 20

var errTreeTooLarge = errors.New("it has more files than any module")

// listTree lists all that is no folder below dir, by name. It follows no
// symbolic link and opens nothing but folders.
func listTree(ctx context.Context, dir string) ([]treeFile, error) {
	var files []treeFile
	var read func(rel string) error
	read = func(rel string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(rel)))
		if err != nil {
			return err
		}
		entries, err := f.ReadDir(-1)
		f.Close()
		if err != nil {
			return err
		}
		for _, e := range entries {
			name := e.Name()
			if rel != "" {
				name = rel + "/" + name
			}
			if len(files) > treeMost {
				return errTreeTooLarge
			}
			if !e.IsDir() {
				files = append(files, treeFile{name, e.Type().IsRegular()})
			} else if err := read(name); err != nil {
				return err
			}
		}
		return nil
	}
	err := read("")
	slices.SortFunc(files, func(a, b treeFile) int { return strings.Compare(a.name, b.name) })
	return files, err
}

// withoutCopies leaves out the go.mod files that the go command itself makes in
// a toolchain's tree, copies of the _go.mod beside them: a module's zip cannot
// hold them (cmd/go/internal/toolchain, Select).
func withoutCopies(dir string, files []treeFile) []treeFile {
	names := map[string]bool{}
	for _, f := range files {
		if f.regular && path.Base(f.name) == "_go.mod" {
			names[f.name] = true
		}
	}
	return slices.DeleteFunc(files, func(f treeFile) bool {
		folder, base := path.Split(f.name)
		if base != "go.mod" || !f.regular || !names[folder+"_go.mod"] {
			return false
		}
		copied, err := bounded.ReadFile(filepath.Join(dir, filepath.FromSlash(f.name)), modMost)
		if err != nil {
			return false
		}
		original, err := bounded.ReadFile(filepath.Join(dir, filepath.FromSlash(folder+"_go.mod")), modMost)
		return err == nil && bytes.Equal(copied, original)
	})
}

// hashTree is the h1 hash of a tree's files, as dirhash.HashDir makes it; "" of
// a tree that has something else than files in it, which no zip can hold.
func hashTree(ctx context.Context, m module.Version, dir string, files []treeFile) (string, error) {
	prefix := m.Path + "@" + m.Version + "/"
	names := make([]string, len(files))
	for i, f := range files {
		if !f.regular || strings.Contains(f.name, "\n") {
			return "", nil
		}
		names[i] = prefix + f.name
	}
	return dirhash.Hash1(names, func(name string) (io.ReadCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return os.Open(filepath.Join(dir, filepath.FromSlash(name[len(prefix):])))
	})
}

// namesMost bounds the file names that are kept of a damage.
const namesMost = 20

// nameList is some names, and how many there are.
type nameList struct {
	names []string
	n     int
}

func (l *nameList) add(name string) {
	if l.n++; len(l.names) < namesMost {
		l.names = append(l.names, strings.Clone(name))
	}
}

// A treeDiff is how a tree differs from what its zip holds.
type treeDiff struct {
	changed, missing, extra nameList
}

func (d *treeDiff) none() bool { return d.changed.n+d.missing.n+d.extra.n == 0 }

// A comparer compares a tree with a zip's files while these are inflated for
// their hash: each byte is read once on either side, and only one side is
// hashed, since equal bytes have equal hashes.
type comparer struct {
	dir   string
	files []treeFile // what was not reached yet
	diff  treeDiff
	err   error // a file of the tree that cannot be read

	name string   // of the file that is compared
	f    *os.File // nil when it is known to differ
	buf  []byte   // for its bytes; not empty
}

// next begins with the zip's file of that name, and ends with the one before.
// Names come in the order of their bytes. Only what was listed in the tree is
// opened, so that a zip's "../../x" is a name that the tree does not have.
func (c *comparer) next(name string) {
	c.end()
	c.name = ""
	for len(c.files) > 0 && c.files[0].name < name {
		c.diff.extra.add(c.files[0].name)
		c.files = c.files[1:]
	}
	if len(c.files) == 0 || c.files[0].name != name {
		c.diff.missing.add(name)
		return
	}
	regular := c.files[0].regular
	c.files = c.files[1:]
	if !regular {
		c.diff.changed.add(name)
		return
	}
	f, err := os.Open(filepath.Join(c.dir, filepath.FromSlash(name)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.diff.missing.add(name)
	case err != nil:
		c.unreadable(err)
	default:
		c.name, c.f = name, f
	}
}

// Write compares the next bytes of the file. It does not fail: what is wrong is
// in diff and err.
func (c *comparer) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0 && c.f != nil; {
		want := rest[:min(len(rest), len(c.buf))]
		n, err := io.ReadFull(c.f, c.buf[:len(want)])
		switch {
		case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
			c.unreadable(err)
			c.close()
		case n < len(want) || !bytes.Equal(c.buf[:n], want):
			c.diff.changed.add(c.name)
			c.close()
		}
		rest = rest[len(want):]
	}
	return len(data), nil
}

// end looks whether the tree's file goes on where the zip's has ended.
func (c *comparer) end() {
	if c.f == nil {
		return
	}
	var more [1]byte
	if n, err := c.f.Read(more[:]); n > 0 {
		c.diff.changed.add(c.name)
	} else if err != io.EOF {
		c.unreadable(err)
	}
	c.close()
}

// finish ends the last file; what the zip did not name is extra.
func (c *comparer) finish() {
	c.end()
	for _, f := range c.files {
		c.diff.extra.add(f.name)
	}
	c.files = nil
}

func (c *comparer) unreadable(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *comparer) close() {
	if c.f != nil {
		c.f.Close()
		c.f = nil
	}
}
