package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/advice"
	"gpx/envctl/bounded"
	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/project"
	"gpx/envctl/redact"
)

// ImportOptions say what is imported, and what it is checked against.
type ImportOptions struct {
	In    string // a folder, .tar or .tar.zst; any GOPROXY file tree
	Cache string // GOMODCACHE; it need not exist

	Sums project.Sums // go.sum: a bundle that contradicts it is refused whole

	SumDB   chain.SumDB // the checksum database that the bundle's proofs are of
	Config  string      // $GOPATH/pkg/sumdb, where the go command remembers its head
	NoSumDB string      // patterns of module paths that it is never asked about (GONOSUMDB)

	// LeaveSums leaves h1 of the zips to the go command: they are compared with
	// their SHA-256 in the manifest, and get no .ziphash. The go command hashes
	// such a zip when it first uses it, and compares that with go.sum and the
	// checksum database as it does with a download (cmd/go/internal/modfetch,
	// DownloadZip); go mod verify calls the hash missing until then. An import
	// then takes little more time than unpacking the bundle. It counts for
	// bundles with a manifest only.
	LeaveSums bool

	Report func(Progress) // of the planning, which reads an archive without a manifest; may be nil
}

// A Preview is what an import would do.
type Preview struct {
	Contents
	Plan      *change.Plan // empty when everything is there already
	New       []Version    // what would be added, with the files that are missing
	Bytes     int64        // of them
	Present   int          // versions that are there already
	Conflicts []LeftOut    // versions of which the cache has other bytes; they are left out
}

// ImportBundle is the kind of action that adds a bundle's files to a module
// cache.
const ImportBundle = "import_bundle"

// An importStep is the payload of the first step of an import; the steps after
// it, one for each version, only say what is shown.
type importStep struct {
	Bundle string `json:"bundle"` // absolute
	ID     string `json:"id"`     // SHA-256 of its manifest, "" without one
	Cache  string `json:"cache"`  // GOMODCACHE
	Key    string `json:"key"`    // of the checksum database, "" when it is off
	Config string `json:"config"` // $GOPATH/pkg/sumdb
	NoDB   string `json:"nosumdb"`
	Leave  bool   `json:"leave_sums"`
	Add    []item `json:"add"`
}

// An item is a file that an import adds.
type item struct {
	Path   string   `json:"path"` // in the bundle, and below cache/download
	Size   int64    `json:"size"`
	SHA256 string   `json:"sha256"`
	Sum    string   `json:"sum,omitempty"`    // h1 of a zip, by the manifest
	Want   []string `json:"want,omitempty"`   // h1 by go.sum, of a zip or a .mod
	Hashed bool     `json:"hashed,omitempty"` // the .ziphash is there already: an extracted tree needs it

	// Stale is what a .ziphash says that stands there for nothing (see
	// lonelyHash), and is replaced; nil where there is none.
	Stale *[]byte `json:"stale_ziphash,omitempty"`

	name name
}

// PlanImport plans to add to a module cache what it lacks of a bundle. It
// checks nothing yet: the plan's Apply reads the bundle, checks every hash, and
// only then makes files visible.
func PlanImport(ctx context.Context, o ImportOptions) (*Preview, error) {
	p, err := planImport(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("cache import: %s: %w", redact.Clean(o.In), err)
	}
	return p, nil
}

func planImport(ctx context.Context, o ImportOptions) (*Preview, error) {
	if !filepath.IsAbs(o.Cache) {
		return nil, advice.Add(errors.New("GOMODCACHE is not known"), "set GOMODCACHE or HOME")
	}
	in, err := filepath.Abs(o.In)
	if err != nil {
		return nil, err
	}
	c, err := inspect(ctx, in, o.Report)
	if err != nil {
		return nil, err
	}
	p := &Preview{Contents: *c, Plan: &change.Plan{Title: "import " + redact.Clean(filepath.Base(in))}}
	s := &importStep{Bundle: in, ID: c.id, Cache: o.Cache, Key: o.SumDB.Key, Config: o.Config, NoDB: o.NoSumDB, Leave: o.LeaveSums && c.Manifest}
	by, err := s.compare(ctx, p, c.files, o.Sums)
	if err != nil {
		return nil, err
	}
	p.warn(o)
	if len(p.New) == 0 {
		return p, nil
	}
	return p, p.steps(s, by)
}

// compare finds what the cache lacks, version by version.
func (s *importStep) compare(ctx context.Context, p *Preview, files []File, sums project.Sums) (map[module.Version][]item, error) {
	conflicts := map[module.Version]string{}
	add := map[module.Version][]item{}
	var db []item
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		it := item{Path: f.Path, Size: f.Size, SHA256: f.SHA256, Sum: f.Sum, name: f.name}
		m := f.name.version
		switch f.name.part {
		case partZip:
			it.Want = sums[m]
			var err error
			if it.Stale, err = s.lonelyHash(&it); err != nil {
				conflicts[m] = "its .ziphash in the cache cannot be read: " + redact.Clean(unwrapPath(err).Error())
			}
			it.Hashed = it.Stale == nil && exists(s.hashTarget(&it))
		case partMod:
			it.Want = sums[module.Version{Path: m.Path, Version: m.Version + "/go.mod"}]
		case partLookup, partTile:
			if _, err := os.Lstat(s.target(it.Path)); errors.Is(err, fs.ErrNotExist) {
				db = append(db, it)
			}
			continue
		case partInfo:
		default:
			continue // the cache makes lists of its own
		}
		have, why, err := s.present(&f)
		if err != nil {
			return nil, err
		}
		if why != "" {
			conflicts[m] = why
		}
		if !have {
			add[m] = append(add[m], it)
		}
	}
	for _, v := range p.Versions {
		m := v.Version
		switch items := add[m]; {
		case conflicts[m] != "":
			p.Conflicts = append(p.Conflicts, leftOut(m, conflicts[m]))
			delete(add, m)
		case len(items) == 0:
			p.Present++
		default:
			n := Version{Version: m, Sum: v.Sum}
			for _, it := range items {
				n.Bytes += it.Size
				n.Info = n.Info || it.name.part == partInfo
				n.Mod = n.Mod || it.name.part == partMod
				n.Zip = n.Zip || it.name.part == partZip
				s.Add = append(s.Add, it)
			}
			p.New = append(p.New, n)
			p.Bytes += n.Bytes
		}
	}
	s.Add = append(s.Add, db...)
	return add, nil
}

// target is where a file of the bundle belongs in the cache.
func (s *importStep) target(path string) string {
	return filepath.Join(s.download(), filepath.FromSlash(path))
}

func (s *importStep) download() string { return filepath.Join(s.Cache, "cache", "download") }

// present reports whether the cache has a file already, and why it is another
// one. An .info may differ: it says where a version was seen, too.
func (s *importStep) present(f *File) (have bool, conflict string, err error) {
	target := s.target(f.Path)
	info, err := os.Lstat(target)
	absent := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !absent:
		return false, "", err
	case !absent && !info.Mode().IsRegular():
		return true, "the cache has something else in its place", nil
	}
	switch f.name.part {
	case partZip:
		if absent && !exists(s.tree(f.name.version)) {
			break // a .ziphash alone says nothing
		}
		hash, err := bounded.ReadFile(target+"hash", maxHash)
		if h := strings.TrimSpace(string(hash)); err == nil && isSum(h) && f.Sum != "" && h != f.Sum {
			return !absent, fmt.Sprintf("the cache has another zip of it (%s, in the bundle %s)", redact.Clean(h), f.Sum), nil
		}
	case partMod:
		if absent {
			break
		}
		data, err := bounded.ReadFile(target, limits[partMod])
		if err != nil {
			return true, "", err
		}
		if got := sourceOf(f.name, data); got.SHA256 != f.SHA256 {
			return true, "the cache has another .mod of it", nil
		}
	}
	return !absent, "", nil
}

// warn says what the plan does not do.
func (p *Preview) warn(o ImportOptions) {
	for i, c := range p.Conflicts {
		const most = 10
		if i == most {
			p.Plan.Warn(fmt.Sprintf("and %d more that differ from what the cache has", len(p.Conflicts)-most))
			break
		}
		p.Plan.Warn(c.Path + "@" + c.Version + " is left out: " + c.Why)
	}
	if !p.Manifest {
		p.Plan.Warn("the bundle has no manifest: it was made by hand or by another program, and is checked against go.sum and its checksum database alone")
	}
	switch db := p.Database; {
	case o.SumDB.Key == "" && db != "":
		p.Plan.Warn("GOSUMDB=off: the proofs of " + redact.Clean(db) + " in the bundle are not used")
	case db != "" && db != o.SumDB.Name:
		p.Plan.Warn("its proofs are of " + redact.Clean(db) + ", and GOSUMDB is " + redact.Clean(o.SumDB.Name) + ": they are not used")
	case db == "" && o.SumDB.Key != "":
		p.Plan.Warn("it holds no proofs of the checksum database: go.sum has to know its modules, or the database be reachable")
	}
}

// steps adds the steps to the plan: one for each version, one for the module
// graph, one for the database. The first carries the payload.
func (p *Preview) steps(s *importStep, by map[module.Version][]item) error {
	var steps []change.Step
	add := func(target, what string, bytes int64) {
		steps = append(steps, change.Step{Action: change.Action{
			Kind: ImportBundle, Target: target, Old: "absent", New: what, Bytes: bytes, Undoable: true,
		}})
	}
	graph, graphBytes := 0, int64(0)
	for _, v := range p.New {
		if !v.Zip {
			graph, graphBytes = graph+1, graphBytes+v.Bytes
			continue
		}
		var parts []string
		for _, it := range by[v.Version] {
			parts = append(parts, "."+string(it.name.part))
			if it.Stale != nil {
				parts = append(parts, ".ziphash (replaces one without a zip)")
			}
		}
		slices.Sort(parts)
		add(redact.Clean(v.String()), strings.Join(parts, " "), v.Bytes)
	}
	if graph > 0 {
		add(fmt.Sprintf("module graph: %d versions", graph), ".mod or .info alone", graphBytes)
	}
	proofs, proofBytes := 0, int64(0)
	for _, it := range s.Add {
		if it.name.db != "" {
			proofs, proofBytes = proofs+1, proofBytes+it.Size
		}
	}
	if proofs > 0 && s.Key != "" {
		add("checksum database "+redact.Clean(p.Database), fmt.Sprintf("up to %d records and tiles", proofs), proofBytes)
	}
	payload, err := json.Marshal(s)
	if err != nil {
		return err
	}
	steps[0].Payload = payload
	p.Plan.Add(steps...)
	return nil
}
