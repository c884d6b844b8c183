package relay

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// admit refuses what no go command sends, and says what is asked for: the path
// without the token. Who does not know the token is not even told what this is.
func (r *Relay) admit(w *writer, req *http.Request) (path string, err error) {
	path = req.URL.Path
	if r.o.Token != "" {
		token, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		// The sums make both of one length, which is all that the time may tell.
		got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(r.o.Token))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.shut()
			return "", refuse(http.StatusNotFound, "not found")
		}
		path = "/" + rest
	}
	if no := admit(w, req, r.o.Network); no != nil {
		return path, no
	}
	return path, nil
}

// admit refuses what no go command sends. A web page that a browser shows could
// send requests here, by a name of its own that leads to this machine; its name
// is then in the Host header.
func admit(w *writer, req *http.Request, network bool) *refusal {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.shut()
		return refuse(http.StatusMethodNotAllowed, "%s: a module proxy is only read", req.Method)
	}
	if req.ContentLength != 0 {
		w.shut()
		return refuse(http.StatusBadRequest, "a request with a body")
	}
	switch name := hostOf(req.Host); {
	case loopback(name):
	case !network:
		return refuse(http.StatusMisdirectedRequest, "%s is not this machine; ask for localhost or 127.0.0.1", req.Host)
	case !cameTo(req, name):
		return refuse(http.StatusMisdirectedRequest, "%s is not the address that this machine was reached at", req.Host)
	}
	return nil
}

// hostOf is a Host header without its port: a tunnel may have another than the
// listener.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.Trim(host, "[]")
}

// loopback reports whether a name is this machine's own for itself.
func loopback(name string) bool {
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// cameTo reports whether a name is the address of this machine that the
// connection of a request came to.
func cameTo(req *http.Request, name string) bool {
	at, ok := req.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && at.IP.Equal(net.ParseIP(name))
}
