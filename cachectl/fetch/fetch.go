// Package fetch gets module versions from whatever still answers.
//
//	versions ─▶ sources that may be asked, the best first
//	              │  first byte late? the next one is asked too
//	              ▼
//	            a temporary file ─▶ its hash, by go.sum or the checksum database
//	              │                   wrong: this source is passed over
//	              ▼
//	            the stage, from which gpx/cachectl/bundle takes it into the cache
//
// The go command asks one hop after the other, waits for ever, and forgets what
// it learned at the next file. Here a source that hangs costs one delay, wrong
// bytes are never kept, and what is in the stage is not fetched again.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/flock"
	"gpx/cachectl/internal/stage"
	"gpx/envctl/redact"
	"gpx/probe"
)

// Proofs and Proof are those of the stage.
type (
	Proofs = stage.Proofs
	Proof  = stage.Proof
)

// A Want is a version that is missing.
type Want struct {
	module.Version
	ModOnly bool // the .mod is enough: it is for the module graph
}

// Options say what is fetched, from whom, and where to.
type Options struct {
	Wants []Want
	// Sources are the endpoints that may be asked for a version, the best first.
	// One of kind direct is asked last.
	Sources func(m module.Version) []probe.Endpoint
	Circle  func(ep probe.Endpoint) Circle // see Racer; may be nil
	Prober  *probe.Prober
	// Direct fetches a version from its version control, and calls got with each
	// of its files. Nil: it is not asked.
	Direct func(ctx context.Context, m module.Version, got func(f probe.File, file string) error) error

	Stage  string // a folder; what is in it already is not fetched again
	Proofs *Proofs

	Patience probe.Patience // zero means probe.DefaultPatience
	Hedge    time.Duration  // after which the next source is asked too; 0 means DefaultHedge
	AtOnce   int            // versions; 0 means 8
	Report   func(Progress) // called by one goroutine at a time; may be nil
}

// DefaultHedge is how long one source is waited for alone, of which nothing is
// known. A healthy proxy sends the first byte well before.
const DefaultHedge = 500 * time.Millisecond

// Progress is how far it has come.
type Progress struct {
	Done, Total int
	Bytes       int64 // of zips, so far
	Last        string
}

// A Fetched is a version that is in the stage.
type Fetched struct {
	module.Version
	Source string // who gave the zip, or the .mod where that is all; redacted. "stage" when it was there
	Proof  Proof
	Bytes  int64
	Files  []probe.File
}

// A Tried is a source that did not give what was asked for.
type Tried struct {
	Hop    string // redacted
	Class  probe.Class
	Detail string // clean
}

// A Failed is a version that could not be had.
type Failed struct {
	module.Version
	Why   string // one clean line
	Tried []Tried
}

// A Result says what came.
type Result struct {
	Fetched []Fetched
	Failed  []Failed
	Wrong   []Tried // sources that sent wrong bytes; Detail names the version
}

// Get fetches. It fails when the stage cannot be written, or when ctx ends; what
// came until then stays in the stage.
func Get(ctx context.Context, o Options) (Result, error) {
	s, err := stage.Open(o.Stage, o.Proofs)
	if err != nil {
		return Result{}, err
	}
	if o.AtOnce == 0 {
		o.AtOnce = 8
	}
	g := &getter{o: o, stage: s, racer: Racer{Prober: o.Prober, Patience: o.Patience, Hedge: o.Hedge, Circle: o.Circle, Temp: s.Temp}}
	defer g.racer.Close()
	next := make(chan Want)
	var all sync.WaitGroup
	for range min(o.AtOnce, len(o.Wants)) {
		all.Go(func() {
			for w := range next {
				g.version(ctx, w)
			}
		})
	}
	for _, w := range o.Wants {
		select {
		case next <- w:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	all.Wait()
	g.result.sort()
	if ctx.Err() != nil {
		return g.result, ctx.Err()
	}
	return g.result, g.racer.Err()
}

func (r *Result) sort() {
	slices.SortFunc(r.Fetched, func(a, b Fetched) int { return strings.Compare(a.String(), b.String()) })
	slices.SortFunc(r.Failed, func(a, b Failed) int { return strings.Compare(a.String(), b.String()) })
}

type getter struct {
	o     Options
	stage *stage.Stage
	racer Racer

	mu     sync.Mutex
	result Result
	bytes  int64
}

// candidates are the sources for a version.
func (g *getter) candidates(m module.Version) (list []probe.Endpoint, direct bool) {
	for _, ep := range g.o.Sources(m) {
		if ep.Kind == probe.KindDirect {
			direct = g.o.Direct != nil
			continue
		}
		list = append(list, ep)
	}
	return list, direct
}

// file gets one file into the stage.
func (g *getter) file(ctx context.Context, m module.Version, f probe.File, sources []probe.Endpoint) (Race, stage.Proof) {
	var mu sync.Mutex
	var by stage.Proof
	race := g.racer.Get(ctx, sources, m, f, func(ctx context.Context, file string) error {
		proof, err := g.prove(ctx, m, f, file)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			by = proof
		}
		return err
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range race.Tried {
		if t.Class == probe.ChecksumMismatch {
			g.result.Wrong = append(g.result.Wrong, t)
		}
	}
	return race, by
}

// infoProof vouches for what is not verified by anybody.
const infoProof stage.Proof = "none needed"

func (g *getter) prove(ctx context.Context, m module.Version, f probe.File, file string) (stage.Proof, error) {
	by, err := g.stage.Add(ctx, m, f, file)
	if err == nil && f == probe.Info {
		by = infoProof
	}
	return by, err
}

// version fetches one version.
func (g *getter) version(ctx context.Context, w Want) {
	files := []probe.File{probe.Mod, probe.Zip, probe.Info}
	if w.ModOnly {
		files = []probe.File{probe.Mod, probe.Info}
	}
	got := Fetched{Version: w.Version, Source: "stage"}
	var tried []Tried
	sources, direct := g.candidates(w.Version)
	var missing []probe.File
	for _, f := range files {
		if by, ok := g.stage.Proven(ctx, w.Version, f); ok { // by an earlier run
			if f != probe.Info {
				got.Proof = cmpProof(by, got.Proof)
			}
			continue
		}
		if len(missing) > 0 { // who cannot have one file needs no other
			missing = append(missing, f)
			continue
		}
		if race, by := g.file(ctx, w.Version, f, sources); race.Won {
			if f != probe.Info { // nobody verifies that
				got.Source, got.Proof = race.Source, cmpProof(by, got.Proof)
			}
			got.Bytes += race.Bytes
			got.Files = append(got.Files, f)
		} else {
			tried = append(tried, race.Tried...)
			missing = append(missing, f)
		}
	}
	if len(missing) > 0 && direct && ctx.Err() == nil {
		if err := g.direct(ctx, w.Version, missing, &got); err != nil {
			tried = append(tried, Tried{Hop: "direct", Class: probe.ClassUnknown, Detail: redact.Text(err.Error())})
		} else {
			missing = nil
		}
	}
	// An .info holds nothing that is verified: without one go mod download fails,
	// and builds work.
	if slices.Equal(missing, []probe.File{probe.Info}) {
		if g.stage.MakeInfo(w.Version, time.Time{}) == nil {
			missing = nil
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(missing) > 0 {
		g.result.Failed = append(g.result.Failed, Failed{Version: w.Version, Why: why(missing, tried, ctx.Err()), Tried: unique(tried)})
	} else {
		g.result.Fetched = append(g.result.Fetched, got)
	}
	g.bytes += got.Bytes
	if g.o.Report != nil {
		g.o.Report(Progress{Done: len(g.result.Fetched) + len(g.result.Failed), Total: len(g.o.Wants), Bytes: g.bytes, Last: redact.Clean(w.String())})
	}
}

// cmpProof is the weaker of two proofs, since it says what is known of all files.
func cmpProof(a, b stage.Proof) stage.Proof {
	if b == "" || a == stage.Unverified {
		return a
	}
	if a == "" || b == stage.Unverified {
		return b
	}
	return a
}

// why a version could not be had, in one line.
func why(missing []probe.File, tried []Tried, interrupted error) string {
	if interrupted != nil {
		return interrupted.Error()
	}
	if len(tried) == 0 {
		return "there is nobody who may be asked for it"
	}
	for _, class := range []probe.Class{probe.ChecksumMismatch, probe.SumDBUnavailable} {
		for _, t := range tried {
			if t.Class == class {
				return t.Hop + " gives it, but " + t.Detail
			}
		}
	}
	names := make([]string, len(missing))
	for i, f := range missing {
		names[i] = "." + string(f)
	}
	last := tried[len(tried)-1]
	text := fmt.Sprintf("no source gives its %s: %s: %s", strings.Join(names, " "), last.Hop, last.Class.Words())
	if last.Detail != "" {
		text += ": " + last.Detail
	}
	return text
}

func unique(tried []Tried) []Tried {
	var out []Tried
	for _, t := range tried {
		if !slices.ContainsFunc(out, func(had Tried) bool { return had.Hop == t.Hop && had.Class == t.Class }) {
			out = append(out, t)
		}
	}
	return out
}

// direct gets what is missing of a version from its version control.
func (g *getter) direct(ctx context.Context, m module.Version, missing []probe.File, got *Fetched) error {
	return g.o.Direct(ctx, m, func(f probe.File, file string) error {
		if !slices.Contains(missing, f) {
			return nil
		}
		proof, err := g.prove(ctx, m, f, file)
		if err != nil {
			return err
		}
		if fi, err := os.Stat(file); err == nil {
			got.Bytes += fi.Size()
		}
		got.Source, got.Files = "direct", append(got.Files, f)
		if proof != infoProof {
			got.Proof = cmpProof(proof, got.Proof)
		}
		return nil
	})
}

// Lock keeps other fetches out of a stage. It does not wait for one that is at
// work.
func Lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	f, err := flock.Try(dir + ".lock")
	switch {
	case errors.Is(err, flock.ErrHeld):
		return nil, errors.New("another gpx fetch is at work for this module cache; wait for it, or stop it")
	case err != nil:
		return nil, err
	}
	return func() { f.Close() }, nil
}

// Seal leaves nothing in a stage but what was proven, so that it can be taken in.
// No Get may be at work in it.
func Seal(dir string) error { return (&stage.Stage{Dir: dir}).Seal() }
