package lab

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// A conn is one connection of a client. It speaks HTTP/1.1 by hand, because
// half of the faults are answers that net/http would not send.
type conn struct {
	srv  *Server
	tcp  net.Conn // below TLS
	raw  net.Conn // what HTTP is spoken on
	br   *bufio.Reader
	idle bool // no request in progress; guarded by srv.mu
}

// chunk is how much of a body is sent between two looks at the faults.
const chunk = 32 << 10

func (c *conn) serve() {
	fault := c.srv.Fault()
	if fault.Every > 1 {
		fault = Fault{}
	}
	switch {
	case !c.srv.opts.tls:
	case fault.Mode == ModeTLSSilent:
		entry, _ := c.srv.begin(&http.Request{URL: emptyURL})
		io.Copy(io.Discard, c.tcp)
		c.srv.end(entry)
		return
	case fault.Mode == ModeTLSPlainHTTP:
		// What net/http answers when a ClientHello reaches a plain port.
		io.WriteString(c.tcp, "HTTP/1.0 400 Bad Request\r\n\r\n")
		c.linger()
		return
	case fault.Mode == ModeTLSGarbage:
		c.tcp.Write([]byte("\x00\x00SSH-2.0-not-what-you-wanted\r\n"))
		c.linger()
		return
	default:
		t := tls.Server(c.tcp, c.srv.tlsConfig(fault.Mode))
		if t.Handshake() != nil {
			return
		}
		c.raw = t
	}
	c.br = bufio.NewReader(c.raw)
	for {
		req, err := http.ReadRequest(c.br)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, io.LimitReader(req.Body, 1<<20)); err != nil {
			return
		}
		c.setIdle(false)
		entry, n := c.srv.begin(req)
		keep := c.answer(req, entry, n)
		c.srv.end(entry)
		if !keep || req.Close {
			return
		}
		c.setIdle(true)
	}
}

func (c *conn) setIdle(idle bool) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.idle = idle
}

// reset ends the connection with an RST.
func (c *conn) reset() {
	if t, ok := c.tcp.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.tcp.Close()
}

// linger closes the sending side and waits for the client to leave, so that
// what was sent is not lost to an RST for bytes that nobody read.
func (c *conn) linger() {
	if t, ok := c.tcp.(*net.TCPConn); ok {
		t.CloseWrite()
	}
	io.Copy(io.Discard, c.tcp)
}

// An outcome is why a wait ended.
type outcome int

const (
	waitElapsed outcome = iota
	waitChanged         // the server's faults changed
	waitGone            // the client left, or the lab closes
)

// wait holds the client until the timer fires, the faults change, or the client
// leaves. A nil channel never fires.
func (c *conn) wait(timer <-chan time.Time, changed <-chan struct{}) outcome {
	gone := make(chan error, 1)
	go func() {
		_, err := c.br.Peek(1)
		gone <- err
	}()
	early := gone
	for {
		why := waitGone
		select {
		case err := <-early:
			if err == nil { // a pipelined request, not a farewell
				early = nil
				gone <- nil
				continue
			}
			return waitGone
		case <-c.srv.done:
			c.reset()
		case <-changed:
			why = waitChanged
		case <-timer:
			why = waitElapsed
		}
		c.raw.SetReadDeadline(time.Unix(1, 0))
		<-gone
		c.raw.SetReadDeadline(time.Time{})
		return why
	}
}

// hold keeps the client waiting until the faults change; false means that it
// left.
func (c *conn) hold(changed <-chan struct{}) bool {
	return c.wait(nil, changed) == waitChanged
}

// head sends a status line and headers.
func (c *conn) head(r response, length int) error {
	h := make(http.Header)
	for k, v := range r.header {
		h[k] = v
	}
	if r.contentType != "" {
		h.Set("Content-Type", r.contentType)
	}
	if length >= 0 {
		h.Set("Content-Length", fmt.Sprint(length))
	}
	status := http.StatusText(r.status)
	if status == "" {
		status = "Status"
	}
	w := bufio.NewWriter(c.raw)
	fmt.Fprintf(w, "HTTP/1.1 %d %s\r\n", r.status, status)
	h.Write(w)
	io.WriteString(w, "\r\n")
	return w.Flush()
}
