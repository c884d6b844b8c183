package monitor

import (
	"slices"
	"time"

	"gpx/envctl/wire"
	"gpx/probe"
)

// An entry is one sample in a history.
type entry struct {
	at    time.Time // when the probe began
	class probe.Class
	total time.Duration
	// down says that the endpoint was down when this came: it says how long an
	// outage was, not how good the endpoint is when it works.
	down   bool
	failed bool // class.Failed(), which is looked up once
}

func (e entry) lost() bool { return e.failed }

// A history is the past of one endpoint, oldest first:
//
//	├──────────── baseline ────────────┼──────── window ────────┤ now
//	 HistorySamples at most             Window, WindowSamples at most
type history struct {
	entries []entry
	kept    []entry // entries are the end of it, so that forgetting moves nothing
	strays  int     // of entries: lost and not down
}

// add appends e and forgets what is beyond cfg.HistorySamples.
func (h *history) add(cfg Config, e entry) {
	e.failed = e.class.Failed()
	if e.stray() {
		h.strays++
	}
	if n := len(h.entries); n > 0 && n == cfg.HistorySamples && h.entries[0].stray() {
		h.strays--
	}
	if len(h.kept) >= 2*cfg.HistorySamples {
		h.kept = h.kept[:copy(h.kept, h.entries)]
	}
	h.kept = append(h.kept, e)
	h.entries = h.kept[max(0, len(h.kept)-cfg.HistorySamples):]
}

// stray reports a failure that is no part of what was called an outage.
func (e entry) stray() bool { return e.failed && !e.down }

// split returns the baseline and the window as of now.
func (h *history) split(cfg Config, now time.Time) (baseline, window []entry) {
	i := max(0, len(h.entries)-cfg.WindowSamples)
	for i < len(h.entries) && now.Sub(h.entries[i].at) > cfg.Window {
		i++
	}
	return h.entries[:i], h.entries[i:]
}

// window returns the statistics of the window as of now.
func (h *history) window(cfg Config, now time.Time) Window {
	_, entries := h.split(cfg, now)
	w := Window{Samples: len(entries), Recent: make([]Sample, 0, len(entries))}
	lost := 0
	for _, e := range entries {
		if e.lost() {
			lost++
		}
		w.Recent = append(w.Recent, Sample{At: wire.At(e.at), Class: e.class, Total: wire.Millis(e.total)})
	}
	if len(entries) > 0 {
		w.Lost = float64(lost) / float64(len(entries))
	}
	times := timesOf(entries)
	w.P50 = wire.Millis(quantile(times, 0.50))
	w.P95 = wire.Millis(quantile(times, 0.95))
	w.P99 = wire.Millis(quantile(times, 0.99))
	return w
}

// late is how long an answer may take before it is late.
func (h *history) late(cfg Config, now time.Time) time.Duration {
	_, entries := h.split(cfg, now)
	times := timesOf(entries)
	if len(times) == 0 {
		return cfg.LateMax
	}
	own := time.Duration(cfg.LateFactor * float64(quantile(times, 0.99)))
	return min(max(own, cfg.LateMin), cfg.LateMax)
}

// slow reports whether the window, from the instant at which the endpoint last
// came up, is worse than the baseline allows.
func (h *history) slow(cfg Config, from, now time.Time) bool {
	baseline, window := h.split(cfg, now)
	for len(window) > 0 && window[0].at.Before(from) {
		window = window[1:]
	}
	if !cfg.maybeSlow(window) {
		return false
	}
	working := func(entries []entry) []entry {
		return slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.down })
	}
	window = working(window)

	// The baseline only ever raises a limit, so it is looked at last.
	if len(window) >= cfg.SlowMinSamples {
		if rate := errorRate(window); rate > cfg.SlowErrorRate && rate > cfg.SlowErrorFactor*errorRate(working(baseline)) {
			return true
		}
	}
	p99 := tail(timesOf(window))
	return p99 > cfg.SlowP99 && float64(p99) > cfg.SlowP99Factor*float64(tail(timesOf(working(baseline))))
}

// maybeSlow is false for nearly every window of an endpoint that is well, and is
// found without an allocation: a recording has a hundred thousand samples.
func (cfg Config) maybeSlow(window []entry) bool {
	working, lost, late := 0, 0, 0
	for i := range window {
		e := &window[i]
		if e.down {
			continue
		}
		working++
		if e.failed {
			lost++
		} else if e.total > cfg.SlowP99 {
			late++
		}
	}
	return late > 1 || working >= cfg.SlowMinSamples && float64(lost) >= cfg.SlowErrorRate*float64(working)
}

// lossy reports whether single probes were lost in the past: failures that are
// no part of an outage, nor of the run that is going on.
func (h *history) lossy() bool {
	strays := h.strays
	for i := len(h.entries) - 1; strays > 0 && i >= 0 && h.entries[i].failed; i-- {
		if h.entries[i].stray() {
			strays--
		}
	}
	return strays > 0
}

// outage marks the run of failures that has just been called down.
func (h *history) outage() {
	for i := len(h.entries) - 1; i >= 0 && h.entries[i].stray(); i-- {
		h.entries[i].down = true
		h.strays--
	}
}

// errorRate is the share of lost probes, 0 for none at all.
func errorRate(entries []entry) float64 {
	lost := 0
	for _, e := range entries {
		if e.lost() {
			lost++
		}
	}
	if lost == 0 {
		return 0
	}
	return float64(lost) / float64(len(entries))
}

// timesOf returns the sorted times of the probes that were answered.
func timesOf(entries []entry) []time.Duration {
	times := make([]time.Duration, 0, len(entries))
	for _, e := range entries {
		if !e.lost() {
			times = append(times, e.total)
		}
	}
	slices.Sort(times)
	return times
}

// quantile returns the nearest-rank quantile of sorted times, 0 for none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(q * float64(len(sorted)))
	if float64(rank) < q*float64(len(sorted)) {
		rank++
	}
	return sorted[max(rank, 1)-1]
}

// tail is the p99, but of fewer than 100 times never the single worst: one
// retransmitted packet, or a first look-up of a name, makes nothing slow.
func tail(sorted []time.Duration) time.Duration {
	n := len(sorted)
	switch {
	case n < 2:
		return 0
	case n < 100:
		return min(sorted[n-2], quantile(sorted, 0.99))
	default:
		return quantile(sorted, 0.99)
	}
}
