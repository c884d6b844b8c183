package lab

import (
	"archive/zip"
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"gpx/probe"
)

// A response is an answer before anything went wrong with it.
type response struct {
	status      int
	contentType string
	header      http.Header
	body        []byte
}

func text(status int, body string) response {
	return response{status: status, contentType: "text/plain; charset=utf-8", body: []byte(body)}
}

var emptyURL = new(url.URL)

const loginPage = `<!DOCTYPE html>
<html><head><title>Welcome to the guest network</title></head>
<body><h1>Please log in</h1><form action="/login"><input name="room"><input type="submit"></form></body></html>
`

// answer answers one request, rightly or wrongly, and says whether the
// connection can be used again. It looks at the faults anew whenever they
// change while it holds the client.
func (c *conn) answer(req *http.Request, entry *Request, n int) (keep bool) {
	for {
		f, changed := c.srv.faultFor(entry.Kind, n)
		switch f.mode() {
		case ModeHang:
			if !c.hold(changed) {
				return false
			}
			continue
		case ModeReset:
			c.reset()
			return false
		case ModeEOF:
			c.tcp.Close()
			return false
		case ModeGarbage:
			c.raw.Write([]byte("\x16\x03\x01 this is not HTTP\r\n\r\n"))
			c.linger()
			return false
		case ModeSlow:
			if f.Delay > 0 && c.wait(c.srv.lab.clock.After(f.Delay), nil) == waitGone {
				return false
			}
		}
		r := c.srv.respond(req, entry, f)
		if c.srv.opts.forward && r.status == 0 {
			return c.forward(req, entry)
		}
		switch f.mode() {
		case ModeStall:
			return c.stall(r, entry, f, changed)
		case ModeTruncated:
			half := r.body[:len(r.body)/2]
			c.srv.sent(entry, r.status)
			if c.head(r, max(len(r.body), 1)) == nil {
				c.raw.Write(half)
			}
			c.linger()
			return false
		case ModeShort:
			r.body = r.body[:len(r.body)/2]
		case ModeEndless:
			return c.endless(r, entry)
		}
		return c.send(r, req, entry, n)
	}
}

// send sends a whole response, holding it wherever the server turns into one
// that says nothing. The log says what the client will see before the client can
// see it, so that a test that has its answer finds it there.
func (c *conn) send(r response, req *http.Request, entry *Request, n int) bool {
	c.srv.sent(entry, r.status)
	bare := len(r.body) == 0 || req.Method == http.MethodHead
	if bare {
		c.srv.end(entry)
	}
	if c.head(r, len(r.body)) != nil {
		return false
	}
	if bare {
		return true
	}
	for body := r.body; len(body) > 0; {
		f, changed := c.srv.faultFor(entry.Kind, n)
		if f.Mode == ModeHang || f.Mode == ModeStall {
			if !c.hold(changed) {
				return false
			}
			continue
		}
		part := body[:min(chunk, len(body))]
		if f.Mode == ModeSlow && f.Bytes > 0 {
			part = body[:min(max(f.Bytes/trickles, 1), len(body))]
			if c.wait(c.srv.lab.clock.After(time.Second/trickles), nil) == waitGone {
				return false
			}
		}
		if body = body[len(part):]; len(body) == 0 {
			c.srv.end(entry)
		}
		if _, err := c.raw.Write(part); err != nil {
			return false
		}
	}
	return true
}

// trickles is how many pieces a slow server sends in a second.
const trickles = 20

// stall sends the headers and a part of the body, and holds the client until
// the faults change; then it cuts, because a server that comes back does not
// remember.
func (c *conn) stall(r response, entry *Request, f Fault, changed <-chan struct{}) bool {
	n := f.Bytes
	if n < 0 {
		n = len(r.body) / 2
	}
	n = min(n, max(len(r.body)-1, 0))
	c.srv.sent(entry, r.status)
	if c.head(r, max(len(r.body), 1)) != nil {
		return false
	}
	if _, err := c.raw.Write(r.body[:n]); err != nil {
		return false
	}
	if c.hold(changed) {
		c.reset()
	}
	return false
}

// endless sends a body that never ends, at a rate that does not drown a client
// that reads it all into memory.
func (c *conn) endless(r response, entry *Request) bool {
	r.status, r.contentType = http.StatusOK, "application/octet-stream"
	c.srv.sent(entry, r.status)
	if c.head(r, -1) != nil {
		return false
	}
	block := bytes.Repeat([]byte("endless "), 4<<10) // 32 KiB, about 1.6 MB a second
	for {
		if _, err := c.raw.Write(block); err != nil {
			return false
		}
		if c.wait(c.srv.lab.clock.After(time.Second/50), nil) == waitGone {
			return false
		}
	}
}

// respond makes the answer to a request, with the faults that concern its
// content.
func (s *Server) respond(req *http.Request, entry *Request, f Fault) response {
	path := strings.TrimPrefix(req.URL.Path, s.opts.prefix)
	sumPath, underSum := path, s.opts.sumdbOnly
	if !underSum {
		sumPath, underSum = strings.CutPrefix(path, "/sumdb/"+s.lab.sumdbName())
	}
	mode := f.mode()
	html := response{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: []byte(loginPage)}
	switch {
	case mode == ModeStatus, mode == ModeNoSumDB && (underSum || strings.HasPrefix(path, "/sumdb/")):
		body := f.Body
		if body == "" {
			body = strings.ToLower(http.StatusText(f.Status)) + "\n"
		}
		r := text(f.Status, body)
		r.header = f.Header
		if f.ContentType != "" {
			r.contentType = f.ContentType
		}
		return r
	case mode == ModeAuth:
		user, password, _ := req.BasicAuth()
		status, header := http.StatusUnauthorized, "Www-Authenticate"
		if s.opts.forward {
			user, password = proxyAuth(req)
			status, header = http.StatusProxyAuthRequired, "Proxy-Authenticate"
		}
		if subtle.ConstantTimeCompare([]byte(user), []byte(f.User))&subtle.ConstantTimeCompare([]byte(password), []byte(f.Password)) == 0 {
			r := text(status, "credentials required\n")
			r.header = http.Header{header: {`Basic realm="lab"`}}
			return r
		}
	case mode == ModeCaptive, mode == ModeSumDBCaptive && underSum && sumPath != "/supported":
		return html
	case mode == ModeRedirect:
		r := text(http.StatusFound, "")
		r.header = http.Header{"Location": {req.URL.Path}}
		return r
	case mode == ModeDowngrade:
		r := text(http.StatusFound, "")
		r.header = http.Header{"Location": {"http://" + s.Addr() + req.URL.Path}}
		return r
	case !s.opts.forward && req.Method != http.MethodGet && req.Method != http.MethodHead:
		return text(http.StatusMethodNotAllowed, "GET only\n")
	}
	if s.opts.forward {
		return response{} // nothing is wrong: the caller passes the request on
	}
	if underSum {
		if sumPath == "/supported" {
			if s.opts.sumdbOnly {
				return text(http.StatusNotFound, "not found\n")
			}
			return text(http.StatusOK, "")
		}
		return s.lab.log.tamper(mode, sumPath, s.lab.log.get(sumPath))
	}
	return s.module(path, entry.Kind, mode)
}

// module answers a request of the module protocol.
func (s *Server) module(path string, kind probe.File, mode Mode) response {
	mod, version, _ := splitProxyPath(path)
	var list []*Module
	for _, m := range s.lab.modules {
		if m.Path == mod && (!m.Private || s.opts.private) && !s.lacks(m.Version) {
			list = append(list, m)
		}
	}
	missing := text(http.StatusNotFound, "not found: "+mod+"@"+version+"\n")
	if len(list) == 0 || kind == "" {
		return missing
	}
	releases, latest := versions(list, mod)
	m := find(list, mod, version)
	switch kind {
	case probe.List:
		return text(http.StatusOK, strings.Join(append(releases, ""), "\n"))
	case probe.Latest:
		m = latest
	}
	if m == nil {
		return missing
	}
	switch kind {
	case probe.Info, probe.Latest:
		body := m.Info
		switch mode {
		case ModeNotJSON:
			body = []byte("Version: " + m.Version.Version + "\n")
		case ModeWrongVersion:
			body, _ = json.Marshal(map[string]any{"Version": "v9.9.9", "Time": m.Time})
		}
		return response{status: http.StatusOK, contentType: "application/json", body: body}
	case probe.Mod:
		body := m.Files["go.mod"]
		if mode == ModeWrongMod {
			body += "\n// not what the author published\n"
		}
		return text(http.StatusOK, body)
	}
	body := m.Zip
	switch mode {
	case ModeWrongZip:
		body = m.tampered()
	case ModeZipNames:
		body = evilZip()
	}
	return response{status: http.StatusOK, contentType: "application/zip", body: body}
}

// lacks says whether the server was started without a module.
func (s *Server) lacks(m module.Version) bool {
	for _, p := range s.opts.lacking {
		if p == m.String() || module.MatchPrefixPatterns(p, m.Path) {
			return true
		}
	}
	return false
}

// evilZip is a zip whose names lead out of the module's directory.
func evilZip() []byte {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range []string{"../../evil.txt", "/etc/evil.txt", "other.example.com/mod@v1.0.0/go.mod"} {
		if f, err := w.Create(name); err == nil {
			f.Write([]byte("evil\n"))
		}
	}
	w.Close()
	return buf.Bytes()
}
