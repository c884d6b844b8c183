package view

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe/monitor"
	"gpx/tui/widget"
)

// A Player shows a recording at an instant that can be moved, and moves by itself
// while it plays. It reads no clock.
type Player struct {
	Incident incident.Incident
	From, To time.Time // what was recorded
	Lanes    []Lane    // what was broken first, then the others

	reel    *incident.Reel
	since   []wire.Time // for each frame when the state of its verdict began
	at      time.Time
	playing bool
	speed   int       // index into speeds
	moved   time.Time // what the clock said when it was advanced last
}

// A Lane is all that was measured of one endpoint, oldest first.
type Lane struct {
	incident.Endpoint
	Samples []widget.Sample
}

// speeds are the recorded seconds of one second that a player can be set to.
var speeds = []int{1, 2, 4, 8, 15, 30, 60, 120, 300, 600}

const (
	// usual is the index of the speed that a player begins with: an outage of
	// half an hour takes four minutes.
	usual = 3
	// lead is how long before the incident it begins: one sees how it was.
	lead = 30 * time.Second
	// longest is the time that may pass between two ticks: a machine that slept
	// for an hour has shown nothing meanwhile.
	longest = time.Second
)

// NewPlayer begins shortly before the incident, and plays. It makes the texts of r
// safe to draw.
func NewPlayer(r *incident.Recording) *Player {
	r = CleanRecording(r)
	p := &Player{Incident: r.Incident, From: r.From.Time, To: r.To.Time, speed: usual, playing: true,
		reel: incident.NewReel(monitor.DefaultConfig(), r)}
	if p.To.Before(p.From) {
		p.To = p.From
	}
	for i, f := range r.Frames {
		at := f.Snapshot.At
		if i > 0 && f.Snapshot.Verdict.State == r.Frames[i-1].Snapshot.Verdict.State {
			at = p.since[i-1]
		}
		p.since = append(p.since, at)
	}
	for _, e := range r.Endpoints {
		p.Lanes = append(p.Lanes, Lane{Endpoint: e})
	}
	for _, s := range r.Samples {
		if s.Endpoint >= 0 && s.Endpoint < len(p.Lanes) {
			l := &p.Lanes[s.Endpoint]
			l.Samples = append(l.Samples, widget.Sample{At: s.At.Time, Value: time.Duration(s.Phases.Total), Lost: s.Class.Failed()})
		}
	}
	for _, l := range p.Lanes {
		slices.SortStableFunc(l.Samples, func(a, b widget.Sample) int { return a.At.Compare(b.At) })
	}
	place := func(l Lane) int {
		if i := slices.Index(r.Incident.Endpoints, l.URL); i >= 0 {
			return i
		}
		return len(r.Incident.Endpoints)
	}
	slices.SortStableFunc(p.Lanes, func(a, b Lane) int { return cmp.Compare(place(a), place(b)) })
	p.moveTo(r.Incident.Opened.Add(-lead))
	return p
}

// At is the instant that is shown.
func (p *Player) At() time.Time { return p.at }

// Snapshot is what the screen would have shown then.
func (p *Player) Snapshot() monitor.Snapshot { return p.reel.At(p.at) }

// Since is when the state of the verdict began that was the one then; zero when
// nothing was seen yet.
func (p *Player) Since() time.Time {
	n := sort.Search(len(p.reel.Frames), func(i int) bool { return p.reel.Frames[i].Snapshot.At.After(p.at) })
	if n == 0 {
		return time.Time{}
	}
	return p.since[n-1].Time
}

// Playing reports whether it moves by itself.
func (p *Player) Playing() bool { return p.playing }

// Speed is how many recorded seconds pass in one.
func (p *Player) Speed() int { return speeds[p.speed] }

func (p *Player) moveTo(t time.Time) {
	p.at = t
	if t.Before(p.From) {
		p.at = p.From
	}
	if t.After(p.To) {
		p.at = p.To
	}
}

// Toggle plays or pauses. Behind the end it begins again.
func (p *Player) Toggle(now time.Time) {
	if !p.playing && !p.at.Before(p.To) {
		p.at = p.From
	}
	p.playing, p.moved = !p.playing, now
}

// Advance lets the time since the last call pass. At the end it pauses.
func (p *Player) Advance(now time.Time) {
	if p.playing && !p.moved.IsZero() {
		p.moveTo(p.at.Add(min(max(now.Sub(p.moved), 0), longest) * time.Duration(p.Speed())))
		p.playing = p.at.Before(p.To)
	}
	p.moved = now
}

// Step moves by d, and pauses.
func (p *Player) Step(d time.Duration) {
	p.playing = false
	p.moveTo(p.at.Add(d))
}

// Next moves to the next event, or to the one before with ahead false; to an end
// of the recording where there is none.
func (p *Player) Next(ahead bool) {
	to := p.From
	if ahead {
		to = p.To
	}
	for _, e := range p.Incident.Events {
		if ahead && e.At.After(p.at) && e.At.Before(to) || !ahead && e.At.Before(p.at) && e.At.After(to) {
			to = e.At.Time
		}
	}
	p.moveTo(to)
}

// SetSpeed has one second show x recorded ones, or as near to that as it can be set.
func (p *Player) SetSpeed(x float64) {
	for i, speed := range speeds {
		if math.Abs(float64(speed)-x) < math.Abs(float64(speeds[p.speed])-x) {
			p.speed = i
		}
	}
}

// Faster makes it by n steps faster, slower with n below 0.
func (p *Player) Faster(n int) { p.speed = min(max(p.speed+n, 0), len(speeds)-1) }
