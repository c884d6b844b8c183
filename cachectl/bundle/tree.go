package bundle

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"

	"gpx/envctl/bounded"
)

// A tree is a bundle that lies in a folder.
type tree struct {
	dir      string
	manifest *Manifest // nil where there is none
	files    map[string]int64
	served   []string // signed heads, oldest first
}

// openTree looks at every file of a folder.
func openTree(ctx context.Context, dir string) (*tree, error) {
	t := &tree{dir: dir, files: map[string]int64{}}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		t.files[filepath.ToSlash(rel)] = info.Size()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if data, err := bounded.ReadFile(filepath.Join(dir, ManifestName), limits[partManifest]); err == nil {
		// One that a power failure cut short is written again.
		if t.manifest, err = parseManifest(data); errors.Is(err, errNewer) {
			return nil, err
		} else if err != nil {
			t.manifest = nil
		} else {
			t.served = slices.Clone(t.manifest.Heads)
		}
	}
	t.findHeads()
	return t, nil
}

// findHeads adds the heads of the records themselves: those of a tree without a
// manifest, and those of a run that was killed before it wrote one.
func (t *tree) findHeads() {
	for _, p := range slices.Sorted(maps.Keys(t.files)) {
		n, ok, err := parseName(p)
		if err != nil || !ok || n.part != partLookup {
			continue
		}
		data, err := t.read(p)
		if err != nil {
			continue
		}
		if _, _, head, err := tlog.ParseRecord(data); err == nil && !slices.Contains(t.served, string(head)) {
			t.served = append(t.served, string(head))
		}
	}
	slices.SortStableFunc(t.served, func(a, b string) int { return int(headSize(a) - headSize(b)) })
}

func headSize(head string) int64 {
	h, err := parseHead([]byte(head))
	if err != nil {
		return 0
	}
	return h.N
}

// heads are the heads that clients of the tree may remember. A nil tree has none.
func (t *tree) heads() []string {
	if t == nil {
		return nil
	}
	return slices.Clone(t.served)
}

// read reads a small file of the tree. A nil tree has none.
func (t *tree) read(p string) ([]byte, error) {
	if t == nil {
		return nil, fs.ErrNotExist
	}
	return bounded.ReadFile(filepath.Join(t.dir, filepath.FromSlash(p)), limits[partLookup])
}

// answers reports whether the tree has a record of m.
func (t *tree) answers(db string, m module.Version) bool {
	if t == nil {
		return false
	}
	p, err := lookupFile(db, m)
	_, ok := t.files[p]
	return err == nil && ok
}

// describe is the manifest's line of every file that belongs in a bundle and is
// whole: of the size that the old manifest says, or else read and found whole.
func (t *tree) describe(ctx context.Context) (map[string]File, error) {
	known := map[string]File{}
	torn := map[string]bool{}
	if t.manifest != nil {
		for _, f := range t.manifest.Files {
			if size, ok := t.files[f.Path]; ok && size == f.Size {
				known[f.Path] = f
			} else if f.name.part != partList && f.name.part != partLookup {
				torn[f.Path] = true
			}
		}
	}
	var mu sync.Mutex
	err := parallel(ctx, slices.Sorted(maps.Keys(t.files)), func(p string) error {
		n, ok, err := parseName(p)
		if err != nil || !ok || n.part == partManifest || torn[p] {
			return nil // not ours, or to be written again
		}
		mu.Lock()
		_, ok = known[p]
		mu.Unlock()
		if ok {
			return nil
		}
		f, err := describeFile(ctx, filepath.Join(t.dir, filepath.FromSlash(p)), n)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return nil // what is not whole is written again
		}
		mu.Lock()
		defer mu.Unlock()
		known[p] = f
		return nil
	})
	return known, err
}

// describeFile reads a file of a tree.
func describeFile(ctx context.Context, file string, n name) (File, error) {
	if n.part == partZip {
		s, err := hashZip(ctx, file, n.version)
		return File{Path: n.path, Size: s.size, SHA256: s.sha256, Sum: s.h1, name: n}, err
	}
	data, err := bounded.ReadFile(file, limits[n.part])
	if err != nil {
		return File{}, err
	}
	return sourceOf(n, data).File, nil
}
