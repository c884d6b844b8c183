package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gpx/cachectl/buildcache"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// RemoveBuildImport is the kind of action that takes an import into a build
// cache back. It removes the entries: after that no build finds the outputs. They
// stay, because a running build may have found one just before, and go with the
// next prune or trim.
const RemoveBuildImport = "remove_build_import"

func init() {
	change.Register(change.Kind{
		Name: RemoveBuildImport, Check: func(_ context.Context, steps []change.Step) error { _, err := buildImports(steps); return err },
		Do: doRemoveBuild, Done: removeBuildDone, Revert: revertRemoveBuild, Undo: undoRemoveBuild,
	})
}

// undoBuildImport plans to remove those entries of an import that nobody has
// made anew since.
func undoBuildImport(ctx context.Context, _ *env.Env, _ string, steps []change.Step, _ bool) (*change.Plan, error) {
	list, err := buildImports(steps)
	if err != nil {
		return nil, err
	}
	p := &change.Plan{}
	for _, s := range list {
		r := *s
		r.Add = nil
		n := 0
		for _, e := range s.entries() {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if s.has(e) {
				r.Add = packEntry(r.Add, e)
				n++
			}
		}
		if n == 0 {
			continue
		}
		payload, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		p.Warn("no build finds the outputs any more; their space is free after the next trim, or two hours from the import on with: gpx cache prune --build --all")
		p.Add(change.Step{Payload: payload, Action: change.Action{
			Kind: RemoveBuildImport, Target: redact.Clean(s.Cache), Old: fmt.Sprintf("%d entries of %s", n, redact.Clean(filepath.Base(s.Bundle))), New: "absent",
			Bytes: int64(n) * buildcache.EntrySize,
		}})
	}
	return p, nil
}

// doRemoveBuild removes the entries. They are small and few enough not to be
// stopped half way.
func doRemoveBuild(_ context.Context, _ string, steps []change.Step) error {
	list, err := buildImports(steps)
	for _, s := range list {
		for _, e := range s.entries() {
			if !s.has(e) {
				continue
			}
			if rerr := os.Remove(s.target(entryPath(e.Action))); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
				err = errors.Join(err, rerr)
			}
		}
	}
	if err == nil {
		return nil
	}
	if rerr := giveBackEntries(list); rerr != nil {
		return fmt.Errorf("%w, and %w: %w", err, change.ErrHalfWay, rerr)
	}
	return err
}

func removeBuildDone(_ context.Context, _ string, steps []change.Step) (bool, error) {
	list, err := buildImports(steps)
	for _, s := range list {
		for _, e := range s.entries() {
			if s.has(e) {
				return false, err
			}
		}
	}
	return err == nil, err
}

func revertRemoveBuild(_ context.Context, _ string, steps []change.Step) error {
	list, err := buildImports(steps)
	return errors.Join(err, giveBackEntries(list))
}

// giveBackEntries writes again what was removed, where nothing has come
// meanwhile.
func giveBackEntries(list []*buildImport) error {
	var errs []error
	for _, s := range list {
		for _, e := range s.entries() {
			target := s.target(entryPath(e.Action))
			f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			if err == nil {
				_, err = f.Write(e.Text())
				err = errors.Join(err, f.Close())
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func undoRemoveBuild(_ context.Context, _ *env.Env, _ string, steps []change.Step, _ bool) (*change.Plan, error) {
	list, err := buildImports(steps)
	if err != nil {
		return nil, err
	}
	names := ""
	for _, s := range list {
		names += " " + redact.Clean(s.Bundle)
	}
	return nil, fmt.Errorf("%w: import them again with: gpx cache import%s", change.ErrForGood, names)
}
