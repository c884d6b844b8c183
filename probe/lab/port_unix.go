//go:build linux || darwin

package lab

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A port is a TCP port of 127.0.0.1 that can be open, closed, or a black hole,
// and stays ours all the while.
//
// Closed: a second socket is bound to the port with SO_REUSEPORT and never
// listens. The kernel answers connects with RST, and gives the port to nobody
// else.
//
// Black hole: the listening socket stops accepting, its backlog is set to 0 and
// filled with connections of our own. A kernel whose queue of accepted
// connections is full drops the SYN (Linux: tcp_conn_request, unless
// tcp_abort_on_overflow is set), so a client sees what it sees behind a
// firewall that drops packets: nothing, until it gives up. No privilege, no
// network namespace and no packet filter is needed.
type port struct {
	addr  string
	guard int // the bound socket that never listens

	mu      sync.Mutex
	ln      *net.TCPListener
	fillers []int
}

func newPort() (*port, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	unix.CloseOnExec(fd)
	fail := func(what string, err error) (*port, error) {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return fail("SO_REUSEPORT", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fail("bind 127.0.0.1", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return fail("getsockname", err)
	}
	return &port{addr: fmt.Sprintf("127.0.0.1:%d", sa.(*unix.SockaddrInet4).Port), guard: fd}, nil
}

// listen opens the port.
func (p *port) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		p.ln.SetDeadline(time.Time{})
		return p.backlog(128)
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}); e != nil {
			return e
		}
		return err
	}}
	ln, err := lc.Listen(context.Background(), "tcp4", p.addr)
	if err != nil {
		return err
	}
	p.ln = ln.(*net.TCPListener)
	return nil
}

func (p *port) accept() (net.Conn, error) {
	p.mu.Lock()
	ln := p.ln
	p.mu.Unlock()
	if ln == nil {
		return nil, net.ErrClosed
	}
	return ln.Accept()
}

// pause makes a running accept return.
func (p *port) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		p.ln.SetDeadline(time.Unix(1, 0))
	}
}

// drop turns the port into a black hole; accept must not be running.
func (p *port) drop() error {
	if err := p.listen(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.backlog(0); err != nil {
		return err
	}
	var sa unix.SockaddrInet4
	addr, err := net.ResolveTCPAddr("tcp4", p.addr)
	if err != nil {
		return err
	}
	sa.Port, sa.Addr = addr.Port, [4]byte{127, 0, 0, 1}
	// One connection fills a backlog of 0 on Linux; others round it up. More
	// than this would mean that the kernel does not honour it.
	const most = 64
	for range most {
		full, err := p.fill(&sa)
		if err != nil || full {
			return err
		}
	}
	return fmt.Errorf("%s: the accept queue does not fill up", p.addr)
}

// fill adds one connection of our own to the queue, or finds it full. A
// loopback handshake completes within connect, so fillWait is only for a
// machine that is busy.
func (p *port) fill(sa unix.Sockaddr) (full bool, err error) {
	const fillWait = 50 // milliseconds
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return false, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return false, err
	}
	if err := unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return true, nil // refused or reset: nothing gets in either
	}
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(polled, fillWait)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			unix.Close(fd)
			return true, err
		}
		p.fillers = append(p.fillers, fd)
		return false, nil
	}
}

// release ends the black hole; listen or close follows.
func (p *port) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fd := range p.fillers {
		unix.Close(fd)
	}
	p.fillers = nil
}

// backlog calls listen(2) again, which changes the length of the queue.
func (p *port) backlog(n int) error {
	rc, err := p.ln.SyscallConn()
	if err != nil {
		return err
	}
	if e := rc.Control(func(fd uintptr) { err = unix.Listen(int(fd), n) }); e != nil {
		return e
	}
	return err
}

// close closes the port: connects are refused from now on.
func (p *port) close() {
	p.release()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		// A process that is being started has a copy of the listener until it is
		// another program: so long the port would go on accepting.
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		p.ln.Close()
		p.ln = nil
	}
}

// free gives the port back to the system.
func (p *port) free() {
	p.close()
	unix.Close(p.guard)
}
