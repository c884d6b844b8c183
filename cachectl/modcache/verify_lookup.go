package modcache

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/module"

	"gpx/envctl/redact"
	"gpx/envctl/sumdb"
)

// A DatabaseResult says what became of the lookups in the checksum database.
type DatabaseResult struct {
	Answered    int    `json:"answered"`
	Unknown     int    `json:"unknown"`     // it has no such version: private, or never asked for by anybody
	Skipped     int    `json:"skipped"`     // GONOSUMDB or GOPRIVATE
	Unavailable int    `json:"unavailable"` // nobody could say
	Untrusted   int    `json:"untrusted"`   // an answer that does not prove itself: a security problem
	Problem     string `json:"problem"`     // the first of the last two, in words
}

// count takes one answer in.
func (r *DatabaseResult) count(a answer) {
	switch {
	case !a.asked:
		return
	case a.err == nil:
		r.Answered++
		return
	case errors.Is(a.err, sumdb.ErrUntrusted):
		if r.Untrusted++; r.Untrusted == 1 {
			r.Problem = redact.Text(a.err.Error())
		}
		return
	case errors.Is(a.err, sumdb.ErrUnknown):
		r.Unknown++
		return
	case errors.Is(a.err, sumdb.ErrSkipped):
		r.Skipped++
		return
	}
	r.Unavailable++
	if r.Problem == "" {
		r.Problem = redact.Text(a.err.Error())
	}
}

const (
	// lookupsAtOnce is more than there are processors, because a lookup waits
	// for a network.
	lookupsAtOnce = 8
	// lookupsAhead bounds how far the lookups run ahead of the hashing: those
	// that find everything on disk would otherwise take the processors first.
	lookupsAhead = 32
)

// An answer is what a lookup said.
type answer struct {
	asked bool
	lines []string
	err   error
}

// answers are the lookups of a run. They wait for a network where hashing waits
// for a processor, so they run ahead of it, in the same order.
type answers struct {
	slots []answer
	ready []chan struct{}
	ahead chan struct{} // one for each version that may be looked up now
	all   sync.WaitGroup
}

func (v *verifier) lookUp(ctx context.Context) *answers {
	a := &answers{}
	if v.o.Lookup == nil {
		return a
	}
	a.slots = make([]answer, len(v.versions))
	a.ready = make([]chan struct{}, len(v.versions))
	for i := range a.ready {
		a.ready[i] = make(chan struct{})
	}
	a.ahead = make(chan struct{}, lookupsAhead)
	for range lookupsAhead {
		a.ahead <- struct{}{}
	}
	var next atomic.Int64
	for range min(lookupsAtOnce, len(v.versions)) {
		a.all.Go(func() {
			for {
				select {
				case <-a.ahead:
				case <-ctx.Done():
					return
				}
				i := int(next.Add(1)) - 1
				if i >= len(v.versions) {
					return
				}
				lines, err := v.o.Lookup(ctx, v.versions[i].Version)
				a.slots[i] = answer{asked: true, lines: lines, err: err}
				close(a.ready[i])
			}
		})
	}
	return a
}

// get waits for the i-th answer.
func (a *answers) get(ctx context.Context, i int) (answer, error) {
	if a.slots == nil {
		return answer{}, ctx.Err()
	}
	select {
	case <-a.ready[i]:
		return a.slots[i], ctx.Err()
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
}

// used says that a version is through, so that one more can be looked up.
func (a *answers) used() {
	if a.ahead != nil {
		a.ahead <- struct{}{}
	}
}

// wait waits until no lookup is under way, after the context has ended.
func (a *answers) wait() { a.all.Wait() }

// proves adds the answer's hashes to p.
func (a *answer) proves(m module.Version, p *proofs) {
	if a.err != nil {
		return
	}
	for _, line := range a.lines {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != m.Path || !strings.HasPrefix(f[2], "h1:") {
			continue
		}
		// Of several hashes of a file the first counts (modfetch.checkSumDB).
		switch {
		case f[1] == m.Version && p.db == "":
			p.db = f[2]
		case f[1] == m.Version+"/go.mod" && p.dbMod == "":
			p.dbMod = f[2]
		}
	}
}
