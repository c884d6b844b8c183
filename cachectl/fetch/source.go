package fetch

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/redact"
	"gpx/probe"
)

// A visitor is what a source is asked through: a [probe.Visit].
type visitor interface {
	Download(ctx context.Context, m module.Version, f probe.File, w io.Writer, p probe.Patience, began func(size int64)) probe.Result
	Close()
}

// A source is one endpoint, and what was learned of it.
type source struct {
	name   string // redacted
	circle Circle
	visit  visitor

	mu      sync.Mutex
	strikes int       // in a row; with two it is asked after the others, if at all
	until   time.Time // then it is tried again
	last    Tried     // the latest strike
	pace    pace
}

func newSource(ep probe.Endpoint, circle Circle, visit visitor) *source {
	return &source{name: redact.URL(ep.URL), circle: circle, visit: visit}
}

// bad reports whether others come first, and why.
func (s *source) bad(now time.Time, rest time.Duration) (Tried, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.strikes < 2 {
		return Tried{}, false
	}
	if rest > 0 && now.After(s.until) {
		s.until = now.Add(rest) // this request tries it, and no other meanwhile
		return Tried{}, false
	}
	return s.last, true
}

func (s *source) good() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strikes = 0
}

func (s *source) strike(t Tried, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strikes++
	s.last, s.until = t, until
}

// took notes how long a first byte took, or how long one had not come when it was
// no longer waited for. Without the latter those that are late would be missing
// from what is usual.
func (s *source) took(at time.Time, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace.add(at, d)
}

// usual is the quantile q of the times to the first byte; ok is false while it is
// not known.
func (s *source) usual(now time.Time, q float64) (d time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pace.quantile(now, q)
}

const (
	// paceSamples are kept: enough for a p95, and few enough that a change shows.
	paceSamples = 32
	// fewSamples say nothing yet.
	fewSamples = 8
	// paceTime is how long one counts. Who became slow and is asked no more has its
	// place in the chain again after that.
	paceTime = time.Minute
)

// A pace is how fast a source was lately.
type pace []sample

type sample struct {
	at   time.Time
	took time.Duration
}

func (p *pace) add(at time.Time, d time.Duration) {
	if len(*p) >= paceSamples {
		*p = slices.Delete(*p, 0, 1)
	}
	*p = append(*p, sample{at, d})
}

func (p pace) quantile(now time.Time, q float64) (time.Duration, bool) {
	times := make([]time.Duration, 0, paceSamples)
	for _, s := range p {
		if now.Sub(s.at) < paceTime {
			times = append(times, s.took)
		}
	}
	if len(times) < fewSamples {
		return 0, false
	}
	slices.Sort(times)
	return times[int(q*float64(len(times)-1)+0.5)], true
}

// byPace puts who is much faster before who is slower; among equals, and where a
// pace is not known, the order stays.
func byPace(list []*source, now time.Time) {
	median := map[*source]time.Duration{}
	for _, s := range list {
		if d, ok := s.usual(now, 0.5); ok {
			median[s] = d
		}
	}
	faster := func(a, b *source) bool {
		da, known := median[a]
		db, other := median[b]
		return known && other && 2*da+muchFaster < db
	}
	// An insertion sort, since "much faster" is no order that sort.Slice could
	// have: it is not transitive where it is false.
	for i := 1; i < len(list); i++ {
		for j := i; j > 0 && faster(list[j], list[j-1]); j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

// muchFaster is what another must be faster by besides half the time: what a
// build would notice, and more than the noise of a near proxy.
const muchFaster = 20 * time.Millisecond
