package lab

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ForwardProxy starts an http proxy for HTTPS_PROXY and HTTP_PROXY: it tunnels
// CONNECT and passes on absolute-form requests. Its schedule takes the modes
// that make sense for it: ModeRefuse, ModeBlackhole, ModeHang, ModeReset,
// ModeEOF, ModeSlow, ModeStatus (407 above all) and ModeAuth, which here is 407
// with Proxy-Authorization.
//
// It reaches nothing outside the lab: NAME and NAME.lab.example.com are the
// lab's server of that name, whatever the port; loopback addresses are
// themselves; for everything else it answers 502. The go command sends no
// request for a loopback address through a proxy, so a test of this needs the
// names.
func (l *Lab) ForwardProxy(name string, s Schedule) *Server {
	return l.Proxy(name, s, func(o *serverOptions) { o.forward = true })
}

// target finds the address behind a host:port in a request to a forward proxy.
func (l *Lab) target(hostport string) (string, bool) {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	l.mu.Lock()
	srv := l.servers[strings.TrimSuffix(host, ".lab.example.com")]
	l.mu.Unlock()
	switch ip, err := netip.ParseAddr(host); {
	case srv != nil:
		return srv.Addr(), true
	case err == nil && ip.IsLoopback():
		return hostport, true
	case hostport == l.sumdbName() || host == l.sumdbName():
		return l.own.Addr(), true
	}
	return "", false
}

// forward answers one request as a forward proxy does.
func (c *conn) forward(req *http.Request, entry *Request) bool {
	host := req.URL.Host
	if req.Method == http.MethodConnect {
		host = req.Host
	}
	refuse := func(r response) bool {
		c.srv.sent(entry, r.status)
		if c.head(r, len(r.body)) != nil {
			return false
		}
		_, err := c.raw.Write(r.body)
		return err == nil
	}
	addr, ok := c.srv.lab.target(host)
	if !ok {
		return refuse(text(http.StatusBadGateway, "this proxy reaches only the lab\n"))
	}
	up, err := net.Dial("tcp", addr)
	if err != nil {
		return refuse(text(http.StatusBadGateway, err.Error()+"\n"))
	}
	defer up.Close()
	if req.Method == http.MethodConnect {
		c.srv.sent(entry, http.StatusOK)
		if c.head(response{status: http.StatusOK}, -1) != nil {
			return false
		}
		back := make(chan struct{})
		go func() {
			defer close(back)
			io.Copy(c.raw, up)
			c.tcp.Close()
		}()
		io.Copy(up, c.br)
		up.Close()
		<-back
		return false
	}
	c.srv.sent(entry, http.StatusOK)
	req.Close = true
	req.Header.Del("Proxy-Authorization")
	if req.Write(up) != nil {
		return false
	}
	io.Copy(c.raw, up)
	return false
}

// proxyAuth returns the basic credentials of a Proxy-Authorization header.
func proxyAuth(req *http.Request) (user, password string) {
	enc, ok := strings.CutPrefix(req.Header.Get("Proxy-Authorization"), "Basic ")
	if !ok {
		return "", ""
	}
	dec, err := base64.StdEncoding.DecodeString(enc)
	if err != nil {
		return "", ""
	}
	user, password, _ = strings.Cut(string(dec), ":")
	return user, password
}
