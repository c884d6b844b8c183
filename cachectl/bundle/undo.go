package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/flock"
	"gpx/envctl/advice"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// RemoveImport is the kind of action that takes an import back. What it took
// out of the cache is in the bundle, so nothing keeps it.
const RemoveImport = "remove_import"

func init() {
	change.Register(change.Kind{
		Name: RemoveImport, Check: checkRemove, Do: doRemove, Done: removeDone, Revert: revertRemove, Undo: undoRemove,
	})
}

// undoImport plans to take out again what an import added and nobody changed
// since. A version that the go command has extracted stays as it is: the
// extracted tree is worth nothing without its .ziphash.
func undoImport(ctx context.Context, _ *env.Env, _ string, steps []change.Step, _ bool) (*change.Plan, error) {
	list, err := imports(steps)
	if err != nil {
		return nil, err
	}
	p := &change.Plan{}
	for _, s := range list {
		if err := s.planRemove(ctx, p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (s *importStep) planRemove(ctx context.Context, p *change.Plan) error {
	r := *s
	r.Add = nil
	extracted, changed := map[module.Version]bool{}, 0
	var bytes int64
	for i := range s.Add {
		it := s.Add[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		m := it.name.version
		target := s.target(it.Path)
		switch {
		case !exists(target):
		case it.name.db == "" && exists(s.tree(m)):
			extracted[m] = true
		case !sameBytes(target, &it):
			// Somebody else's by now. Records of the database that the import did
			// not need were never placed, and what is there is older.
			if it.name.db == "" {
				changed++
			}
		default:
			r.Add = append(r.Add, it)
			bytes += it.Size
		}
	}
	if len(extracted) > 0 {
		p.Warn(stay(len(extracted), "version", "extracted") + "; take it out with: gpx cache prune MODULE@VERSION")
	}
	if changed > 0 {
		p.Warn(stay(changed, "file", "replaced"))
	}
	if len(r.Add) == 0 {
		return nil
	}
	payload, err := json.Marshal(r)
	if err != nil {
		return err
	}
	p.FreedBytes += bytes
	p.Add(change.Step{Payload: payload, Action: change.Action{
		Kind: RemoveImport, Target: redact.Clean(s.Bundle), Old: fmt.Sprintf("%d files in the module cache", len(r.Add)), New: "absent", Bytes: bytes,
	}})
	return nil
}

// stay says what an undo leaves.
func stay(n int, what, became string) string {
	if n == 1 {
		return "1 " + what + " was " + became + " since and stays"
	}
	return count(n, what) + " were " + became + " since and stay"
}

// tree is where the go command extracts a version.
func (s *importStep) tree(m module.Version) string {
	path, perr := module.EscapePath(m.Path)
	v, verr := module.EscapeVersion(m.Version)
	if perr != nil || verr != nil {
		return s.Cache
	}
	return filepath.Join(s.Cache, filepath.FromSlash(path)+"@"+v)
}

// sameBytes reports whether a file of the cache holds what the import placed.
func sameBytes(path string, it *item) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != it.Size {
		return false
	}
	sum, err := hashFile(path)
	return err == nil && sum == it.SHA256
}

func checkRemove(_ context.Context, steps []change.Step) error {
	_, err := imports(steps)
	return err
}

func doRemove(ctx context.Context, id string, steps []change.Step) error {
	list, err := imports(steps)
	if err != nil {
		return err
	}
	stages := stagesOf(id, list)
	for i, st := range stages {
		if err := st.takeAway(ctx); err != nil {
			return rollBack(ctx, err, stages[:i+1], (*stage).giveBack)
		}
	}
	return nil
}

// takeAway moves the files out of the cache into the stage, and removes that.
func (st *stage) takeAway(ctx context.Context) error {
	if err := os.MkdirAll(st.dir, 0o700); err != nil {
		return err
	}
	for i := range slices.Backward(st.s.Add) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := st.takeOne(ctx, i); err != nil {
			return err
		}
		change.Report(ctx, change.Progress{What: "taking out", Done: int64(len(st.s.Add) - i), Total: int64(len(st.s.Add)), Unit: "files"})
	}
	if err := st.relistAll(ctx); err != nil {
		return err
	}
	if err := os.Rename(st.dir, st.doneDir()); err != nil {
		return err
	}
	st.clean()
	return nil
}

func (st *stage) takeOne(ctx context.Context, i int) error {
	it := &st.s.Add[i]
	if it.name.part == partZip {
		unlock, err := flock.Soon(ctx, strings.TrimSuffix(st.s.target(it.Path), "zip")+"lock")
		if errors.Is(err, flock.ErrHeld) {
			return advice.Add(fmt.Errorf("a go command is at work on %s", it.name.version), "try again")
		}
		if err != nil {
			return err
		}
		defer unlock()
		if exists(st.s.tree(it.name.version)) {
			return nil // extracted since the plan was made
		}
	}
	for _, f := range slices.Backward(st.files(i)) {
		err := os.Rename(f.to, f.from)
		if err == nil && st.replaces(i, f) {
			err = st.takeBack(i, f)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// giveBack moves the files back to where nothing has come meanwhile.
func (st *stage) giveBack(ctx context.Context) error {
	if !exists(st.dir) {
		return nil
	}
	var errs []error
	for i := range st.s.Add {
		for _, f := range st.files(i) {
			if !exists(f.from) {
				continue
			}
			err := os.MkdirAll(filepath.Dir(f.to), 0o777)
			if err == nil {
				err = st.show(i, f)
			}
			if err != nil && !errors.Is(err, os.ErrExist) {
				errs = append(errs, err)
			}
		}
	}
	errs = append(errs, st.relistAll(ctx))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	st.clean()
	return nil
}

// removeDone reports whether the files are out of the cache.
func removeDone(_ context.Context, id string, steps []change.Step) (bool, error) {
	list, err := imports(steps)
	done := true
	for _, st := range stagesOf(id, list) {
		done = st.isAway() && done
	}
	return done, err
}

// isAway reports whether all files were taken away.
func (st *stage) isAway() bool {
	if exists(st.doneDir()) {
		st.clean()
		return true
	}
	return !exists(st.dir) && !slices.ContainsFunc(st.s.Add, func(it item) bool { return exists(st.s.target(it.Path)) })
}

func revertRemove(ctx context.Context, id string, steps []change.Step) error {
	list, err := imports(steps)
	for _, st := range stagesOf(id, list) {
		err = errors.Join(err, st.giveBack(ctx))
	}
	return err
}

func undoRemove(_ context.Context, _ *env.Env, _ string, steps []change.Step, _ bool) (*change.Plan, error) {
	list, err := imports(steps)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range list {
		names = append(names, redact.Clean(s.Bundle))
	}
	return nil, fmt.Errorf("%w: the files are no longer kept; import them again with: gpx cache import %s", change.ErrForGood, strings.Join(names, " "))
}
