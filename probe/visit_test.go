package probe_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/probe"
)

// A zipServer gives the first bytes of a large zip for every request.
type zipServer struct {
	*httptest.Server
	conns, sent atomic.Int64
	mu          sync.Mutex
	ranges      map[string]int
}

func newZipServer(t *testing.T, h2 bool, answer func(http.ResponseWriter, *http.Request, []byte)) *zipServer {
	t.Helper()
	s := &zipServer{ranges: map[string]int{}}
	zip := append([]byte("PK\x03\x04"), bytes.Repeat([]byte("x"), 8<<20)...)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.ranges[r.Header.Get("Range")]++
		s.mu.Unlock()
		answer(counting{w, &s.sent}, r, zip)
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.EnableHTTP2 = h2
	if h2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counting) Write(data []byte) (int, error) {
	n, err := c.ResponseWriter.Write(data)
	c.n.Add(int64(n))
	return n, err
}

func serveZip(w http.ResponseWriter, r *http.Request, zip []byte) {
	http.ServeContent(w, r, "m.zip", time.Time{}, bytes.NewReader(zip))
}

// TestPeekZip: whether a zip is there costs a few bytes where the server can give
// a part, and the truth everywhere.
func TestPeekZip(t *testing.T) {
	t.Parallel()
	const peeks = 100
	for _, test := range []struct {
		name         string
		h2           bool
		answer       func(http.ResponseWriter, *http.Request, []byte)
		class        probe.Class
		conns, bytes int64 // at most
		plain        int   // requests without Range
	}{
		{name: "a part", answer: serveZip, class: probe.OK, conns: 1, bytes: 64 * peeks},
		{name: "a part over HTTP/2", h2: true, answer: serveZip, class: probe.OK, conns: 1, bytes: 64 * peeks},
		{name: "the whole file", answer: func(w http.ResponseWriter, _ *http.Request, zip []byte) { w.Write(zip) },
			class: probe.OK, conns: peeks, bytes: peeks * 8 << 20},
		{name: "no part, but the file", class: probe.OK, conns: 2 * peeks, bytes: peeks * 8 << 20, plain: peeks,
			answer: func(w http.ResponseWriter, r *http.Request, zip []byte) {
				if r.Header.Get("Range") != "" {
					http.Error(w, "no ranges here", http.StatusRequestedRangeNotSatisfiable)
					return
				}
				w.Write(zip)
			}},
		{name: "a redirect to a store", class: probe.OK, conns: 1, bytes: 128 * peeks,
			answer: func(w http.ResponseWriter, r *http.Request, zip []byte) {
				if r.URL.Query().Get("signed") == "" {
					http.Redirect(w, r, r.URL.Path+"?signed=1", http.StatusFound)
					return
				}
				serveZip(w, r, zip)
			}},
		{name: "refused either way", class: probe.ClientError, conns: 1, bytes: 1 << 20, plain: peeks,
			answer: func(w http.ResponseWriter, _ *http.Request, _ []byte) { http.Error(w, "no", http.StatusBadRequest) }},
		{name: "an empty answer", class: probe.ProtocolInvalid, conns: 1,
			answer: func(http.ResponseWriter, *http.Request, []byte) {}},
		{name: "a part that nobody asked for", class: probe.ProtocolInvalid, conns: 1, bytes: 1 << 20,
			answer: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				w.Header().Set("Content-Range", "bytes 100-103/8388612")
				w.WriteHeader(http.StatusPartialContent)
				fmt.Fprint(w, "xxxx")
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newZipServer(t, test.h2, test.answer)
			set := setup{}
			if test.h2 {
				pool := x509.NewCertPool()
				pool.AddCert(s.Certificate())
				set.options = []probe.Option{probe.WithRootCAs(pool)}
			}
			v := set.prober(t, nil).Visit(probe.Endpoint{URL: s.URL, Kind: probe.KindProxy})
			defer v.Close()
			for i := range peeks {
				m := module.Version{Path: "example.com/m", Version: fmt.Sprintf("v1.0.%d", i)}
				if r := v.PeekZip(bound(t), m); r.Class != test.class || r.Module != m.String() {
					t.Fatalf("%s: %s (%s), want %s", r.Module, r.Class, r.Detail, test.class)
				}
			}
			if n := s.conns.Load(); n > test.conns {
				t.Errorf("%d connections, want at most %d", n, test.conns)
			}
			if n := s.sent.Load(); n > test.bytes {
				t.Errorf("%d bytes were sent, want at most %d", n, test.bytes)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if n := s.ranges[""]; n != test.plain {
				t.Errorf("asked %d times without Range, want %d", n, test.plain)
			}
		})
	}
}

// TestVisitAtOnce: many goroutines share a visit, and its connections end with it.
func TestVisitAtOnce(t *testing.T) {
	t.Parallel()
	s := newZipServer(t, false, func(w http.ResponseWriter, r *http.Request, zip []byte) { w.Write(zip) })
	v := setup{}.prober(t, nil).Visit(probe.Endpoint{URL: s.URL, Kind: probe.KindProxy})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 30 {
				m := module.Version{Path: "example.com/m", Version: fmt.Sprintf("v1.%d.%d", i, j)}
				if r := v.PeekZip(bound(t), m); r.Class != probe.OK {
					t.Errorf("%s: %s (%s)", m, r.Class, r.Detail)
				}
			}
		})
	}
	wg.Wait()
	v.Close()
	v.Close()
}
