package monitor

import "time"

// A Config holds the bounds of the schedule and of health. The defaults are
// chosen so that the worst case is known: a hop that turns into a black hole
// just after a probe is down 7.35 s later,
//
//	4.4 s until the next probe + 0.7 s until that one is late
//	+ 0.25 s until the third probe starts + 2 s until it gives up,
//
// and one that refuses or answers 5xx 4.9 s later (4.4 s + 2 × 0.25 s). A fourth
// probe, where one is asked for, adds 0.25 s.
type Config struct {
	// HopEvery is the time between two probes of a hop, OtherEvery of any other
	// endpoint. Jitter is the share of it by which a probe may come earlier, so
	// that many machines do not ask in step; it never comes later.
	HopEvery   time.Duration
	OtherEvery time.Duration
	Jitter     float64

	// Overlap is the time between two probes of an endpoint that is in doubt:
	// it has just failed, or an answer is late.
	Overlap time.Duration
	// An answer is late after max(LateFactor × the endpoint's own p99, LateMin),
	// and never later than LateMax.
	LateFactor float64
	LateMin    time.Duration
	LateMax    time.Duration

	// DownAfter failures in a row are down; UpAfter successes after that are up.
	// LossyDownAfter counts in the place of DownAfter for an endpoint that has
	// lost single probes in its past: with 2 % of them lost, three in a row come
	// by chance once in 150 hours of a hop, four in a row once in 7,000.
	DownAfter      int
	LossyDownAfter int
	UpAfter        int

	// Window is the recent past that statistics are made of: at most
	// WindowSamples samples, none older than Window. What is older, up to
	// HistorySamples, is the baseline that it is compared with.
	Window         time.Duration
	WindowSamples  int
	HistorySamples int

	// Slow is an error rate above max(SlowErrorRate, SlowErrorFactor × baseline)
	// or a p99 above max(SlowP99, SlowP99Factor × baseline).
	SlowErrorRate   float64
	SlowErrorFactor float64
	SlowP99         time.Duration
	SlowP99Factor   float64
	// SlowMinSamples is how many samples an error rate needs to mean anything:
	// one lost probe among ten is no 10 %.
	SlowMinSamples int

	// Burst is the time that a first look may take; Settle is when it stops
	// waiting for second opinions about endpoints that have answered once.
	Burst  time.Duration
	Settle time.Duration

	// BackoffMin is the first wait after a 429, and the least; without Retry-After
	// it doubles up to BackoffMax. RetryAfterMax bounds a Retry-After: a mistaken
	// one of a year must not hide for a year that the endpoint is back.
	BackoffMin    time.Duration
	BackoffMax    time.Duration
	RetryAfterMax time.Duration

	// Publish is the least time between two snapshots.
	Publish time.Duration

	// Gap is how late the monitor must wake up, or how far the clock on the wall
	// must be off, for the time between to count for nothing (suspend, a stopped
	// process, a clock that was set).
	Gap time.Duration
}

// DefaultConfig returns the bounds of gpx.
func DefaultConfig() Config {
	return Config{
		HopEvery:   4400 * time.Millisecond,
		OtherEvery: 15 * time.Second,
		Jitter:     0.09, // hops: 4.0–4.4 s

		Overlap:    250 * time.Millisecond,
		LateFactor: 4,
		LateMin:    300 * time.Millisecond,
		LateMax:    700 * time.Millisecond,

		DownAfter:      3,
		LossyDownAfter: 4,
		UpAfter:        2,

		Window:         6 * time.Minute,
		WindowSamples:  60,
		HistorySamples: 720, // an hour of a hop

		SlowErrorRate:   0.05,
		SlowErrorFactor: 2,
		SlowP99:         800 * time.Millisecond,
		SlowP99Factor:   3,
		SlowMinSamples:  20,

		Burst:  2500 * time.Millisecond,
		Settle: 2100 * time.Millisecond,

		BackoffMin:    15 * time.Second,
		BackoffMax:    10 * time.Minute,
		RetryAfterMax: time.Hour,

		Publish: 100 * time.Millisecond,
		Gap:     5 * time.Second,
	}
}
