package bundle

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gpx/cachectl/buildcache"
	"gpx/envctl/bounded"
	"gpx/envctl/change"
	"gpx/envctl/redact"
)

// BuildImportOptions say what is imported, and where to.
type BuildImportOptions struct {
	In     string // a .tar or .tar.zst
	Cache  string // GOCACHE; it need not exist
	Here   BuildSettings
	Report func(Progress) // of the planning, which reads the whole bundle; may be nil
}

// A BuildPreview is what an import would do.
type BuildPreview struct {
	Path       string
	Manifest   BuildManifest
	Prediction Prediction   // whether builds will use it here
	Plan       *change.Plan // empty when everything is there already
	Outputs    int          // that would be added
	Entries    int
	Bytes      int64
	Present    int // entries that are there already
}

// ImportBuildCache is the kind of action that adds a bundle's entries and
// outputs to a build cache.
const ImportBuildCache = "import_build_cache"

// A buildImport is the payload of import_build_cache.
type buildImport struct {
	Bundle string `json:"bundle"` // absolute
	Digest string `json:"digest"` // of what it holds
	Cache  string `json:"cache"`  // GOCACHE
	Add    []byte `json:"add"`    // the entries that it adds, packed
}

// PlanBuildImport plans to add to a build cache what it lacks of a bundle. It
// reads the whole bundle and checks every hash; Apply does so again.
func PlanBuildImport(ctx context.Context, o BuildImportOptions) (*BuildPreview, error) {
	p, err := planBuildImport(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("cache import: %s: %w", redact.Clean(o.In), err)
	}
	return p, nil
}

func planBuildImport(ctx context.Context, o BuildImportOptions) (*BuildPreview, error) {
	cache, err := buildcache.Open(o.Cache)
	if err != nil {
		return nil, err
	}
	in, err := filepath.Abs(o.In)
	if err != nil {
		return nil, err
	}
	p := &BuildPreview{Path: in, Plan: &change.Plan{Title: "import " + redact.Clean(filepath.Base(in))}}
	s := &buildImport{Bundle: in, Cache: cache.Dir()}
	done := int64(0)
	s.Digest, err = readBuildCache(ctx, in, buildVisitor{
		manifest: func(m *BuildManifest) error {
			p.Manifest = *m
			return nil
		},
		output: func(n buildName, size int64, _ io.Reader) error {
			if !exists(s.target(outputPath(n.id))) {
				p.Outputs++
				p.Bytes += size
			}
			if done += size; o.Report != nil {
				o.Report(Progress{Phase: Checking, Done: done, Total: p.Manifest.Bytes})
			}
			return nil
		},
		entry: func(e buildcache.Entry, _ []byte) error {
			if exists(s.target(entryPath(e.Action))) {
				p.Present++
				return nil
			}
			p.Entries++
			p.Bytes += buildcache.EntrySize
			s.Add = packEntry(s.Add, e)
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	p.Prediction = Predict(p.Manifest.Settings, o.Here)
	if p.Entries == 0 {
		return p, nil
	}
	return p, p.step(s)
}

// target is where a file of the bundle belongs.
func (s *buildImport) target(path string) string {
	return filepath.Join(s.Cache, filepath.FromSlash(path))
}

// step adds the step to the plan, and what has to be said before anybody agrees.
func (p *BuildPreview) step(s *buildImport) error {
	payload, err := json.Marshal(s)
	if err != nil {
		return err
	}
	p.Plan.Warn("what it holds is compiled code that the go command will link and run, and nothing can compare it with its sources: import only what you would run")
	if p.Present > 0 {
		p.Plan.Warn(fmt.Sprintf("%d entries are there already and stay as they are", p.Present))
	}
	for _, r := range p.Prediction.Reasons {
		p.Plan.Warn(fmt.Sprintf("%s: there %s, here %s; %s", r.Setting, orNone(r.There), orNone(r.Here), r.Means))
	}
	p.Plan.Add(change.Step{Payload: payload, Action: change.Action{
		Kind: ImportBuildCache, Target: redact.Clean(s.Cache), Old: "absent",
		New: fmt.Sprintf("%d outputs, %d entries of %s", p.Outputs, p.Entries, redact.Clean(filepath.Base(s.Bundle))), Bytes: p.Bytes, Undoable: true,
	}})
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// packedEntry is the size of an entry in a payload: two IDs, size and time.
const packedEntry = 32 + 32 + 8 + 8

func packEntry(to []byte, e buildcache.Entry) []byte {
	to = append(append(to, e.Action[:]...), e.Output[:]...)
	to = binary.BigEndian.AppendUint64(to, uint64(e.Size))
	return binary.BigEndian.AppendUint64(to, uint64(e.Time.UnixNano()))
}

// entries unpacks what the import adds.
func (s *buildImport) entries() []buildcache.Entry {
	var list []buildcache.Entry
	for p := s.Add; len(p) >= packedEntry; p = p[packedEntry:] {
		e := buildcache.Entry{
			Size: int64(binary.BigEndian.Uint64(p[64:])),
			Time: time.Unix(0, int64(binary.BigEndian.Uint64(p[72:]))),
		}
		copy(e.Action[:], p)
		copy(e.Output[:], p[32:])
		list = append(list, e)
	}
	return list
}

// has reports whether the cache has exactly this entry.
func (s *buildImport) has(e buildcache.Entry) bool {
	text, err := bounded.ReadFile(s.target(entryPath(e.Action)), buildcache.EntrySize)
	if err != nil {
		return false
	}
	have, err := buildcache.ParseEntry(text)
	return err == nil && have == e
}

func buildImports(steps []change.Step) ([]*buildImport, error) {
	var list []*buildImport
	for _, st := range steps {
		s := &buildImport{}
		if err := json.Unmarshal(st.Payload, s); err != nil {
			return nil, fmt.Errorf("%s %s: %w", st.Action.Kind, st.Action.Target, err)
		}
		if len(s.Add)%packedEntry != 0 || !filepath.IsAbs(s.Cache) {
			return nil, fmt.Errorf("%s %s: its record is damaged", st.Action.Kind, st.Action.Target)
		}
		list = append(list, s)
	}
	return list, nil
}

func init() {
	change.Register(change.Kind{
		Name: ImportBuildCache, Check: checkBuildImport, Do: doBuildImport, Done: buildImportDone, Revert: revertBuildImport, Undo: undoBuildImport,
	})
}

func checkBuildImport(_ context.Context, steps []change.Step) error {
	list, err := buildImports(steps)
	for _, s := range list {
		if _, serr := os.Stat(s.Bundle); serr != nil {
			err = errors.Join(err, serr)
		}
	}
	return err
}

// doBuildImport does all imports or none.
func doBuildImport(ctx context.Context, id string, steps []change.Step) error {
	list, err := buildImports(steps)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := s.stage(id).run(ctx); err != nil {
			if rerr := revertBuildImport(context.WithoutCancel(ctx), id, steps); rerr != nil {
				return fmt.Errorf("%w, and %w: %w", err, change.ErrHalfWay, rerr)
			}
			return err
		}
	}
	return nil
}

func buildImportDone(ctx context.Context, id string, steps []change.Step) (bool, error) {
	list, err := buildImports(steps)
	done := err == nil
	for _, s := range list {
		ok, derr := s.stage(id).isDone(ctx)
		done, err = done && ok, errors.Join(err, derr)
	}
	return done, err
}

func revertBuildImport(_ context.Context, id string, steps []change.Step) error {
	list, err := buildImports(steps)
	for _, s := range list {
		err = errors.Join(err, s.stage(id).revert())
	}
	return err
}
