package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"golang.org/x/mod/module"
)

// Patience says how long a download waits for more. The go command has no such
// deadline: it waits for ever.
type Patience struct {
	FirstByte time.Duration // for the connection and the headers of the answer
	Stall     time.Duration // between two bytes of the body
}

// DefaultPatience is what a healthy endpoint never needs.
var DefaultPatience = Patience{FirstByte: 2 * time.Second, Stall: 1500 * time.Millisecond}

// MaxSize is the largest that a file of a module version may be, in bytes
// (golang.org/x/mod/zip, MaxGoMod and MaxZipFile; cmd/go reads no bound of an
// .info).
func MaxSize(f File) int64 {
	switch f {
	case Zip:
		return maxZip
	case Mod, List:
		return 16 << 20 // the longest list in the wild has some 100 KB
	}
	return 1 << 20
}

// Download copies one file of a module version (Info, Mod or Zip), or what the
// endpoint says of the module (List or Latest), from it to w, and says what came of it. OK means that all of it came and looks
// like such a file; whether it is the right one the caller decides by its hash.
// Whatever it is not, w may have got a part.
//
// began, which may be nil, is told once, when the first bytes are there, how many
// there will be; -1 if nobody says.
func (v *Visit) Download(ctx context.Context, m module.Version, f File, w io.Writer, p Patience, began func(size int64)) Result {
	base, x := parseBase(v.ep)
	if x != nil {
		return v.p.result(v.ep, m, x)
	}
	u, err := moduleURL(base, m, f)
	if err != nil {
		return v.p.result(v.ep, m, &exchange{finding: finding{ConfigInvalid, LayerConfig, err.Error()}})
	}
	v.p.auth.prepare(ctx)
	dog := watch(ctx, p.FirstByte)
	defer dog.stop()
	out := &intake{w: w, dog: dog, stall: p.Stall, size: -1, began: began}
	x = &exchange{}
	if u.Scheme == "file" {
		path, err := filePath(u)
		if err == nil {
			err = copyFile(out, path, MaxSize(f))
		}
		x.finding = fileFinding(err)
	} else {
		s := v.take()
		x.download(dog, s, u, out, MaxSize(f))
		v.give(s, false)
	}
	if x.class == OK {
		x.body, x.html = out.head, looksHTML(out.head)
		if f == Zip {
			x.judgePeek()
		} else if int64(len(out.head)) == out.n { // else it is longer than any that is read as text
			x.judge(ctx, m, f)
		}
	}
	return v.p.result(v.ep, m, x)
}

// download receives one answer into out.
func (x *exchange) download(ctx context.Context, s *session, u *url.URL, out *intake, limit int64) {
	res, t, cancel := s.open(ctx, u, x)
	defer cancel()
	if res == nil {
		return
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		x.receive(ctx, res, t, s.p.cfg.BodyLimit)
		return
	}
	t.enter(stBody)
	if res.TLS != nil {
		t.leaf(*res.TLS)
	}
	x.status, out.size = res.StatusCode, res.ContentLength
	n, err := io.Copy(out, io.LimitReader(res.Body, limit+1))
	x.copy(t.now())
	switch {
	case err != nil && out.err != nil: // w's own
		x.finding = finding{ClassUnknown, LayerContent, out.err.Error()}
	case err != nil:
		x.finding = classify(ctx, err, progress{stage: stBody, tunnel: true}, nil)
	case n > limit:
		x.finding = finding{TooLarge, LayerProtocol, "more than " + size(limit)}
	default:
		x.finding = finding{OK, LayerHTTP, ""}
	}
}

// copyFile copies a regular file of at most limit bytes.
func copyFile(w io.Writer, path string, limit int64) error {
	if st, err := os.Stat(path); err != nil {
		return err
	} else if !st.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(w, io.LimitReader(f, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("more than %s", size(limit))
	}
	return err
}

func fileFinding(err error) finding {
	switch {
	case err == nil:
		return finding{OK, LayerProtocol, ""}
	case errors.Is(err, fs.ErrNotExist):
		return finding{NotFound, LayerProtocol, err.Error()}
	case errors.Is(err, fs.ErrPermission):
		return finding{Forbidden, LayerProtocol, err.Error()}
	}
	return finding{ServerError, LayerProtocol, err.Error()}
}

// headBytes is how much of a file is kept to look at: all of an ordinary .info or
// .mod.
const headBytes = 64 << 10

// An intake passes on what comes, keeps its beginning, and tells the watchdog.
type intake struct {
	w     io.Writer
	dog   *watchdog
	stall time.Duration
	size  int64 // of all, if that is known
	began func(size int64)

	head []byte
	n    int64
	err  error
}

func (i *intake) Write(p []byte) (int, error) {
	if i.n == 0 && len(p) > 0 && i.began != nil {
		i.began(i.size)
	}
	i.dog.heard(i.stall)
	if room := headBytes - len(i.head); room > 0 {
		i.head = append(i.head, p[:min(room, len(p))]...)
	}
	n, err := i.w.Write(p)
	i.n += int64(n)
	if err != nil {
		i.err = err
	}
	return n, err
}

// A watchdog is a context that ends when nothing was heard for too long.
type watchdog struct {
	context.Context
	done  chan struct{}
	timer *time.Timer
	stop  func()

	mu  sync.Mutex
	err error
}

// watch begins with d to wait. The caller stops it.
func watch(ctx context.Context, d time.Duration) *watchdog {
	w := &watchdog{Context: ctx, done: make(chan struct{})}
	w.timer = time.AfterFunc(d, func() { w.end(context.DeadlineExceeded) })
	forget := context.AfterFunc(ctx, func() { w.end(ctx.Err()) })
	w.stop = func() {
		forget()
		w.timer.Stop()
		w.end(context.Canceled)
	}
	return w
}

func (w *watchdog) heard(d time.Duration) { w.timer.Reset(d) }

func (w *watchdog) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
		close(w.done)
	}
}

// Deadline implements context.Context: when it ends is not known.
func (w *watchdog) Deadline() (time.Time, bool) { return w.Context.Deadline() }

// Done implements context.Context.
func (w *watchdog) Done() <-chan struct{} { return w.done }

// Err implements context.Context.
func (w *watchdog) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
