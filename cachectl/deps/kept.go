package deps

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"reflect"
	"slices"

	"gpx/cachectl/internal/sealed"
	"gpx/envctl/bounded"
	"gpx/envctl/project"
)

// A kept report is that of a project in which nothing is in the way, with the
// name of its basis: while that is the same, so is the report. The project is kept
// with it, because to read one anew takes as long again:
//
//	basis  GOMODCACHE  project  report
//
// What stands on more than a basis has is not kept.
type kept struct {
	file  string // "" is nowhere
	basis string // name of what the report stands on; "" when it is not to be kept
	ahead sightings

	had     string // the basis of the report that is in file; "" when there is none
	cache   string // the module cache that it was of
	seen    bool   // ahead is of project in cache, and of a moment ago
	project *project.Project
	rest    *decoder // at the report
}

const (
	keptKind = "deps-report-3"
	textKind = "deps-text"
	// maxKept bounds the files: a report and a text of it for each project, of some
	// 150 kB each.
	maxKept = 64
)

// keptFor is what is kept for the project of a root in a folder; "" is nowhere.
func keptFor(dir, root string) *kept {
	if dir == "" {
		return &kept{}
	}
	k := &kept{file: nameFor(dir, root)}
	body, err := sealed.Read(k.file, keptKind)
	if err != nil {
		return k
	}
	d := &decoder{rest: string(body)}
	had, cache, p := d.text(), d.text(), d.project()
	if d.err == nil {
		k.had, k.cache, k.project, k.rest = had, cache, p, d
	}
	return k
}

// An Early reads what is kept of a project, and looks at the versions that it
// required, while the environment is not known yet.
type Early struct {
	k    *kept
	done chan struct{}
}

// ReadEarly begins for the project that a directory is in, when nothing in the
// environment says that it is another one; [Options.Early] says how it ends.
func ReadEarly(ctx context.Context, folder, dir string) *Early {
	x := &Early{k: &kept{}, done: make(chan struct{})}
	go func() {
		defer close(x.done)
		at, ok := project.Locate(dir, nil)
		if !ok {
			return
		}
		k := keptFor(folder, at.Root)
		if k.project != nil {
			l := &loader{ctx: ctx, project: k.project, cache: &cache{dir: k.cache}}
			k.ahead = l.lookAhead()
			k.seen = !k.ahead.cut
		}
		x.k = k
	}()
	return x
}

// Wait waits until nothing is read any more.
func (x *Early) Wait() { <-x.done }

// kept is what was read early, when it is of the root, or else is read now.
func (x *Early) kept(folder, root string) *kept {
	if x != nil {
		if x.Wait(); x.k.file == nameFor(folder, root) {
			return x.k
		}
	}
	return keptFor(folder, root)
}

// look names what a report of l's project stands on.
func (k *kept) look(l *loader) {
	switch {
	case k.file == "":
	case k.seen && l.project == k.project && l.cache.dir == k.cache:
		k.basis = l.basisOf(func() sightings { return k.ahead })
	default:
		k.basis = l.basisOf(func() sightings { k.ahead = l.lookAhead(); return k.ahead })
	}
}

// report is the kept one, when it stands on what there is now; else nil.
func (k *kept) report(p *project.Project) *Report {
	if k.basis == "" || k.had != k.basis {
		return nil
	}
	r := k.rest.report()
	if r != nil {
		r.Project, r.Basis = p, k.basis
	}
	return r
}

// recall finds the project, where it is not known, and the report of it that was
// kept, nil when there is none that holds.
//
// A kept project is taken for the one that is here when its files are where the
// go command finds them now: the basis has every byte of them, and nothing else
// is read.
func (l *loader) recall(folder string, early *Early) (*kept, *Report, error) {
	var k *kept
	if l.project == nil {
		if at, ok := project.Locate(l.env.Dir, l.env); ok {
			k = early.kept(folder, at.Root)
			if k.isAt(at) {
				l.project = k.project
				k.look(l)
				if r := k.report(l.project); r != nil {
					return k, r, nil
				}
			}
		}
		p, err := project.Find(l.env.Dir, l.env)
		if err != nil {
			return nil, nil, err
		}
		if l.project != nil && reflect.DeepEqual(p, l.project) {
			return k, nil, nil // it was looked at
		}
		l.project = p
	}
	if k == nil {
		k = keptFor(folder, l.project.Root)
	}
	k.look(l)
	return k, k.report(l.project), nil
}

// isAt reports whether the kept project is the one of a place.
func (k *kept) isAt(at project.Place) bool {
	p := k.project
	return p != nil && at == project.Place{Root: p.Root, GoMod: p.GoMod, GoWork: p.GoWork}
}

// keep keeps a report that stands on nothing else than its basis says.
func (k *kept) keep(l *loader, r *Report) {
	whole := r.Build.Ready && r.Test.Ready && r.Tools.Ready
	if k.basis == "" || !whole || l.wider.Load() || l.ctx.Err() != nil || !l.cache.onlyAhead() {
		return
	}
	if slices.ContainsFunc(k.ahead.stamps, func(s [4]stamp) bool { return !tell(s, l.begun) }) {
		return
	}
	// The project was read before its files were named, and again after it.
	again, err := project.Find(l.env.Dir, l.env)
	if err != nil || !reflect.DeepEqual(again, l.project) {
		return
	}
	if l.basisOf(l.lookAhead) != k.basis {
		return
	}
	var w encoder
	w.text(k.basis)
	w.text(l.cache.dir)
	w.project(again)
	if had := (&decoder{rest: string(w.b)}); had.text() == "" || had.text() != l.cache.dir || !reflect.DeepEqual(had.project(), again) {
		return // it has something that is not written down
	}
	w.report(r)
	bounded.MakeRoom(filepath.Dir(k.file), maxKept)
	if sealed.Write(k.file, sealed.Bytes(keptKind, w.b)) == nil { // else the next time takes longer, and that is all
		r.Basis = k.basis
	}
}

// KeptText is what KeepText has kept of a report, nil when there is nothing.
func KeptText(folder string, r *Report) []byte {
	if folder == "" || r.Basis == "" {
		return nil
	}
	body, err := sealed.Read(textFile(folder, r), textKind)
	if text, ok := bytes.CutPrefix(body, []byte(r.Basis)); err == nil && ok {
		return text
	}
	return nil
}

// KeepText keeps what a program makes of a report that is kept in the same folder,
// and of nothing else, until the next report.
func KeepText(folder string, r *Report, text []byte) {
	if folder == "" || r.Basis == "" {
		return
	}
	bounded.MakeRoom(folder, maxKept)
	_ = sealed.Write(textFile(folder, r), sealed.Bytes(textKind, append([]byte(r.Basis), text...)))
}

func textFile(folder string, r *Report) string { return nameFor(folder, r.Project.Root) + ".text" }

// nameFor is the file of a project in the folder for reports.
func nameFor(folder, root string) string {
	sum := sha256.Sum256([]byte(root))
	return filepath.Join(folder, hex.EncodeToString(sum[:8]))
}
