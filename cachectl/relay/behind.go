package relay

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/mod/module"

	"gpx/cachectl/fetch"
	"gpx/cachectl/internal/stage"
	"gpx/envctl/chain"
	"gpx/envctl/project"
	"gpx/envctl/sumdb"
	"gpx/probe"
)

// Behind says where files come from: what the user's settings and project are at
// the time.
type Behind struct {
	Cache string // GOMODCACHE/cache/download; "" for none

	// Sources are the endpoints that may be asked about a module, the best first;
	// a list or @latest has no version. One of kind direct is not asked: the
	// client does that.
	Sources func(m module.Version) []probe.Endpoint
	// Circle says who may learn from another's being late what is asked for; see
	// fetch.Racer. Nil: all may.
	Circle func(ep probe.Endpoint) fetch.Circle
	// Chain is what stands in GOPROXY without the relay.
	Chain chain.Chain
	// Hidden reports whether a module is none of the upstreams' business: it goes
	// to version control. Nil: none is.
	Hidden func(path string) bool
	// Withheld reports whether a module is given to nobody, also where it is in the
	// module cache. Nil: none is.
	Withheld func(path string) bool
	Prober   *probe.Prober

	Sums project.Sums           // go.sum of the project, if there is one
	Skip func(path string) bool // what is not verified; see stage.Proofs
	// SumDB is the checksum database, nil when it is off. Its Remote is not used:
	// Routes are ways to ask, the best first.
	SumDB  *sumdb.Options
	Routes []chain.Chain
}

// A core is the part of a relay that ends with what is behind it: what was learned
// of upstreams, and what was fetched, since that was compared with one go.sum.
type core struct {
	Behind
	r     *Relay
	users sync.WaitGroup // requests

	stage     *stage.Stage
	kept      *kept
	spares    *spares
	racer     *fetch.Racer
	vain      rest  // of patience
	sums      *sums // nil: off
	unopposed agreed
	files     flights[fetched]
	answers   flights[answer]
}

func (r *Relay) newCore(b Behind, dir string) (*core, error) {
	c := &core{Behind: b, r: r, kept: &kept{most: r.o.Most}}
	c.files.base, c.answers.base = r.ctx, r.ctx
	proofs := &stage.Proofs{Sums: b.Sums, Skip: b.Skip, Pass: true}
	var err error
	if b.SumDB != nil {
		if c.sums, err = newSums(r.ctx, b, r.o.Hedge, r.counts.untrusted); err != nil {
			return nil, err
		}
		proofs.Lookup = c.sums.proof
	}
	if c.stage, err = stage.Open(dir, proofs); err != nil {
		return nil, err
	}
	c.spares = newSpares(c.temp)
	c.racer = &fetch.Racer{Prober: b.Prober, Patience: r.o.Patience, Hedge: r.o.Hedge, Rest: r.o.Rest, Circle: b.Circle, Temp: c.spares.take}
	return c, nil
}

// temp makes a file for what comes, and the folder for it again where somebody has
// tidied that up.
func (c *core) temp() (*os.File, error) {
	f, err := c.stage.Temp()
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if _, err := stage.Open(c.stage.Dir, nil); err != nil {
		return nil, err
	}
	return c.stage.Temp()
}

// close waits for what is under way. Nobody uses the core any more.
func (c *core) close() {
	c.files.wait()
	c.answers.wait()
	c.racer.Close()
	c.spares.close()
	if c.sums != nil {
		c.sums.close()
	}
}
