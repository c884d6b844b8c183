package modcache

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/change"
	"gpx/envctl/wire"
)

// A Window is a time in which gpx had checksums switched off: for everything
// (GOSUMDB=off), or for modules that match patterns (GONOSUMDB). What the go
// command took in then, and no go.sum knew, nobody has verified.
//
// Only what stands in the journal is known. A GOSUMDB=off of a shell, of go env
// -w, or of one command's environment leaves no trace that could be found.
type Window struct {
	Change   string    `json:"change"` // the change that opened it
	From     wire.Time `json:"from"`
	To       wire.Time `json:"to"`       // zero: it is open still
	Patterns []string  `json:"patterns"` // empty: every module
}

// covers reports whether what arrived at an instant could have come unverified.
func (w *Window) covers(path string, at time.Time) bool {
	// Journal and file system have clocks of their own, as coarse as 2 s (FAT).
	const slack = 2 * time.Second
	if at.Before(w.From.Add(-slack)) || !w.To.IsZero() && at.After(w.To.Add(slack)) {
		return false
	}
	return len(w.Patterns) == 0 || module.MatchPrefixPatterns(strings.Join(w.Patterns, ","), path)
}

// Windows reads the journal, oldest record first, for the times in which
// checksums were off. It errs on the side of longer ones: a change counts from
// its beginning when it switches off, and from its end when it switches on.
func Windows(records []change.Record) []Window {
	t := &timeline{}
	for _, r := range records {
		if r.State == change.Aborted {
			continue // rolled back within moments
		}
		done := r.DoneAt
		if done.IsZero() {
			done = r.At // killed, or in flight
		}
		for _, a := range r.Actions {
			if a.Kind == change.SetVariable {
				t.set(a.Target, a.New, r, done)
			}
		}
		if r.State == change.Undone && r.UndoneBy == "" {
			// Something else has overwritten it since (change.Changer.Close). An
			// undo is a record of its own.
			for _, a := range r.Actions {
				if a.Kind == change.SetVariable {
					t.overwritten(a.Target, r, r.UndoneAt)
				}
			}
		}
	}
	slices.SortStableFunc(t.windows, func(a, b Window) int { return a.From.Compare(b.From.Time) })
	return t.windows
}

// A timeline follows the two variables.
type timeline struct {
	windows []Window
}

const everything = "" // stands for the pattern of GOSUMDB=off

// set takes one change of a variable in.
func (t *timeline) set(name, value string, r change.Record, done time.Time) {
	var off []string
	switch name {
	case "GOSUMDB":
		if value == "off" {
			off = []string{everything}
		}
		t.close(done, func(w *Window) bool { return len(w.Patterns) == 0 && len(off) == 0 })
	case "GONOSUMDB":
		for p := range strings.SplitSeq(value, ",") {
			if p = strings.TrimSpace(p); p != "" && p != "none" {
				off = append(off, p)
			}
		}
		t.close(done, func(w *Window) bool { return len(w.Patterns) == 1 && !slices.Contains(off, w.Patterns[0]) })
	}
	for _, pattern := range off {
		t.open(pattern, r)
	}
}

// open begins a window, unless it is open already. Each pattern has its own,
// since each can end by itself.
func (t *timeline) open(pattern string, r change.Record) {
	w := Window{Change: r.ID, From: wire.At(r.At), Patterns: []string{}}
	if pattern != everything {
		w.Patterns = []string{pattern}
	}
	for i := range t.windows {
		if t.windows[i].To.IsZero() && slices.Equal(t.windows[i].Patterns, w.Patterns) {
			return
		}
	}
	t.windows = append(t.windows, w)
}

func (t *timeline) close(at time.Time, which func(*Window) bool) {
	for i := range t.windows {
		if w := &t.windows[i]; w.To.IsZero() && which(w) {
			w.To = wire.At(at)
		}
	}
}

// overwritten ends what a change had opened.
func (t *timeline) overwritten(name string, r change.Record, at time.Time) {
	t.close(at, func(w *Window) bool {
		return w.Change == r.ID && (len(w.Patterns) == 0) == (name == "GOSUMDB")
	})
}
