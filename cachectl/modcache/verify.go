package modcache

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/cachectl/internal/overlap"
	"gpx/envctl/project"
)

// VerifyOptions say what is verified, and with whose hashes.
type VerifyOptions struct {
	// Versions are what is looked at: those of an [Inventory], or a part of
	// them. What they say of parts and sizes only orders the work.
	Versions []Version

	// Sums are the go.sum lines of a project; nil for none.
	Sums project.Sums

	// Lookup gives the lines that the checksum database has of a version, as
	// [gpx/envctl/sumdb.Client.Lookup] does, and tells with its errors a
	// database that cannot be asked from one that contradicts itself. Nil:
	// nobody is asked. Several calls run at a time.
	Lookup func(context.Context, module.Version) ([]string, error)

	// ResumeFile holds what an interrupted run had done, so that the next one
	// goes on from there; it is gone once a run is complete. "" for none.
	ResumeFile string
	// All looks at everything, whatever an interrupted run had done.
	All bool

	Workers int // versions that are hashed at a time; 0 means one per processor

	// Report is told how far it is, by one goroutine at a time and at most ten
	// times a second; Bad of each damage as it is found.
	Report func(VerifyProgress)
	Bad    func(Bad)

	Now func() time.Time // nil is time.Now
}

// VerifyProgress says how far a verification is. Bytes are those of zips, and of
// trees without one.
type VerifyProgress struct {
	Done, Total       int // versions
	Bytes, TotalBytes int64
}

// A VerifyResult says what a verification found.
type VerifyResult struct {
	Checked int   `json:"checked"` // versions that were looked at, now or by the run that this one goes on with
	OK      int   `json:"ok"`      // of these, without damage
	Bad     []Bad `json:"bad"`     // by path, version and gravity

	Bytes   int64 `json:"bytes"`   // of zips, and of trees without one
	Resumed int   `json:"resumed"` // of Checked, by the interrupted run
	Busy    int   `json:"busy"`    // versions that a go command was downloading: not looked at

	// Of those without damage: vouched for by the checksum database, by go.sum
	// alone, and by nobody outside of the cache.
	BySumDB  int `json:"by_sumdb"`
	BySum    int `json:"by_sum"`
	Unproven int `json:"unproven"`

	Database DatabaseResult `json:"database"`
}

// MarshalJSON implements [json.Marshaler]: the list is never null.
func (r VerifyResult) MarshalJSON() ([]byte, error) {
	type plain VerifyResult
	q := plain(r)
	if q.Bad == nil {
		q.Bad = []Bad{}
	}
	return json.Marshal(q)
}

// Verify hashes zips, compares trees with them, and both with .ziphash, go.sum
// and the checksum database; it reads .mod and .info. It changes nothing in the
// cache, and takes no lock. A damage that a go command is about to mend (it
// holds the version's lock) is not reported.
//
// It fails only with the context's error, or when the resume file cannot be
// written; what it found until then is in the result all the same.
func (c *Cache) Verify(ctx context.Context, o VerifyOptions) (VerifyResult, error) {
	v := newVerifier(c.Dir(), o)
	err := v.run(ctx)
	return v.finish(), err
}

// A verifier is one run.
type verifier struct {
	root     string
	o        VerifyOptions
	versions []Version // the largest first, so that none is left for the end
	resume   *resume
	meter    *meter
	each     func(*facts, *proofs, []Bad, answer) // told of every version; may be nil

	mu     sync.Mutex
	result VerifyResult
}

func newVerifier(root string, o VerifyOptions) *verifier {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Workers <= 0 {
		o.Workers = overlap.Cores()
	}
	v := &verifier{root: root, o: o, versions: slices.Clone(o.Versions)}
	slices.SortStableFunc(v.versions, func(a, b Version) int { return cmp.Compare(b.weight(), a.weight()) })
	total := VerifyProgress{Total: len(v.versions)}
	for i := range v.versions {
		total.TotalBytes += v.versions[i].weight()
	}
	v.meter = &meter{report: o.Report, now: o.Now, progress: total}
	return v
}

// weight is how much there is to read, roughly.
func (v *Version) weight() int64 {
	if v.ZipBytes > 0 {
		return v.ZipBytes
	}
	return v.DirBytes
}

// run verifies all versions.
func (v *verifier) run(ctx context.Context) error {
	v.resume = openResume(v.o.ResumeFile, v.root, v.o.All, v.o.Now())
	ctx, cancel := context.WithCancelCause(ctx)
	answers := v.lookUp(ctx)
	defer answers.wait()
	defer cancel(nil)

	next := make(chan int)
	var workers sync.WaitGroup
	for range v.o.Workers {
		workers.Go(func() {
			for i := range next {
				if err := v.version(ctx, i, answers); err != nil {
					cancel(err)
				}
			}
		})
	}
feed:
	for i := range v.versions {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return errors.Join(err, v.resume.save())
	}
	v.meter.end()
	return v.resume.done()
}

// version verifies the i-th version.
func (v *verifier) version(ctx context.Context, i int, answers *answers) (err error) {
	version := &v.versions[i]
	m := version.Version
	meter := v.meter.begin(version.weight())
	defer func() {
		if err == nil {
			meter.end()
			answers.used()
		}
	}()
	const tries = 2 // what changes while it is looked at is looked at once more
	for range tries {
		before, err := identify(ctx, v.root, m)
		if err != nil {
			return err
		}
		f, resumed := v.resume.find(m, before)
		if !resumed {
			if f, err = observe(ctx, v.root, m, meter); err != nil {
				return err
			}
		}
		answer, err := answers.get(ctx, i)
		if err != nil {
			return err
		}
		p := proofs{sums: v.o.Sums[m], mods: v.o.Sums[module.Version{Path: m.Path, Version: m.Version + "/go.mod"}]}
		answer.proves(m, &p)
		bad := judge(f, &p)
		if len(bad) == 0 {
			v.add(f, &p, nil, answer, resumed)
			if resumed {
				return nil
			}
			return v.resume.add(m, before, f, version.weight())
		}
		// The lock first: a go command that lets go of it in between has changed
		// something, which is then seen.
		held := f.held()
		after, err := identify(ctx, v.root, m)
		if err != nil {
			return err
		}
		if after == before && !held && !f.vanished() {
			v.add(f, &p, bad, answer, resumed)
			return nil
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Busy++
	return nil
}

// add takes a version's judgement into the result.
func (v *verifier) add(f *facts, p *proofs, bad []Bad, a answer, resumed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := &v.result
	r.Checked++
	if resumed {
		r.Resumed++
	}
	r.Database.count(a)
	if v.each != nil {
		v.each(f, p, bad, a)
	}
	if len(bad) > 0 {
		r.Bad = append(r.Bad, bad...)
		if v.o.Bad != nil {
			for _, b := range bad {
				v.o.Bad(b)
			}
		}
		return
	}
	r.OK++
	db, sums := p.db, p.sums
	if f.zip.sum == "" && f.tree.sum == "" { // only .mod and .info are here
		db, sums = p.dbMod, p.mods
	}
	switch {
	case db != "":
		r.BySumDB++
	case len(sums) > 0:
		r.BySum++
	default:
		r.Unproven++
	}
}

// finish is the result, in order.
func (v *verifier) finish() VerifyResult {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.result
	r.Bytes = v.meter.bytes()
	slices.SortStableFunc(r.Bad, func(a, b Bad) int {
		return cmp.Or(strings.Compare(a.module.Path, b.module.Path), semver.Compare(a.module.Version, b.module.Version),
			strings.Compare(a.module.Version, b.module.Version), a.What.rank()-b.What.rank())
	})
	return r
}
