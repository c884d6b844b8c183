package bundle

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gpx/cachectl/buildcache"
	"gpx/envctl/change"
)

// A buildStage is the folder in which an import into a build cache is checked,
// within the cache, so that what was checked can become visible by being linked:
//
//	GOCACHE/gpx-import/<change>/
//	  <id>-d  <id>-a   as they will be; only what the cache lacks
//	  outputs          everything was checked; outputs may be visible from here on
//	  entries          every output is; from here on it only goes forward
//
// An output that no entry leads to is never looked up, so up to the last step a
// go command sees nothing of an import, and taking it back takes nothing from
// a build. Beyond it, finishing is all that is left to do.
type buildStage struct {
	s   *buildImport
	dir string
}

func (s *buildImport) stage(id string) *buildStage {
	return &buildStage{s, filepath.Join(s.Cache, "gpx-import", id)}
}

func (st *buildStage) file(name string) string { return filepath.Join(st.dir, name) }

const (
	outputsMark = "outputs"
	entriesMark = "entries"
)

func (st *buildStage) run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(st.dir), 0o777); err != nil {
		return err
	}
	if err := os.Mkdir(st.dir, 0o700); err != nil {
		return err
	}
	if err := st.unpack(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(st.file(outputsMark), nil, 0o600); err != nil {
		return err
	}
	if err := st.place(ctx, "-d"); err != nil {
		return err
	}
	if err := os.WriteFile(st.file(entriesMark), nil, 0o600); err != nil {
		return err
	}
	return st.finish(ctx)
}

// finish makes the entries visible, whatever happens meanwhile, and removes the
// stage.
func (st *buildStage) finish(ctx context.Context) error {
	if err := st.place(context.WithoutCancel(ctx), "-a"); err != nil {
		return err
	}
	st.clean()
	return nil
}

// clean removes the stage. The mark goes last: a stage without it is one that
// is not done.
func (st *buildStage) clean() {
	if entries, err := os.ReadDir(st.dir); err == nil {
		for _, e := range entries {
			if e.Name() != entriesMark {
				os.RemoveAll(st.file(e.Name()))
			}
		}
	}
	os.RemoveAll(st.dir)
	os.Remove(filepath.Dir(st.dir)) // when no other import is in flight
}

// unpack reads the bundle into the stage and checks all of it.
func (st *buildStage) unpack(ctx context.Context) error {
	var done, total int64
	wanted := map[buildcache.ID]bool{}
	for _, e := range st.s.entries() {
		wanted[e.Action] = true
	}
	buf := make([]byte, 256<<10)
	digest, err := readBuildCache(ctx, st.s.Bundle, buildVisitor{
		manifest: func(m *BuildManifest) error {
			total = m.Bytes
			return nil
		},
		output: func(n buildName, size int64, r io.Reader) error {
			done += size
			change.Report(ctx, change.Progress{What: "unpacking", Done: done, Total: total, Unit: "bytes"})
			if exists(st.s.target(outputPath(n.id))) {
				return nil // and is checked all the same
			}
			return st.unpackOutput(n, r, buf)
		},
		entry: func(e buildcache.Entry, text []byte) error {
			if !wanted[e.Action] || exists(st.s.target(entryPath(e.Action))) {
				return nil
			}
			return os.WriteFile(st.file(e.Action.ActionFile()), text, 0o666)
		},
	})
	if err == nil && digest != st.s.Digest {
		err = change.Stale("the bundle")
	}
	return err
}

// unpackOutput writes one output into the stage, as DiskCache.Put would have it.
func (st *buildStage) unpackOutput(n buildName, r io.Reader, buf []byte) error {
	path, mode := st.file(n.id.OutputFile()), fs.FileMode(0o666)
	if n.program != "" {
		if err := os.Mkdir(path, 0o777); err != nil {
			return err
		}
		path, mode = filepath.Join(path, n.program), 0o777
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, r, buf)
	return errors.Join(err, f.Close())
}

// staged lists the files in the stage whose entry's name has an ending, by their
// paths in it.
func (st *buildStage) staged(suffix string) ([]string, error) {
	entries, err := os.ReadDir(st.dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		switch {
		case !strings.HasSuffix(e.Name(), suffix):
		case !e.IsDir():
			files = append(files, e.Name())
		default:
			inner, err := os.ReadDir(st.file(e.Name()))
			if err != nil {
				return nil, err
			}
			for _, f := range inner {
				files = append(files, filepath.Join(e.Name(), f.Name()))
			}
		}
	}
	return files, nil
}

// place makes the staged outputs, or the staged entries, visible.
func (st *buildStage) place(ctx context.Context, suffix string) error {
	files, err := st.staged(suffix)
	if err != nil {
		return err
	}
	for i, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := st.placeOne(file); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		change.Report(ctx, change.Progress{What: "placing", Done: int64(i + 1), Total: int64(len(files)), Unit: "files"})
	}
	return nil
}

// placeOne makes one file visible, unless there is one. An executable's folder
// is left alone where it exists: with two files in it, it would be worth nothing.
func (st *buildStage) placeOne(file string) error {
	target := st.placeOf(file)
	dir := filepath.Dir(target)
	if inner := filepath.Dir(file); inner != "." {
		dir = filepath.Dir(dir)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if dir != filepath.Dir(target) {
		if err := os.Mkdir(filepath.Dir(target), 0o777); err != nil {
			return err
		}
	}
	return link(st.file(file), target)
}

// placeOf is where a staged file belongs.
func (st *buildStage) placeOf(file string) string { return filepath.Join(st.s.Cache, file[:2], file) }

// isDone reports whether the import came to its end, after it has brought it
// there when only that was left.
func (st *buildStage) isDone(ctx context.Context) (bool, error) {
	if exists(st.file(entriesMark)) {
		return true, st.finish(ctx)
	}
	if exists(st.dir) {
		return false, nil
	}
	for _, e := range st.s.entries() {
		if !st.s.has(e) {
			return false, nil
		}
	}
	st.clean() // a kill may have left the folder around it
	return true, nil
}

// revert takes back what was placed, and removes the stage.
func (st *buildStage) revert() error {
	var errs []error
	if !exists(st.dir) || exists(st.file(entriesMark)) {
		for _, e := range st.s.entries() {
			if st.s.has(e) {
				errs = append(errs, os.Remove(st.s.target(entryPath(e.Action))))
			}
		}
	}
	if exists(st.file(outputsMark)) && !exists(st.file(entriesMark)) {
		files, err := st.staged("-d")
		errs = append(errs, err)
		for _, file := range files {
			errs = append(errs, st.takeBack(file))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	st.clean()
	return nil
}

// takeBack removes an output that this import placed. Where it was renamed, for
// want of links, it stays: garbage, which a trim takes.
func (st *buildStage) takeBack(file string) error {
	staged, serr := os.Lstat(st.file(file))
	target, terr := os.Lstat(st.placeOf(file))
	var err error
	if serr == nil && terr == nil && os.SameFile(staged, target) {
		err = os.Remove(st.placeOf(file))
	}
	if filepath.Dir(file) != "." {
		os.Remove(filepath.Dir(st.placeOf(file))) // an executable's folder, when that was all it had
	}
	return err
}
