package bundle

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"gpx/cachectl/internal/flock"
	"gpx/envctl/advice"
	"gpx/envctl/redact"
)

// A bundle is written beside its place and renamed when it is whole:
//
//	.NAME.gpx-lock   taken by the process that writes NAME; gone when it is done
//	.NAME.gpx-part   what it has written so far; a killed process leaves it, and the next one begins anew

func lockName(out string) string { return besideName(out, "lock") }
func partName(out string) string { return besideName(out, "part") }

func besideName(out, what string) string {
	return filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".gpx-"+what)
}

// writeBundle writes the manifest and the files, and returns the size of what
// was written.
func writeBundle(ctx context.Context, o *ExportOptions, m *Manifest, files []source) (int64, error) {
	text, err := m.marshal()
	if err != nil {
		return 0, err
	}
	if int64(len(text)) > limits[partManifest] || len(files) > maxFiles {
		return 0, advice.Add(fmt.Errorf("%d files are more than one bundle holds", len(files)), "export fewer versions")
	}
	all := append([]source{sourceOf(name{path: ManifestName, part: partManifest}, text)}, files...)
	w := &writer{ctx: ctx, o: o, total: m.Bytes + int64(len(text)), hash: sha256.New(), buf: make([]byte, 256<<10)}
	return writeBeside(o.Out, func(part string) (int64, error) {
		if archiveOf(o.Out) == notArchive {
			return w.folder(part, all)
		}
		return w.archive(part, all)
	})
}

// writeBeside has write make part, and renames that to out. No second process does
// so at the same time, and out is not replaced.
func writeBeside(out string, write func(part string) (int64, error)) (int64, error) {
	unlock, err := lockOut(lockName(out))
	if err != nil {
		return 0, err
	}
	defer unlock()
	part := partName(out)
	if err := os.RemoveAll(part); err != nil {
		return 0, err
	}
	size, err := write(part)
	if err == nil {
		if _, serr := os.Lstat(out); !errors.Is(serr, fs.ErrNotExist) {
			err = advice.Add(errors.New("it exists by now"), "name another place")
		}
	}
	if err == nil {
		err = os.Rename(part, out)
	}
	if err != nil {
		os.RemoveAll(part)
		return 0, err
	}
	syncDir(filepath.Dir(out))
	return size, nil
}

// lockOut keeps a second export away from the same place. The file is removed
// by who holds it, so that who got hold of a removed one has to try again.
func lockOut(path string) (unlock func(), err error) {
	for range 10 {
		f, err := flock.Try(path)
		if errors.Is(err, flock.ErrHeld) {
			return nil, advice.Add(errors.New("another export writes there"), "wait for its end")
		}
		if err != nil {
			return nil, err
		}
		now, err := os.Stat(path)
		mine, merr := f.Stat()
		if err == nil && merr == nil && os.SameFile(now, mine) {
			return func() { os.Remove(path); f.Close() }, nil
		}
		f.Close()
	}
	return nil, advice.Add(errors.New("other exports write there"), "wait for their end")
}

// A writer copies files, checks on the way that their bytes are those that were
// hashed, and reports how far it is.
type writer struct {
	ctx         context.Context
	o           *ExportOptions
	done, total int64
	hash        hash.Hash
	buf         []byte
}

func (w *writer) copy(dst io.Writer, s *source) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	w.hash.Reset()
	// One byte more than its size shows that it grew.
	src := io.LimitReader(r, s.Size+1)
	var n int64
	for {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		k, err := src.Read(w.buf)
		if n += int64(k); n > s.Size {
			return &changedError{s.from}
		}
		w.hash.Write(w.buf[:k])
		if _, err := dst.Write(w.buf[:k]); err != nil {
			return err
		}
		w.done += int64(k)
		w.o.report(Writing, w.done, w.total)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if n != s.Size || hex.EncodeToString(w.hash.Sum(nil)) != s.SHA256 {
		return &changedError{s.from}
	}
	return nil
}

// archive writes a .tar or .tar.zst with nothing in it that depends on the
// machine, the user or the time.
func (w *writer) archive(path string, files []source) (int64, error) {
	return createArchive(path, archiveOf(w.o.Out), func(out io.Writer) error { return w.tar(out, files) })
}

// createArchive creates a file and has write fill it, compressed if need be. It
// returns the file's size.
func createArchive(path string, format archive, write func(io.Writer) error) (int64, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var out packer = &buffered{bufio.NewWriterSize(f, 1<<20)}
	if format == zstdTar {
		// What is forced to the disk while the next frame is compressed has not
		// to be waited for at the end.
		if out, err = newFrames(f, f.Sync); err != nil {
			return 0, err
		}
	}
	if err = write(out); err != nil && !errors.Is(err, errStopped) {
		out.abort()
		return 0, err
	}
	if err = out.Close(); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), f.Close()
}

// A packer has to be closed, or aborted when nobody wants what it has written.
type packer interface {
	io.WriteCloser
	abort()
}

type buffered struct{ *bufio.Writer }

func (b *buffered) Close() error { return b.Flush() }
func (b *buffered) abort()       {}

func (w *writer) tar(out io.Writer, files []source) error {
	t := tar.NewWriter(out)
	at := time.Unix(0, 0)
	if !w.o.Created.IsZero() {
		at = w.o.Created.Truncate(time.Second)
	}
	for i := range files {
		s := &files[i]
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: s.Path, Size: s.Size, Mode: 0o644, ModTime: at}); err != nil {
			return fmt.Errorf("%s: %w", redact.Clean(s.Path), err)
		}
		if err := w.copy(t, s); err != nil {
			return err
		}
	}
	return t.Close()
}

// folder writes a file tree. Its files are not forced to the disk one by one:
// should the power fail, the manifest tells which of them are not whole.
func (w *writer) folder(dir string, files []source) (int64, error) {
	var total int64
	for i := range files {
		path := filepath.Join(dir, filepath.FromSlash(files[i].Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return 0, err
		}
		if err := w.file(path, &files[i]); err != nil {
			return 0, err
		}
		total += files[i].Size
	}
	return total, nil
}

// file writes one file that does not exist yet.
func (w *writer) file(path string, s *source) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(w.copy(f, s), f.Close())
}

// syncDir makes a rename in dir durable, where the system can do that.
func syncDir(dir string) {
	if runtime.GOOS == "windows" {
		return
	}
	if d, err := os.Open(dir); err == nil {
		d.Sync() // whatever it says, the rename stands
		d.Close()
	}
}

// replaceFile makes path hold data, in one instant: tmp, on the same file
// system, is written and renamed.
func replaceFile(tmp, path string, data []byte, mode fs.FileMode) error {
	err := os.WriteFile(tmp, data, mode)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

// hashFile is the SHA-256 of a file.
func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}
