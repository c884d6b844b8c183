package monitor

import "time"

// WindowOf is the window of an endpoint as of now, made of samples in the order
// in which they came: what a recording shows where the live monitor shows its own.
func WindowOf(cfg Config, samples []Sample, now time.Time) Window {
	h := history{entries: make([]entry, 0, len(samples))}
	for _, s := range samples {
		h.entries = append(h.entries, entry{at: s.At.Time, class: s.Class, total: time.Duration(s.Total), failed: s.Class.Failed()})
	}
	return h.window(cfg, now)
}
