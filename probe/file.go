package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gpx/envctl/wire"
)

// filePath turns a file URL into a path as cmd/go/internal/web does
// (urlToFilePath).
func filePath(u *url.URL) (string, error) {
	path := u.Path
	if path == "" {
		if u.Host != "" || u.Opaque == "" {
			return "", errors.New("file URL without a path")
		}
		path = u.Opaque
	} else if p, err := hostPath(u.Host, path); err != nil {
		return "", err
	} else {
		path = p
	}
	path = filepath.FromSlash(path)
	if !filepath.IsAbs(path) {
		return "", errors.New("file URL whose path is not absolute")
	}
	return path, nil
}

// A fileReader reads files of trees that may lie on a dead network file system:
// a read that blocks cannot be taken back, but nobody waits for it, and none is
// added for the same file once one was given up. (Reads at the same time are
// fine: two requests of one probe may want the same file.)
type fileReader struct {
	mu      sync.Mutex
	blocked map[string]int // reads that were given up and have not come back
}

type fileAnswer struct {
	data []byte
	more bool
	err  error
}

func (r *fileReader) read(ctx context.Context, path string, limit int64) (fileAnswer, bool) {
	r.mu.Lock()
	blocked := r.blocked[path] > 0
	r.mu.Unlock()
	if blocked {
		return fileAnswer{}, false
	}
	done := make(chan fileAnswer, 1)
	var back, givenUp bool // guarded by r.mu
	go func() {
		a := readFile(path, limit)
		r.mu.Lock()
		defer r.mu.Unlock()
		back = true
		if givenUp {
			if r.blocked[path]--; r.blocked[path] == 0 {
				delete(r.blocked, path)
			}
		}
		done <- a
	}()
	select {
	case a := <-done:
		return a, true
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if back {
		return <-done, true
	}
	if r.blocked == nil {
		r.blocked = map[string]int{}
	}
	givenUp = true
	r.blocked[path]++
	return fileAnswer{}, false
}

func readFile(path string, limit int64) (a fileAnswer) {
	f, err := os.Open(path)
	if err != nil {
		return fileAnswer{err: err}
	}
	defer f.Close()
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(f, limit+1))
	a.data, a.err = buf.Bytes(), err
	if n > limit {
		a.data, a.more, a.err = a.data[:limit], true, nil
	}
	return a
}

// getFile reads a file URL as cmd/go/internal/web.getFile does: what does not
// exist is a 404, what may not be read a 403, anything else an error.
func (p *Prober) getFile(ctx context.Context, u *url.URL, limit int64, x *exchange) {
	start := time.Now()
	defer func() { x.phases.Total = wire.Millis(time.Since(start)) }()
	path, err := filePath(u)
	if err != nil {
		x.finding = finding{ConfigInvalid, LayerConfig, err.Error()}
		return
	}
	a, answered := p.files.read(ctx, path, limit)
	if !answered {
		x.finding = finding{Timeout, LayerProtocol, "the file system does not answer"}
		if errors.Is(ctx.Err(), context.Canceled) {
			x.finding = finding{ClassUnknown, LayerConfig, "the probe was given up"}
		}
		return
	}
	x.body = a.data
	switch {
	case errors.Is(a.err, fs.ErrNotExist):
		x.finding = finding{NotFound, LayerProtocol, "no such file: " + path}
	case errors.Is(a.err, fs.ErrPermission):
		x.finding = finding{Forbidden, LayerProtocol, "no permission to read " + path}
	case errors.Is(a.err, syscall.ENOTDIR), errors.Is(a.err, syscall.EISDIR):
		x.finding = finding{ConfigInvalid, LayerProtocol, a.err.Error()}
	case a.err != nil:
		x.finding = finding{ServerError, LayerProtocol, a.err.Error()}
	case a.more:
		x.finding = finding{TooLarge, LayerProtocol, fmt.Sprintf("%s is larger than %s", path, size(limit))}
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			x.size = st.Size()
		}
	default:
		x.finding = finding{OK, LayerProtocol, ""}
		x.whole, x.html = true, looksHTML(a.data)
	}
}

// checkTree says more about a file tree that lacks the canary: whether there is
// a tree at all.
func (p *Prober) checkTree(base *url.URL, x *exchange) {
	if x.class != NotFound {
		return
	}
	path, err := filePath(base)
	if err != nil {
		return
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		x.finding = finding{MissingFile, LayerProtocol, "there is no directory " + path}
	}
}

// size is a number of bytes for a sentence.
func size(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
