//go:build !linux && !darwin

package lab

import (
	"net"
	"sync"
	"time"
)

// A port is a TCP port of 127.0.0.1. Here the system offers neither a bound
// socket that refuses nor a full backlog that drops: a closed port may be taken
// by another program, and a black hole accepts connections and never reads from
// them, which a client sees as a hanging server.
type port struct {
	addr string

	mu   sync.Mutex
	ln   *net.TCPListener
	held []net.Conn
	stop chan struct{}
	wg   sync.WaitGroup
}

func newPort() (*port, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &port{addr: ln.Addr().String(), ln: ln.(*net.TCPListener)}, nil
}

func (p *port) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		p.ln.SetDeadline(time.Time{})
		return nil
	}
	ln, err := net.Listen("tcp4", p.addr)
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

func (p *port) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		p.ln.SetDeadline(time.Unix(1, 0))
	}
}

func (p *port) drop() error {
	if err := p.listen(); err != nil {
		return err
	}
	p.wg.Go(func() {
		for {
			c, err := p.accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.held = append(p.held, c)
			p.mu.Unlock()
		}
	})
	return nil
}

func (p *port) release() {
	p.pause()
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.held {
		c.Close()
	}
	p.held = nil
}

func (p *port) close() {
	p.release()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		p.ln.Close()
		p.ln = nil
	}
}

func (p *port) free() { p.close() }
