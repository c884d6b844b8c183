package relay

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"gpx/probe"
)

const (
	// writeStall is how long a client may take nothing: a go command reads as fast
	// as it can, but may be stopped for a moment.
	writeStall = 30 * time.Second
	// writeChunk is what a client has that long for, in bytes.
	writeChunk = 1 << 20
)

// A writer counts what a client gets, and gives a client that reads nothing up.
type writer struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int
	n       int64
	closing bool
	probe   bool // the request is one of gpx's own
	bare    bool // it is a HEAD: net/http takes a body and sends none
	stall   time.Duration
}

func newWriter(w http.ResponseWriter, stall time.Duration) *writer {
	return &writer{ResponseWriter: w, control: http.NewResponseController(w), stall: stall}
}

// more gives the client time for the next chunk. Not every ResponseWriter can.
func (w *writer) more() { _ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.more()
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.more()
	n, err := w.ResponseWriter.Write(p)
	if !w.bare {
		w.n += int64(n)
	}
	return n, err
}

// ReadFrom leaves a file to the kernel (sendfile), a chunk at a time.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	left := int64(-1)
	if l, ok := r.(*io.LimitedReader); ok { // of net/http; the kernel's way goes through one only
		r, left = l.R, l.N
	}
	var total int64
	for left != 0 {
		chunk := int64(writeChunk)
		if left > 0 {
			chunk = min(chunk, left)
		}
		w.more()
		n, err := io.Copy(w.ResponseWriter, io.LimitReader(r, chunk))
		total, w.n = total+n, w.n+n
		if left > 0 {
			left -= n
		}
		if err != nil || n < chunk {
			return total, err
		}
	}
	return total, nil
}

// shut ends the connection after the answer.
func (w *writer) shut() {
	w.Header().Set("Connection", "close")
	w.closing = true
}

// end bounds what net/http still reads of a request that was refused.
func (w *writer) end() {
	if w.closing {
		_ = w.control.SetReadDeadline(time.Now().Add(time.Second))
	}
}

// text answers with a sentence. The go command prints one that is text/plain.
func (w *writer) text(status int, text string) {
	if w.status != 0 { // the answer has begun
		return
	}
	h := w.Header()
	for _, name := range []string{"Last-Modified", "Content-Range", "Content-Length", fromHeader} {
		h.Del(name)
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}

func contentType(f probe.File) string {
	switch f {
	case probe.Zip:
		return "application/zip"
	case probe.Info, probe.Latest:
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// file answers with a file, or with the part of it that is asked for.
func (w *writer) file(req *http.Request, kind probe.File, f *os.File, from string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if c, ok := req.Context().Value(connKey{}).(*limitedConn); ok {
		defer c.cork()()
	}
	w.content(req, kind, info.ModTime(), f, from)
	return nil
}

// content is file with what was read or opened already.
func (w *writer) content(req *http.Request, kind probe.File, at time.Time, content io.ReadSeeker, from string) {
	w.head(kind, from)
	http.ServeContent(w, req, "", at, content)
}

// small is content with what was kept of a small file: nearly all requests ask for all
// of it, whatever the client has, and need no http.ServeContent to find that out.
func (w *writer) small(req *http.Request, kind probe.File, f small, from string) {
	for _, name := range [...]string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if req.Header[name] != nil {
			w.content(req, kind, f.info.ModTime(), bytes.NewReader(f.data), from)
			return
		}
	}
	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("Last-Modified", f.info.ModTime().UTC().Format(http.TimeFormat))
	w.body(kind, f.data, from)
}

// body answers with what is in memory. net/http leaves it out for HEAD.
func (w *writer) body(kind probe.File, data []byte, from string) {
	w.head(kind, from)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Write(data)
}

func (w *writer) head(kind probe.File, from string) {
	h := w.Header()
	h.Set("Content-Type", contentType(kind))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(fromHeader, from)
}
