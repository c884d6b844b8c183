package view

import (
	"testing"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

var began = time.Date(2026, 11, 19, 3, 0, 0, 0, time.UTC)

// tape is ten minutes, broken from the second on.
func tape() *incident.Recording {
	at := func(d time.Duration) wire.Time { return wire.At(began.Add(d)) }
	snap := func(d time.Duration, s monitor.State) incident.Frame {
		return incident.Frame{Snapshot: monitor.Snapshot{At: at(d), Round: 1, Verdict: monitor.Verdict{State: s}}}
	}
	return &incident.Recording{From: at(0), To: at(10 * time.Minute),
		Incident: incident.Incident{ID: 4, Opened: at(2 * time.Minute), Endpoints: []string{"https://b.example"}, Events: []incident.Event{
			{At: at(2 * time.Minute), Kind: incident.Opened}, {At: at(2*time.Minute + 5*time.Second), Kind: incident.Detected}, {At: at(8 * time.Minute), Kind: incident.Resolved}}},
		Endpoints: []incident.Endpoint{{URL: "https://a.example", Kind: probe.KindProxy}, {URL: "https://b.example", Kind: probe.KindProxy}},
		Samples:   []incident.Sample{{At: at(3 * time.Minute), Endpoint: 1, Class: probe.Refused}, {At: at(time.Minute), Endpoint: 1, Class: probe.OK}, {At: at(0), Endpoint: 7}},
		Frames: []incident.Frame{snap(time.Second, monitor.StateOK), snap(2*time.Minute+5*time.Second, monitor.StateOutage),
			snap(4*time.Minute, monitor.StateOutage), snap(8*time.Minute, monitor.StateOK)}}
}

func TestPlayer(t *testing.T) {
	clock := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name    string
		do      func(p *Player)
		at      time.Duration
		playing bool
	}{
		{"it begins shortly before the incident", func(*Player) {}, 90 * time.Second, true},
		{"it plays eight times as fast", func(p *Player) { p.Advance(clock.Add(500 * time.Millisecond)) }, 94 * time.Second, true},
		{"a machine that slept has shown nothing meanwhile", func(p *Player) { p.Advance(clock.Add(time.Hour)) }, 98 * time.Second, true},
		{"a clock that was set back moves nothing", func(p *Player) { p.Advance(clock.Add(-time.Hour)) }, 90 * time.Second, true},
		{"paused, no time passes", func(p *Player) { p.Toggle(clock); p.Advance(clock.Add(time.Second)) }, 90 * time.Second, false},
		{"the time of the pause does not count", func(p *Player) {
			p.Toggle(clock)
			p.Toggle(clock.Add(time.Hour))
			p.Advance(clock.Add(time.Hour + time.Second))
		}, 98 * time.Second, true},
		{"a step pauses", func(p *Player) { p.Step(time.Second) }, 91 * time.Second, false},
		{"and goes back too, not beyond the beginning", func(p *Player) { p.Step(-time.Hour) }, 0, false},
		{"to the next event", func(p *Player) { p.Next(true) }, 120 * time.Second, true},
		{"to the one after it", func(p *Player) { p.Next(true); p.Next(true) }, 125 * time.Second, true},
		{"and back", func(p *Player) { p.Next(true); p.Next(true); p.Next(false) }, 120 * time.Second, true},
		{"before the first event is the beginning", func(p *Player) { p.Next(false) }, 0, true},
		{"behind the last one is the end", func(p *Player) { p.Step(9 * time.Minute); p.Next(true) }, 10 * time.Minute, false},
		{"at the end it pauses", func(p *Player) {
			p.Faster(100)
			p.Advance(clock.Add(time.Second))
		}, 10 * time.Minute, false},
		{"and begins again", func(p *Player) {
			p.Step(time.Hour)
			p.Toggle(clock)
			p.Advance(clock.Add(time.Second))
		}, 8 * time.Second, true},
		{"no slower than it was", func(p *Player) {
			p.Faster(-100)
			p.Advance(clock.Add(time.Second))
		}, 91 * time.Second, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := NewPlayer(tape())
			p.Advance(clock)
			tc.do(p)
			if got := p.At().Sub(began); got != tc.at || p.Playing() != tc.playing {
				t.Errorf("at %v, playing %v; want %v, %v", got, p.Playing(), tc.at, tc.playing)
			}
		})
	}
}

func TestPlayerKnowsTheState(t *testing.T) {
	p := NewPlayer(tape())
	for _, tc := range []struct {
		at, since time.Duration
		state     monitor.State
	}{
		{0, -1, monitor.StateUnknown}, {90 * time.Second, time.Second, monitor.StateOK}, {5 * time.Minute, 125 * time.Second, monitor.StateOutage}, {9 * time.Minute, 8 * time.Minute, monitor.StateOK},
	} {
		p.moveTo(began.Add(tc.at))
		if got := p.Snapshot().Verdict.State; got != tc.state {
			t.Errorf("at %v it was %s, want %s", tc.at, got, tc.state)
		}
		if got := p.Since(); tc.since >= 0 && got.Sub(began) != tc.since || tc.since < 0 && !got.IsZero() {
			t.Errorf("at %v since %v, want %v", tc.at, got, tc.since)
		}
	}
	l := p.Lanes[0] // what was broken is first, and its samples are in order
	if l.URL != "https://b.example" || len(l.Samples) != 2 || l.Samples[0].Lost || !l.Samples[1].Lost {
		t.Errorf("the first lane is %+v", l)
	}
}

// TestPlayerOfNothing: a file that anyone wrote may hold no frames, or end before it
// begins.
func TestPlayerOfNothing(t *testing.T) {
	for _, r := range []*incident.Recording{{}, {From: wire.At(began), To: wire.At(began.Add(-time.Hour))}} {
		p := NewPlayer(r)
		p.Advance(began)
		p.Advance(began.Add(time.Second))
		p.Next(true)
		p.Toggle(began)
		p.Step(-time.Second)
		if got := p.Snapshot().Verdict.State; got != monitor.StateUnknown || !p.At().Equal(r.From.Time) {
			t.Errorf("%s at %v", got, p.At())
		}
	}
}
