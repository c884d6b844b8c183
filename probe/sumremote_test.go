package probe_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/sumdb"
	"gpx/probe"
	"gpx/probe/lab"
)

// remote is a client of the lab's checksum database that has nothing on disk.
func remote(t *testing.T, l *lab.Lab, value string, db chain.SumDB, s setup) (*sumdb.Client, *probe.SumDBRemote) {
	t.Helper()
	c, err := chain.Parse(value)
	must(t, err)
	r := s.prober(t, l).NewSumDBRemote(c, db)
	t.Cleanup(r.Close)
	r.Patience = patience
	return sumdb.New(sumdb.Options{DB: db, Fresh: true, Remote: r.Get}), r
}

func TestSumDBRemote(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	hop := func(name string, f lab.Fault, only ...probe.File) string {
		return l.Proxy(name, lab.Always(f, only...)).URL()
	}
	dir := t.TempDir()
	must(t, l.WriteTree(dir, true))
	tree := "file://" + filepath.ToSlash(dir)
	good, lacks, broken := hop("good", lab.OK()), hop("lacks", lab.NoSumDB(404)), hop("broken", lab.NoSumDB(503))
	unknown := module.Version{Path: "lab.example.com/nowhere", Version: "v1.0.0"}
	db := sumdbOf(t, l)
	away := db
	away.URL = "https://" + l.SumDB().Addr()

	for _, test := range []struct {
		name   string
		chain  string
		db     chain.SumDB
		module module.Version // alpha when it is zero
		want   error          // nil: the lines
		class  probe.Class    // of what failed
	}{
		{name: "through a proxy", chain: good, db: db},
		{name: "through the second proxy", chain: lacks + "," + good, db: db},
		{name: "at its own host", chain: lacks + ",direct", db: db},
		{name: "where GOSUMDB says, whatever the chain", chain: broken, db: away},
		{name: "out of a file tree", chain: tree, db: db},
		{name: "no such version, through a proxy", chain: good, db: db, module: unknown, want: sumdb.ErrUnknown},
		{name: "no such version in a file tree", chain: tree, db: db, module: unknown, want: sumdb.ErrUnavailable, class: probe.MissingFile},
		{name: "the first hop fails before a comma", chain: broken + "," + good, db: db, want: sumdb.ErrUnavailable, class: probe.ServerError},
		{name: "lookups fail", chain: hop("lookups", lab.Status(403, "no"), probe.Lookup), db: db, want: sumdb.ErrUnavailable, class: probe.Forbidden},
		{name: "tiles fail", chain: hop("tiles", lab.Reset(), probe.Tile), db: db, want: sumdb.ErrUnavailable, class: probe.Reset},
		{name: "a login page", chain: hop("captive", lab.Of(lab.ModeSumDBCaptive)), db: db, want: sumdb.ErrUnavailable, class: probe.CaptivePortal},
		{name: "an endless body", chain: hop("endless", lab.Of(lab.ModeEndless), probe.Lookup), db: db, want: sumdb.ErrUnavailable, class: probe.TooLarge},
		{name: "tampered tiles", chain: hop("tampered", lab.Of(lab.ModeBadTile)), db: db, want: sumdb.ErrUntrusted},
		{name: "a tampered record", chain: hop("record", lab.Of(lab.ModeBadRecord)), db: db, want: sumdb.ErrUntrusted},
		{name: "signed by somebody else", chain: hop("key", lab.Of(lab.ModeOtherKey)), db: db, want: sumdb.ErrUntrusted},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, sums := test.module, ""
			if m.Path == "" {
				m, sums = l.Modules()[0].Version, l.Modules()[0].GoSum()
			}
			c, _ := remote(t, l, test.chain, test.db, setup{})
			lines, err := c.Lookup(bound(t), m)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if test.want == nil && strings.Join(lines, "\n")+"\n" != sums {
				t.Errorf("got %q", lines)
			}
			var failed *probe.SumDBError
			if errors.As(err, &failed); test.class != "" && (failed == nil || failed.Class != test.class) {
				t.Errorf("got %v, want %s", err, test.class)
			}
		})
	}
}

// What hangs is given up within its patience, and the database after a few.
func TestSumDBRemoteGivesUp(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	srv := l.Proxy("hangs", lab.Always(lab.Hang(), probe.Lookup))
	db := sumdbOf(t, l)
	_, r := remote(t, l, srv.URL(), db, setup{})
	r.Patience = 100 * time.Millisecond
	for i := range 200 {
		_, err := r.Get(bound(t), "/lookup/lab.example.com/alpha@v1.0.0")
		var failed *probe.SumDBError
		if !errors.As(err, &failed) || failed.Class != probe.Timeout && failed.Class != probe.ConnectTimeout {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if n := len(srv.Log()); n > 20 {
		t.Errorf("%d requests went to a database that is down", n)
	}
}

func TestSumDBRemoteCancelled(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	srv := l.Proxy("hangs", lab.Always(lab.Hang(), probe.Lookup))
	c, _ := remote(t, l, srv.URL(), sumdbOf(t, l), setup{})
	ctx, cancel := context.WithCancel(bound(t))
	done := make(chan error, 1)
	go func() {
		_, err := c.Lookup(ctx, l.Modules()[0].Version)
		done <- err
	}()
	must(t, srv.WaitHeld(bound(t), 1))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Many lookups share a few connections and one choice of the route, and ask for
// nothing that is not to be asked.
func TestSumDBRemoteConcurrent(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	srv := l.Proxy("good", nil)
	db := sumdbOf(t, l)
	ch, err := chain.Parse(srv.URL())
	must(t, err)
	r := setup{}.prober(t, l).NewSumDBRemote(ch, db)
	defer r.Close()
	r.Patience = patience
	c := sumdb.New(sumdb.Options{DB: db, Fresh: true, Remote: r.Get, Skip: func(path string) bool {
		return module.MatchPrefixPatterns("corp.example.com,github.com/gpx-lab-corp", path)
	}})
	var wg sync.WaitGroup
	for range 4 {
		for _, m := range l.Modules() {
			wg.Go(func() {
				_, err := c.Lookup(bound(t), m.Version)
				if want := m.Private; errors.Is(err, sumdb.ErrSkipped) != want || !want && err != nil {
					t.Errorf("%s: %v", m.Version, err)
				}
			})
		}
	}
	wg.Wait()
	supported := 0
	for _, req := range srv.Log() {
		if req.Kind == probe.Supported {
			supported++
		}
		if strings.Contains(req.Path, "secret") {
			t.Errorf("asked for %s", req.Path)
		}
	}
	if supported != 1 {
		t.Errorf("the route was chosen %d times", supported)
	}
	if route, base := r.Route(); len(route) != 1 || base != srv.URL()+"/sumdb/"+l.SumDBName() {
		t.Errorf("route %v, base %s", route, base)
	}
}

// Credentials of a hop are sent, and never shown.
func TestSumDBRemoteCredentials(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	const user, password = "reader", "pa55word-of-a-hop"
	srv := l.Proxy("private", lab.Always(lab.Auth(user, password)), lab.TLS())
	with := strings.Replace(srv.URL(), "https://", "https://"+user+":"+password+"@", 1)
	db := sumdbOf(t, l)
	c, r := remote(t, l, with, db, setup{})
	if _, err := c.Lookup(bound(t), l.Modules()[0].Version); err != nil {
		t.Fatal(err)
	}
	srv.SetFault(lab.Status(500, "you sent "+user+":"+password))
	_, err := c.Lookup(bound(t), l.Modules()[1].Version)
	if err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("got %v", err)
	}
	if _, base := r.Route(); strings.Contains(base, password) {
		t.Errorf("base is %s", base)
	}
}

func TestSumDBErrorIsNotExist(t *testing.T) {
	classes := []probe.Class{}
	for _, c := range []probe.Class{probe.NotFound, probe.Forbidden, probe.MissingFile, probe.Timeout} {
		if errors.Is(&probe.SumDBError{Class: c}, fs.ErrNotExist) {
			classes = append(classes, c)
		}
	}
	if !slices.Equal(classes, []probe.Class{probe.NotFound}) {
		t.Errorf("no such file: %v", classes)
	}
}
