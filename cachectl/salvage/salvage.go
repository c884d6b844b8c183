// Package salvage finds module versions that a module cache lacks elsewhere on
// this machine, and takes nothing that is not proven.
//
//	other module caches   .zip .mod .info, as they are
//	GOPROXY trees         the same
//	bundles               .tar and .tar.zst of gpx cache export
//	extracted trees       the zip is made again (golang.org/x/mod/zip)
//	git clones            the zip is made of the tag or the commit
//	vendor folders        named, and never taken: they lack files
//
// A zip that was made again has other bytes than the published one, and the same
// h1: that is a hash of what is inside. So go.sum, or what is cached of the
// checksum database, says of each whether it is the one. What is found goes into
// a stage; gpx/cachectl/bundle takes it into the cache.
//
// Nothing here uses a network. What is looked at may be anybody's: links are not
// followed, and git never runs in a repository that was found: one of our own borrows
// its objects, so that none of its settings and hooks count.
package salvage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/stage"
	"gpx/envctl/redact"
	"gpx/probe"
)

// Proofs and Proof are those of the stage.
type (
	Proofs = stage.Proofs
	Proof  = stage.Proof
)

// A Kind says what something was found in.
type Kind string

// The kinds, in the order in which they are looked into.
const (
	ModuleCache Kind = "module cache"
	Tree        Kind = "GOPROXY tree"
	Bundle      Kind = "bundle"
	Extracted   Kind = "extracted tree"
	Clone       Kind = "git clone"
)

// A Want is a version that is missing.
type Want struct {
	module.Version
	ModOnly bool // the .mod is enough
}

// Options say what is looked for, and where.
type Options struct {
	Wants  []Want
	Cache  string   // GOMODCACHE; its extracted trees and clones are looked at too
	Caches []string // other module caches
	// Roots are folders below which everything is looked for. Projects are
	// folders whose clone and vendor folder are looked at, and nothing below.
	Roots    []string
	Projects []string
	Stage    string
	Proofs   *Proofs
	// Unverified also takes what nothing vouches for where the go command would
	// want nothing: private modules that go.sum does not know.
	Unverified bool
	For        time.Duration         // of looking through Roots; 0 means a minute
	Report     func(text string)     // what is looked at now, one clean line; may be nil
	Git        func() (string, bool) // the git command; nil looks it up
}

// A Found is a version that is in the stage.
type Found struct {
	module.Version
	Source string // a path, raw
	Kind   Kind
	Proof  Proof
}

// A Refused is a version that was found and not taken.
type Refused struct {
	module.Version
	Source string // raw
	Kind   Kind
	Why    string // one clean line
}

// A Vendored is a vendor folder that holds packages of a wanted version. It is of
// use with -mod=vendor alone: files that no build needs are not in it.
type Vendored struct {
	module.Version
	Dir string // raw
}

// A Result says what was found.
type Result struct {
	Found    []Found
	Refused  []Refused
	Vendored []Vendored
	Missing  []module.Version // what is nowhere
	Problems []string         // what was not looked at, one clean line each
}

// A seeker looks for versions.
type seeker struct {
	o      Options
	stage  *stage.Stage
	left   map[module.Version]Want // what was not found yet
	result Result
	more   int // problems that are not told one by one
}

// maxProblems are told one by one: a volume may be full of unreadable folders.
const maxProblems = 20

// Find looks for the wanted versions. It fails when the stage cannot be written,
// or when ctx ends; what was found until then is in the stage.
func Find(ctx context.Context, o Options) (Result, error) {
	st, err := stage.Open(o.Stage, o.Proofs)
	if err != nil {
		return Result{}, err
	}
	if o.For == 0 {
		o.For = time.Minute
	}
	s := &seeker{o: o, stage: st, left: map[module.Version]Want{}}
	for _, w := range o.Wants {
		s.left[w.Version] = w
	}
	places := s.places(ctx)
	steps := []func(context.Context){
		func(ctx context.Context) { s.files(ctx, places.downloads, ModuleCache) },
		func(ctx context.Context) { s.trees(ctx, places.proxies) },
		func(ctx context.Context) { s.bundles(ctx, places.bundles) },
		func(ctx context.Context) { s.extracted(ctx, places) },
		func(ctx context.Context) { s.clones(ctx, places.repos) },
		func(ctx context.Context) { s.vendored(places.vendors) },
	}
	for _, step := range steps {
		if ctx.Err() != nil {
			break
		}
		step(ctx)
	}
	for m := range s.left {
		s.result.Missing = append(s.result.Missing, m)
	}
	if s.more > 0 {
		s.result.Problems = append(s.result.Problems, fmt.Sprintf("%d more places were not looked into", s.more))
	}
	s.result.sort()
	return s.result, ctx.Err()
}

func (r *Result) sort() {
	by := func(a, b module.Version) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Version, b.Version))
	}
	slices.SortFunc(r.Found, func(a, b Found) int { return by(a.Version, b.Version) })
	slices.SortFunc(r.Refused, func(a, b Refused) int { return cmp.Or(by(a.Version, b.Version), cmp.Compare(a.Source, b.Source)) })
	slices.SortFunc(r.Vendored, func(a, b Vendored) int { return cmp.Or(by(a.Version, b.Version), cmp.Compare(a.Dir, b.Dir)) })
	slices.SortFunc(r.Missing, by)
}

func (s *seeker) report(format string, args ...any) {
	if s.o.Report != nil {
		s.o.Report(redact.Text(fmt.Sprintf(format, args...)))
	}
}

func (s *seeker) problem(format string, args ...any) {
	text := redact.Text(fmt.Sprintf(format, args...))
	switch {
	case slices.Contains(s.result.Problems, text):
	case len(s.result.Problems) < maxProblems:
		s.result.Problems = append(s.result.Problems, text)
	default:
		s.more++
	}
}

// wants are what is left, in order.
func (s *seeker) wants() []Want {
	var out []Want
	for _, w := range s.o.Wants {
		if _, left := s.left[w.Version]; left && !slices.ContainsFunc(out, func(had Want) bool { return had.Version == w.Version }) {
			out = append(out, w)
		}
	}
	return out
}

// A candidate is what one place has of a version. Each function may be nil.
type candidate struct {
	source string
	kind   Kind
	zip    func(ctx context.Context, to *os.File) error // writes the zip
	mod    func(ctx context.Context) ([]byte, error)
	info   func(ctx context.Context) ([]byte, error)
	at     time.Time // of the version, when that is known
	// weak: nothing but the hash says that it is this module. One that is not is no
	// tampered one, and is not spoken of; without a proof it is not taken.
	weak bool
}

// errAbsent says that a place does not have a file after all.
var errAbsent = errors.New("it is not there")

// try takes a candidate in when it is proven, and says why not otherwise.
func (s *seeker) try(ctx context.Context, w Want, c candidate) (taken bool) {
	proof, err := s.take(ctx, w, c)
	if err == nil && proof == stage.Unverified && (c.weak || !s.o.Unverified) {
		err = errors.New("nothing vouches for it: go.sum has no line, and it is looked up in no checksum database")
	}
	if err != nil {
		s.remove(w.Version) // also a .mod that came before the zip
		if c.weak || errors.Is(err, errAbsent) || ctx.Err() != nil {
			return false
		}
		s.result.Refused = append(s.result.Refused, Refused{w.Version, c.source, c.kind, redact.Text(err.Error())})
		return false
	}
	s.result.Found = append(s.result.Found, Found{w.Version, c.source, c.kind, proof})
	delete(s.left, w.Version)
	return true
}

func (s *seeker) take(ctx context.Context, w Want, c candidate) (Proof, error) {
	m := w.Version
	data, err := c.mod(ctx)
	if err != nil {
		return "", err
	}
	proof, err := s.stage.AddMod(ctx, m, data)
	if err != nil {
		return "", err
	}
	if !w.ModOnly {
		if c.zip == nil {
			return "", errAbsent
		}
		tmp, err := s.stage.Temp()
		if err != nil {
			return "", err
		}
		defer os.Remove(tmp.Name())
		err = c.zip(ctx, tmp)
		if err = errors.Join(err, tmp.Close()); err != nil {
			return "", err
		}
		of, err := s.stage.AddZip(ctx, m, tmp.Name())
		if err != nil {
			return "", err
		}
		if of == stage.Unverified || proof != stage.Unverified {
			proof = of
		}
	}
	if c.info != nil {
		if data, err := c.info(ctx); err == nil && s.stage.AddInfo(m, data) == nil {
			return proof, nil
		}
	}
	return proof, s.stage.MakeInfo(m, c.at)
}

// remove takes a version out of the stage again.
func (s *seeker) remove(m module.Version) {
	for _, f := range []probe.File{probe.Info, probe.Mod, probe.Zip} {
		if name, err := s.stage.File(m, f); err == nil {
			os.Remove(name)
		}
	}
}

// synthetic is the go.mod of a module that has none (modfetch, legacyGoMod).
func synthetic(path string) []byte {
	return fmt.Appendf(nil, "module %s\n", autoQuote(path))
}

// Seal leaves nothing in a stage but what was proven, so that it can be taken in.
func Seal(dir string) error { return (&stage.Stage{Dir: dir}).Seal() }

// escaped are a version's path and version as file names.
func escaped(m module.Version) (path, version string, ok bool) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", "", false
	}
	version, err = module.EscapeVersion(m.Version)
	return path, version, err == nil && !strings.Contains(version, "/")
}
