package relay

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gpx/envctl/project"
)

// With a token, who has it is served, and who has not is told nothing: neither what
// this is nor how far off the guess was.
func TestToken(t *testing.T) {
	t.Parallel()
	const token = "s3cret-t0ken"
	w := newWorld(t)
	one := w.lab.Proxy("one", nil)
	w.behind(one)
	w.sumDB("", t.TempDir())
	w.o.Token, w.o.Network, w.o.Metrics = token, true, told
	var mu sync.Mutex
	var log []Served
	w.o.Log = func(s Served) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, s)
	}
	w.start()
	for _, tt := range []struct {
		method, path, host string
	}{
		{"GET", "/", ""}, {"GET", "", ""}, {"GET", "/healthz", ""}, {"GET", "/metrics", ""}, {"GET", "/lab.example.com/alpha/@v/list", ""}, {"POST", "/healthz", ""},
		{"GET", "/s3cret-t0ke/healthz", ""}, {"GET", "/s3cret-t0kenn/healthz", ""}, {"GET", "/S3CRET-T0KEN/healthz", ""}, {"GET", "//s3cret-t0ken/healthz", ""},
		{"GET", "/x/../s3cret-t0ken/healthz", ""}, {"GET", "/healthz", "evil.example.com"}, {"GET", "/lab.example.com/s3cret-t0ken/@v/list", ""},
	} {
		status, body, h := w.do(tt.method, tt.path, http.Header{"Host": {tt.host}})
		if status != http.StatusNotFound || body != "not found\n" || h.Get("Allow") != "" || h.Get(fromHeader) != "" {
			t.Errorf("%s %s: %d %q %v", tt.method, tt.path, status, body, h)
		}
	}
	for _, line := range []string{"OPTIONS * HTTP/1.1", "CONNECT 127.0.0.1:9 HTTP/1.1", "GET http://127.0.0.1/healthz HTTP/1.1"} {
		if status := rawStatus(t, w, line+"\r\nHost: localhost\r\nConnection: close\r\n\r\n"); status != "404" {
			t.Errorf("%s: %s", line, status)
		}
	}
	if asked := one.Log(); len(asked) > 0 {
		t.Errorf("asked: %+v", asked)
	}
	for path, want := range map[string]int{"/healthz": 200, "/metrics": 200, "/lab.example.com/alpha/@v/list": 200, "/etc/passwd": 400, "": 400, "/lab.example.com/none/@v/v1.0.0.info": 404} {
		status, body, _ := w.get("/" + token + path)
		if status != want || strings.Contains(body, token) {
			t.Errorf("%s: %d %q, want %d", path, status, body, want)
		}
	}
	if status, _, _ := w.do("GET", "/"+token+"/healthz", http.Header{"Host": {"evil.example.com"}}); status != http.StatusMisdirectedRequest {
		t.Errorf("with the token, by another's name: %d", status)
	}
	w.url += "/" + token
	w.goCommand().download()
	mu.Lock()
	defer mu.Unlock()
	for _, s := range log {
		if strings.Contains(strings.ToLower(s.Path), token[:8]) {
			t.Errorf("the log has %+v", s)
		}
	}
}

// Other machines name the address that they reached.
func TestNetworkHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind()
	w.o.Network = true
	w.start()
	at := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 3000}
	for host, want := range map[string]int{
		"192.0.2.7:3000": 200, "192.0.2.7": 200, "192.0.2.7:80": 200, "localhost:3000": 200, "127.0.0.1": 200,
		"192.0.2.8:3000": 421, "evil.example.com:3000": 421, "192.0.2.7.evil.example.com": 421, "": 421, "[::1]:3000": 200, "[2001:db8::1]": 421,
	} {
		req := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		req.Host = host
		rec := httptest.NewRecorder()
		w.relay.ServeHTTP(rec, req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, at)))
		if rec.Code != want {
			t.Errorf("%q: %d, want %d", host, rec.Code, want)
		}
	}
}

// What is withheld is given to nobody, though it is in the cache and an upstream
// has it.
func TestWithheld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.lab.Proxy("one", nil)
	w.behind(one)
	w.start()
	g := w.goCommand("GOSUMDB=off")
	if out, err := g.run("mod", "download", "lab.example.com/alpha@v1.0.0", "lab.example.com/beta@v1.0.0"); err != nil {
		t.Fatal(out)
	}
	w.stop()
	before := len(one.Log())
	w.o.Cache, w.o.Dir = g.cache(), t.TempDir()
	w.o.Withheld = func(path string) bool { return path == "lab.example.com/alpha" }
	w.start()
	for path, want := range map[string]int{
		"/lab.example.com/alpha/@v/v1.0.0.zip": 404, "/lab.example.com/alpha/@v/v1.0.0.info": 404, "/lab.example.com/alpha/@v/list": 404, "/lab.example.com/alpha/@latest": 404,
		"/lab.example.com/alpha/@v/main.info": 404, "/lab.example.com/beta/@v/v1.0.0.zip": 200,
	} {
		if status, body, _ := w.get(path); status != want {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
	if n := len(one.Log()) - before; n > 0 {
		t.Errorf("asked %d times", n)
	}
}

// What is put behind a relay holds from the next request on; one under way ends
// with what it began with, and nothing stays of what was fetched for another go.sum.
func TestChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.lab.Proxy("one", nil), w.lab.Proxy("two", nil)
	m := w.lab.Modules()[0]
	url := "/" + m.Path + "/@v/" + m.Version.Version + ".zip"
	w.behind(one)
	w.start()
	from := func(want int, by string) {
		t.Helper()
		status, body, h := w.get(url)
		if status != want || h.Get(fromHeader) != by {
			t.Errorf("%d from %q, want %d from %q: %.300s", status, h.Get(fromHeader), want, by, body)
		}
	}
	from(200, one.URL())
	from(200, "stage")
	w.behind(two)
	must(t, w.relay.Change(w.o.Behind))
	from(200, two.URL())
	w.o.Sums = project.Sums{m.Version: {"h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
	must(t, w.relay.Change(w.o.Behind))
	from(502, "")
	w.o.Sums = project.Sums{m.Version: {m.ZipHash}}
	must(t, w.relay.Change(w.o.Behind))
	from(200, two.URL())

	// Requests and changes at the same time.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if status, body, _ := w.get(url); status != 200 || body != string(m.Zip) {
					t.Errorf("%d, %d bytes", status, len(body))
				}
			}
		})
	}
	for range 20 {
		must(t, w.relay.Change(w.o.Behind))
	}
	all.Wait()
	w.stop() // what was answered is counted now
	if s := w.relay.Stats(); s.Requests != 5+160 {
		t.Errorf("%+v", s)
	}
	left, err := filepath.Glob(filepath.Join(w.o.Dir, "*"))
	must(t, err)
	if len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}
