//go:build unix

package probe_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/http2"

	"gpx/probe"
)

// classed reports whether c is one of the table's and a probe may end with it.
func classed(c probe.Class) bool { return c != probe.ClassUnknown && c.Info().Class == c }

// isClean reports whether text can be printed on a terminal.
func isClean(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsGraphic(r) || unicode.Is(unicode.Bidi_Control, r)
	}) < 0
}

// FuzzServer answers a request with anything: a probe never panics, always has a
// class, and everything that it says can be printed.
func FuzzServer(f *testing.F) {
	for _, seed := range []string{
		"", "\x00", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"Version\":\"v0.1.0\"}",
		"HTTP/1.1 403 No\r\nContent-Type: text/plain\r\n\r\n\x1b[31m\u202eevil\nsecond",
		"HTTP/1.1 301 Moved\r\nLocation: http://[::1\r\n\r\n", "HTTP/1.1 301 Moved\r\nLocation: \x1b]52;c;aGk=\x07\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n",
		"HTTP/1.1 429 Slow\r\nRetry-After: 99999999999999999999\r\n\r\n", "HTTP/1.1 999 \x1b[2J\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n",
		"ICY 200 OK\r\n\r\n", "SSH-2.0-OpenSSH_9\r\n", "\x15\x03\x01\x00\x02\x02\x28",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n<html>", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(f, err)
	answers := make(chan []byte, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var last []byte
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			select {
			case last = <-answers:
			default: // a redirect came back here
			}
			c.SetDeadline(time.Now().Add(time.Second))
			buf := make([]byte, 4096)
			c.Read(buf)
			c.Write(last)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	f.Cleanup(func() { ln.Close(); <-done })
	p := setup{attempt: brief}.prober(f, nil)
	file := []probe.File{probe.Info, probe.Mod, probe.Zip, probe.List, probe.Latest}
	f.Fuzz(func(t *testing.T, answer []byte) {
		if bytes.Contains(bytes.ToLower(answer), []byte("location")) && !bytes.Contains(answer, []byte("127.0.0.1")) &&
			bytes.Contains(answer, []byte("//")) && !bytes.Contains(answer, []byte("[")) {
			return // a redirect to a host of its own choice would leave loopback
		}
		answers <- answer
		r := p.Request(bound(t), probe.Endpoint{URL: "http://" + ln.Addr().String(), Kind: probe.KindProxy}, probe.Canary, file[len(answer)%len(file)])
		if !classed(r.Class) {
			t.Errorf("class %q (%s)", r.Class, r.Detail)
		}
		if !isClean(r.Detail) || !isClean(r.URL) || !isClean(r.RemoteAddr) || utf8.RuneCountInString(r.Detail) > 200 {
			t.Errorf("detail %q", r.Detail)
		}
	})
}

// TestMemoryIsBounded: neither a body that unpacks to a gigabyte nor headers
// without end take more memory than the bound allows.
func TestMemoryIsBounded(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 32 {
		z.Write(zeros)
	}
	must(t, z.Close())
	bombs := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", strings.TrimPrefix(r.URL.Query().Get("type"), " "))
		w.Write(bomb.Bytes())
	})
	headers := raw(t, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\r\n", 5000)+"\r\n")
	few := raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n"+strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\r\n", 500)+"\r\n{\"Version\":\"v0.1.0\"}")
	p := (setup{}).prober(t, nil)
	for name, test := range map[string]struct {
		url   string
		class probe.Class
	}{
		"bomb":                       {bombs, probe.TooLarge},
		"headers":                    {headers, probe.ProtocolInvalid},
		"half a megabyte of headers": {few, probe.OK}, // to the go command too
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := p.Probe(bound(t), probe.Endpoint{URL: test.url, Kind: probe.KindProxy})
		runtime.ReadMemStats(&after)
		if r.Class != test.class {
			t.Errorf("%s: got %s (%s), want %s", name, r.Class, r.Detail, test.class)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
			t.Errorf("%s: %d KiB were allocated", name, used>>10)
		}
	}
}

// http2Server is an https server that speaks HTTP/2, as the big proxies do.
func http2Server(t *testing.T, h http.HandlerFunc) (string, probe.Option) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s.URL, probe.WithRootCAs(pool)
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		h     http.HandlerFunc
		class probe.Class
	}{
		{"healthy", func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 || r.UserAgent() != "Go-http-client/2.0" {
				http.Error(w, r.Proto+" "+r.UserAgent(), 400)
				return
			}
			fmt.Fprint(w, `{"Version":"v0.1.0"}`)
		}, probe.OK},
		{"503", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }, probe.ServerError},
		{"reset before the answer", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, probe.Reset},
		{"reset inside the body", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"Ver`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, probe.Reset},
		{"no answer", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, probe.Timeout},
		{"body stops", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"Ver`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, probe.Stalled},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, trust := http2Server(t, test.h)
			s := setup{options: []probe.Option{trust}}
			if test.class.Info().Hangs {
				s.attempt = brief
			}
			r := s.prober(t, nil).Probe(bound(t), probe.Endpoint{URL: url, Kind: probe.KindProxy})
			if r.Class != test.class {
				t.Errorf("got %s in layer %s (%s), want %s", r.Class, r.Layer, r.Detail, test.class)
			}
			if ph := r.Phases; ph.TCP == 0 || ph.TLS == 0 || ph.Total < ph.TCP+ph.TLS+ph.TTFB {
				t.Errorf("phases %+v", ph)
			}
		})
	}
}

// TestGoAwayForEver: net/http repeats a request that an HTTP/2 server says it has
// not looked at, without end. The go command hangs.
func TestGoAwayForEver(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(nil)
	s.TLS = &tls.Config{NextProtos: []string{"h2"}}
	s.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) {
		defer c.Close()
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		fr := http2.NewFramer(c, c)
		fr.WriteSettings()
		for {
			f, err := fr.ReadFrame()
			if err != nil {
				return
			}
			if f.Header().Type == http2.FrameHeaders {
				fr.WriteGoAway(0, http2.ErrCodeNo, nil)
			}
		}
	}}
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	p := setup{attempt: brief, options: []probe.Option{probe.WithRootCAs(pool)}}.prober(t, nil)
	if r := p.Probe(bound(t), probe.Endpoint{URL: s.URL, Kind: probe.KindProxy}); r.Class != probe.Timeout {
		t.Errorf("got %s in layer %s (%s)", r.Class, r.Layer, r.Detail)
	}
}

// TestGivenUp: whoever cancels gets an answer at once, and no class.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancelCause(bound(t))
	go func() { <-reached; cancel(errors.New("the user pressed q")) }()
	r := (setup{}).prober(t, nil).Probe(ctx, probe.Endpoint{URL: url, Kind: probe.KindProxy})
	if r.Class != probe.ClassUnknown {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}

// TestRedirectIsFollowed: a redirect to another host adds its times and its
// certificate.
func TestRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	target, trust := http2Server(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"Version":"v0.1.0"}`) })
	from := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target+r.URL.Path, http.StatusFound) })
	r := setup{options: []probe.Option{trust}}.prober(t, nil).Probe(bound(t), probe.Endpoint{URL: from, Kind: probe.KindProxy})
	if r.Class != probe.OK || r.TLSExpires.IsZero() || "https://"+r.RemoteAddr != target {
		t.Errorf("got %s (%s), expiry %v, remote %s", r.Class, r.Detail, r.TLSExpires, r.RemoteAddr)
	}
}

func TestTreeOnADeadFileSystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "golang.org", "x", "sync", "@v", "v0.1.0.info")
	release := blockingFile(t, fifo)
	defer release()
	p := setup{attempt: brief}.prober(t, nil)
	for range 2 { // the second finds the first's read still there
		r := p.Probe(bound(t), probe.Endpoint{URL: "file://" + filepath.ToSlash(dir), Kind: probe.KindFile})
		if r.Class != probe.Timeout || !strings.Contains(r.Detail, "does not answer") {
			t.Errorf("got %s (%s)", r.Class, r.Detail)
		}
	}
}

// TestHeadOnADeadFileSystem: the tree head that the go command keeps is read within
// the attempt.
func TestHeadOnADeadFileSystem(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	gopath := t.TempDir()
	ep := sumEndpoint(t, l, l.Proxy("up", nil).URL())
	release := blockingFile(t, filepath.Join(gopath, "pkg", "sumdb", ep.SumDB.Name, "latest"))
	defer release()
	p := setup{attempt: brief, goenv: map[string]string{"GOPATH": gopath}}.prober(t, l)
	if r := p.Probe(bound(t), ep); r.Class != probe.ConfigInvalid || !strings.Contains(r.Detail, "does not answer") {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}

// TestNetrcThatDoesNotAnswer: a pipe costs the bound of the credentials once, and
// a device without end its bound of memory.
func TestNetrcThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	v := newVault(t, authorized)
	pipe := filepath.Join(t.TempDir(), "netrc")
	release := blockingFile(t, pipe)
	defer release()
	for file, says := range map[string]string{pipe: "deadline exceeded", "/dev/zero": "larger than 1.0 MiB"} {
		p := setup{environ: []string{"NETRC=" + file}, options: []probe.Option{v.trusted()}}.prober(t, nil)
		for range 2 {
			r := p.Probe(bound(t), probe.Endpoint{URL: v.URL, Kind: probe.KindProxy})
			if r.Class != probe.AuthRequired || !strings.Contains(r.Detail, says) {
				t.Errorf("%s: got %s (%s)", file, r.Class, r.Detail)
			}
		}
	}
}
