package relay

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/lab"
)

// An aheadWorld is a relay before one proxy, by which it asks the checksum database
// too, and one version of a module.
type aheadWorld struct {
	*world
	one *lab.Server
	m   *lab.Module
}

func newAheadWorld(t *testing.T) *aheadWorld {
	w := &aheadWorld{world: newWorld(t)}
	w.one = w.lab.Proxy("one", nil)
	w.m = w.lab.Modules()[0]
	w.behind(w.one)
	w.sumDB("", t.TempDir())
	return w
}

func (w *aheadWorld) url(ext string) string {
	return "/" + w.m.Path + "/@v/" + w.m.Version.Version + ext
}

// asked is how often the proxy was asked for files of a kind, of that version.
func (w *aheadWorld) asked(kind probe.File) (n int) {
	for _, r := range w.one.Log() {
		if r.Kind == kind && r.Module == w.m.Version.String() {
			n++
		}
	}
	return n
}

// until waits for what another goroutine does.
func (w *aheadWorld) until(what string, is func() bool) {
	w.t.Helper()
	look, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-late:
			w.t.Fatal("not in time: " + what)
		}
	}
}

// begin asks for a file, and returns when the proxy has the question. Got gets the
// status.
func (w *aheadWorld) begin(ext string) (got chan int) {
	w.t.Helper()
	got = make(chan int, 1)
	before := w.asked(probe.File(ext[1:]))
	go func() {
		status, _, _ := w.get(w.url(ext))
		got <- status
	}()
	w.until("the question for "+ext, func() bool { return w.asked(probe.File(ext[1:])) > before })
	return got
}

// ask asks for a file.
func (w *aheadWorld) ask(ext string, want int) {
	w.t.Helper()
	if status, body, _ := w.get(w.url(ext)); status != want {
		w.t.Fatalf("%s: %d %s, want %d", ext, status, body, want)
	}
}

// strikes are the failures that are noted of the way to the database.
func (w *aheadWorld) strikes() int {
	r := w.relay.core.sums.routes.list[0]
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.strikes
}

// The database is asked while a go.mod is on its way, once its version is known to an
// upstream, and not again when it has come.
func TestLookupAhead(t *testing.T) {
	t.Parallel()
	w := newAheadWorld(t)
	w.start()
	w.ask(".info", http.StatusOK)
	w.one.SetFault(lab.Hang(), probe.Mod)
	got := w.begin(".mod")
	w.until("the record", func() bool { return w.relay.core.sums.proven(w.m.Version) != nil })
	if w.one.Held() != 1 {
		t.Fatal("the go.mod has come")
	}
	w.one.SetFault(lab.OK())
	if status := <-got; status != http.StatusOK {
		t.Fatal(status)
	}
	w.ask(".zip", http.StatusOK)
	if n := w.asked(probe.Lookup); n != 1 {
		t.Errorf("the database was asked %d times", n)
	}
	if w.doubted() {
		t.Error("nothing vouches for the go.mod")
	}
}

// doubted reports whether nothing vouches for the go.mod that the relay keeps.
func (w *aheadWorld) doubted() bool {
	w.t.Helper()
	name, err := w.relay.core.stage.File(w.m.Version, probe.Mod)
	must(w.t, err)
	_, is := w.relay.core.kept.doubted(name)
	return is
}

// The database is not asked before the file has come when go.sum has it, when its
// module is not to be verified, and when no upstream has given anything of the
// version.
func TestNoLookupAhead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		set   func(w *aheadWorld)
		info  bool // is asked for before
		asked int  // in the end
	}{
		"unknown": {asked: 1},
		"in go.sum": {info: true, set: func(w *aheadWorld) {
			w.o.Sums = project.Sums{module.Version{Path: w.m.Path, Version: w.m.Version.Version + "/go.mod"}: {w.m.ModHash}}
		}},
		"private": {info: true, set: func(w *aheadWorld) { w.o.Skip = func(string) bool { return true } }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newAheadWorld(t)
			if tt.set != nil {
				tt.set(w)
			}
			w.start()
			if tt.info {
				w.ask(".info", http.StatusOK)
			}
			if l, end := w.relay.core.ahead(t.Context(), target{m: w.m.Version, file: probe.Mod}); l != nil {
				t.Error("a lookup was begun")
			} else {
				end()
			}
			w.ask(".mod", http.StatusOK)
			if n := w.asked(probe.Lookup); n != tt.asked {
				t.Errorf("the database was asked %d times, want %d", n, tt.asked)
			}
		})
	}
}

// A lookup that is of no use any more ends with its file, whatever that came to, and
// leaves nothing behind: not a failure, and no folder.
func TestLookupAheadInVain(t *testing.T) {
	t.Parallel()
	w := newAheadWorld(t)
	w.start()
	w.ask(".info", http.StatusOK)
	_, err := w.relay.core.sums.lines(t.Context(), w.lab.Modules()[1].Version) // the way is known then
	must(t, err)
	hang := lab.Always(lab.Hang(), probe.Lookup)
	w.one.SetSchedule(append(hang, lab.Always(lab.Hang(), probe.Mod)...))
	got := w.begin(".mod")
	w.until("the lookup", func() bool { return w.asked(probe.Lookup) == 1 })
	w.one.SetSchedule(append(hang, lab.Always(lab.Status(http.StatusNotFound, "not here"), probe.Mod)...))
	if status := <-got; status != http.StatusNotFound {
		t.Errorf("%d, want 404 although the database does not answer", status)
	}
	if n := w.strikes(); n != 0 {
		t.Errorf("%d failures of the database are noted", n)
	}
	w.one.SetFault(lab.OK())
	w.ask(".mod", http.StatusOK)
	if w.doubted() || w.relay.core.sums.proven(w.m.Version) == nil {
		t.Error("nothing vouches for the go.mod that came later")
	}
}

// What a lookup that was begun before says counts as one that begins when the file
// has come: wrong bytes are refused, and what it cannot vouch for is passed on, and
// doubted.
func TestLookupAheadCounts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault  lab.Schedule
		status int
		doubt  bool
	}{
		"right":        {nil, http.StatusOK, false},
		"wrong":        {lab.Always(lab.Of(lab.ModeWrongMod), probe.Mod), http.StatusBadGateway, false},
		"no database":  {lab.Always(lab.Status(http.StatusInternalServerError, "broken"), probe.Lookup), http.StatusOK, true},
		"bad database": {lab.Always(lab.Of(lab.ModeBadSignature), probe.Lookup), http.StatusOK, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newAheadWorld(t)
			w.start()
			w.ask(".info", http.StatusOK)
			w.one.SetSchedule(tt.fault)
			w.ask(".mod", tt.status)
			if is := w.doubted(); is != tt.doubt {
				t.Errorf("doubted: %v", is)
			}
		})
	}
}

// The failure of a lookup is told once: who asks after that asks the database again.
func TestLookFailsOnce(t *testing.T) {
	t.Parallel()
	l := &look{done: make(chan struct{}), err: http.ErrServerClosed}
	close(l.done)
	ctx := l.with(t.Context())
	if _, ok, err := begun(ctx); !ok || err == nil {
		t.Errorf("first: %v, %v", ok, err)
	}
	if _, ok, _ := begun(ctx); ok {
		t.Error("its failure was told twice")
	}
	if _, ok, _ := begun(t.Context()); ok {
		t.Error("there is none")
	}
}

// A version that nobody has leaves no folder.
func TestNoFolderForNothing(t *testing.T) {
	t.Parallel()
	w := newAheadWorld(t)
	w.start()
	if status, _, _ := w.get("/lab.example.com/nothing/@v/v1.0.0.mod"); status != http.StatusNotFound {
		t.Fatal(status)
	}
	if left, err := filepath.Glob(filepath.Join(w.relay.core.stage.Dir, "lab.example.com")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}
