package relay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"

	"gpx/cachectl/internal/ziphash"
	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/sumdb"
	"gpx/probe"
	"gpx/probe/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A world is a lab, and a relay in front of some of its proxies.
type world struct {
	t     *testing.T
	lab   *lab.Lab
	o     Options
	relay *Relay
	url   string
	stop  func()
	slow  time.Duration // what slow clients have, if not as usual
}

func newWorld(t *testing.T) *world {
	l, err := lab.Start(lab.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return worldOf(t, l)
}

func worldOf(t *testing.T, l *lab.Lab) *world {
	e := &env.Env{Environ: l.GoEnv(t.TempDir(), "off")}
	return &world{t: t, lab: l, o: Options{
		Dir: t.TempDir(), Prober: probe.New(probe.DefaultConfig(), e), Hedge: 5 * time.Second, // nothing here is late but what hangs
		Patience: probe.Patience{FirstByte: 20 * time.Second, Stall: time.Second},
	}}
}

// behind puts the proxies behind the relay, and the checksum database by them.
func (w *world) behind(proxies ...*lab.Server) {
	var eps []probe.Endpoint
	w.o.Routes = nil
	for _, p := range proxies {
		eps = append(eps, probe.Endpoint{URL: p.URL(), Kind: probe.KindProxy})
		c, err := chain.Parse(p.URL())
		must(w.t, err)
		w.o.Routes = append(w.o.Routes, c)
	}
	w.o.Sources = func(module.Version) []probe.Endpoint { return eps }
}

// sumDB has the relay answer for the lab's checksum database, with what a go
// command keeps in cache.
func (w *world) sumDB(cache, config string) {
	db, err := chain.ParseSumDB(w.lab.VerifierKey())
	must(w.t, err)
	w.o.SumDB = &sumdb.Options{DB: db, Cache: cache, Config: config}
}

func (w *world) start() {
	w.t.Helper()
	r, err := New(w.o)
	must(w.t, err)
	if w.slow > 0 {
		r.headerTime, r.writeStall = w.slow, w.slow
	}
	l, err := Listen(w.t.Context(), "127.0.0.1:0")
	must(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, l) }()
	w.relay, w.url = r, "http://"+l.Addr().String()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			w.t.Error(err)
		}
		r.Close()
	})
	w.t.Cleanup(w.stop)
}

// get asks the relay.
func (w *world) get(path string) (status int, body string, header http.Header) {
	w.t.Helper()
	return w.do(http.MethodGet, path, nil)
}

func (w *world) do(method, path string, header http.Header) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, nil)
	must(w.t, err)
	for k, v := range header {
		req.Header[k] = v
	}
	if h := header.Get("Host"); h != "" {
		req.Host = h
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	must(w.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	must(w.t, err)
	return res.StatusCode, string(data), res.Header
}

// A goCommand has a cache of its own, behind the relay.
type goCommand struct {
	w   *world
	dir string
	env []string
}

func (w *world) goCommand(extra ...string) *goCommand {
	dir := w.t.TempDir()
	return &goCommand{w, dir, append(append(w.lab.GoEnv(dir, w.url), "GOSUMDB="+w.lab.VerifierKey()), extra...)}
}

func (g *goCommand) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(g.w.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = g.dir, g.env, time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// download downloads every public module, and has the go command verify.
func (g *goCommand) download() {
	g.w.t.Helper()
	args := []string{"mod", "download"}
	for _, m := range g.w.lab.Modules() {
		if !m.Private {
			args = append(args, m.Version.String())
		}
	}
	if out, err := g.run(args...); err != nil {
		g.w.t.Fatalf("%v: %s\n%+v", err, out, g.w.relay.Stats())
	}
}

func (g *goCommand) cache() string {
	return filepath.Join(g.dir, "gopath", "pkg", "mod", "cache", "download")
}

// The go command gets everything, checksum database included, whatever the first
// upstream does.
func TestGoCommandBehind(t *testing.T) {
	t.Parallel()
	rare := map[string]bool{"403": true, "404": true, "reset": true, "short": true, "wrong mod": true, "wrong version": true, "garbage": true, "redirects": true, "no sumdb": true}
	for name, fault := range map[string]lab.Fault{
		"healthy": lab.OK(), "refuse": lab.Refuse(), "hang": lab.Hang(), "stall": lab.Stall(10), "502": lab.Status(502, "dead"), "403": lab.Status(403, ""),
		"404": lab.Status(404, ""), "captive portal": lab.Captive(), "reset": lab.Reset(), "eof": lab.EOF(), "truncated": lab.Of(lab.ModeTruncated),
		"short": lab.Of(lab.ModeShort), "wrong zip": lab.Of(lab.ModeWrongZip), "wrong mod": lab.Of(lab.ModeWrongMod), "wrong version": lab.Of(lab.ModeWrongVersion),
		"garbage": lab.Of(lab.ModeGarbage), "redirects": lab.Of(lab.ModeRedirect), "every second": lab.Status(503, "").OneIn(2),
		"bad tile": lab.Of(lab.ModeBadTile), "bad record": lab.Of(lab.ModeBadRecord), "no sumdb": lab.NoSumDB(500),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Getenv("GPX_TEST_SCALE") == "" && rare[name] {
				t.Skip("make test-system has it")
			}
			w := newWorld(t)
			w.behind(w.lab.Proxy("first", lab.Always(fault)), w.lab.Proxy("second", nil))
			w.sumDB("", t.TempDir())
			if name == "hang" {
				w.o.Hedge = 100 * time.Millisecond
			}
			w.start()
			w.goCommand().download()
			s := w.relay.Stats()
			if s.Failed > 0 || s.Requests == 0 || s.Bytes < 3<<20 {
				t.Errorf("%+v", s)
			}
			sound := map[string]bool{"healthy": true, "404": true, "bad tile": true, "bad record": true, "no sumdb": true}
			if sound[name] == (s.Rescued > 0) {
				t.Errorf("rescued: %d, %+v", s.Rescued, s)
			}
			if wrong := name == "wrong zip" || name == "wrong mod" || name == "short"; wrong != (s.Wrong > 0) {
				t.Errorf("wrong: %d", s.Wrong)
			}
		})
	}
}

// With every upstream dead the cache suffices for a go command with an empty one,
// checksums on.
func TestFromCacheAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.lab.Proxy("one", nil)
	w.behind(one)
	w.sumDB("", t.TempDir())
	w.start()
	filled := w.goCommand()
	filled.download()
	w.stop()

	one.SetFault(lab.Refuse())
	w.o.Cache, w.o.Dir = filled.cache(), t.TempDir()
	w.sumDB(filepath.Join(filled.cache(), "sumdb"), filepath.Join(filled.dir, "gopath", "pkg", "sumdb"))
	w.start()
	g := w.goCommand()
	g.download()
	if s := w.relay.Stats(); s.FromCache == 0 || len(s.Upstreams) > 0 || s.Failed > 0 {
		t.Errorf("%+v", s)
	}
	out, err := g.run("list", "-m", "-versions", "lab.example.com/alpha@latest")
	if err != nil || !strings.Contains(out, "v1.0.0 v1.1.0") {
		t.Errorf("%s, %v", out, err)
	}
	if s := w.relay.Stats(); s.Stale == 0 {
		t.Errorf("%+v", s)
	}
	for path, want := range map[string]string{"/lab.example.com/alpha/@v/list": "v1.0.0\nv1.1.0\n", "/lab.example.com/nightly/@latest": "0123456789ab"} {
		if status, body, h := w.get(path); status != 200 || !strings.Contains(body, want) || h.Get(staleHeader) == "" {
			t.Errorf("%s: %d %s %v", path, status, body, h)
		}
	}
	// What nobody has is no 404 while nobody answered.
	if status, body, _ := w.get("/lab.example.com/other/@v/v1.0.0.info"); status != http.StatusBadGateway || !strings.Contains(body, "refused") {
		t.Errorf("%d %s", status, body)
	}
}

// A cached file that is not what it was is fetched again.
func TestDamagedCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.lab.Proxy("one", nil)
	w.behind(one)
	m := w.lab.Modules()[0]
	w.o.Cache = t.TempDir()
	dir := filepath.Join(w.o.Cache, filepath.FromSlash(m.Path), "@v")
	must(t, os.MkdirAll(dir, 0o755))
	zip := filepath.Join(dir, m.Version.Version+".zip")
	write := func(name string, data []byte) { must(t, os.WriteFile(name, data, 0o644)) }
	url := "/" + m.Path + "/@v/" + m.Version.Version
	w.o.Sums = project.Sums{m.Version: {m.ZipHash}, module.Version{Path: m.Path, Version: m.Version.Version + "/go.mod"}: {m.ModHash}}
	w.start()

	write(zip, m.Zip)
	write(zip+"hash", []byte(m.ZipHash))
	from := func(path, want string) {
		t.Helper()
		status, body, h := w.get(path)
		if got := h.Get(fromHeader); status != 200 || got != want || strings.HasSuffix(path, ".zip") && body != string(m.Zip) {
			t.Errorf("%s: %d from %q, want %q", path, status, got, want)
		}
	}
	from(url+".zip", "cache")
	from(url+".zip", "cache")
	write(zip, m.Zip[:len(m.Zip)-10])
	from(url+".zip", one.URL())
	from(url+".zip", "stage")
	write(zip, m.Zip)
	must(t, os.Remove(zip+"hash"))
	from(url+".zip", "stage")
	write(filepath.Join(dir, m.Version.Version+".mod"), []byte("module "+m.Path+"\n// other\n"))
	from(url+".mod", one.URL())
	write(filepath.Join(dir, m.Version.Version+".info"), []byte(`{"Version":"v9.9.9"}`))
	from(url+".info", one.URL())
	must(t, os.Remove(zip))
	must(t, os.Mkdir(zip, 0o755))
	from(url+".zip", "stage")
}

// Twenty who ask for one file make one transfer, and one who goes away ends it for
// nobody.
func TestOneTransfer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.lab.Proxy("one", lab.Always(lab.Slow(2*time.Second)))
	w.behind(one)
	w.start()
	const path = "/lab.example.com/big/@v/v1.0.0.zip"
	impatient, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(impatient, http.MethodGet, w.url+path, nil)
	must(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if res, err := client.Do(req); err == nil {
			res.Body.Close()
			t.Error("the impatient one got an answer")
		}
	})
	for len(one.Log()) == 0 { // the transfer has begun
	}
	for range 20 {
		all.Go(func() {
			if status, body, _ := w.get(path); status != 200 || len(body) < 3<<20 {
				t.Errorf("%d, %d bytes", status, len(body))
			}
		})
	}
	for waiting := 0; waiting < 21; {
		w.relay.files.mu.Lock()
		if fl := w.relay.files.by[path]; fl != nil {
			waiting = fl.waiting
		} else {
			waiting = 21 // the machine is slow, and it is over
		}
		w.relay.files.mu.Unlock()
	}
	leave()
	all.Wait()
	if n := len(one.Log()); n != 1 {
		t.Errorf("%d transfers", n)
	}
	if info, err := ziphash.SumFile(t.Context(), filepath.Join(w.o.Dir, "lab.example.com", "big", "@v", "v1.0.0.zip")); err != nil {
		t.Error(info, err)
	}
}

// Clients get the part that they ask for, HEAD without a body, and what it is.
func TestRangeAndHead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind(w.lab.Proxy("one", nil))
	w.start()
	m := w.lab.Modules()[0]
	url := "/" + m.Path + "/@v/" + m.Version.Version
	status, body, h := w.do(http.MethodGet, url+".zip", http.Header{"Range": {"bytes=4-9"}})
	if status != http.StatusPartialContent || body != string(m.Zip[4:10]) || h.Get("Content-Type") != "application/zip" {
		t.Errorf("%d %q %v", status, body, h)
	}
	for path, length := range map[string]int{url + ".zip": len(m.Zip), url + ".info": len(m.Info), "/" + m.Path + "/@v/list": len("v1.0.0\nv1.1.0\n")} {
		status, body, h := w.do(http.MethodHead, path, nil)
		if status != 200 || body != "" || h.Get("Content-Length") != fmt.Sprint(length) {
			t.Errorf("%s: %d %q %v", path, status, body, h)
		}
	}
}

// A proxy that is slow because it fetches first is waited for when nobody else has
// it, and one that never answers is not waited for again and again.
func TestPatience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow, none := w.lab.Proxy("slow", lab.Always(lab.Slow(time.Second))), w.lab.Proxy("none", lab.Always(lab.Status(404, "")))
	w.behind(slow, none)
	w.o.Patience = probe.Patience{FirstByte: 200 * time.Millisecond, Stall: time.Second}
	w.o.Longer = probe.Patience{FirstByte: 20 * time.Second, Stall: time.Second}
	w.start()
	const path = "/lab.example.com/alpha/@v/v1.0.0.info"
	if status, body, h := w.get(path); status != 200 || h.Get(fromHeader) != slow.URL() {
		t.Errorf("%d %s", status, body)
	}
	w.stop()
	slow.SetFault(lab.Hang())
	w.o.Dir, w.o.Longer = t.TempDir(), w.o.Patience
	w.start()
	for range 4 {
		if status, body, _ := w.get(path); status != http.StatusBadGateway || !strings.Contains(body, "timeout") {
			t.Errorf("%d %s", status, body)
		}
	}
	if n := len(slow.Log()); n != 2+5 {
		t.Errorf("asked %d times, want once a request, and once more in all", n)
	}
}

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
