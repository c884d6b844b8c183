package lab_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gpx/probe"
	"gpx/probe/lab"
)

// A fakeClock stands still until it is told to go on.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []fakeTimer
	armed  chan struct{} // told of every new timer
}

type fakeTimer struct {
	at time.Time
	c  chan time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Now(), armed: make(chan struct{}, 1000)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := fakeTimer{c.now.Add(d), make(chan time.Time, 1)}
	c.timers = append(c.timers, t)
	c.armed <- struct{}{}
	return t.c
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.timers = slices.DeleteFunc(c.timers, func(t fakeTimer) bool {
		due := !t.at.After(c.now)
		if due {
			t.c <- c.now
		}
		return due
	})
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	l, err := lab.Start(lab.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := client(t, l)
	s := l.Proxy("a", lab.After(10*time.Second, lab.Status(503, "")).
		Then(20*time.Second, lab.Hang(), probe.Mod).
		Then(30*time.Second, lab.Refuse()).
		Then(40*time.Second, lab.OK()).
		Then(50*time.Second, lab.OK()))
	const alphaMod = "/lab.example.com/alpha/@v/v1.0.0.mod"
	steps := []struct{ info, mod string }{
		{"200 OK", "200 OK"},
		{"503 Service", "503 Service"},
		{"503 Service", deadline},
		{"connection refused", "connection refused"},
		{"200 OK", "200 OK"},
	}
	<-clock.armed // the server follows its schedule
	for i, step := range steps {
		check(t, c, s.URL()+alphaInfo, step.info)
		check(t, c, s.URL()+alphaMod, step.mod)
		if i == len(steps)-1 {
			break
		}
		clock.advance(10 * time.Second)
		// The port changes when the server's own timer fires; the next timer
		// says that it has.
		select {
		case <-clock.armed:
		case <-time.After(generous):
			t.Fatal("the server does not follow its schedule")
		}
	}
}

func TestOneInThree(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	c := client(t, l)
	s := l.Proxy("a", lab.Always(lab.Status(503, "").OneIn(3)))
	var got []int
	for range 7 {
		get(t, c, s.URL()+alphaInfo, generous)
	}
	for _, r := range s.Log() {
		got = append(got, r.Status)
	}
	if want := []int{503, 200, 200, 503, 200, 200, 503}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWhatAProxyServes(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	c := client(t, l)
	public := l.Proxy("public", nil, lab.Lacking("lab.example.com/beta", "lab.example.com/alpha@v1.1.0"))
	inside := l.Proxy("inside", nil, lab.Private())
	secured := l.Proxy("secured", lab.Always(lab.Auth("me", "p:w")))
	sum := "/sumdb/" + l.SumDBName()
	for _, test := range []struct{ base, path, want string }{
		{public.URL(), "/lab.example.com/alpha/@v/list", "200 OK v1.0.0\n"},
		{public.URL(), "/lab.example.com/alpha/@v/v1.1.0.info", "404"},
		{public.URL(), "/lab.example.com/beta/@v/v1.0.0.mod", "404"},
		{public.URL(), "/lab.example.com/!upper/@latest", "v1.2.3"},
		{public.URL(), "/lab.example.com/Upper/@latest", "404"},
		{public.URL(), "/lab.example.com/nightly/@v/list", "200 OK "},
		{public.URL(), "/lab.example.com/nightly/@latest", "v0.0.0-20240107030405-0123456789ab"},
		{public.URL(), "/corp.example.com/secret/@v/v1.0.0.mod", "404"},
		{inside.URL(), "/corp.example.com/secret/@v/v1.0.0.mod", "200 OK module corp.example.com/secret"},
		{public.URL(), sum + "/supported", "200 OK "},
		{public.URL(), "/sumdb/sum.example.com/supported", "404"},
		{public.URL(), sum + "/latest", "go.sum database tree\n"},
		{public.URL(), sum + "/tile/8/0/000", "200 OK"},
		{public.URL(), sum + "/tile/8/0/999", "404"},
		{public.URL(), sum + "/lookup/corp.example.com/secret@v1.0.0", "404"},
		{strings.Replace(secured.URL(), "//", "//me:p%3Aw@", 1), "/lab.example.com/alpha/@v/list", "200 OK"},
		{strings.Replace(secured.URL(), "//", "//me:no@", 1), "/lab.example.com/alpha/@v/list", "401"},
	} {
		check(t, c, test.base+test.path, test.want)
	}
}

func TestModulesAreTheSameEveryTime(t *testing.T) {
	t.Parallel()
	files := map[string]string{"go.mod": "module lab.example.com/m\n", "b.go": "package m\n", "a.go": "package m\n"}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	a, err := lab.NewModule("lab.example.com/m", "v1.0.0", at, files)
	if err != nil {
		t.Fatal(err)
	}
	b, err := lab.NewModule("lab.example.com/m", "v1.0.0", at, files)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Zip, b.Zip) || a.GoSum() != b.GoSum() {
		t.Error("two builds differ")
	}
	if _, err := lab.NewModule("lab.example.com/m", "v2.0.0", at, files); err == nil {
		t.Error("a version that does not fit the path was taken")
	}
}

// Requests of a client that leaves are not held for ever.
func TestHeldEndsWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	s := l.Proxy("a", lab.Always(lab.Hang()))
	check(t, client(t, l), s.URL()+alphaInfo, deadline)
	limit := time.After(generous)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.Held() > 0 {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("still held")
		}
	}
	if s.Idle() < 0 || s.Idle() > generous {
		t.Errorf("idle for %v", s.Idle())
	}
}

func TestGitRepositoriesAreTheSameEveryTime(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	var heads []string
	for range 2 {
		dir := t.TempDir()
		if _, err := l.WriteGit(dir); err != nil {
			if strings.Contains(err.Error(), "no git") {
				t.Skip("git is not on PATH")
			}
			t.Fatal(err)
		}
		head, err := os.ReadFile(filepath.Join(dir, "github.com/gpx-lab/one/refs/tags/v1.1.0"))
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, string(head))
	}
	if heads[0] != heads[1] {
		t.Errorf("v1.1.0 is %s and %s", heads[0], heads[1])
	}
}

// A keep-alive client does not outlive the port.
func TestRefuseCutsOpenConnections(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	s := l.Proxy("a", nil)
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	check(t, c, s.URL()+alphaInfo, "200 OK {")
	s.SetFault(lab.Refuse())
	if got := get(t, c, s.URL()+alphaInfo, generous); strings.HasPrefix(got, "200") {
		t.Errorf("a closed port answered: %s", got)
	}
}
