package relay

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/probe"
	"gpx/probe/lab"
)

// A module path is never a host that is asked: it goes to the upstream, as a path,
// or nowhere.
func TestPathsAreNoHosts(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		fmt.Fprint(w, `{"Version":"v1.0.0"}`)
	}))
	t.Cleanup(inside.Close)
	host := strings.TrimPrefix(inside.URL, "http://")
	w := newWorld(t)
	one := w.lab.Proxy("one", lab.Always(lab.Status(404, "")))
	w.behind(one)
	w.sumDB("", t.TempDir())
	w.start()
	for _, path := range []string{
		host, "127.0.0.1", "localhost", "localhost.", "[::1]", "169.254.169.254/latest/meta-data", "metadata.example.internal/x", "0x7f.1", "2130706433",
		"http://" + host, "http:/" + host, host + "@example.com", "user@" + host, "example.com#@" + host, "file:///etc/passwd", "..", "git+ssh://" + host, "example.com/../" + host,
	} {
		for _, file := range []string{"@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.zip", "@v/main.info"} {
			for _, url := range []string{"/" + path + "/x/" + file, "/sumdb/" + path + "/" + file, "/sumdb/127.0.0.1/lookup/" + path + "/x@v1.0.0"} {
				status := rawStatus(t, w, "GET "+url+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
				if !strings.Contains("400 403 404", status) {
					t.Errorf("%s: %s", url, status)
				}
			}
		}
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("what is inside was asked %d times", n)
	}
	for _, r := range one.Log() {
		if strings.Contains(r.Path, "..") || strings.Contains(r.Path, "//") || strings.Contains(r.Path, ":") {
			t.Errorf("the upstream was asked for %q", r.Path)
		}
	}
}

// rawStatus writes a request as it is, and returns the status of the answer.
func rawStatus(t *testing.T, w *world, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	must(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	must(t, err)
	return strings.Fields(line)[1]
}

// A redirect of an upstream to a file, or to another scheme, is followed by nobody.
func TestRedirectsElsewhere(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:1/x", "//", "javascript:1"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}))
		t.Cleanup(srv.Close)
		w := newWorld(t)
		w.behind()
		w.o.Sources = func(module.Version) []probe.Endpoint { return []probe.Endpoint{{URL: srv.URL, Kind: probe.KindProxy}} }
		w.start()
		for _, file := range []string{"@v/list", "@v/v1.0.0.info", "@v/v1.0.0.zip"} {
			if status, body, _ := w.get("/example.com/m/" + file); status != http.StatusBadGateway || strings.Contains(body, "root:") {
				t.Errorf("%s: %d %s", to, status, body)
			}
		}
	}
}

// Requests in one go are answered in their order; what hides behind a body, or
// behind two lengths, is no request.
func TestPipelines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.lab.Proxy("one", nil)
	w.behind(one)
	w.start()
	const healthy = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	const list = "GET /lab.example.com/alpha/@v/list HTTP/1.1\r\nHost: localhost\r\n\r\n"
	smuggled := strings.Replace(list, "alpha", "smuggled", 1)
	for _, tt := range []struct {
		requests string
		want     []int
	}{
		{healthy + list + "GET /../x HTTP/1.1\r\nHost: localhost\r\n\r\n" + healthy, []int{200, 200, 400, 200}},
		{healthy + "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + fmt.Sprint(len(smuggled)) + "\r\n\r\n" + smuggled, []int{200, 405}},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + fmt.Sprint(len(smuggled)) + "\r\n\r\n" + smuggled, []int{400}},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{400}},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.com\r\n\r\n" + smuggled, []int{400}},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + smuggled, []int{400}},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + healthy, []int{200, 200}},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{405}},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(conn, tt.requests)
		must(t, err)
		in := bufio.NewReader(conn)
		for i, want := range tt.want {
			res, err := http.ReadResponse(in, nil)
			if err != nil || res.StatusCode != want {
				t.Errorf("%.200q: answer %d is %+v, %v, want %d", tt.requests, i, res, err, want)
				break
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		conn.Close()
	}
	for _, r := range one.Log() {
		if strings.Contains(r.Path, "smuggled") {
			t.Errorf("smuggled: %+v", r)
		}
	}
}

// A body that comes byte by byte is not waited for.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind()
	w.start()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
	must(t, err)
	if data, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(data), "HTTP/1.1 405") {
		t.Errorf("%q, %v", data, err)
	}
}
