package probe_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/lab"
)

// sumEndpoint is the lab's checksum database, at its own host or behind a base.
func sumEndpoint(t testing.TB, l *lab.Lab, base string) probe.Endpoint {
	return probe.Endpoint{URL: base, Kind: probe.KindSumDB, Module: l.Modules()[0].Version, SumDB: sumdbOf(t, l)}
}

func TestSumDB(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		fault   lab.Fault
		direct  bool
		only    []probe.File
		attempt time.Duration // the time must run out; 0 is the default
		class   probe.Class
		layer   probe.Layer // "" is any: how far it gets is the machine's affair
		detail  string
	}{
		{name: "healthy behind a proxy", class: probe.OK, layer: probe.LayerSumDB},
		{name: "healthy at its own host", direct: true, class: probe.OK, layer: probe.LayerSumDB},
		{name: "not served", fault: lab.NoSumDB(404), class: probe.SumDBUnavailable, layer: probe.LayerHTTP, detail: "/supported: not found"},
		{name: "forbidden", fault: lab.NoSumDB(403), class: probe.SumDBUnavailable, layer: probe.LayerHTTP, detail: "/supported: forbidden"},
		{name: "lookup broken", fault: lab.Status(503, "sorry"), only: []probe.File{probe.Lookup}, class: probe.SumDBUnavailable, layer: probe.LayerHTTP, detail: "/lookup: server error: 503 Service Unavailable: sorry"},
		{name: "lookup unknown", fault: lab.Status(404, ""), only: []probe.File{probe.Lookup}, class: probe.SumDBUnavailable, layer: probe.LayerHTTP, detail: "/lookup: not found"},
		{name: "lookup hangs", fault: lab.Hang(), only: []probe.File{probe.Lookup}, attempt: brief, class: probe.Timeout, layer: probe.LayerHTTP, detail: "/lookup: "},
		{name: "a tile hangs", fault: lab.Hang(), only: []probe.File{probe.Tile}, attempt: 2 * brief, class: probe.Timeout, layer: probe.LayerHTTP, detail: "/tile/"},
		{name: "a tile stalls at its own host", fault: lab.Stall(-1), only: []probe.File{probe.Tile}, direct: true, attempt: 2 * brief, class: probe.Stalled, layer: probe.LayerHTTP, detail: "/tile/"},
		{name: "slow, but it answers", fault: lab.Slow(400 * time.Millisecond), attempt: brief, class: probe.ClassUnknown},
		{name: "lookup is no record", fault: lab.Status(200, "hello"), only: []probe.File{probe.Lookup}, class: probe.SumDBUnavailable, layer: probe.LayerProtocol, detail: "no record"},
		{name: "tiles gone", fault: lab.Status(404, ""), only: []probe.File{probe.Tile}, class: probe.SumDBUnavailable, layer: probe.LayerHTTP, detail: "/tile/8/"},
		{name: "captive portal", fault: lab.Captive(), class: probe.CaptivePortal, layer: probe.LayerProtocol, detail: "web page"},
		{name: "captive portal after supported", fault: lab.Of(lab.ModeSumDBCaptive), class: probe.CaptivePortal, layer: probe.LayerProtocol, detail: "/lookup: a web page"},
		{name: "refused", fault: lab.Refuse(), class: probe.SumDBUnavailable, layer: probe.LayerTCP, detail: "/supported: refused"},
		{name: "refused at its own host", fault: lab.Refuse(), direct: true, class: probe.SumDBUnavailable, layer: probe.LayerTCP, detail: "/lookup: refused"},
		{name: "intercepted at its own host", fault: lab.Of(lab.ModeTLSUntrusted), direct: true, class: probe.SumDBUnavailable, layer: probe.LayerTLS, detail: "/lookup: TLS untrusted"},
		{name: "tampered tile", fault: lab.Of(lab.ModeBadTile), class: probe.SumDBUntrusted, layer: probe.LayerSumDB},
		{name: "tampered record", fault: lab.Of(lab.ModeBadRecord), class: probe.SumDBUntrusted, layer: probe.LayerSumDB},
		{name: "bad signature", fault: lab.Of(lab.ModeBadSignature), class: probe.SumDBUntrusted, layer: probe.LayerSumDB},
		{name: "another key", fault: lab.Of(lab.ModeOtherKey), class: probe.SumDBUntrusted, layer: probe.LayerSumDB},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := startLab(t)
			schedule := lab.Always(test.fault, test.only...)
			var ep probe.Endpoint
			if test.direct {
				l.SumDB().SetSchedule(schedule)
				ep = sumEndpoint(t, l, "")
			} else {
				ep = sumEndpoint(t, l, l.Proxy("a", schedule).URL()+"/sumdb/"+l.SumDBName())
			}
			s := setup{}
			if test.attempt > 0 {
				s.attempt = test.attempt
			}
			r := s.prober(t, l).Probe(bound(t), ep)
			if r.Class != test.class || test.layer != "" && r.Layer != test.layer || !strings.Contains(r.Detail, test.detail) {
				t.Errorf("got %s in layer %s (%s), want %s in %s (%s)", r.Class, r.Layer, r.Detail, test.class, test.layer, test.detail)
			}
			if r.SumDB == nil || r.SumDB.Class != r.Class || r.SumDB.Name != l.SumDBName() {
				t.Errorf("sumdb is %+v", r.SumDB)
			}
		})
	}
}

// TestSumDBRoute compares the walk with what the go command's rules say of every
// kind of chain.
func TestSumDBRoute(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	serves := l.Proxy("serves", nil).URL()
	lacks := l.Proxy("lacks", lab.Always(lab.NoSumDB(404))).URL()
	gone := l.Proxy("gone", lab.Always(lab.NoSumDB(410))).URL()
	broken := l.Proxy("broken", lab.Always(lab.NoSumDB(503))).URL()
	captive := l.Proxy("captive", lab.Always(lab.Captive())).URL()
	hangs := l.Proxy("hangs", lab.Always(lab.Hang())).URL()
	dir := t.TempDir()
	must(t, l.WriteTree(dir, true))
	tree, empty := "file://"+filepath.ToSlash(dir), "file://"+filepath.ToSlash(t.TempDir())
	direct := "https://" + l.SumDBName()
	under := func(base string) string { return base + "/sumdb/" + l.SumDBName() }

	for _, test := range []struct {
		chain string
		base  string
		asked int
	}{
		{serves, under(serves), 1},
		{serves + "," + broken, under(serves), 1},
		{lacks + "," + gone, direct, 2},
		{lacks + "," + serves, under(serves), 2},
		{broken + "," + serves, "", 1},
		{broken + "|" + serves, under(serves), 2},
		{broken + "|" + lacks, "", 2},
		{broken + "|direct", direct, 1},
		{broken + ",direct", "", 1},
		{broken + "|off", "", 1},
		{lacks + ",off", direct, 1},
		{"off", direct, 0},
		{"direct", direct, 0},
		{captive + "|" + serves, under(captive), 1},
		{hangs + "|" + serves, "", 1},
		{tree, under(tree), 1},
		{empty + "," + serves, under(serves), 2},
	} {
		c, err := chain.Parse(test.chain)
		must(t, err)
		s := setup{}
		if strings.Contains(test.chain, hangs) {
			s.attempt = brief
		}
		route, base := s.prober(t, l).SumDBRoute(bound(t), c, sumdbOf(t, l))
		if base != test.base || len(route) != test.asked {
			t.Errorf("%s: base %q after %d hops, want %q after %d", test.chain, base, len(route), test.base, test.asked)
		}
	}

	db := sumdbOf(t, l)
	db.URL = "https://alias.example.com"
	if route, base := (setup{}).prober(t, l).SumDBRoute(bound(t), chain.Chain{}, db); len(route) != 0 || base != db.URL {
		t.Errorf("GOSUMDB with a URL: %q after %d hops", base, len(route))
	}
}

func TestRememberedTreeHead(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	gopath := t.TempDir()
	latest := filepath.Join(gopath, "pkg", "sumdb", l.SumDBName(), "latest")
	must(t, os.MkdirAll(filepath.Dir(latest), 0o777))
	must(t, os.WriteFile(latest, []byte("go.sum database tree\nnot signed\n"), 0o666))
	p := setup{goenv: map[string]string{"GOPATH": gopath}}.prober(t, l)
	r := p.Probe(bound(t), sumEndpoint(t, l, ""))
	if r.Class != probe.ConfigInvalid || !strings.Contains(r.Detail, "latest is damaged") {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}

// TestTileThatBeginsLikeAPage: a tile is hashes, and may begin with any byte.
func TestTileThatBeginsLikeAPage(t *testing.T) {
	t.Parallel()
	skey, vkey, err := note.GenerateKey(rand.Reader, "sum.example.com")
	must(t, err)
	m := probe.Canary
	var record []byte
	for i := 0; tlog.RecordHash(record)[0] != '<'; i++ {
		sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(i)))
		record = fmt.Appendf(nil, "%s %s h1:%s\n%s %s/go.mod h1:%s\n", m.Path, m.Version, sum, m.Path, m.Version, sum)
	}
	log := sumdb.NewServer(sumdb.NewTestServer(skey, func(string, string) ([]byte, error) { return record, nil }))
	db, err := chain.ParseSumDB(vkey)
	must(t, err)
	r := (setup{}).prober(t, nil).Request(bound(t), probe.Endpoint{URL: serve(t, log.ServeHTTP), Kind: probe.KindSumDB, SumDB: db}, m, probe.Tile)
	if r.Class != probe.OK || len(r.Lines) != 2 {
		t.Errorf("got %s (%s), lines %q", r.Class, r.Detail, r.Lines)
	}
}
