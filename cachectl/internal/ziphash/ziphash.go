// Package ziphash computes the h1 hash of a module's zip file, as go.sum and
// .ziphash hold it, from zip files that a stranger may have made.
//
//	h1: = base64(SHA-256("<hex SHA-256 of a file>  <name>\n" for each file, by name))
//
// The hash is of what is inside, so everything has to be inflated: that is
// where the time goes, not into SHA-256. The result is exactly that of
// golang.org/x/mod/sumdb/dirhash.HashZip.
package ziphash

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
)

// maxDirectory bounds a zip's central directory, in bytes. The largest module
// in the wild has some 100,000 files, which take a tenth of it; unpacked into
// memory it is about five times as large.
const maxDirectory = 32 << 20

// ErrDirectory: the central directory is larger than any module's.
var ErrDirectory = errors.New("the zip's directory is larger than that of any module")

// Sum returns the h1 hash of the zip file in r. It reads no more of an entry
// than the entry's own size, which the caller has bounded (x/mod/zip.CheckZip)
// where the zip is a stranger's.
func Sum(ctx context.Context, r io.ReaderAt, size int64) (string, error) {
	z, err := Open(r, size)
	if err != nil {
		return "", err
	}
	return SumTo(ctx, z, func(*zip.File) io.Writer { return nil })
}

// SumTo is Sum of a zip that is open, and shows what it reads: the content of
// each file is written to what to returns for it, unless that is nil. Files
// come in the order of the hash, by name.
func SumTo(ctx context.Context, z *zip.Reader, to func(*zip.File) io.Writer) (string, error) {
	files := slices.Clone(z.File)
	slices.SortStableFunc(files, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.outer.Reset()
	for i, f := range files {
		if strings.Contains(f.Name, "\n") {
			return "", errors.New("a file name with a newline")
		}
		// Of two entries with one name dirhash takes the last, twice.
		for j := i + 1; j < len(files) && files[j].Name == f.Name; j++ {
			f = files[j]
		}
		if err := s.add(ctx, f, to(f)); err != nil {
			return "", err
		}
	}
	return "h1:" + base64.StdEncoding.EncodeToString(s.outer.Sum(nil)), nil
}

// Open reads the zip's central directory, which is bounded, and nothing else.
func Open(r io.ReaderAt, size int64) (*zip.Reader, error) {
	l := &bounded{r: r, left: maxDirectory}
	z, err := zip.NewReader(l, size)
	if l.left < 0 {
		return nil, ErrDirectory
	}
	if err != nil {
		return nil, err
	}
	l.open = true // what the files hold is not bounded here
	z.RegisterDecompressor(zip.Deflate, inflate)
	return z, nil
}

// bounded is a reader of which no more is read than a directory has, until it
// is open.
type bounded struct {
	r    io.ReaderAt
	left int64
	open bool
}

func (b *bounded) ReadAt(p []byte, off int64) (int, error) {
	if b.open {
		return b.r.ReadAt(p, off)
	}
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, ErrDirectory
	}
	return b.r.ReadAt(p, off)
}

// A scratch is what hashing one zip needs, kept for the next.
type scratch struct {
	outer, inner hash.Hash
	buf          []byte
	sum          []byte
}

var scratches = sync.Pool{New: func() any {
	return &scratch{outer: sha256.New(), inner: sha256.New(), buf: make([]byte, 64<<10)}
}}

// add hashes one file and its line, and copies the file to w.
func (s *scratch) add(ctx context.Context, f *zip.File, w io.Writer) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	s.inner.Reset()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(s.buf)
		s.inner.Write(s.buf[:n])
		if w != nil {
			if _, err := w.Write(s.buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	s.sum = s.inner.Sum(s.sum[:0])
	_, err = fmt.Fprintf(s.outer, "%x  %s\n", s.sum, f.Name)
	return err
}

var inflaters sync.Pool

// inflate is a decompressor that gives its memory back: a zip has thousands of
// files, and each would allocate 40 KiB.
func inflate(r io.Reader) io.ReadCloser {
	if f, ok := inflaters.Get().(io.ReadCloser); ok {
		if f.(flate.Resetter).Reset(r, nil) == nil {
			return &inflater{f}
		}
	}
	return &inflater{flate.NewReader(r)}
}

type inflater struct{ f io.ReadCloser }

func (i *inflater) Read(p []byte) (int, error) {
	if i.f == nil {
		return 0, errors.New("read of a closed file")
	}
	return i.f.Read(p)
}

func (i *inflater) Close() error {
	if i.f == nil {
		return nil
	}
	err := i.f.Close()
	inflaters.Put(i.f)
	i.f = nil
	return err
}
