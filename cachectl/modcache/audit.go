package modcache

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/cachectl/internal/sealed"
	"gpx/cachectl/internal/trash"
	"gpx/cachectl/internal/walk"
	"gpx/envctl/bounded"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/sumdb"
	"gpx/envctl/wire"
)

// AuditOptions say which versions are looked at again, and with whose hashes.
type AuditOptions struct {
	Windows []Window     // see [Windows]
	Sums    project.Sums // go.sum lines of a project; nil for none

	// Lookup asks the checksum database (see [VerifyOptions.Lookup]).
	Lookup func(context.Context, module.Version) ([]string, error)

	// Exempt says which modules are not verified by intention (GONOSUMDB and
	// GOPRIVATE as they are now). Nil: none.
	Exempt func(path string) bool

	// RecordFile holds which versions an audit has proven. "" for none.
	RecordFile string
	// All looks again at what was proven before.
	All bool

	Workers int
	Report  func(VerifyProgress)
	Now     func() time.Time // nil is time.Now
}

// A Standing says what is known now of a version that arrived unverified.
type Standing string

// The standings.
const (
	Proven       Standing = "proven"       // it is what the checksum database has
	BySum        Standing = "go_sum"       // it is what go.sum has; a line that was written in those days proves nothing
	Unproven     Standing = "unproven"     // nobody could say, or it is damaged
	Contradicted Standing = "contradicted" // it is not what the checksum database, or go.sum, has
	Exempt       Standing = "exempt"       // its path is not verified by intention
)

// An Arrival is a version that came into the cache while checksums were off.
type Arrival struct {
	Path     string    `json:"path"`
	Version  string    `json:"version"`
	At       wire.Time `json:"at"`
	Standing Standing  `json:"standing"`
	Detail   string    `json:"detail"` // why it is not proven

	module module.Version
	sum    string // what .ziphash holds
}

// An AuditResult says what an audit found.
type AuditResult struct {
	Checked int   `json:"checked"` // versions that arrived while checksums were off, and are here still
	OK      int   `json:"ok"`      // of these, proven by the checksum database or exempt
	Bad     []Bad `json:"bad"`

	Pending  int            `json:"pending"` // neither proven nor exempt
	Windows  []Window       `json:"windows"`
	Arrivals []Arrival      `json:"arrivals"`
	Database DatabaseResult `json:"database"`
}

// MarshalJSON implements [json.Marshaler]: lists are never null.
func (r AuditResult) MarshalJSON() ([]byte, error) {
	type plain AuditResult
	q := plain(r)
	q.Bad, q.Windows, q.Arrivals = orEmpty(q.Bad), orEmpty(q.Windows), orEmpty(q.Arrivals)
	return json.Marshal(q)
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Pending counts the versions that arrived while checksums were off and that
// no audit has proven since. Where there never was such a time it looks at
// nothing.
func (c *Cache) Pending(ctx context.Context, o AuditOptions) (int, error) {
	arrivals, err := c.arrivals(ctx, o.Windows)
	if err != nil {
		return 0, err
	}
	record := readRecord(o.RecordFile)
	n := 0
	for _, a := range arrivals {
		if !record.has(a) && (o.Exempt == nil || !o.Exempt(a.module.Path)) {
			n++
		}
	}
	return n, nil
}

// Audit verifies what arrived while checksums were off, and remembers what the
// checksum database vouches for. It changes nothing in the cache.
func (c *Cache) Audit(ctx context.Context, o AuditOptions) (AuditResult, error) {
	r := AuditResult{Windows: o.Windows}
	arrivals, err := c.arrivals(ctx, o.Windows)
	if err != nil {
		return r, fmt.Errorf("cache audit: %w", err)
	}
	record := readRecord(o.RecordFile)
	var versions []Version
	place := map[module.Version]int{}
	for i := range arrivals {
		a := &arrivals[i]
		switch {
		case o.Exempt != nil && o.Exempt(a.module.Path):
			a.Standing = Exempt
		case record.has(*a) && !o.All:
			a.Standing = Proven
		default:
			place[a.module] = i
			versions = append(versions, Version{Version: a.module})
		}
	}
	var mu sync.Mutex
	v := newVerifier(c.dir, VerifyOptions{Versions: versions, Sums: o.Sums, Lookup: o.Lookup, Workers: o.Workers, Report: o.Report, Now: o.Now})
	v.each = func(f *facts, p *proofs, bad []Bad, got answer) {
		mu.Lock()
		defer mu.Unlock()
		a := &arrivals[place[f.m]]
		a.Standing, a.Detail = stand(f, p, bad, got)
		if a.Standing == Exempt && o.Exempt != nil {
			// It is skipped for the time being, and not by intention.
			a.Standing, a.Detail = Unproven, redact.Text(got.err.Error())
		}
		a.sum = f.hash.sum
	}
	err = v.run(ctx)
	found := v.finish()
	r.Bad, r.Database, r.Arrivals, r.Checked = found.Bad, found.Database, arrivals, len(arrivals)
	for i := range arrivals {
		if a := &arrivals[i]; a.Standing == Proven || a.Standing == Exempt {
			r.OK++
		} else {
			a.Standing = cmp.Or(a.Standing, Unproven) // it was not reached, or a go command had it
			r.Pending++
		}
	}
	return r, errors.Join(err, record.write(o.RecordFile, arrivals))
}

// stand is what a verification says of a version that arrived unverified.
func stand(f *facts, p *proofs, bad []Bad, got answer) (Standing, string) {
	for _, b := range bad {
		byOthers := b.What == ModChanged && (p.dbMod != "" || len(p.mods) > 0)
		if b.What == SumDBMismatch || b.What == SumMismatch || byOthers {
			return Contradicted, b.What.Words()
		}
	}
	content := f.zip.there || f.tree.there
	switch {
	case len(bad) > 0:
		return Unproven, bad[0].What.Words()
	case errors.Is(got.err, sumdb.ErrSkipped):
		return Exempt, ""
	case (!content || p.db != "") && (!f.mod.there || p.dbMod != ""):
		return Proven, ""
	}
	why := "the checksum database was not asked"
	if got.err != nil {
		why = redact.Text(got.err.Error())
	}
	if (!content || len(p.sums) > 0) && (!f.mod.there || len(p.mods) > 0) {
		return BySum, why
	}
	return Unproven, why
}

// arrivals finds the versions whose .ziphash or .mod came within a window, by
// path and version. The go command writes each once, when it has downloaded the
// file; a copy of a cache may have other times.
func (c *Cache) arrivals(ctx context.Context, windows []Window) ([]Arrival, error) {
	if len(windows) == 0 {
		return nil, nil
	}
	base := filepath.Join(c.dir, "cache", "download")
	if _, err := os.Stat(base); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var mu sync.Mutex
	found := map[module.Version]time.Time{}
	err := walk.Folders(ctx, base, []string{"."}, walk.Options{}, func(f *walk.Folder) {
		if f.Path == "." {
			for i := range f.Entries {
				f.Entries[i].Skip = f.Entries[i].Name == "sumdb"
			}
		}
		escaped, ok := strings.CutSuffix(f.Path, "/@v")
		if !ok {
			return
		}
		path, err := module.UnescapePath(escaped)
		if err != nil {
			return
		}
		for _, e := range f.Entries {
			version, ok := strings.CutSuffix(e.Name, ".ziphash")
			if !ok {
				version, ok = strings.CutSuffix(e.Name, ".mod")
			}
			at := time.Unix(0, e.Stamp.MTime)
			if !ok || e.Type != 0 || !slices.ContainsFunc(windows, func(w Window) bool { return w.covers(path, at) }) {
				continue
			}
			if version, err = module.UnescapeVersion(version); err != nil || module.Check(path, version) != nil {
				continue
			}
			m := module.Version{Path: path, Version: version}
			mu.Lock()
			if at.After(found[m]) {
				found[m] = at
			}
			mu.Unlock()
		}
	})
	if err != nil {
		return nil, err
	}
	var arrivals []Arrival
	for m, at := range found {
		arrivals = append(arrivals, Arrival{
			Path: redact.Clean(m.Path), Version: redact.Clean(m.Version), At: wire.At(at.UTC()), module: m, sum: c.zipHash(m),
		})
	}
	slices.SortFunc(arrivals, func(a, b Arrival) int {
		return cmp.Or(strings.Compare(a.module.Path, b.module.Path), semver.Compare(a.module.Version, b.module.Version), strings.Compare(a.module.Version, b.module.Version))
	})
	return arrivals, nil
}

// zipHash is what a version's .ziphash holds, "" where that is no hash.
func (c *Cache) zipHash(m module.Version) string {
	n, err := trash.NamesOf(m)
	if err != nil {
		return ""
	}
	data, err := bounded.ReadFile(filepath.Join(c.dir, filepath.FromSlash(n.File("ziphash"))), hashMost)
	if err != nil {
		return ""
	}
	sum, _ := parseZipHash(data)
	return sum
}

const recordKind = "audit"

// A record says which versions audits have proven, with the hash that they had:
// the same version that comes again with another one is news.
type record struct {
	Proven []provenVersion `json:"proven"`
}

type provenVersion struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum"` // "" where only .mod was here
}

// readRecord reads what earlier audits have proven. Without the file, or with a
// damaged one, that is nothing.
func readRecord(file string) *record {
	r := &record{}
	if file == "" || sealed.ReadJSON(file, recordKind, r) != nil {
		return &record{}
	}
	return r
}

func (r *record) has(a Arrival) bool {
	return slices.Contains(r.Proven, provenVersion{a.module.Path, a.module.Version, a.sum})
}

// write replaces the record by what is proven now. What is no arrival any more
// is forgotten with it.
func (r *record) write(file string, arrivals []Arrival) error {
	if file == "" {
		return nil
	}
	next := record{Proven: []provenVersion{}}
	for _, a := range arrivals {
		if a.Standing == Proven {
			next.Proven = append(next.Proven, provenVersion{a.module.Path, a.module.Version, a.sum})
		}
	}
	if slices.Equal(next.Proven, r.Proven) {
		return nil
	}
	if err := sealed.WriteJSON(file, recordKind, next); err != nil {
		return fmt.Errorf("cache audit: what was proven cannot be remembered: %w", err)
	}
	return nil
}
