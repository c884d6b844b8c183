package monitor

import (
	"time"

	"gpx/probe"
)

// A Condition is the health of one endpoint with what the next sample needs to
// know. It is a value: [Condition.Next] returns another.
//
//	          fail            DownAfter fails in a row
//	unknown ───────▶ suspect ─────────────────────────▶ down ◀── a 429
//	   │ ok             │ UpAfter successes in a row      │
//	   ▼                ▼                                 ▼
//	   up ◀───────────────────────────────────────────────┘
//	   ⇅ the window decides
//	  slow
type Condition struct {
	Health Health
	Since  time.Time // when Health began

	// UpSince is when the endpoint last came up: what was before says nothing
	// about how good it is now.
	UpSince time.Time

	fails, oks int       // the run that the latest sample belongs to
	lastOK     time.Time // start of the latest probe that succeeded
	lastFail   time.Time // start of the latest probe that failed
	good       probe.Class
	bad        probe.Class
}

// A Past is what the samples before say about an endpoint.
type Past struct {
	Slow  bool // it is slow, if it is up
	Lossy bool // it has lost single probes: one more failure is needed for down
}

// Next is the condition after a probe that began at start and ended at now with
// class.
//
// Overlapping probes end out of order. A failure whose probe began before one
// that has since succeeded tells of a packet that was lost, not of the endpoint
// as it is now, and a success that began before the latest failure did is just
// as old: neither belongs to a run.
func (c Condition) Next(cfg Config, class probe.Class, start, now time.Time, past Past) Condition {
	switch {
	case class == probe.RateLimited:
		// It has said what it will do, and asked not to be asked again.
		return c.failure(1, class, start, now)
	case class.Failed():
		return c.failure(past.downAfter(cfg), class, start, now)
	}
	return c.success(cfg, class, start, now, past.Slow)
}

func (p Past) downAfter(cfg Config) int {
	if p.Lossy {
		return cfg.LossyDownAfter
	}
	return cfg.DownAfter
}

func (c Condition) failure(downAfter int, class probe.Class, start, now time.Time) Condition {
	if start.Before(c.lastOK) {
		return c
	}
	c.bad = class
	c.fails++
	c.oks = 0
	if start.After(c.lastFail) {
		c.lastFail = start
	}
	switch {
	case c.Health == Down:
		return c
	case c.fails >= downAfter:
		return c.turn(Down, now)
	default:
		return c.turn(Suspect, now)
	}
}

func (c Condition) success(cfg Config, class probe.Class, start, now time.Time, slow bool) Condition {
	if start.Before(c.lastFail) {
		return c
	}
	c.good = class
	c.oks++
	c.fails = 0
	if start.After(c.lastOK) {
		c.lastOK = start
	}
	switch {
	case c.Health == Down || c.Health == Suspect:
		if c.oks < cfg.UpAfter {
			return c
		}
		if c.Health == Down {
			c.UpSince = start
		}
		return c.turn(upOr(slow && c.Health != Down), now)
	default:
		return c.turn(upOr(slow), now)
	}
}

func upOr(slow bool) Health {
	if slow {
		return Slow
	}
	return Up
}

// turn changes the health; the time since which it is so is kept when it stays.
func (c Condition) turn(h Health, now time.Time) Condition {
	if c.Health != h {
		c.Health, c.Since = h, now
	}
	return c
}

// Doubtful reports whether more probes should follow at once: the endpoint has
// failed and is not down yet, or has answered and is not up yet.
func (c Condition) Doubtful() bool {
	return c.Health == Suspect || c.Health == Down && c.oks > 0
}

// Settled is the class that stands for the endpoint: while it is up or merely
// suspect the last good one, otherwise the last bad one. An endpoint that has
// never answered has nothing else to show than its failure.
func (c Condition) Settled() probe.Class {
	switch {
	case c.Health == Unknown || c.Health == "":
		return probe.ClassUnknown
	case c.Health == Down:
		return c.bad
	case c.good == "":
		return c.bad
	default:
		return c.good
	}
}

// AfterGap is the condition when a time has passed that nobody watched: what
// was known stays, but no run goes on across it.
func (c Condition) AfterGap() Condition {
	c.fails, c.oks = 0, 0
	return c
}
