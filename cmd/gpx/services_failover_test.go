package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/envctl/env"
	"gpx/history"
	"gpx/probe/catalog"
	"gpx/probe/failover"
	"gpx/probe/lab"
	"gpx/probe/monitor"
)

// An autoWorld is a lab with two proxies, and a user whose GOPROXY is both of them.
type autoWorld struct {
	t        *testing.T
	lab      *lab.Lab
	one, two *lab.Server
	dir      string
	file     string // what go env -w writes
	own      string // its content
	environ  []string
}

func newAutoWorld(t *testing.T) *autoWorld {
	t.Helper()
	l, err := lab.Start(lab.Options{})
	must(t, err)
	t.Cleanup(func() { l.Close() })
	w := &autoWorld{t: t, lab: l, one: l.Proxy("one", nil), two: l.Proxy("two", nil), dir: t.TempDir()}
	for _, kv := range append(l.GoEnv(w.dir, ""), "GOCACHE="+lab.BuildCache()) {
		switch name, value, _ := strings.Cut(kv, "="); name {
		case "GOPROXY":
			continue
		case "GOENV":
			w.file = value
		}
		w.environ = append(w.environ, kv)
	}
	w.own = "# mine\nGOPROXY=" + w.one.URL() + "," + w.two.URL() + "\nGOFLAGS=-modcacherw\n"
	must(t, os.MkdirAll(filepath.Dir(w.file), 0o777))
	must(t, os.WriteFile(w.file, []byte(w.own), 0o644))
	must(t, os.WriteFile(filepath.Join(w.dir, "go.mod"), []byte("module example.com/app\n\ngo 1.21\n\nrequire lab.example.com/alpha v1.1.0\n"), 0o644))
	return w
}

// An autoRun is a session whose autopilot may be on, and what it said.
type autoRun struct {
	w    *autoWorld
	live *session
	said chan string
	all  []string
	stop func()
}

// start begins a session that is ten times as quick as a user's: what is tried here
// is who does what, and not how fast.
func (w *autoWorld) start(on bool, environ ...string) *autoRun {
	w.t.Helper()
	a := newApp(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	a.actor = "watch"
	a.environ, a.folder = append(slices.Clone(w.environ), environ...), w.dir
	a.stateDir = filepath.Join(w.dir, "home", ".local", "state", "gpx")
	s := defaultSettings()
	s.Schedule.HopEvery, s.Schedule.OtherEvery, s.Schedule.Overlap = duration(100*time.Millisecond), duration(200*time.Millisecond), duration(20*time.Millisecond)
	s.Switch.Automatic, s.Switch.Quiet = on, duration(400*time.Millisecond)
	ctx, cancel := context.WithCancel(w.t.Context())
	r := &autoRun{w: w, live: a.session(ctx, s), said: make(chan string, 64)}
	r.live.auto.say = func(text string) { r.said <- text }
	r.live.work.Go(r.live.start)
	over := false
	r.stop = func() {
		if !over {
			over = true
			cancel()
			r.live.work.Wait()
			a.close()
		}
	}
	w.t.Cleanup(r.stop)
	return r
}

// says waits until it has said something with these words in it.
func (r *autoRun) says(words string) {
	r.w.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case text := <-r.said:
			if r.all = append(r.all, text); strings.Contains(text, words) {
				return
			}
		case <-late:
			r.w.t.Fatalf("it has not said %q in 20 s: %q", words, r.all)
		}
	}
}

// has checks what the user's file holds.
func (w *autoWorld) has(want string) {
	w.t.Helper()
	data, err := os.ReadFile(w.file)
	must(w.t, err)
	if string(data) != want {
		w.t.Fatalf("the file holds\n%swant\n%s", data, want)
	}
}

// switched is the file after a switch: the toolchain sorts what it writes, so that
// taking it back byte by byte is more than another go env -w.
func (w *autoWorld) switched() string {
	return "# mine\nGOFLAGS=-modcacherw\nGOPROXY=" + w.two.URL() + "\n"
}

// changes are those of the journal, the oldest first: who, and what.
func (r *autoRun) changes() (list []string) {
	r.w.t.Helper()
	all, err := r.live.changer.Changes(r.w.t.Context())
	must(r.w.t, err)
	for _, c := range slices.Backward(all) {
		list = append(list, c.Actor+" "+c.Title)
	}
	return list
}

func TestAutopilotSwitchesAndReturns(t *testing.T) {
	t.Parallel()
	w := newAutoWorld(t)
	r := w.start(true)
	w.one.SetFault(lab.Status(503, ""))
	r.says("by itself gpx switched to " + w.two.URL() + " (change ")
	w.has(w.switched())
	st := r.live.auto.status()
	if st.Now != w.two.URL() || st.Own != w.one.URL()+","+w.two.URL() || !st.On {
		t.Errorf("the screen shows %+v", st)
	}
	w.one.SetFault(lab.OK())
	r.says("by itself gpx went back to " + w.one.URL() + "," + w.two.URL())
	w.has(w.own)
	if got, want := fmt.Sprint(r.changes()), fmt.Sprintf("[auto use %s auto undo: use %[1]s]", w.two.URL()); got != want {
		t.Errorf("changes %s, want %s", got, want)
	}
	r.stop()

	a := w.start(false)
	must(t, a.live.wait(t.Context()))
	list, err := a.live.app.store.Incidents(t.Context())
	must(t, err)
	if len(list) != 1 || list[0].Open() || list[0].RTO == nil || !list[0].Settings.Automatic {
		t.Fatalf("%+v", list)
	}
	i, err := a.live.app.store.Incident(t.Context(), list[0].ID)
	must(t, err)
	var told []string
	for _, e := range i.Events {
		told = append(told, string(e.Kind)+" "+e.Text)
	}
	for _, want := range []string{"action gpx by itself: use " + w.two.URL(), "action gpx by itself: undo: use " + w.two.URL()} {
		if !slices.Contains(told, want) {
			t.Errorf("the incident does not tell %q: %q", want, told)
		}
	}
}

// A process that ends while a substitute is in force leaves it to the next one.
func TestAutopilotTakesOver(t *testing.T) {
	t.Parallel()
	w := newAutoWorld(t)
	r := w.start(true)
	w.one.SetFault(lab.Status(503, ""))
	r.says("by itself gpx switched to " + w.two.URL())
	r.stop()
	w.one.SetFault(lab.OK())
	w.has(w.switched())
	r = w.start(true)
	r.says("automatic switching goes on: an earlier gpx has put " + w.two.URL() + " in the place of " + w.one.URL() + "," + w.two.URL())
	r.says("by itself gpx went back to")
	w.has(w.own)
}

// What somebody else sets is left alone, and so is what somebody has taken back.
func TestAutopilotStandsDown(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"another value", "undo"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			if how != "undo" && os.Getenv("GPX_TEST_SCALE") == "" {
				t.Skip("with GPX_TEST_SCALE=system: gpx looks at the file every two seconds")
			}
			w := newAutoWorld(t)
			r := w.start(true)
			w.one.SetFault(lab.Status(503, ""))
			r.says("by itself gpx switched to " + w.two.URL())
			want := w.own
			if how == "undo" {
				p, err := r.live.changer.PlanUndo(t.Context(), "", false)
				must(t, err)
				_, err = r.live.apply(t.Context(), p)
				must(t, err)
			} else {
				want = "GOPROXY=" + w.one.URL() + "|" + w.two.URL() + ",off\n"
				must(t, os.WriteFile(w.file, []byte(want), 0o644))
			}
			r.says("automatic switching stands down")
			r.passes(8)
			w.has(want)
			if how == "undo" { // until that has worked
				w.one.SetFault(lab.OK())
				r.works()
				w.one.SetFault(lab.Status(502, ""))
				r.says("by itself gpx switched to " + w.two.URL())
			}
		})
	}
}

// passes waits for n snapshots.
func (r *autoRun) passes(n int) {
	snaps, end := r.live.Subscribe()
	defer end()
	for range n {
		<-snaps
	}
}

// works waits until the chain in force does.
func (r *autoRun) works() {
	r.w.t.Helper()
	snaps, end := r.live.Subscribe()
	defer end()
	late := time.After(20 * time.Second)
	for {
		select {
		case s := <-snaps:
			if s.Chain.Works {
				r.passes(3)
				return
			}
		case <-late:
			r.w.t.Fatal("the chain does not work after 20 s")
		}
	}
}

// Where the OS environment decides nothing is written, and a process that is not on
// does nothing but make room.
func TestAutopilotDoesNotAct(t *testing.T) {
	t.Parallel()
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		w := newAutoWorld(t)
		w.one.SetFault(lab.Status(503, ""))
		r := w.start(true, "GOPROXY="+w.one.URL()+","+w.two.URL())
		r.says("not switched: the OS environment sets GOPROXY")
		w.has(w.own)
	})
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		w := newAutoWorld(t)
		r := w.start(false)
		w.one.SetFault(lab.Status(503, ""))
		r.passes(12)
		w.has(w.own)
		if st := r.live.auto.status(); st.On || len(r.changes()) > 0 {
			t.Errorf("%+v %v", st, r.changes())
		}
		r.live.auto.turn(true) // what the screen's key does
		r.says("by itself gpx switched to")
		w.has(w.switched())
		r.live.auto.turn(false)
		w.one.SetFault(lab.OK())
		r.passes(8)
		w.has(w.switched())
	})
	t.Run("another records", func(t *testing.T) {
		t.Parallel()
		w := newAutoWorld(t)
		first := w.start(true)
		w.one.SetFault(lab.Status(503, ""))
		first.says("by itself gpx switched to")
		second := w.start(true)
		must(t, second.live.wait(t.Context()))
		second.passes(6)
		if f := second.live.auto.status(); f.Now != "" {
			t.Errorf("the second acts: %+v", f)
		}
	})
}

// The paths of all known projects are kept at home, and not only those of the one
// that gpx happens to run in.
func TestKnownProjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := history.Open(t.Context(), filepath.Join(dir, "history.db"), history.Options{})
	must(t, err)
	defer store.Close()
	for name, requires := range map[string]string{"app": "golang.org/x/mod v0.42.0", "secret": "git.corp.example/lib v1.0.0", "gone": ""} {
		root := filepath.Join(dir, name)
		must(t, store.RememberProject(t.Context(), root))
		if requires != "" {
			must(t, os.Mkdir(root, 0o777))
			must(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module example.com/"+name+"\n\ngo 1.21\n\nrequire "+requires+"\n"), 0o666))
		}
	}
	now := time.Now()
	a := &app{store: store, now: func() time.Time { return now }}
	var k knownProjects
	must(t, k.read(t.Context(), a, &env.Env{}))
	r := failover.Request{Modules: []string{"here.example/x"}}
	k.addTo(&r)
	if got := strings.Join(r.Modules, " "); got != "here.example/x git.corp.example/lib golang.org/x/mod" || len(r.Own) != 2 {
		t.Errorf("modules %s, own %v", got, r.Own)
	}
	must(t, os.RemoveAll(filepath.Join(dir, "secret")))
	must(t, k.read(t.Context(), a, &env.Env{})) // not due yet
	if len(k.modules) != 2 {
		t.Errorf("read again at once: %v", k.modules)
	}
	now = now.Add(time.Hour)
	must(t, k.read(t.Context(), a, &env.Env{}))
	if len(k.modules) != 1 {
		t.Errorf("a project that is gone: %v", k.modules)
	}
}

// Where nothing else helps, and only then, the catalog is watched: if that was agreed
// to, and until all is well. What the user watches stays.
func TestAutopilotLendsTheCatalog(t *testing.T) {
	t.Parallel()
	for _, agreed := range []string{"always", "never"} {
		set := defaultSettings()
		set.Catalog.Probe = agreed
		s := newApp(streams{}).session(t.Context(), set)
		s.env = &env.Env{Vars: []env.Var{{Name: "GOPROXY", Value: "https://proxy.corp.example"}}}
		own := catalogEndpoints(catalog.Entries(s.env))[:1]
		s.in.Env, s.in.Extra = s.env, slices.Clone(own)
		s.monitor = monitor.New(monitor.DefaultConfig(), nil, s.in) // which is not run: nobody is asked
		close(s.ready)
		s.auto.lend(t.Context())
		s.auto.lend(t.Context())
		if n := len(s.monitor.Inputs().Extra); (n > 1) != (agreed == "always") {
			t.Errorf("%s: %d endpoints are watched", agreed, n)
		}
		s.auto.giveBack(t.Context())
		if left := s.monitor.Inputs().Extra; len(left) != 1 || left[0].Key() != own[0].Key() {
			t.Errorf("%s: %v are left", agreed, left)
		}
	}
}
