package relay

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gpx/probe"
)

// While a file is sent its connection is corked, and afterwards it is not: an
// answer that fills no packet would else come 200 ms late.
func TestCork(t *testing.T) {
	name := filepath.Join(t.TempDir(), "v1.0.0.zip")
	must(t, os.WriteFile(name, make([]byte, 3<<20), 0o644))
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Listen(ctx, "127.0.0.1:0")
	must(t, err)
	during, after := make(chan int, 1), make(chan int, 1)
	stopped := make(chan error)
	go func() {
		stopped <- serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			conn := req.Context().Value(connKey{}).(*limitedConn)
			f, err := os.Open(name)
			must(t, err)
			defer f.Close()
			out := newWriter(corkSeen{w, conn, during}, writeStall)
			must(t, out.file(req, probe.Zip, f, "cache"))
			after <- corked(conn)
		}), headerTime)
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	must(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	if n, err := answer.Body.Read(make([]byte, 1)); n != 1 || answer.ContentLength != 3<<20 {
		t.Errorf("%d of %d bytes, %v", n, answer.ContentLength, err)
	}
	must(t, conn.Close())
	if got := <-during; got != 1 {
		t.Errorf("cork while the file is sent: %d", got)
	}
	if got := <-after; got != 0 {
		t.Errorf("cork afterwards: %d", got)
	}
	cancel()
	must(t, <-stopped)
}

// A corkSeen tells whether the connection was corked when the header was written.
type corkSeen struct {
	http.ResponseWriter
	conn *limitedConn
	tell chan int
}

func (w corkSeen) WriteHeader(status int) {
	w.tell <- corked(w.conn)
	w.ResponseWriter.WriteHeader(status)
}

func (w corkSeen) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func corked(c *limitedConn) (on int) {
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1
	}
	raw.Control(func(fd uintptr) { on, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK) })
	if err != nil {
		return -1
	}
	return on
}
