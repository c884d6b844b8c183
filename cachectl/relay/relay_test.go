package relay

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/ziphash"
	"gpx/envctl/chain"
	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/lab"
)

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
			sound := map[string]bool{"healthy": true, "404": true, "bad tile": true, "bad record": true, "no sumdb": true}
			switch {
			case name == "hang":
				w.o.Hedge = 100 * time.Millisecond
			case sound[name]:
				w.o.Patience.Stall = w.o.Patience.FirstByte // a busy machine is no fault
			}
			w.start()
			w.goCommand().download()
			s := w.relay.Stats()
			if s.Failed > 0 || s.Requests == 0 || s.Bytes < 3<<20 {
				t.Errorf("%+v", s)
			}
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

// What the module cache has of the checksum database counts against a file of it that
// go.sum does not know: a go.mod has no hash beside it.
func TestCacheContradicted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.lab.Proxy("one", nil)
	w.behind(one)
	w.sumDB("", t.TempDir())
	w.start()
	filled := w.goCommand()
	filled.download()
	w.stop()

	const path = "/lab.example.com/alpha/@v/v1.0.0.mod"
	name := filepath.Join(filled.cache(), filepath.FromSlash(path))
	sound, err := os.ReadFile(name)
	must(t, err)
	w.o.Cache, w.o.Dir = filled.cache(), t.TempDir()
	w.sumDB(filepath.Join(filled.cache(), "sumdb"), filepath.Join(filled.dir, "gopath", "pkg", "sumdb"))
	w.start()
	get := func() (body, from string) {
		_, body, h := w.get(path)
		return body, h.Get(fromHeader)
	}
	if body, from := get(); body != string(sound) || from != fromCache {
		t.Errorf("from %s: %s", from, body)
	}
	must(t, os.WriteFile(name, append(bytes.Clone(sound), "// changed\n"...), 0o600))
	if body, from := get(); body != string(sound) || from != one.URL() {
		t.Errorf("from %s: %s", from, body)
	}
	must(t, os.WriteFile(name, sound, 0o600))
	if body, from := get(); body != string(sound) || from != fromCache {
		t.Errorf("from %s: %s", from, body)
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
		w.relay.core.files.mu.Lock()
		if fl := w.relay.core.files.by[path]; fl != nil {
			waiting = fl.waiting
		} else {
			waiting = 21 // the machine is slow, and it is over
		}
		w.relay.core.files.mu.Unlock()
	}
	leave()
	all.Wait()
	if n := len(one.Log()); n != 1 {
		t.Errorf("%d transfers", n)
	}
	name, err := w.relay.core.stage.File(module.Version{Path: "lab.example.com/big", Version: "v1.0.0"}, probe.Zip)
	must(t, err)
	if sum, err := ziphash.SumFile(t.Context(), name); err != nil {
		t.Error(sum, err)
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
	w.stop() // so that all is counted
	if n := w.relay.Stats().Bytes; n != 10-4 {
		t.Errorf("%d bytes are said to be sent", n)
	}
}

// What is no list, and an @latest of no version, is no answer: the next is asked.
func TestUnfit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	odd := w.lab.Proxy("odd", nil)
	w.behind(odd, w.lab.Proxy("sound", nil))
	w.start()
	const path = "/lab.example.com/alpha/"
	for _, body := range []string{"{}", "null", `{"Version":""}`, `{"errors":[]}`, "\x00\x00\x00\x00", "\x0b\x03\x80v9"} {
		odd.SetFault(lab.Status(200, body))
		for file, want := range map[string]string{"@v/list": "v1.0.0\nv1.1.0\n", "@latest": "v1.1.0", "@v/main.info": ""} {
			status, got, _ := w.get(path + file)
			if want != "" && (status != 200 || !strings.Contains(got, want)) || want == "" && status == 200 {
				t.Errorf("%q for %s: %d %q", body, file, status, got)
			}
		}
	}
	for body, ok := range map[string]bool{"": true, "\n": true, "v1.0.0\r\nv1.1.0": true, "v1.0.0 2020-01-02T03:04:05Z\n": true, "release-1\n": true, "[]": false, "7": false} {
		if err := fit(probe.List, []byte(body)); (err == nil) != ok {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// Behind GOPROXY=off that is what the client reads.
func TestOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.behind()
	var err error
	w.o.Chain, err = chain.Parse("off")
	must(t, err)
	w.start()
	if status, body, _ := w.get("/lab.example.com/alpha/@v/v1.0.0.mod"); status != http.StatusBadGateway || !strings.Contains(body, "GOPROXY=off") {
		t.Errorf("%d %s", status, body)
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
