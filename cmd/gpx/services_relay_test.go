package main

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/cachectl/relay"
	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/profiles"
	"gpx/probe"
	"gpx/probe/lab"
	"gpx/probe/monitor"
)

// What stands behind the relay never hangs where that is known, and is asked of
// nobody who would not be asked without the relay.
func TestBehindRelay(t *testing.T) {
	const public, other, own = "https://goproxy.io", "https://goproxy.cn", "https://proxy.example.com"
	for _, c := range []struct{ name, chain, hang, want, without string }{
		{"nothing hangs", public + "," + other + "|direct", "", public + "," + other + "|direct", ""},
		{"the first", public + "," + other + "|direct", public, other + "|direct", public},
		{"one in the middle", other + "," + public + "|direct", public, other + ",direct", public},
		{"the last", other + "," + public, public, other, public},
		{"two", public + "," + other + "|direct", public + " " + other, "direct", public + " " + other},
		{"all", public + "," + other, public + " " + other, public + "," + other, ""},
		{"one that may be private", own + "," + public + ",direct", own, own + "," + public + ",direct", ""},
		{"one with credentials", "https://me:secret@goproxy.io," + other, "https://me:secret@goproxy.io", "https://me:secret@goproxy.io," + other, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := chain.Parse(c.chain)
			if err != nil {
				t.Fatal(err)
			}
			snap := monitor.Snapshot{Chain: monitor.ChainStatus{Value: before.Redacted()}}
			for i, h := range before.Hops {
				hop := monitor.Hop{N: i + 1, URL: h.Redacted(), GoWill: probe.Serve}
				if slices.Contains(strings.Fields(c.hang), h.URL) {
					hop.GoWill = probe.Hang
				}
				snap.Chain.Hops = append(snap.Chain.Hops, hop)
			}
			got, without := behindRelay(before, hangs(&env.Env{}, before, snap))
			if got.String() != c.want || strings.Join(without, " ") != c.without {
				t.Errorf("%s without %q, want %s without %q", got, without, c.want, c.without)
			}
			snap.Chain.Value = "https://another.example.com" // what is known is of another chain
			if got, without := behindRelay(before, hangs(&env.Env{}, before, snap)); got.String() != c.chain || without != nil {
				t.Errorf("of another chain: %s without %q", got, without)
			}
		})
	}
}

// The relay of a session from S to its end, and again to the end of gpx.
func TestRelayOfASession(t *testing.T) {
	t.Parallel()
	w := newAutoWorld(t)
	w.one.SetFault(lab.Status(503, ""))
	s := w.start(false).live
	t.Cleanup(s.endRelay) // before the session's own end, which waits for it
	use := func() (url string) {
		t.Helper()
		plan, err := s.startRelay(t.Context())
		must(t, err)
		w.has(w.own) // it is only a plan
		_, err = s.apply(t.Context(), plan)
		must(t, err)
		now, on := s.relayNow()
		if !on || !now.InForce || now.Requests != 0 {
			t.Errorf("at first: %+v, %v", now, on)
		}
		return now.URL
	}

	url := use()
	data, err := os.ReadFile(w.file)
	must(t, err)
	if want := "GOPROXY=" + url + "|" + w.one.URL() + "," + w.two.URL() + "\n"; !strings.Contains(string(data), want) {
		t.Errorf("the file holds\n%swant in it\n%s", data, want)
	}
	_, err = page(url + "/lab.example.com/alpha/@v/v1.1.0.info")
	must(t, err)
	late := time.Now().Add(20 * time.Second)
	for now, _ := s.relayNow(); now.Requests != 1 || now.Rescued != 1 || now.Bytes == 0; now, _ = s.relayNow() {
		if time.Now().After(late) {
			t.Fatalf("%+v", now)
		}
		runtime.Gosched() // it is counted after it was answered
	}
	if _, err := s.startRelay(t.Context()); err == nil {
		t.Error("a second relay beside the first")
	}
	other := w.start(false).live
	t.Cleanup(other.endRelay)
	if _, err := other.startRelay(t.Context()); !errors.Is(err, relay.ErrInUse) {
		t.Errorf("in another gpx: %v", err)
	}
	if said, err := other.app.takeBackRelay(t.Context(), other.changer, func() string { return url + "|direct" }); said != "" || err != nil {
		t.Errorf("another gpx takes it back: %q, %v", said, err)
	}

	plan, err := s.planRelayOff(t.Context())
	must(t, err)
	_, err = s.apply(t.Context(), plan)
	must(t, err)
	w.has(w.own)
	must(t, s.relayServices().StopRelay(t.Context()))
	if now, on := s.relayNow(); on {
		t.Errorf("after its end: %+v", now)
	}
	if _, err := page(url + "/healthz"); err == nil {
		t.Error("it still answers")
	}

	use()
	s.endRelay() // as when gpx quits
	w.has(w.own)
	if _, err := s.startRelay(t.Context()); err == nil {
		t.Error("it starts again while gpx quits")
	}
	plan, err = other.startRelay(t.Context())
	must(t, err)
	if plan.Title != relayTitle {
		t.Errorf("%q", plan.Title)
	}
	other.endRelay()
	w.has(w.own)
}

// An undo of what replaced a relay that has ended since does not leave GOPROXY at a
// port that nobody answers, or anybody.
func TestUndoBringsBackAnEndedRelay(t *testing.T) {
	t.Parallel()
	w := newAutoWorld(t)
	s := w.start(false).live
	t.Cleanup(s.endRelay)
	goproxy := func() string {
		t.Helper()
		data, err := os.ReadFile(w.file)
		must(t, err)
		values, _ := env.ParseFile(data)
		return values["GOPROXY"]
	}
	own := goproxy()
	plan, err := s.startRelay(t.Context())
	must(t, err)
	_, err = s.apply(t.Context(), plan)
	must(t, err)
	relayed := goproxy()
	e, p, err := s.current(t.Context())
	must(t, err)
	two, err := chain.Parse(w.two.URL())
	must(t, err)
	plan, err = profiles.Use(e, p, two)
	must(t, err)
	done, err := s.apply(t.Context(), plan)
	must(t, err)
	s.endRelay()
	if got := goproxy(); got != two.String() {
		t.Errorf("when the relay has ended: %s; that is not its to change", got)
	}

	plan, err = s.changer.PlanUndo(t.Context(), done.ID, false)
	must(t, err)
	_, err = s.changer.Apply(t.Context(), plan)
	must(t, err)
	if got := goproxy(); got != relayed && got != own { // the session's poll may have been faster
		t.Errorf("after the undo: %s", got)
	}
	_, err = s.app.apart(nil, nil).takeBackRelay(t.Context(), s.changer, goproxy)
	must(t, err)
	if got := goproxy(); got != own {
		t.Errorf("GOPROXY=%s, want %s", got, own)
	}
}
