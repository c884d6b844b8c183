package relay

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// cork holds back what does not fill a packet, until uncork: the header of an
// answer goes with the beginning of its file, and the client wakes up once less.
// tcp(7) says TCP_CORK, nginx tcp_nopush.
func (c *limitedConn) cork() (uncork func()) {
	nothing := func() {}
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nothing
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nothing
	}
	set := func(on int) {
		// What cannot be held back is sent at once, as without a cork.
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, on) })
	}
	set(1)
	return func() { set(0) }
}
