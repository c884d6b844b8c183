package relay

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	ours "gpx/envctl/sumdb"
	"gpx/probe"
	"gpx/probe/lab"
)

// A growing checksum database has a new record for each version that is asked for.
type growing struct {
	key string
	url string // a proxy that serves it
	srv *httptest.Server

	inner http.Handler
}

const growingName = "sum.example.com"

func newGrowing(t *testing.T) *growing {
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	key, err := note.NewEd25519VerifierKey(growingName, public)
	must(t, err)
	v, err := note.NewVerifier(key)
	must(t, err)
	signer := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", growingName, v.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	db := sumdb.NewServer(sumdb.NewTestServer(signer, func(path, vers string) ([]byte, error) {
		return []byte(lineOf(path, vers)), nil
	}))
	g := &growing{key: key}
	prefix := "/sumdb/" + growingName
	mux := http.NewServeMux()
	mux.HandleFunc(prefix+"/supported", func(http.ResponseWriter, *http.Request) {})
	mux.Handle(prefix+"/", http.StripPrefix(prefix, db))
	g.inner = mux
	g.srv = httptest.NewServer(mux)
	t.Cleanup(g.srv.Close)
	g.url = g.srv.URL
	return g
}

func lineOf(path, vers string) string {
	h := "h1:" + base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("%-32.32s", path)))
	return fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", path, vers, h, path, vers, h)
}

// relayOf is a relay that has only the ways routes to the database.
func (g *growing) relayOf(t *testing.T, cache, config string, routes ...string) string {
	t.Helper()
	db, err := chain.ParseSumDB(g.key)
	must(t, err)
	w := &world{t: t, o: Options{Dir: t.TempDir(), Hedge: 5 * time.Second, Behind: Behind{
		Prober:  probe.New(probe.DefaultConfig(), &env.Env{Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}}),
		Sources: func(module.Version) []probe.Endpoint { return nil },
		SumDB:   &ours.Options{DB: db, Cache: cache, Config: config},
	}}}
	for _, r := range routes {
		c, err := chain.Parse(r)
		must(t, err)
		w.o.Routes = append(w.o.Routes, c)
	}
	w.start()
	return w.url
}

// A client is x/mod's, as the go command has it: what it learns stays in dir.
type client struct {
	t   *testing.T
	g   *growing
	dir string
	url string
	*sumdb.Client
}

func (g *growing) client(t *testing.T, dir, url string) *client {
	c := &client{t: t, g: g, dir: dir, url: url}
	c.Client = sumdb.NewClient(c)
	return c
}

func (c *client) cache() string  { return filepath.Join(c.dir, "sumdb") }
func (c *client) config() string { return filepath.Join(c.dir, "config") }

func (c *client) ReadRemote(path string) ([]byte, error) {
	res, err := c.g.srv.Client().Get(c.url + "/sumdb/" + growingName + path)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, res.Status, data)
	}
	return data, err
}

func (c *client) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(c.g.key), nil
	}
	data, err := os.ReadFile(filepath.Join(c.config(), file))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (c *client) WriteConfig(file string, _, data []byte) error {
	return c.write(filepath.Join(c.config(), file), data)
}

func (c *client) ReadCache(file string) ([]byte, error) {
	return os.ReadFile(filepath.Join(c.cache(), file))
}

func (c *client) WriteCache(file string, data []byte) {
	must(c.t, c.write(filepath.Join(c.cache(), file), data))
}

func (c *client) write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

func (c *client) Log(string) {}

func (c *client) SecurityError(msg string) { c.t.Error(msg) }

// lookup looks some modules up, every step-th from first to last.
func (c *client) lookup(first, last, step int) {
	c.t.Helper()
	for i := first; i <= last; i += step {
		path := fmt.Sprintf("example.com/m%d", i)
		lines, err := c.Lookup(path, "v1.0.0")
		if err != nil || !strings.Contains(lineOf(path, "v1.0.0"), strings.Join(lines, "\n")) {
			c.t.Fatalf("%s: %q, %v", path, lines, err)
		}
	}
}

// Clients that know larger, smaller and no trees all verify behind the relay,
// while the log grows behind it.
func TestSumsGrow(t *testing.T) {
	t.Parallel()
	g := newGrowing(t)
	relay := g.relayOf(t, "", t.TempDir(), g.url)
	behind, direct := t.TempDir(), t.TempDir()
	g.client(t, behind, relay).lookup(0, 40, 3)
	g.client(t, direct, g.url).lookup(30, 300, 1) // the log grows elsewhere
	g.client(t, direct, relay).lookup(0, 40, 3)   // it knows a larger tree than the relay
	g.client(t, behind, relay).lookup(41, 310, 17)
	g.client(t, t.TempDir(), relay).lookup(0, 310, 19)
	g.client(t, direct, g.url).lookup(311, 600, 1)
	g.client(t, direct, relay).lookup(0, 620, 41)
	g.client(t, behind, relay).lookup(0, 620, 43)
}

// What a go command kept of a log that grew suffices for one that knows nothing,
// though it never kept the tiles of the smaller trees.
func TestSumsFromCache(t *testing.T) {
	t.Parallel()
	g := newGrowing(t)
	kept := g.client(t, t.TempDir(), g.url)
	kept.lookup(0, 20, 1)
	g.client(t, kept.dir, g.url).lookup(21, 300, 1)
	g.srv.Close()
	for _, routes := range [][]string{nil, {g.url}} {
		relay := g.relayOf(t, kept.cache(), kept.config(), routes...)
		g.client(t, t.TempDir(), relay).lookup(0, 300, 7)
		c := g.client(t, t.TempDir(), relay)
		if lines, err := c.Lookup("example.com/unknown", "v1.0.0"); err == nil || !strings.Contains(err.Error(), "502") {
			t.Errorf("%v, %v", lines, err)
		}
	}
}

// Nothing that does not prove itself is passed on; what one way falsifies comes by
// another.
func TestSumsUntrusted(t *testing.T) {
	t.Parallel()
	g := newGrowing(t)
	g.client(t, t.TempDir(), g.url).lookup(0, 300, 1)
	flip := func(part string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			g.inner.ServeHTTP(rec, r)
			body := rec.Body.Bytes()
			if strings.Contains(r.URL.Path, part) && len(body) > 40 {
				body[len(body)/3] ^= 1
			}
			w.WriteHeader(rec.Code)
			w.Write(body)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	get := func(url, path string) int {
		status, _, _ := (&world{t: t, url: url}).get("/sumdb/" + growingName + path)
		return status
	}
	const lookup, tile, latest = "/lookup/example.com/m1@v1.0.0", "/tile/8/0/000", "/latest"
	for _, tt := range []struct {
		wrong string
		want  map[string]int
	}{
		{"/lookup/", map[string]int{lookup: 502, tile: 200, latest: 200}},
		{"/tile/", map[string]int{lookup: 502, tile: 502, latest: 200}},
		{"/latest", map[string]int{lookup: 200, tile: 502, latest: 502}},
	} {
		bad := flip(tt.wrong)
		for path, want := range tt.want {
			if got := get(g.relayOf(t, "", t.TempDir(), bad), path); got != want {
				t.Errorf("with wrong %s, %s: %d, want %d", tt.wrong, path, got, want)
			}
		}
		relay := g.relayOf(t, "", t.TempDir(), bad, g.url)
		if got := get(relay, latest); got != http.StatusOK {
			t.Errorf("%s behind wrong %s: %d", latest, tt.wrong, got)
		}
		g.client(t, t.TempDir(), relay).lookup(0, 50, 5)
	}
}

// What was proven once proves a file also while there is no way to the database,
// with the lines of that version alone.
func TestSumsProven(t *testing.T) {
	t.Parallel()
	g := newGrowing(t)
	db, err := chain.ParseSumDB(g.key)
	must(t, err)
	c, err := chain.Parse(g.url)
	must(t, err)
	b := Behind{
		Prober: probe.New(probe.DefaultConfig(), &env.Env{Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}}),
		SumDB:  &ours.Options{DB: db, Config: t.TempDir()}, Routes: []chain.Chain{c},
	}
	s, err := newSums(t.Context(), b, 5*time.Second, func(string) {})
	must(t, err)
	defer s.close()
	m := module.Version{Path: "example.com/Upper", Version: "v1.0.0"}
	for _, down := range []bool{false, true} {
		lines, err := s.proof(t.Context(), m)
		if err != nil || strings.Join(lines, "\n")+"\n" != lineOf(m.Path, m.Version) {
			t.Errorf("down: %v: %q, %v", down, lines, err)
		}
		s.routes.list[0].distrust()
	}
	if lines, err := s.proof(t.Context(), module.Version{Path: m.Path, Version: "v1.0.0-pre"}); err == nil {
		t.Errorf("of a version that nobody was asked for: %q", lines)
	}
}

// Other paths, other heights and other names are refused.
func TestSumsPaths(t *testing.T) {
	t.Parallel()
	g := newGrowing(t)
	g.client(t, t.TempDir(), g.url).lookup(0, 3, 1)
	relay := g.relayOf(t, "", t.TempDir(), g.url)
	w := &world{t: t, url: relay}
	for path, want := range map[string]int{
		"/sumdb/" + growingName + "/supported":                          200,
		"/sumdb/" + growingName + "/latest":                             200,
		"/sumdb/" + growingName + "/lookup/example.com/m0@v1.0.0":       200,
		"/sumdb/" + growingName + "/tile/8/0/000.p/4":                   200,
		"/sumdb/" + growingName + "/tile/8/0/000.p/200":                 404,
		"/sumdb/" + growingName + "/tile/4/0/000":                       400,
		"/sumdb/" + growingName + "/tile/8/data/000":                    400,
		"/sumdb/" + growingName + "/tile/8/7/x999/x999/x999/x999/999":   400,
		"/sumdb/" + growingName + "/tile/8/60/000":                      400,
		"/sumdb/" + growingName + "/lookup/example.com/M0@v1.0.0":       400,
		"/sumdb/" + growingName + "/lookup/../m0@v1.0.0":                400,
		"/sumdb/" + growingName + "/lookup/":                            400,
		"/sumdb/" + growingName + "/":                                   400,
		"/sumdb/" + growingName + "x/supported":                         404,
		"/sumdb/sum.golang.org/supported":                               404,
		"/sumdb/":                                                       404,
		"/sumdb/" + growingName + "/tile/8/0/000.p/300":                 400,
		"/sumdb/" + growingName + "/lookup/example.com/m0@v1.0.0/x/y@z": 400,
	} {
		if status, body, _ := w.get(path); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, body, want)
		}
	}
}

// When no way leads to the database, the client is told what each of them did.
func TestSumRefusalNamesRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	down, none := w.lab.Proxy("down", lab.Always(lab.Status(503, "out of order"))), w.lab.Proxy("none", lab.Always(lab.NoSumDB(404)))
	w.behind(down, none)
	direct, err := chain.Parse("direct")
	must(t, err)
	w.o.Routes = append(w.o.Routes, direct)
	w.lab.SumDB().SetFault(lab.Refuse())
	w.sumDB("", t.TempDir())
	w.start()
	for range 3 {
		status, body, _ := w.get("/sumdb/" + w.lab.SumDBName() + "/lookup/lab.example.com/alpha@v1.0.0")
		if status != http.StatusBadGateway {
			t.Errorf("%d %s", status, body)
		}
		for _, want := range []string{down.URL() + ": server_error: 503", none.URL() + ": ", "direct: refused"} {
			if !strings.Contains(body, "\n"+want) {
				t.Errorf("no %q in: %s", want, body)
			}
		}
	}
}

// One that hangs is among them.
func TestSumRefusalNamesSilent(t *testing.T) {
	t.Parallel()
	rs := routes{hedge: time.Hour, list: []*route{{name: "a"}, {name: "b", now: &using{n: 1}}, {name: "c", why: "refused", at: time.Unix(100, 0)}, {name: "d", why: "eof", at: time.Unix(200, 0)}}}
	if got, want := strings.Join(rs.said(time.Unix(150, 0)), " "), "b: "+noAnswer+" d: eof"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
