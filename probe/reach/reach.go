// Package reach says which endpoints can give a module version now: before a
// version is deleted, and when one is missing.
//
//	versions ─▶ hop 1 ─▶ what it lacks ─▶ hop 2 ─▶ … ─▶ others ─▶ version control
//	             │ up? asked once, then .info and the first bytes of the .zip,
//	             │ a few versions at a time; down: no further question
//	             ▼
//	           answers, kept for a while
//
// It asks few questions: a version that one endpoint gives is not looked for at
// the next, an endpoint that is down is asked once, and a call has a budget of
// time. What was not asked is said to be not asked, never to be missing.
//
// A path is shown to no more hosts than a build would show it to, and to fewer
// where it may be a secret (see [Options.Private] and privacy.go). A file tree
// inside the module cache is no source: it goes with the version.
package reach

import (
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/probe"
)

// A Source is an endpoint's answer for one version.
type Source struct {
	Hop   string      // the endpoint: a redacted URL, "direct", or a bundle's path
	Class probe.Class // ok: it can give it now
}

// An Answer is what is known about one version.
type Answer struct {
	module.Version
	Sources []Source // in the order of the chain, then the others
	Asked   bool     // false: nobody could be asked, or the bounds of the call were reached
	Why     string   // why not everybody was asked, "" otherwise
}

// Reachable reports whether somebody can give it now.
func (a *Answer) Reachable() bool {
	for _, s := range a.Sources {
		if s.Class == probe.OK {
			return true
		}
	}
	return false
}

// Options say who may be asked for what. Zero bounds mean those of
// [DefaultOptions].
type Options struct {
	Chain chain.Chain // GOPROXY; the zero Chain has nobody to ask

	// NoProxy is the effective GONOPROXY: what matches goes to version control
	// only. Private are further patterns (GOPRIVATE, GONOSUMDB) of paths that are
	// shown to no public host. Own are module paths of the user's projects: what
	// shares their owner may be a secret too.
	NoProxy string
	Private string
	Own     []string

	// Public reports whether a hop's URL is a public proxy's (catalog.Public);
	// nil takes every hop for one.
	Public func(rawURL string) bool

	// Cache is GOMODCACHE. A file tree inside it is no source, and a record of the
	// public checksum database in it proves that the world knows a path.
	Cache string

	// Extra are endpoints beyond the chain: file trees and bundles, which cost
	// nothing, and proxies, which are asked only with Consent.
	Extra   []probe.Endpoint
	Consent bool

	// Everyone asks all sources, also where one has the version already.
	Everyone bool

	Concurrency int           // versions that one endpoint is asked for at a time
	PerCall     time.Duration // for one Where
	TTL         time.Duration // of an answer; of a failure a tenth of it
	VCS         int           // versions that one Where asks version control for
	Now         func() time.Time
}

// DefaultOptions are the bounds.
func DefaultOptions() Options {
	return Options{
		Concurrency: 8,                // as many as a browser opens to one host, and two to spare
		PerCall:     20 * time.Second, // some 3,000 versions of a proxy 50 ms away; longer than people wait
		TTL:         5 * time.Minute,  // a plan is made, read and applied within that
		VCS:         8,                // each is a git process and up to 8 s
		Now:         time.Now,
	}
}

// A Reacher asks, and remembers. It may be used by several goroutines at once.
type Reacher struct {
	prober *probe.Prober
	o      Options

	mu   sync.Mutex
	memo map[memoKey]memoEntry
}

type memoKey struct {
	hop string
	m   module.Version
}

type memoEntry struct {
	class probe.Class
	until time.Time
}

// New returns a Reacher that asks with the user's own environment.
func New(prober *probe.Prober, o Options) *Reacher {
	d := DefaultOptions()
	if o.Concurrency <= 0 {
		o.Concurrency = d.Concurrency
	}
	if o.PerCall <= 0 {
		o.PerCall = d.PerCall
	}
	if o.TTL <= 0 {
		o.TTL = d.TTL
	}
	if o.VCS <= 0 {
		o.VCS = d.VCS
	}
	if o.Now == nil {
		o.Now = d.Now
	}
	return &Reacher{prober: prober, o: o, memo: map[memoKey]memoEntry{}}
}

// remembered is an answer that is fresh.
func (r *Reacher) remembered(k memoKey) (probe.Class, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.memo[k]
	return e.class, ok && r.o.Now().Before(e.until)
}

// maxMemo bounds the answers that are remembered: some ten megabytes.
const maxMemo = 50_000

func (r *Reacher) remember(k memoKey, c probe.Class) {
	ttl := r.o.TTL
	if c.Failed() {
		ttl /= 10
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.memo) >= maxMemo {
		clear(r.memo)
	}
	r.memo[k] = memoEntry{c, r.o.Now().Add(ttl)}
}
