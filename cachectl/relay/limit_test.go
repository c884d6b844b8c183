package relay

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gpx/cachectl/internal/overlap"
)

// One more than the limit is accepted when another ends; and a connection still
// takes files from the kernel.
func TestLimit(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := limit(inner, 1)
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		must(t, err)
		defer c.Close()
	}
	first, err := l.Accept()
	must(t, err)
	if _, ok := first.(io.ReaderFrom); !ok {
		t.Error("net/http has no way to hand a file down")
	}
	second := make(chan net.Conn)
	go func() {
		c, _ := l.Accept()
		second <- c
	}()
	select {
	case <-second:
		t.Error("two at a time")
	default:
	}
	must(t, first.Close())
	first.Close() // makes no more room
	c := <-second
	if c == nil {
		t.Fatal("nobody is accepted any more")
	}
	third := make(chan error)
	go func() {
		_, err := l.Accept()
		third <- err
	}()
	must(t, l.Close())
	if err := <-third; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	c.Close()
}

// A clientConn is one of which it is known where it comes from.
type clientConn struct {
	net.Conn
	from   net.Addr
	buffer int
}

func (c *clientConn) RemoteAddr() net.Addr           { return c.from }
func (c *clientConn) SetWriteBuffer(bytes int) error { c.buffer = bytes; return nil }

// The way to a client of this machine is short, and as the kernel has it to others.
func TestKeepShort(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]int{"127.0.0.1": sendBuffer, "::1": sendBuffer, "::ffff:127.0.0.1": sendBuffer, "192.0.2.1": 0, "2001:db8::1": 0} {
		c := &clientConn{from: &net.TCPAddr{IP: net.ParseIP(ip)}}
		if keepShort(c); c.buffer != want {
			t.Errorf("%s: %d bytes, want %d", ip, c.buffer, want)
		}
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := limit(listener{inner, net.ParseIP("127.0.0.1")}, 1)
	defer l.Close()
	dialed, err := net.Dial("tcp", inner.Addr().String())
	must(t, err)
	defer dialed.Close()
	c, err := l.Accept()
	must(t, err)
	defer c.Close()
	if got := c.(*limitedConn).Conn.(*clientConn).buffer; got != sendBuffer {
		t.Errorf("of an accepted one: %d bytes", got)
	}
}

// A listener tells of each connection that it comes from an address.
type listener struct {
	net.Listener
	from net.IP
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &clientConn{Conn: c, from: &net.TCPAddr{IP: l.from}}, err
}

// System calls of answers wait for each other as little as those of a walk.
func TestServeOverlapsCalls(t *testing.T) {
	t.Setenv("GOMAXPROCS", "") // and so not beside others
	w := newWorld(t)
	w.behind()
	w.start()
	if status, _, _ := w.get("/healthz"); status != http.StatusOK || runtime.GOMAXPROCS(0) < overlap.Processors {
		t.Errorf("status %d, with %d processors", status, runtime.GOMAXPROCS(0))
	}
}

// What is kept of small files is what stands on the disk, and has a bound.
func TestSmalls(t *testing.T) {
	t.Parallel()
	var s smalls
	dir := t.TempDir()
	file := filepath.Join(dir, "v1.0.0.mod")
	read := func(want string) {
		t.Helper()
		for range 2 {
			got, err := s.read(file, 100, trimmed)
			if err != nil || string(got.data) != want || got.gist != want {
				t.Errorf("%q, %v, want %q", got.data, err, want)
			}
		}
	}
	must(t, os.WriteFile(file, []byte("one"), 0o644))
	read("one")
	must(t, os.WriteFile(file+".new", []byte("two"), 0o644)) // as long
	must(t, os.Rename(file+".new", file))
	read("two")
	must(t, os.WriteFile(file, []byte(strings.Repeat("x", 101)), 0o644))
	if got, err := s.read(file, 100, trimmed); !errors.Is(err, errTooLarge) {
		t.Errorf("%d bytes, %v", len(got.data), err)
	}
	must(t, os.Remove(file))
	if got, err := s.read(file, 100, trimmed); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%q, %v", got.data, err)
	}
	must(t, os.Mkdir(file, 0o755))
	if _, err := s.read(file, 100, trimmed); err == nil {
		t.Error("a folder is read")
	}
	for i := range 2 * maxSmall / smallFile {
		name := filepath.Join(dir, strings.Repeat("a", i%200+1))
		s.keep(name, small{data: make([]byte, smallFile)})
	}
	total := 0
	for name, kept := range s.by {
		total += len(name) + len(kept.data)
	}
	if total > maxSmall+smallFile+1000 || total == 0 {
		t.Errorf("%d bytes are kept", total)
	}
}
