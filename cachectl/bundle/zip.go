package bundle

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"gpx/cachectl/internal/ziphash"
	"gpx/envctl/advice"
	"gpx/envctl/bounded"
	"gpx/envctl/redact"
)

// check hashes the zips, several at a time, the largest first, and leaves out
// what is damaged.
func (c *collector) check(ctx context.Context, got *collection) error {
	var list []*found
	var total int64
	for _, f := range got.by {
		if f.zip != nil {
			list = append(list, f)
			total += f.zip.Size
		}
	}
	slices.SortFunc(list, func(a, b *found) int {
		if a.zip.Size != b.zip.Size {
			return int(b.zip.Size - a.zip.Size)
		}
		return compareVersions(a.Version, b.Version)
	})
	var mu sync.Mutex
	var done int64
	return parallel(ctx, list, func(f *found) error {
		why := c.checkZip(ctx, f)
		mu.Lock()
		defer mu.Unlock()
		if why != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			delete(got.by, f.Version)
			got.left = append(got.left, leftOut(f.Version, why.Error()))
		}
		done += f.zip.Size
		c.o.report(Checking, done, total)
		return nil
	})
}

// checkZip compares a zip with its .ziphash and with go.sum, and looks whether
// the go command will extract it.
func (c *collector) checkZip(ctx context.Context, f *found) error {
	sums, err := c.checked.sums(ctx, f.zip.from, f.Version)
	if err != nil {
		return advice.Add(fmt.Errorf("its .zip is damaged: %s", unwrapPath(err)), "mend it with: gpx cache verify")
	}
	f.zip.Size, f.zip.SHA256, f.zip.Sum = sums.size, sums.sha256, sums.h1
	hash, err := bounded.ReadFile(f.zip.from+"hash", 1<<10)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// The go command hashes the zip again in that case.
	case err != nil:
		return err
	case strings.TrimSpace(string(hash)) != sums.h1:
		return advice.Add(fmt.Errorf("its .zip differs from its .ziphash (%s, want %s)", sums.h1, redact.Clean(strings.TrimSpace(string(hash)))), "see what is wrong with: gpx cache verify")
	}
	if want := c.o.Sums[f.Version]; len(want) > 0 && !slices.Contains(want, sums.h1) {
		return fmt.Errorf("its .zip differs from go.sum (%s, want %s)", sums.h1, want[0])
	}
	return nil
}

// unwrapPath takes the path off an error of the file system: the message names
// the version, and a bundle's report should not depend on where a cache lies.
func unwrapPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// hashZip reads a zip whole: what it says of itself, and its hashes.
func hashZip(ctx context.Context, path string, m module.Version) (zipSums, error) {
	return readZip(ctx, path, m, true)
}

// readZip is hashZip that may leave out h1, which takes many times as long as
// all the rest.
func readZip(ctx context.Context, path string, m module.Version, h1 bool) (zipSums, error) {
	f, err := os.Open(path)
	if err != nil {
		return zipSums{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return zipSums{}, err
	}
	// The directory is bounded here, which CheckZip does not do.
	z, err := ziphash.Open(f, st.Size())
	if err != nil {
		return zipSums{}, err
	}
	if _, err := modzip.CheckZip(m, path); err != nil {
		return zipSums{}, errors.New(firstLine(err))
	}
	s := zipSums{size: st.Size(), mtime: st.ModTime().UnixNano()}
	if h1 {
		if s.h1, err = ziphash.SumTo(ctx, z, func(*zip.File) io.Writer { return nil }); err != nil {
			return zipSums{}, err
		}
	}
	h := sha256.New()
	if _, err := io.Copy(h, contextReader{ctx, io.NewSectionReader(f, 0, st.Size())}); err != nil {
		return zipSums{}, err
	}
	s.sha256 = hex.EncodeToString(h.Sum(nil))
	return s, nil
}

// firstLine is an error's text up to its first newline: x/mod/zip lists every
// file that is wrong.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return redact.Clean(line)
}
