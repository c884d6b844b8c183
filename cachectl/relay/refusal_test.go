package relay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/probe"
	"gpx/probe/lab"
)

// 404 needs everybody's word, everything else is said with names and classes.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind(w.lab.Proxy("none", lab.Always(lab.Status(404, "no"))), w.lab.Proxy("dead", lab.Always(lab.Status(500, "oh"))))
	w.o.Hidden = func(path string) bool { return strings.HasPrefix(path, "corp.example.com/") }
	w.start()
	for _, file := range []string{"@v/v1.0.0.info", "@v/v1.0.0.zip", "@v/list", "@latest", "@v/main.info"} {
		status, body, h := w.get("/lab.example.com/alpha/" + file)
		if status != http.StatusBadGateway || !strings.Contains(body, "not_found") || !strings.Contains(body, "server_error") || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %s", file, status, body)
		}
	}
	out, err := w.goCommand("GOSUMDB=off").run("mod", "download", "lab.example.com/alpha@v1.0.0")
	if err == nil || !strings.Contains(out, "the .info of lab.example.com/alpha@v1.0.0: no upstream gives it") || !strings.Contains(out, "server_error") {
		t.Errorf("%v, %s", err, out)
	}
	if status, body, _ := w.get("/corp.example.com/secret/@v/list"); status != http.StatusNotFound || !strings.Contains(body, "GONOPROXY") {
		t.Errorf("%d %s", status, body)
	}
	w.stop()
	w.o.Dir = t.TempDir()
	w.behind(w.lab.Proxy("gone", lab.Always(lab.Status(410, "no"))))
	w.start()
	if status, body, _ := w.get("/lab.example.com/alpha/@v/v1.0.0.info"); status != http.StatusNotFound {
		t.Errorf("%d %s", status, body)
	}
	w.stop()
	w.o.Sources = func(module.Version) []probe.Endpoint { return nil }
	w.start()
	if status, body, _ := w.get("/lab.example.com/alpha/@v/v1.0.0.info"); status != http.StatusBadGateway || !strings.Contains(body, "no upstream") {
		t.Errorf("%d %s", status, body)
	}
}

// What no go command sends is refused, and reaches no upstream.
func TestAdmission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.lab.Proxy("one", nil)
	w.behind(one)
	w.start()
	const path = "/lab.example.com/alpha/@v/list"
	for _, tt := range []struct {
		method, path, host string
		want               int
	}{
		{"POST", path, "", 405}, {"PUT", path, "", 405}, {"OPTIONS", path, "", 405}, {"DELETE", path, "", 405},
		{"GET", path, "evil.example.com", 421}, {"GET", path, "127.0.0.1.evil.example.com", 421}, {"GET", path, "10.0.0.1:80", 421}, {"GET", path, "localhost.evil.example.com:1", 421},
		{"GET", "/lab.example.com/../../etc/@v/list", "", 400}, {"GET", "/etc/passwd", "", 400}, {"GET", "/", "", 400}, {"GET", "/http:/example.com/@v/list", "", 400},
		{"GET", "/lab.example.com/alpha/@v/%2e%2e%2f%2e%2e%2fx.info", "", 400}, {"GET", "/lab.example.com%2f..%2f..%2fx/@v/list", "", 400},
		{"GET", "/sumdb/other.example.com/supported", "", 404},
	} {
		status, body, _ := w.do(tt.method, tt.path, http.Header{"Host": {tt.host}})
		if status != tt.want {
			t.Errorf("%s %s of %q: %d %s, want %d", tt.method, tt.path, tt.host, status, body, tt.want)
		}
	}
	if log := one.Log(); len(log) > 0 {
		t.Errorf("asked: %+v", log)
	}
	for _, host := range []string{"localhost", "localhost:80", "127.0.0.1", "[::1]:80", "[::1]", "LOCALHOST:1"} {
		if status, body, _ := w.do("GET", "/healthz", http.Header{"Host": {host}}); status != 200 || body != "ok\n" {
			t.Errorf("%s: %d %s", host, status, body)
		}
	}
	if n := w.relay.Stats().Requests; n != 15 {
		t.Errorf("%d requests", n)
	}
}

// Raw requests: absolute targets, no host, headers without end, a body that does
// not come. Each gets an answer or the end of its connection.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.lab.Proxy("one", nil)
	w.behind(one)
	w.start()
	addr := strings.TrimPrefix(w.url, "http://")
	for request, want := range map[string]string{
		"GET http://evil.example.com/lab.example.com/alpha/@v/list HTTP/1.1\r\nHost: localhost\r\n\r\n":           "421",
		"GET /lab.example.com/alpha/@v/list HTTP/1.0\r\n\r\n":                                                     "421",
		"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n":                                       "405",
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n":              "431",
		"POST /lab.example.com/alpha/@v/list HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nabc":   "405",
		"GET /lab.example.com/alpha/@v/list HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r": "400",
		"\x16\x03\x01\x02\x00": "400",
	} {
		conn, err := net.Dial("tcp", addr)
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(conn, request)
		must(t, err)
		if request[0] == 0x16 {
			must(t, conn.(*net.TCPConn).CloseWrite())
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if !strings.Contains(line, want) {
			t.Errorf("%.60q: %q, %v, want %s", request, line, err, want)
		}
		conn.Close()
	}
	if log := one.Log(); len(log) > 0 {
		t.Errorf("asked: %+v", log)
	}
}

// Who sends a header byte by byte, or reads nothing of an answer, is cut off.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, err := lab.NewModule("lab.example.com/huge", "v1.0.0", time.Unix(1e9, 0), map[string]string{"go.mod": "module lab.example.com/huge\n"})
	must(t, err)
	w.o.Cache = t.TempDir()
	dir := filepath.Join(w.o.Cache, "lab.example.com", "huge", "@v")
	must(t, os.MkdirAll(dir, 0o755))
	// Bytes before a zip are no part of its hash, and more than any socket buffers.
	must(t, os.WriteFile(filepath.Join(dir, "v1.0.0.zip"), append(make([]byte, 64<<20), m.Zip...), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "v1.0.0.ziphash"), []byte(m.ZipHash), 0o644))
	w.behind()
	w.slow = 100 * time.Millisecond
	w.start()
	send := func(request string) net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		must(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
		must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(conn, request)
		must(t, err)
		return conn
	}
	conn := send("GET /lab.example.com/alpha/@v/list HTTP/1.1\r\nHost: localhost\r\nX")
	if data, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("half a header: not cut off: %q", data)
	}
	conn = send("GET /lab.example.com/huge/@v/v1.0.0.zip HTTP/1.1\r\nHost: localhost\r\n\r\n")
	for err = nil; err == nil; { // what is written to a connection that was cut is an error
		_, err = io.WriteString(conn, "x")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a client that does not read: not cut off")
	}
}

func TestListenLoopbackOnly(t *testing.T) {
	t.Parallel()
	for addr, ok := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "0.0.0.0:0": false, ":0": false, "[::]:0": false, "192.0.2.1:0": false, "example.com:0": false, "nonsense": false,
	} {
		l, err := Listen(t.Context(), addr)
		if (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
		if err == nil {
			l.Close()
		}
	}
}

// The folder does not grow beyond its bound, and what went is fetched again.
func TestBoundedFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind(w.lab.Proxy("one", nil))
	w.o.Most = 1 << 20
	w.start()
	for range 3 {
		for _, m := range w.lab.Modules() {
			if m.Private {
				continue
			}
			path, err := module.EscapePath(m.Path)
			must(t, err)
			if status, body, _ := w.get("/" + path + "/@v/" + m.Version.Version + ".zip"); status != 200 || !bytes.Equal([]byte(body), m.Zip) {
				t.Fatalf("%s: %d, %d bytes", m.Version, status, len(body))
			}
		}
	}
	var total int64
	must(t, filepath.WalkDir(w.o.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return err
	}))
	if total > w.o.Most {
		t.Errorf("%d bytes", total)
	}
}

// That a file of the relay's own is gone is no word about a module.
func TestFolderGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind(w.lab.Proxy("one", nil))
	w.start()
	const url = "/lab.example.com/alpha/@v/v1.0.0."
	if status, _, _ := w.get(url + "mod"); status != http.StatusOK {
		t.Fatal(status)
	}
	must(t, os.RemoveAll(w.o.Dir))
	must(t, os.WriteFile(w.o.Dir, nil, 0o600)) // it cannot be made again
	for _, file := range []string{"mod", "zip", "info"} {
		if status, body, _ := w.get(url + file); status < 500 {
			t.Errorf("%s: %d %s", file, status, body)
		}
	}
}

// However many files there are, only so many are remembered.
func TestKept(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(name, []byte("x"), 0o600))
	k := kept{most: 1 << 20, files: make([]keptFile, maxKept, maxKept+1)}
	k.add(name)
	if len(k.files) != maxKept || k.files[maxKept-1].name != name {
		t.Errorf("%d files", len(k.files))
	}
}
