package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"gpx/envctl/wire"
	"gpx/history"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
)

func TestStoryHistory(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.has("5 History")
		s.happened()
		s.has("[5 History]", "3 incidents", "#17", "today 14:07:35", "open", "#16", "Nov 19 03:12:10", "41m05s", "6m00s", "#15", "use https:/")
		s.has("goes on for 14m32s; nobody watched for", "builds do not work yet", "TLS timeout")
		s.press("d")
		s.has("14:07:40", "+5s", "endpoint")
		s.press("G")
		s.has("unobserved", "nobody watched for 1m0s")
		s.press("esc", "j")
		s.has("#16  Nov 19 03:12:10 → 03:53:15  made up", "41m05s until the chain", "builds worked again after 6m00s", "their load balancer")
		s.press("d")
		s.m.View()
		s.press("G")
		s.has("resolved", "+41m05s")
		s.press("esc", "j")
		s.has("#15", "imported", "another machine")

		s.press("/")
		s.typed("firewall") // a note
		s.has("1 incident", "#15")
		s.press("esc", "/")
		s.typed("use https") // what was done
		s.has("1 incident", "#16")
		s.press("esc", "o", "o")
		s.has("order: rto")
		s.press("o", "o", "y")
		s.has("copied: gpx history show 15")
		s.asked()
	})
}

func TestStoryReplay(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.happened()
		s.press("enter")
		s.has("◆ REPLAY #17", "14:07:05", "Replay #17  playing 8x  14:07:05  -30s", "State at 14:07:05", "go can download from proxy.example.com", "would have got modules at hop 1")
		s.passes(time.Second)
		s.has("14:07:13", "-22s")
		s.press(">")
		s.passes(time.Second)
		s.has("playing 15x  14:07:28", "▸ 15x")
		s.press("<", "<", " ")
		s.has("paused  14:07:28", "‖ 4x")
		s.passes(time.Minute)
		s.has("14:07:28", "REPLAY: nothing here is live; esc or L returns to live")
		s.press("]")
		s.has("14:07:35  +0s")
		s.press("]")
		s.has("✗ OUTAGE", "14:07:40  +5s", `would have stopped at hop 1, example.com: TLS timeout, which ","`, "✗ DOWN", "✗ stops", "✓ version control", "OD")
		s.press("right", "right", "left")
		s.has("14:07:41")
		s.press("[", "[")
		s.has("14:07:35", "✓ OK")

		// Every view shows it; what comes meanwhile is not seen.
		s.press("]", "1")
		s.has("[1 Proxies]", "◆ REPLAY #17", "stops here, the build fails", "✗ DOWN for 5s", "0s ago")
		offline := healthy()
		offline.Verdict = monitor.Verdict{State: monitor.StateOffline, Headline: "OFFLINE: go reads the module cache"}
		offline.At = wire.At(s.clock.Add(-2 * time.Second))
		s.show(offline)
		s.has("✗ OUTAGE")
		s.lacks("LIVE", "OFFLINE")
		s.press("2")
		s.has("REPLAY: but this view shows what is now")
		s.press("L")
		s.has("● LIVE", "◌ OFFLINE", "this is live again")
		s.lacks("REPLAY")
		s.asked()
	})
}

// TestReplayEnds: with esc, layer by layer; what was switched off works again.
func TestReplayEnds(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.f.called()
	can := func() (ids []string) {
		for _, a := range s.m.table {
			if a.Reason() == "" {
				ids = append(ids, a.ID)
			}
		}
		return ids
	}
	s.happened()
	before := can()
	s.press("enter", "1", "/")
	s.typed("mirror")
	s.press("enter")
	for _, a := range s.m.table {
		if a.Changes && a.Reason() != readOnly {
			t.Errorf("%s works in a replay: %q", a.ID, a.Reason())
		}
	}
	s.press("s", "u", "p", "r", "f")
	s.has("freeze: space pauses a replay")
	s.press("esc")
	s.has("◆ REPLAY", "proxy.example.com")
	s.press("esc")
	s.has("● LIVE", "✗ OUTAGE  14m32s", "this is live again")
	s.quiet(10 * time.Second)
	s.has("s switches to https://mirror.example.org | direct")
	if after := can(); !slices.Equal(before, after) {
		t.Errorf("before the replay worked\n%q\nand after it\n%q", before, after)
	}
	s.asked()
	s.press(" ")
	s.has("play/pause: nothing is replayed; enter in History begins")
}

// TestReplayIsNotMixedWithEdits: pending edits are of the chain of now.
func TestReplayIsNotMixedWithEdits(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.press("j", "t")
	s.happened()
	s.press("enter")
	s.has("edits are pending; write or discard them first", "● LIVE")
}

// TestReplayOfAnotherDay: the header says which one; what was done is marked, and
// with checksums off that is said of then, not of now.
func TestReplayOfAnotherDay(t *testing.T) {
	both(t, func(s *screen) {
		r := oldRecording()
		r.Frames[1].Snapshot.SumDB.Route = "off"
		s.f.past.recordings[16] = r
		s.f.status = Status{SumDBOff: true, Offline: "offline"}
		s.show(healthy())
		s.happened()
		s.press("r", "j", "enter", "]", "]")
		s.has("◆ REPLAY #16", "2026-11-19 03:12:14", "Nov 19 03:12:14")
		s.lacks("CHECKSUMS", "offline")
		s.press("]")
		s.has("03:18:05", "A")
		s.press("]")
		s.has("03:18:10", "CHECKSUMS WERE OFF then", "were off: new modules were not verified", "✓ OK")
		s.press("L")
		s.has("CHECKSUMS ARE OFF")
	})
}

// TestReplayOfWhatNobodyWatched says so, and the lanes are empty there.
func TestReplayOfWhatNobodyWatched(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.happened()
		s.press("enter", "]", "]", "]", "left")
		s.has("14:15:34", "Nobody    watched from 14:14:35 to 14:15:35", "???")
		s.press("right")
		s.lacks("watched from")
		s.press("[", "[", "[", "[")
		s.has("14:02:35") // the beginning
	})
}

// TestReplayAtTheStart: gpx history replay 16.
func TestReplayAtTheStart(t *testing.T) {
	s := newScreen(t, 80, 24, look{noColor: true})
	s.m.cfg.Incident = 16
	s.settle(s.m.replay(16))
	s.has("[5 History]", "◆ REPLAY #16", "#16")
	s.press("esc")
	s.has("PROBING") // nothing live has come yet
	s.show(healthy())
	s.has("✓ OK", "● LIVE")

	s.m.cfg.Speed = 500 // as near as there is
	s.settle(s.m.replay(16))
	s.has("600x")
	s.press("esc")

	s.settle(s.m.replay(99))
	s.has("incident 99: no recording of it is kept", "● LIVE")

	c := newConsole(t, 120, 36)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{Source: source{make(chan monitor.Snapshot)}, Services: newFake(t).services(), Input: c.tty, Output: c.tty, Incident: 17,
			Now: func() time.Time { return now.Add(time.Since(real)) }})
	}()
	c.wait("REPLAY #17")
	c.press(">>>>>>")
	c.wait("+14m32s") // it plays by itself, to its end
	c.wait("paused")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// real is when the tests began.
var real = time.Now()

// TestReplayTicks: one tick at a time, none while it is paused or live.
func TestReplayTicks(t *testing.T) {
	s := newScreen(t, 80, 24, look{noColor: true})
	s.show(healthy())
	s.happened()
	s.press("enter")
	s.m.beating = false
	if _, cmd := s.m.Update(playMsg{s.m.playTick}); cmd == nil || !s.m.beating {
		t.Error("no tick follows while it plays")
	}
	old := s.m.playTick - 1
	*s.clock = s.clock.Add(time.Second)
	s.settle(s.m.update(playMsg{old}))
	s.has("14:07:05") // a tick of another generation
	s.press(" ")
	s.passes(time.Second)
	if s.m.plays() || s.m.beating {
		t.Error("ticks go on while it is paused")
	}
	s.press(" ")
	s.passes(100 * time.Millisecond)
	s.press("G", "L")
	s.passes(time.Second)
	if s.m.beating {
		t.Error("ticks go on after the replay")
	}
}

func TestStoryStatistics(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.happened()
		s.press("s")
		s.asked("stats 24h0m0s 0.999")
		s.has("[24 h]", "3 endpoints", "97.1%", "99.995%", "402ms", "<-999%", "95%", "overspent: 28.8 times", "TLS timeout 500")
		s.press("j", "p")
		s.asked("stats 168h0m0s 0.999")
		s.has("[7 d]", "https://mirror.example.org  proxy", "95% of what 99.9% allows to be lost is left", "Nov 22 08:00 99.88%")
		s.press("p", "p", "p")
		s.asked("stats all 0.999", "stats 1h0m0s 0.999", "stats 24h0m0s 0.999")
		s.press("o")
		s.has("order: p95")
		s.press("/")
		s.typed("sumdb")
		s.has("1 endpoint", "sum.golang.org")
		s.press("esc", "y")
		s.has("copied: gpx history stats --since 24h")
		s.press("enter")
		s.has("replay: s goes back to the incidents")
		s.press("esc")
		s.has("3 incidents")
		s.press("s", "s")
		s.has("3 incidents")
	})
}

func TestStoryNoteReportExportImport(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.happened()
		s.press("n")
		s.has("Note about #17")
		s.typed(" TLS inspection? ")
		s.press("enter")
		s.asked(`note 17 "TLS inspection?"`)
		s.has("✓ the note about #17 is kept", "TLS inspection?")

		s.press("e")
		s.has("Report of #17", "~/incident-17.md")
		s.press("ctrl+u")
		s.typed("x.pdf")
		s.press("enter")
		s.has("the name has to end in .md, .html, .json")
		s.press("ctrl+u")
		s.typed("/tmp/x.HTML")
		s.press("enter")
		s.asked("report 17 /tmp/x.HTML")
		s.has("✓ written: /tmp/x.HTML")

		s.press("x")
		s.has("Export #17", "[masked]", "as they are")
		s.press("enter", "enter")
		s.asked("export 17 /home/me/incident-17.gpx mask true")
		s.press("x", "right", "enter", "enter")
		s.asked("export 17 /home/me/incident-17.gpx mask false")

		s.press("i", "enter")
		s.has("type a path")
		s.typed("/tmp/in.gpx")
		s.press("enter")
		s.asked("import /tmp/in.gpx")
		s.has("✓ imported as #15", "#15  2025-11-20 14:22:07") // and it is selected

		s.f.past.fail = errors.New("history: import /tmp/in.gpx: it is no incident; ask for another file")
		s.press("i")
		s.typed("/tmp/in.gpx")
		s.press("enter")
		s.has("it is no incident; ask for another file")

		s.press("b")
		s.asked("import /tmp/in.gpx", "backtest 15")
		s.has("#15 with other settings", "SETTINGS               DETECTED  RTO     LOST", "interval 2s            +9s")
		s.press("esc", "g", "enter", "e") // in a replay too
		s.has("Report of #17")
	})
}

// TestHistoryIsReadAgain: when the verdict turns, and now and then; not in a replay.
func TestHistoryIsReadAgain(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(healthy())
	if s.f.past.lists != 0 {
		t.Error("the history was read before anybody looked at it")
	}
	s.press("5")
	reads := func(want int, when string) {
		t.Helper()
		if s.f.past.lists != want {
			t.Errorf("%s the history was read %d times, want %d", when, s.f.past.lists, want)
		}
	}
	reads(1, "at first")
	s.show(healthy())
	reads(1, "when nothing has happened")
	s.show(outage())
	reads(2, "when it broke")
	s.quiet(again)
	s.show(outage())
	reads(3, "after a while")
	s.press("enter")
	s.quiet(time.Minute)
	s.passes(time.Second)
	reads(3, "in a replay")
	s.press("j", "j") // the cursor stays where it was put, though frames come
	s.passes(100 * time.Millisecond)
	s.press("L", "n")
	s.has("Note about #15")
}

// again is how old the list may become.
const again = 10 * time.Second

func TestHistoryThatIsNotThere(t *testing.T) {
	both(t, func(s *screen) {
		s.f.past.incidents, s.f.past.stats = nil, []history.EndpointStats{}
		s.show(healthy())
		s.press("5", "enter", "n", "d", "G", "y")
		s.has("No incident yet.", "0 incidents", "copied: gpx history ls")
		s.press("s", "d", "j")
		s.has("nothing was probed in this time")
	})
	m := newModel(context.Background(), Config{}, theme.New(theme.Options{}))
	none := &screen{t, m, nil, nil}
	none.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	none.press("5", "enter", "s")
	none.has("nothing is recorded here", "statistics: not available here")
	s := newScreen(t, 80, 24, look{noColor: true})
	s.f.past.fail = errors.New("history: it cannot be read")
	s.press("5")
	s.has("the history cannot be read: history: it cannot be read")
}

// TestHostileHistory: nothing that stands in a file of somebody else moves the cursor.
func TestHostileHistory(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;pwned\a\u202e\u200b\r\n\u0085"
	s := newScreen(t, 120, 36, look{noColor: true})
	r := outageRecording()
	i := &r.Incident
	i.Headline, i.Chain, i.Note, i.Causes, i.Endpoints = evil, evil, evil, []probe.Class{probe.Class(evil)}, []string{evil}
	for n := range i.Events {
		i.Events[n].Text, i.Events[n].Endpoint = evil, evil
	}
	i.Events = append(i.Events, incident.Event{Kind: incident.EventKind(evil), At: i.Opened})
	for n := range r.Endpoints {
		r.Endpoints[n].URL += evil
	}
	for n := range r.Samples {
		r.Samples[n].Class = probe.Class(evil)
	}
	for n := range r.Frames {
		f := &r.Frames[n].Snapshot
		f.Verdict.Headline, f.SumDB.Value = evil, evil
		for h := range f.Chain.Hops {
			f.Chain.Hops[h].URL, f.Chain.Hops[h].Class, f.Chain.Hops[h].Separator = evil, probe.Class(evil), evil
		}
		for e := range f.Endpoints {
			f.Endpoints[e].URL += evil
			f.Endpoints[e].Detail, f.Endpoints[e].Class = evil, probe.Class(evil)
		}
	}
	s.f.past.incidents[0] = *i
	s.f.past.stats[0].URL, s.f.past.stats[0].Kind, s.f.past.stats[0].Classes = evil, probe.Kind(evil), map[probe.Class]int64{probe.Class(evil): 1}
	s.f.past.backtest = []string{evil}
	s.f.past.recordings[17] = r
	s.f.past.fail = nil
	s.show(healthy())
	s.happened()
	for _, keys := range [][]string{{}, {"d"}, {"esc", "s"}, {"d"}, {"esc", "esc", "b"}, {"esc", "n"}, {"esc", "enter", "]", "]"}, {"1"}} {
		s.press(keys...)
		valid(t, s.m, 120, 36)
		for _, r := range s.m.View() {
			if r != '\n' && (r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r == 0x200b) {
				t.Fatalf("after %v the frame holds %U", keys, r)
			}
		}
	}
}

// TestStrangeRecordings: of no time at all, of years, with events outside of it.
func TestStrangeRecordings(t *testing.T) {
	at := wire.At(now)
	for name, r := range map[string]*incident.Recording{
		"empty":      {},
		"an instant": {From: at, To: at, Incident: incident.Incident{Events: []incident.Event{{At: at, Kind: incident.Opened}}}},
		"years":      {From: wire.At(now.AddDate(-150, 0, 0)), To: at, Incident: incident.Incident{Opened: at}},
		"outside": {From: wire.At(now.Add(-time.Minute)), To: at, Incident: incident.Incident{Opened: wire.At(now.AddDate(-1, 0, 0)),
			Events: []incident.Event{{Kind: incident.Gap}, {At: wire.At(now.AddDate(1, 0, 0)), Kind: incident.Gap}, {At: wire.At(now.AddDate(1, 0, 0)), Kind: incident.Resolved}}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScreen(t, 80, 24, look{noColor: true})
			s.settle(s.m.play(view.NewPlayer(r)))
			for _, size := range [][2]int{{60, 15}, {80, 24}, {200, 50}} {
				s.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
				for _, key := range []string{"]", "[", "left", " ", ">", "right"} {
					s.press(key)
					valid(t, s.m, size[0], size[1])
				}
			}
		})
	}
}

// BenchmarkReplay plays an incident with eight endpoints and 10,000 samples. A frame
// may take 16 ms.
func BenchmarkReplay(b *testing.B) {
	f := newFake(b)
	clock := now
	m := newModel(context.Background(), Config{Services: f.services(), Now: func() time.Time { return clock }}, theme.New(theme.Options{Dark: true, Profile: termenv.TrueColor}))
	s := &screen{b, m, f, &clock}
	s.settle(m.reload())
	s.send(tea.WindowSizeMsg{Width: 200, Height: 50})
	s.show(healthy())
	snap := outage()
	for i := range 2 {
		e := snap.Endpoints[3]
		e.URL = fmt.Sprintf("https://mirror-%d.example.net", i)
		snap.Endpoints = append(snap.Endpoints, e)
	}
	i := outageIncident()
	from := now.Add(-4 * time.Second * 1250)
	var frames []monitor.Snapshot
	for n := range 200 {
		snap.At = wire.At(from.Add(time.Duration(n) * 25 * time.Second))
		snap.Endpoints = slices.Clone(snap.Endpoints)
		frames = append(frames, snap)
	}
	r := recordingOf(i, wire.At(from), wire.At(now), frames, func(e int, t time.Time) (probe.Class, time.Duration) {
		if e == 0 {
			return probe.Timeout, time.Second
		}
		return probe.OK, time.Duration(t.Second()) * time.Millisecond
	})
	if len(r.Samples) != 10_000 || len(r.Endpoints) != 8 {
		b.Fatalf("%d samples of %d endpoints", len(r.Samples), len(r.Endpoints))
	}
	play := func() { s.settle(m.play(view.NewPlayer(r))) }
	play()
	for _, v := range []string{"5", "1"} {
		s.press(v)
		b.Run("frame in view "+v, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				clock = clock.Add(playEvery)
				s.settle(m.update(playMsg{m.playTick}))
				if _ = m.View(); !m.plays() {
					m.c.Player.Toggle(clock)
				}
			}
		})
	}
	flapping := r.Incident
	for n := range 5000 {
		flapping.Events = append(flapping.Events, incident.Event{At: wire.At(from.Add(time.Duration(n) * time.Second)), Kind: incident.Turned, Text: "https://proxy.example.com is down: timeout"})
	}
	f.past.incidents[0] = flapping
	s.press("L", "5", "d")
	b.Run("5,000 events", func(b *testing.B) {
		for b.Loop() {
			_ = m.View()
		}
	})
	b.Run("begin", func(b *testing.B) {
		for b.Loop() {
			play()
		}
	})
}
