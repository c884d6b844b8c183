package relay

import (
	"io"
	"net"
	"sync"
)

// limit makes a listener accept at most n connections at a time. That of
// golang.org/x/net/netutil does the same, but its connections can no longer be
// written to by the kernel (sendfile): twice the processor time for a zip.
func limit(l net.Listener, n int) net.Listener {
	return &limitedListener{Listener: l, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	slots  chan struct{}
	once   sync.Once
	closed chan struct{}
}

// Accept implements [net.Listener].
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	keepShort(c)
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

// sendBuffer is what the kernel may hold of an answer to a client of this machine, in
// bytes: as much as it gives to anybody who asks (net.core.wmem_max of Linux).
const sendBuffer = 208 << 10

// keepShort bounds the way to a client of this machine. By itself the kernel lets it
// grow to megabytes for each, and what waits there leaves the processor's caches
// before the client reads it. A client that is far needs that much.
func keepShort(c net.Conn) {
	from, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok || !from.IP.IsLoopback() {
		return
	}
	if b, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = b.SetWriteBuffer(sendBuffer) // it goes without
	}
}

// Close implements [net.Listener].
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

// ReadFrom implements [io.ReaderFrom], by which net/http hands a file down.
func (c *limitedConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
