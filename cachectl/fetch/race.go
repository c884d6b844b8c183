package fetch

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/stage"
	"gpx/envctl/redact"
	"gpx/probe"
)

// A Racer gets single files from the first of several sources that gives the
// right one, and learns which sources are not worth waiting for. It may be used
// by several goroutines at once.
//
// It asks in the order that it is given, but first who was much faster lately, and
// last who failed. Nobody is moved before who is in a narrower circle, and nobody is
// asked because one of those is late: that a hop is slow is no reason to tell
// strangers what was asked of it.
type Racer struct {
	Prober   *probe.Prober
	Patience probe.Patience // zero means probe.DefaultPatience
	// Hedge is the most that one source is waited for before the next is asked too;
	// 0 means DefaultHedge. Once it is known, the source's own p95 is what it has, and
	// never less than leastHedge.
	Hedge time.Duration
	// Rest is how long a source that failed twice in a row is asked last. After it
	// one request tries it again. 0: it is not asked any more while others are.
	Rest time.Duration
	// Circle says how far from the user an endpoint is; nil means that all are alike.
	Circle func(ep probe.Endpoint) Circle
	// Temp makes a file for what comes. Its error concerns everything, as does one of
	// writing to it, and is kept in Err.
	Temp func() (*os.File, error)

	mu      sync.Mutex
	sources map[string]*source // by endpoint
	err     error

	visit func(ep probe.Endpoint) visitor // of tests; nil is Prober's
}

// A Circle is of those who may learn the same of what the user needs.
type Circle int

// The circles, the narrowest first.
const (
	Own    Circle = iota // files, and hops that are not public
	Public               // public hops of the chain
	Beyond               // who is not in the chain
)

// A Race is what came of asking for one file.
type Race struct {
	Won    bool
	Source string // who gave it, redacted
	Bytes  int64
	// Tried are those that answered with something else, or not in time.
	Tried []Tried
	// Passed are those that come before the winner and did not do: failed, late, or
	// left alone since they failed before. Who answered that it has no such file is
	// not among them, nor is who is well and was not asked since another is faster.
	Passed []Tried
	// Broken is what kept this machine from taking a file in, as a full disk does. It
	// is no source's fault, and nobody else was asked after it.
	Broken error
}

// Missing reports whether everybody who was asked answered that there is no such
// file.
func (r *Race) Missing() bool {
	return !r.Won && r.Broken == nil && !slices.ContainsFunc(r.Tried, func(t Tried) bool { return t.Class != probe.NotFound })
}

// Close ends the connections. No Get may be under way.
func (r *Racer) Close() {
	for _, s := range r.sources {
		s.visit.Close()
	}
}

// Err is the first error of Temp, or of a file that it made.
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
			r.sources[key] = newSource(ep, r.circle(ep), r.visitor(ep))
		}
		list[i] = r.sources[key]
	}
	return list
}

func (r *Racer) circle(ep probe.Endpoint) Circle {
	if r.Circle == nil {
		return Own
	}
	return r.Circle(ep)
}

func (r *Racer) visitor(ep probe.Endpoint) visitor {
	if r.visit != nil {
		return r.visit(ep)
	}
	return r.Prober.Visit(ep)
}

// order puts those that failed lately behind the others, or leaves them out, and
// says what they did. The others stand by their pace, neighbours of one circle among
// themselves.
func (r *Racer) order(list []*source, now time.Time) (sources []*source, resting map[*source]Tried) {
	resting = map[*source]Tried{}
	var bad, run []*source
	flush := func() {
		byPace(run, now)
		sources, run = append(sources, run...), nil
	}
	for i, s := range list {
		if i > 0 && s.circle != list[i-1].circle {
			flush()
		}
		if why, is := s.bad(now, r.Rest); is {
			resting[s] = why
			bad = append(bad, s)
		} else {
			run = append(run, s)
		}
	}
	flush()
	if r.Rest > 0 || len(sources) == 0 {
		sources = append(sources, bad...)
	}
	return sources, resting
}

func (r *Racer) patience() probe.Patience {
	if r.Patience == (probe.Patience{}) {
		return probe.DefaultPatience
	}
	return r.Patience
}

// leastHedge is longer than a healthy network is late by chance.
const leastHedge = 100 * time.Millisecond

// hedge is how long a source is waited for alone: as long as nearly all of its
// answers took.
func (r *Racer) hedge(s *source, now time.Time) time.Duration {
	most := cmp.Or(r.Hedge, DefaultHedge)
	usual, ok := s.usual(now, 0.95)
	if !ok {
		return most
	}
	return min(max(usual, leastHedge), most)
}

// A take accepts what one source sent, or says why not. The file goes when it
// returns, unless it moved it away.
type take = func(ctx context.Context, file string) error

// Get asks for one file: the first source, and when that is late or fails the next
// too, until accept takes what one of them sent. accept may be called by several
// goroutines at once; that it accepted a file counts once.
func (r *Racer) Get(ctx context.Context, eps []probe.Endpoint, m module.Version, f probe.File, accept take) Race {
	return r.GetWithin(ctx, r.patience(), eps, m, f, accept)
}

// GetWithin is Get with a patience of its own.
func (r *Racer) GetWithin(ctx context.Context, p probe.Patience, eps []probe.Endpoint, m module.Version, f probe.File, accept take) Race {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := r.of(eps)
	g := &get{r: r, ctx: ctx, asked: map[*source]*asking{}, answers: make(chan outcome), passed: map[*source]Tried{}}
	g.sources, g.resting = r.order(all, time.Now())
	g.late, g.begun = make(chan *source, len(all)), make(chan *source, len(all))
	g.ask = func(s *source, came *intake) outcome {
		return r.attempt(ctx, p, m, f, s, came, accept, func() { g.begun <- s })
	}
	g.launch()
	for g.running > 0 {
		select {
		case a := <-g.answers:
			g.running--
			g.asked[a.source].over = true
			switch {
			case a.won && g.winner == nil:
				g.won(a)
				cancel()
			case a.broken != nil:
				g.race.Broken = a.broken
				cancel()
			default:
				g.failed(a)
			}
		case s := <-g.begun:
			g.asked[s].begun = time.Now()
		case s := <-g.late:
			switch a := g.asked[s]; {
			case a.over:
			case a.slow(f, time.Now()):
				g.launch()
			default: // look again
				time.AfterFunc(a.hedge, func() { g.late <- s })
			}
		}
	}
	if g.winner != nil {
		g.pass(all[:slices.Index(all, g.winner)])
	}
	return g.race
}

// A get is one file that is asked for.
type get struct {
	r       *Racer
	ctx     context.Context
	sources []*source         // in the order in which they are asked
	resting map[*source]Tried // those that failed lately
	ask     func(s *source, came *intake) outcome
	asked   map[*source]*asking
	running int

	answers     chan outcome
	begun, late chan *source

	race   Race
	winner *source
	passed map[*source]Tried
}

// An asking is a source that was asked.
type asking struct {
	at    time.Time
	hedge time.Duration
	begun time.Time // when the first byte came; zero before
	over  bool
	came  intake
}

// leastRate is in bytes a second: who sends a zip more slowly is not waited for
// alone. A module of a megabyte takes a minute then.
const leastRate = 16 << 10

// endlessTime is what a zip has of which nobody says how long it is: it may be a
// body without end, at any rate.
const endlessTime = 3 * time.Second

// slow reports whether the next source is asked too: nothing has come, a small
// file does not come to its end, or a zip hardly moves, or may have no end. What came whole and is
// being verified is waited for.
func (a *asking) slow(f probe.File, now time.Time) bool {
	sending := now.Sub(a.begun)
	switch {
	case a.begun.IsZero():
		return true
	case a.came.whole.Load(), sending < a.hedge:
		return false
	case f != probe.Zip:
		return true
	case a.came.endless.Load() && sending >= endlessTime:
		return true
	}
	return float64(a.came.n.Load()) < leastRate*sending.Seconds()
}

// An intake writes what comes, and can be looked at meanwhile.
type intake struct {
	w     io.Writer
	err   error // of w; of the goroutine that writes
	n     atomic.Int64
	whole atomic.Bool
	// endless: its size is not known.
	endless atomic.Bool
}

// Write implements [io.Writer].
func (i *intake) Write(p []byte) (int, error) {
	n, err := i.w.Write(p)
	i.n.Add(int64(n))
	if err != nil {
		i.err = err
	}
	return n, err
}

// An outcome is what came of one source.
type outcome struct {
	source *source
	n      int64
	won    bool
	tried  Tried
	broken error // of this machine; then the source is not to blame
}

// launch asks the next source, if there is one that may be asked now.
func (g *get) launch() {
	next := len(g.asked)
	if g.winner != nil || next == len(g.sources) || g.ctx.Err() != nil {
		return
	}
	s := g.sources[next]
	if slices.ContainsFunc(g.sources[:next], func(b *source) bool { return b.circle < s.circle && !g.asked[b].over }) {
		return // it is launched when that one fails
	}
	now := time.Now()
	a := &asking{at: now, hedge: g.r.hedge(s, now)}
	g.asked[s] = a
	g.running++
	go func() { g.answers <- g.ask(s, &a.came) }()
	time.AfterFunc(a.hedge, func() { g.late <- s })
}

// won notes the first that gave the file, and who was late.
func (g *get) won(a outcome) {
	g.winner = a.source
	g.race.Won, g.race.Source, g.race.Bytes = true, a.source.name, a.n
	for _, s := range g.sources[:slices.Index(g.sources, a.source)] {
		before := g.asked[s]
		waited := time.Since(before.at)
		if before.over || waited < before.hedge {
			continue
		}
		t := Tried{Hop: s.name, Class: probe.Timeout, Detail: "no answer within " + before.hedge.Round(time.Millisecond).String()}
		if !before.begun.IsZero() {
			t.Class, t.Detail = probe.Stalled, "it began to send, and another was done before"
		} else {
			s.took(time.Now(), waited)
		}
		s.strike(t, time.Now().Add(g.r.Rest))
		g.passed[s] = t
	}
}

// failed notes one that did not give it, and asks the next. After the race is won
// they were cancelled, or came second.
func (g *get) failed(a outcome) {
	if g.winner == nil || a.tried.Class == probe.ChecksumMismatch {
		g.race.Tried = append(g.race.Tried, a.tried)
	}
	if g.winner == nil {
		g.passed[a.source] = a.tried
		g.launch()
	}
}

// pass notes who was passed over of those that come before the winner.
func (g *get) pass(before []*source) {
	for _, s := range before {
		t, ok := g.passed[s]
		if !ok {
			t, ok = g.resting[s]
		}
		if ok && t.Class != probe.NotFound {
			g.race.Passed = append(g.race.Passed, t)
		}
	}
}

// attempt asks one source for a file.
func (r *Racer) attempt(ctx context.Context, p probe.Patience, m module.Version, f probe.File, s *source, came *intake, accept take, began func()) outcome {
	fail := func(class probe.Class, detail string) outcome {
		return outcome{source: s, tried: Tried{Hop: s.name, Class: class, Detail: redact.Text(detail)}}
	}
	broken := func(err error) outcome {
		r.broken(err)
		return outcome{source: s, broken: err}
	}
	tmp, err := r.Temp()
	if err != nil {
		return broken(err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	came.w = tmp
	start := time.Now()
	res := s.visit.Download(ctx, m, f, came, p, func(size int64) {
		came.endless.Store(size < 0)
		s.took(time.Now(), time.Since(start))
		began()
	})
	if came.err != nil {
		return broken(came.err)
	}
	if res.Class != probe.OK {
		failed := fail(res.Class, res.Detail)
		switch {
		case ctx.Err() != nil: // nobody wants it any more
		case res.Class == probe.NotFound: // who does not have it is healthy
			s.took(time.Now(), time.Since(start))
			s.good()
		default:
			s.strike(failed.tried, time.Now().Add(r.Rest))
		}
		return failed
	}
	came.whole.Store(true)
	if err := tmp.Close(); err != nil {
		return broken(err)
	}
	err = accept(ctx, tmp.Name())
	var mismatch *stage.Mismatch
	switch {
	case err == nil:
		s.good()
		return outcome{source: s, n: came.n.Load(), won: true}
	case errors.As(err, &mismatch):
		return fail(probe.ChecksumMismatch, m.String()+": "+err.Error())
	case errors.Is(err, stage.ErrNoProof):
		return fail(probe.SumDBUnavailable, err.Error())
	case ofFile(err) && ctx.Err() == nil:
		return broken(err)
	}
	return fail(probe.ProtocolInvalid, err.Error())
}

// ofFile reports whether an error is one of a file or folder of this machine.
func ofFile(err error) bool {
	var path *fs.PathError
	var link *os.LinkError
	return errors.As(err, &path) || errors.As(err, &link)
}

// broken keeps an error that concerns everything.
func (r *Racer) broken(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}
