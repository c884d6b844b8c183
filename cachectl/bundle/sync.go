package bundle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/advice"
	"gpx/envctl/bounded"
	"gpx/envctl/redact"
)

// A tree that grows is served while it does, so the order counts: what a file
// refers to is there before it is.
//
//	tiles ▶ records ▶ supported ▶ .zip ▶ .mod ▶ .info ▶ list ▶ manifest
//
// Every file is written under .gpx-part and renamed; records and lists are
// replaced, everything else only added. A killed run leaves a tree that serves
// what it served, and perhaps some of the new versions; the next one finishes.
//
// Records move to a newer tree head all together or not at all, and only to one
// that continues every head that was served before, in which every version of
// the tree can be proven: between the first record that moved and the last, a
// client sees two heads, and both hold.

// syncTree adds to the tree what it lacks.
func syncTree(ctx context.Context, o *ExportOptions, got *collection) (Result, error) {
	if err := os.MkdirAll(o.Out, 0o777); err != nil {
		return Result{}, err
	}
	unlock, err := lockOut(filepath.Join(o.Out, ".gpx-lock"))
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	parts := filepath.Join(o.Out, ".gpx-part")
	if err := os.RemoveAll(parts); err != nil {
		return Result{}, err
	}
	old, err := openTree(ctx, o.Out)
	if err != nil {
		return Result{}, err
	}
	have, err := old.describe(ctx)
	if err != nil {
		return Result{}, err
	}
	for _, f := range have {
		if db := f.name.db; db != "" && db != o.SumDB.Name && !o.SumDB.Off && o.SumDB.Key != "" {
			return Result{}, advice.Add(fmt.Errorf("it answers for the checksum database %s, and GOSUMDB is %s", redact.Clean(db), redact.Clean(o.SumDB.Name)), "use another folder for that")
		}
	}
	s := &syncer{ctx: ctx, o: o, old: old, have: have, got: got, parts: parts}
	defer os.RemoveAll(parts)
	return s.run()
}

// A syncer is one run.
type syncer struct {
	ctx   context.Context
	o     *ExportOptions
	old   *tree
	have  map[string]File // whole files of the tree
	got   *collection
	parts string

	w *writer
	n int // files written
}

func (s *syncer) run() (Result, error) {
	s.conflicts()
	p, err := prove(s.ctx, s.o, s.all(), s.old)
	if err != nil {
		return Result{}, err
	}
	defer p.close()
	s.got.leaveOut(p.contradicted)
	if p.db == "" && s.old.manifest != nil {
		// The database is off today; the tree answers for it as before.
		p.db, p.heads = s.old.manifest.Database, s.old.manifest.Heads
		p.unverifiable = slices.DeleteFunc(p.unverifiable, s.proved)
	}

	steps := s.plan(p)
	s.w = &writer{ctx: s.ctx, o: s.o, hash: sha256.New(), buf: make([]byte, 256<<10)}
	for _, f := range steps {
		s.w.total += f.Size
	}
	r := Result{Path: s.o.Out, Unverifiable: p.unverifiable, LeftOut: s.got.left}
	for i := range steps {
		if err := s.write(&steps[i]); err != nil {
			return Result{}, err
		}
		if steps[i].name.part == partZip {
			r.Modules++
		}
		r.Bytes += steps[i].Size
	}
	if err := s.writeManifest(p, len(steps) > 0); err != nil {
		return Result{}, err
	}
	return r.clean(), nil
}

// proved reports whether the tree has a record of PATH@VERSION.
func (s *syncer) proved(m string) bool {
	path, version, _ := strings.Cut(m, "@")
	return s.old.answers(s.old.manifest.Database, module.Version{Path: path, Version: version})
}

// conflicts leaves out versions of which the tree has other bytes: it has
// served those, and goes on.
func (s *syncer) conflicts() {
	for _, f := range s.got.versions() {
		for _, src := range []*source{f.zip, f.mod} {
			if src == nil {
				continue
			}
			have, ok := s.have[src.Path]
			if ok && have.Sum == src.Sum && (src.Sum != "" || have.SHA256 == src.SHA256) {
				continue
			}
			if ok {
				s.got.leaveOut([]LeftOut{leftOut(f.Version, fmt.Sprintf("the folder has another .%s of it already, which stays", src.name.part))})
				break
			}
		}
	}
}

// all are the versions of the tree and the new ones.
func (s *syncer) all() []*found {
	by := maps.Clone(s.got.by)
	for _, f := range s.have {
		if _, ok := by[f.name.version]; !ok && (f.name.part == partZip || f.name.part == partMod) {
			by[f.name.version] = &found{Version: f.name.version}
		}
	}
	all := collection{by: by}
	return all.versions()
}

// plan lists what is to be written, in the order in which it may appear.
func (s *syncer) plan(p *proof) []source {
	var files []source
	add := func(list []source, parts ...part) {
		for _, want := range parts {
			for _, f := range list {
				if f.name.part == want && s.lacks(f.File) {
					files = append(files, f)
				}
			}
		}
	}
	add(p.files, partTile, partLookup, partSupported)
	add(s.got.files(), partZip, partMod, partInfo)
	for _, f := range files {
		s.have[f.Path] = f.File
	}
	lists := s.lists()
	add(lists, partList)
	for _, f := range lists {
		s.have[f.Path] = f.File
	}
	return files
}

// lacks reports whether f has to be written: it is not there, or is one of the
// few files that change.
func (s *syncer) lacks(f File) bool {
	have, ok := s.have[f.Path]
	switch f.name.part {
	case partLookup, partList:
		return !ok || have.SHA256 != f.SHA256
	}
	return !ok
}

// lists makes the lists of all modules.
func (s *syncer) lists() []source {
	zips := map[string][]string{}
	for _, f := range s.have {
		switch m := f.name.version; f.name.part {
		case partZip:
			zips[m.Path] = append(zips[m.Path], m.Version)
		case partMod:
			zips[m.Path] = append(zips[m.Path], nil...) // an empty list is a list
		}
	}
	var lists []source
	for _, p := range slices.Sorted(maps.Keys(zips)) {
		slices.SortFunc(zips[p], func(a, b string) int {
			return compareVersions(module.Version{Version: a}, module.Version{Version: b})
		})
		lists = append(lists, listSource(p, zips[p]))
	}
	return lists
}

// write writes one file under another name and renames it.
func (s *syncer) write(f *source) error {
	if err := os.MkdirAll(s.parts, 0o777); err != nil {
		return err
	}
	part := filepath.Join(s.parts, fmt.Sprint(s.n))
	s.n++
	if err := s.w.file(part, f); err != nil {
		return err
	}
	to := filepath.Join(s.o.Out, filepath.FromSlash(f.Path))
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	return os.Rename(part, to)
}

// writeManifest describes the tree as it is now.
func (s *syncer) writeManifest(p *proof, changed bool) error {
	var files []source
	for _, f := range s.have {
		files = append(files, source{File: f})
	}
	slices.SortFunc(files, func(a, b source) int { return compareFiles(a.File, b.File) })
	m := manifestOf(s.o, files, p)
	if s.old.manifest != nil && !changed {
		m.Created = s.old.manifest.Created // nothing is new
	}
	text, err := m.marshal()
	if err != nil {
		return err
	}
	if now, err := bounded.ReadFile(filepath.Join(s.o.Out, ManifestName), limits[partManifest]); err == nil && string(now) == string(text) {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f := sourceOf(name{path: ManifestName, part: partManifest}, text)
	return s.write(&f)
}

// compareFiles orders files as an archive does: modules by path, the list of
// each first, then version by version .info, .mod, .zip; then the database.
func compareFiles(a, b File) int {
	switch {
	case a.name.db == "" && b.name.db != "":
		return -1
	case a.name.db != "" && b.name.db == "":
		return 1
	case a.name.db != "":
		return cmp.Compare(a.Path, b.Path)
	}
	order := []part{partInfo, partMod, partZip}
	return cmp.Or(
		compareVersions(a.name.version, b.name.version), // a list has no version, and comes first
		cmp.Compare(slices.Index(order, a.name.part), slices.Index(order, b.name.part)),
	)
}
