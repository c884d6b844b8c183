package fetch

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/stage"
	"gpx/envctl/redact"
	"gpx/probe"
)

// A Racer gets single files from the first of several sources that gives the
// right one, and learns which sources are not worth waiting for. It may be used
// by several goroutines at once.
type Racer struct {
	Prober   *probe.Prober
	Patience probe.Patience // zero means probe.DefaultPatience
	Hedge    time.Duration  // after which the next source is asked too; 0 means DefaultHedge
	// Rest is how long a source that failed twice in a row is asked last. After it
	// one request tries it again. 0: it is not asked any more while others are.
	Rest time.Duration
	// Temp makes a file for what comes. Its error concerns everything, and is
	// kept in Err.
	Temp func() (*os.File, error)

	mu      sync.Mutex
	sources map[string]*source // by endpoint
	err     error
}

// A Race is what came of asking for one file.
type Race struct {
	Won    bool
	Source string // who gave it, redacted
	Bytes  int64
	// Tried are those that answered with something else, or not in time.
	Tried []Tried
	// Passed are those that would have been asked before the winner, had they
	// answered: failed, late, or left alone since they failed before. Who
	// answered that it has no such file is not among them.
	Passed []Tried
}

// Missing reports whether everybody who was asked answered that there is no such
// file.
func (r *Race) Missing() bool {
	return !r.Won && !slices.ContainsFunc(r.Tried, func(t Tried) bool { return t.Class != probe.NotFound })
}

// A source is one endpoint, and what was learned of it.
type source struct {
	ep    probe.Endpoint
	name  string
	visit *probe.Visit

	mu      sync.Mutex
	strikes int       // in a row; with two it is asked after the others, if at all
	until   time.Time // then it is tried again
	last    Tried     // the latest strike
}

// bad reports whether others come first.
func (s *source) bad(rest time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.strikes < 2 {
		return false
	}
	if rest > 0 && time.Now().After(s.until) {
		s.until = time.Now().Add(rest) // this request tries it, and no other meanwhile
		return false
	}
	return true
}

func (s *source) good() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strikes = 0
}

func (s *source) strike(t Tried, rest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strikes++
	s.last, s.until = t, time.Now().Add(rest)
}

// because is the latest strike.
func (s *source) because() Tried {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Close ends the connections. No Get may be under way.
func (r *Racer) Close() {
	for _, s := range r.sources {
		s.visit.Close()
	}
}

// Err is the first error of Temp.
func (r *Racer) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// of are the sources of endpoints, in their order.
func (r *Racer) of(eps []probe.Endpoint) []*source {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sources == nil {
		r.sources = map[string]*source{}
	}
	list := make([]*source, len(eps))
	for i, ep := range eps {
		key := ep.Key()
		if r.sources[key] == nil {
			r.sources[key] = &source{ep: ep, name: redact.URL(ep.URL), visit: r.Prober.Visit(ep)}
		}
		list[i] = r.sources[key]
	}
	return list
}

// order puts those that failed lately behind the others, or leaves them out.
func (r *Racer) order(list []*source) []*source {
	var good, bad []*source
	for _, s := range list {
		if s.bad(r.Rest) {
			bad = append(bad, s)
		} else {
			good = append(good, s)
		}
	}
	if r.Rest > 0 || len(good) == 0 {
		good = append(good, bad...)
	}
	return good
}

func (r *Racer) patience() probe.Patience {
	if r.Patience == (probe.Patience{}) {
		return probe.DefaultPatience
	}
	return r.Patience
}

func (r *Racer) hedge() time.Duration {
	if r.Hedge == 0 {
		return DefaultHedge
	}
	return r.Hedge
}

// An outcome is what came of one source.
type outcome struct {
	source *source
	n      int64
	won    bool
	tried  Tried
}

// Get asks for one file: the first endpoint, and when that is late or fails the
// next too, until take accepts what one of them sent. The file that take is given
// goes when it returns, unless take moved it away. take may be called by several
// goroutines at once; that it accepted a file counts once.
func (r *Racer) Get(ctx context.Context, eps []probe.Endpoint, m module.Version, f probe.File, take func(ctx context.Context, file string) error) Race {
	all := r.of(eps)
	sources := r.order(all)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan outcome)
	late, begun := make(chan *source, len(sources)), make(chan *source, len(sources))
	running, next := 0, 0
	waiting, sending := map[*source]bool{}, map[*source]bool{}
	launch := func() {
		s := sources[next]
		next++
		running++
		waiting[s] = true
		go func() { answers <- r.attempt(ctx, m, f, s, take, func() { begun <- s }) }()
		time.AfterFunc(r.hedge(), func() { late <- s })
	}
	var race Race
	var winner *source
	passed := map[*source]Tried{}
	if len(sources) > 0 {
		launch()
	}
	for running > 0 {
		select {
		case a := <-answers:
			running--
			delete(waiting, a.source)
			switch {
			case winner != nil: // it was cancelled, or came second
				if a.tried.Class == probe.ChecksumMismatch {
					race.Tried = append(race.Tried, a.tried)
				}
			case a.won:
				race.Won, race.Source, race.Bytes, winner = true, a.source.name, a.n, a.source
				for _, s := range sources[:slices.Index(sources, a.source)] {
					if waiting[s] { // it was asked before
						t := Tried{Hop: s.name, Class: probe.Timeout, Detail: "no answer within " + r.hedge().String()}
						if sending[s] {
							t.Detail = "another was faster"
						}
						s.strike(t, r.Rest)
						passed[s] = t
					}
				}
				cancel()
			default:
				race.Tried = append(race.Tried, a.tried)
				passed[a.source] = a.tried
				if next < len(sources) && ctx.Err() == nil {
					launch()
				}
			}
		case s := <-begun:
			sending[s] = true
		case s := <-late:
			if waiting[s] && !sending[s] && winner == nil && next < len(sources) && ctx.Err() == nil {
				launch()
			}
		}
	}
	if winner != nil {
		race.pass(all[:slices.Index(all, winner)], passed)
	}
	return race
}

// pass notes who was passed over of those that come before the winner.
func (r *Race) pass(before []*source, asked map[*source]Tried) {
	for _, s := range before {
		t, ok := asked[s]
		if !ok {
			t = s.because()
		}
		if t.Class != probe.NotFound && t.Class != "" {
			r.Passed = append(r.Passed, t)
		}
	}
}

// attempt asks one source for a file.
func (r *Racer) attempt(ctx context.Context, m module.Version, f probe.File, s *source, take func(context.Context, string) error, began func()) outcome {
	fail := func(class probe.Class, detail string) outcome {
		return outcome{source: s, tried: Tried{Hop: s.name, Class: class, Detail: redact.Text(detail)}}
	}
	tmp, err := r.Temp()
	if err != nil {
		r.broken(err)
		return fail(probe.ClassUnknown, err.Error())
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	res := s.visit.Download(ctx, m, f, tmp, r.patience(), began)
	if res.Class != probe.OK {
		failed := fail(res.Class, res.Detail)
		switch {
		case ctx.Err() != nil: // nobody wants it any more
		case res.Class == probe.NotFound: // who does not have it is healthy
			s.good()
		default:
			s.strike(failed.tried, r.Rest)
		}
		return failed
	}
	n, err := tmp.Seek(0, 1)
	if err == nil {
		err = tmp.Close()
	}
	if err != nil {
		r.broken(err)
		return fail(probe.ClassUnknown, err.Error())
	}
	err = take(ctx, tmp.Name())
	var mismatch *stage.Mismatch
	switch {
	case err == nil:
		s.good()
		return outcome{source: s, n: n, won: true}
	case errors.As(err, &mismatch):
		return fail(probe.ChecksumMismatch, m.String()+": "+err.Error())
	case errors.Is(err, stage.ErrNoProof):
		return fail(probe.SumDBUnavailable, err.Error())
	}
	return fail(probe.ProtocolInvalid, err.Error())
}

// broken keeps an error that concerns everything.
func (r *Racer) broken(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}
