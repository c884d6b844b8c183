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

// A source is one endpoint, and what was learned of it.
type source struct {
	ep    probe.Endpoint
	name  string
	visit *probe.Visit

	mu      sync.Mutex
	strikes int // in a row; with two it is not asked while others are
}

func (s *source) bad() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strikes >= 2
}

func (s *source) learn(good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if good {
		s.strikes = 0
	} else {
		s.strikes++
	}
}

// An outcome is what came of one source, or of all.
type outcome struct {
	source *source
	n      int64
	proof  stage.Proof
	tried  []Tried
}

// file gets one file: from the first source, and when that is late or fails from
// the next too, until one is proven. It returns whose it is, or nil.
func (g *getter) file(ctx context.Context, m module.Version, f probe.File, sources []*source) (*source, int64, outcome) {
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
		go func() { answers <- g.attempt(ctx, m, f, s, func() { begun <- s }) }()
		time.AfterFunc(g.o.Hedge, func() { late <- s })
	}
	var won *outcome
	var failed outcome
	if len(sources) > 0 {
		launch()
	}
	for running > 0 {
		select {
		case a := <-answers:
			running--
			delete(waiting, a.source)
			switch {
			case won != nil: // it was cancelled, or came second
			case a.proof != "":
				won = &a
				for _, s := range sources[:slices.Index(sources, a.source)] {
					if waiting[s] {
						s.learn(false) // it was asked before, and was late
					}
				}
				cancel()
			default:
				failed.tried = append(failed.tried, a.tried...)
				if next < len(sources) && ctx.Err() == nil {
					launch()
				}
			}
		case s := <-begun:
			sending[s] = true
		case s := <-late:
			if waiting[s] && !sending[s] && won == nil && next < len(sources) && ctx.Err() == nil {
				launch()
			}
		}
	}
	if won == nil {
		return nil, 0, failed
	}
	return won.source, won.n, *won
}

// attempt asks one source for a file, and proves what comes.
func (g *getter) attempt(ctx context.Context, m module.Version, f probe.File, s *source, began func()) outcome {
	fail := func(class probe.Class, detail string) outcome {
		return outcome{source: s, tried: []Tried{{Hop: s.name, Class: class, Detail: redact.Text(detail)}}}
	}
	tmp, err := g.stage.Temp()
	if err != nil {
		return g.broken(fail, err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	r := s.visit.Download(ctx, m, f, tmp, g.o.Patience, began)
	if r.Class != probe.OK {
		if ctx.Err() == nil {
			s.learn(r.Class == probe.NotFound) // who does not have it is healthy
		}
		return fail(r.Class, r.Detail)
	}
	n, err := tmp.Seek(0, 1)
	if err == nil {
		err = tmp.Close()
	}
	if err != nil {
		return g.broken(fail, err)
	}
	proof, err := g.prove(ctx, m, f, tmp.Name())
	var mismatch *stage.Mismatch
	switch {
	case err == nil:
		s.learn(true)
		return outcome{source: s, n: n, proof: proof}
	case errors.As(err, &mismatch):
		g.wrong(s, m, err)
		return fail(probe.ChecksumMismatch, err.Error())
	case errors.Is(err, stage.ErrNoProof):
		return fail(probe.SumDBUnavailable, err.Error())
	}
	return fail(probe.ProtocolInvalid, err.Error())
}

// infoProof vouches for what is not verified by anybody.
const infoProof stage.Proof = "none needed"

func (g *getter) prove(ctx context.Context, m module.Version, f probe.File, file string) (stage.Proof, error) {
	if f == probe.Zip {
		return g.stage.AddZip(ctx, m, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if f == probe.Info {
		return infoProof, g.stage.AddInfo(m, data)
	}
	return g.stage.AddMod(ctx, m, data)
}

// broken keeps an error of the stage, which concerns everything.
func (g *getter) broken(fail func(probe.Class, string) outcome, err error) outcome {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
	return fail(probe.ClassUnknown, err.Error())
}

func (g *getter) wrong(s *source, m module.Version, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.result.Wrong = append(g.result.Wrong, Tried{Hop: s.name, Class: probe.ChecksumMismatch, Detail: redact.Text(m.String() + ": " + err.Error())})
}
