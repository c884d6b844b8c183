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
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
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

// oneShot bounds what is unpacked in one piece, in bytes: nearly all files of
// modules are smaller. Larger ones are read as a stream.
const oneShot = 16 << 20

// A scratch is what hashing one zip needs, kept for the next.
type scratch struct {
	outer, inner hash.Hash
	packed, buf  []byte
	source       bytes.Reader // over packed
	inflater     io.Reader    // of source
	more         [1]byte      // what comes behind the last byte
}

var scratches = sync.Pool{New: func() any {
	s := &scratch{outer: sha256.New(), inner: sha256.New(), buf: make([]byte, 64<<10)}
	s.inflater = flate.NewReader(&s.source)
	return s
}}

// add hashes one file and its line, and copies the file to w.
func (s *scratch) add(ctx context.Context, f *zip.File, w io.Writer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.inner.Reset()
	var err error
	if data, ok := s.whole(f); ok {
		s.inner.Write(data)
		if w != nil {
			_, err = w.Write(data)
		}
	} else {
		err = s.stream(ctx, f, w)
	}
	if err != nil {
		return err
	}
	var sum [sha256.Size]byte
	_, err = fmt.Fprintf(s.outer, "%x  %s\n", s.inner.Sum(sum[:0]), f.Name)
	return err
}

// whole unpacks a file in one piece. It is false for a large file, and for one
// with something wrong in it: archive/zip says what.
func (s *scratch) whole(f *zip.File) ([]byte, bool) {
	if f.Method != zip.Deflate || f.UncompressedSize64 > oneShot || f.CompressedSize64 > oneShot {
		return nil, false
	}
	r, err := f.OpenRaw()
	if err != nil {
		return nil, false
	}
	s.packed = slices.Grow(s.packed[:0], int(f.CompressedSize64))[:f.CompressedSize64]
	if _, err := io.ReadFull(r, s.packed); err != nil {
		return nil, false
	}
	s.buf = slices.Grow(s.buf[:0], int(f.UncompressedSize64))[:f.UncompressedSize64]
	if s.inflate() != nil || crc32.ChecksumIEEE(s.buf) != f.CRC32 {
		return nil, false
	}
	return s.buf, true
}

// errSize: a file does not unpack into the size that the directory has of it.
var errSize = errors.New("another size than in the zip's directory")

// inflate unpacks packed into the whole of buf.
func (s *scratch) inflate() error {
	s.source.Reset(s.packed)
	if err := s.inflater.(flate.Resetter).Reset(&s.source, nil); err != nil {
		return err
	}
	if _, err := io.ReadFull(s.inflater, s.buf); err != nil {
		return err
	}
	if n, err := s.inflater.Read(s.more[:]); n > 0 || err != io.EOF {
		return errSize
	}
	return nil
}

// stream reads a file piece by piece.
func (s *scratch) stream(ctx context.Context, f *zip.File, w io.Writer) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	s.buf = s.buf[:cap(s.buf)]
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
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// SumFile is [Sum] of a file.
func SumFile(ctx context.Context, name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	return Sum(ctx, f, fi.Size())
}
