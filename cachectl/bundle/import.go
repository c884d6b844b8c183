package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gpx/envctl/change"
)

// An import goes through a folder of the cache itself, so that what was checked
// there becomes visible by being linked:
//
//	GOMODCACHE/cache/gpx-import/
//	  <id>/        change <id> is in flight, or was killed
//	    0 1 2 …    the files, numbered as in the plan: no name of a stranger is used here
//	    0.hash …   what becomes the .ziphash of a zip
//	    placing    everything was checked; files may be visible from here on
//	  <id>.done/   the commit point: all of them are; it only has to be removed
//
// A file is the import's as long as it is the one that is linked here, so a
// killed import takes back exactly what it placed. Where links are not to be
// had files are renamed instead, and what is missing here was placed.

func init() {
	change.Register(change.Kind{
		Name: ImportBundle, Check: checkImport, Do: doImport, Done: importDone, Revert: revertImport, Undo: undoImport,
	})
}

// imports are the imports of a group of steps: each begins with a payload.
func imports(steps []change.Step) ([]*importStep, error) {
	var list []*importStep
	for _, st := range steps {
		if len(st.Payload) == 0 || string(st.Payload) == "null" {
			continue
		}
		s := &importStep{}
		if err := json.Unmarshal(st.Payload, s); err != nil {
			return nil, fmt.Errorf("%s %s: %w", st.Action.Kind, st.Action.Target, err)
		}
		if err := s.parse(); err != nil {
			return nil, fmt.Errorf("%s: %w", st.Action.Kind, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// parse understands the names of the items again.
func (s *importStep) parse() error {
	for i := range s.Add {
		it := &s.Add[i]
		n, ok, err := parseName(it.Path)
		if err == nil && !ok {
			err = errors.New("not a file of a bundle")
		}
		if err != nil {
			return err
		}
		it.name = n
	}
	return nil
}

// checkImport fails when a bundle is gone. Whether it is still the one that was
// planned with is seen when it is read, before anything is placed.
func checkImport(_ context.Context, steps []change.Step) error {
	list, err := imports(steps)
	for _, s := range list {
		_, serr := os.Stat(s.Bundle)
		err = errors.Join(err, serr)
	}
	return err
}

// doImport does all imports or none.
func doImport(ctx context.Context, id string, steps []change.Step) error {
	list, err := imports(steps)
	if err != nil {
		return err
	}
	stages := stagesOf(id, list)
	for i, st := range stages {
		if err := st.run(ctx); err != nil {
			return rollBack(ctx, err, stages[:i+1], (*stage).revert)
		}
	}
	return nil
}

// rollBack takes stages back, the last first, after err.
func rollBack(ctx context.Context, err error, stages []*stage, back func(*stage, context.Context) error) error {
	for _, st := range slices.Backward(stages) {
		if rerr := back(st, context.WithoutCancel(ctx)); rerr != nil {
			err = fmt.Errorf("%w, and %w: %w", err, change.ErrHalfWay, rerr)
		}
	}
	return err
}

func importDone(_ context.Context, id string, steps []change.Step) (bool, error) {
	list, err := imports(steps)
	done := true
	for _, st := range stagesOf(id, list) {
		done = st.isDone() && done
	}
	return done, err
}

func revertImport(ctx context.Context, id string, steps []change.Step) error {
	list, err := imports(steps)
	for _, st := range slices.Backward(stagesOf(id, list)) {
		err = errors.Join(err, st.revert(ctx))
	}
	return err
}

// stagesOf are the folders of the imports of one change.
func stagesOf(id string, list []*importStep) []*stage {
	var stages []*stage
	for i, s := range list {
		dir := filepath.Join(importDir(s.Cache), id)
		if i > 0 {
			dir = fmt.Sprintf("%s-%d", dir, i)
		}
		stages = append(stages, &stage{s: s, dir: dir, top: s.Cache})
	}
	return stages
}

// importDir is the folder of all imports of a cache.
func importDir(cache string) string { return filepath.Join(cache, "cache", "gpx-import") }
