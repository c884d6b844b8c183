package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gpx/envctl/change"
	"gpx/envctl/redact"
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

// checkImport fails when the bundle is not the one that was planned with.
func checkImport(ctx context.Context, steps []change.Step) error {
	list, err := imports(steps)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.ID == "" {
			if _, err := os.Stat(s.Bundle); err != nil {
				return err
			}
			continue // each of its files is compared when it is read
		}
		c, err := inspect(ctx, s.Bundle, nil)
		if err != nil {
			return err
		}
		if c.id != s.ID {
			return fmt.Errorf("%s %w; make the plan again", redact.Clean(s.Bundle), change.ErrStale)
		}
	}
	return nil
}

// doImport does all imports or none.
func doImport(ctx context.Context, id string, steps []change.Step) error {
	list, err := imports(steps)
	if err != nil {
		return err
	}
	for i, s := range list {
		st := s.stage(id, i)
		if err = st.run(ctx); err == nil {
			continue
		}
		for ; i >= 0; i-- {
			if rerr := list[i].stage(id, i).revert(context.WithoutCancel(ctx)); rerr != nil {
				err = fmt.Errorf("%w, and %w: %w", err, change.ErrHalfWay, rerr)
			}
		}
		return err
	}
	return nil
}

func importDone(_ context.Context, id string, steps []change.Step) (bool, error) {
	list, err := imports(steps)
	done := true
	for i, s := range list {
		done = done && s.stage(id, i).isDone()
	}
	return done, err
}

func revertImport(ctx context.Context, id string, steps []change.Step) error {
	list, err := imports(steps)
	for i := len(list) - 1; i >= 0; i-- {
		err = errors.Join(err, list[i].stage(id, i).revert(ctx))
	}
	return err
}

// stage is the folder of one import. n tells the imports of one change apart.
func (s *importStep) stage(id string, n int) *stage {
	if n > 0 {
		id = fmt.Sprintf("%s-%d", id, n)
	}
	return &stage{s: s, dir: filepath.Join(importDir(s.Cache), id)}
}

// importDir is the folder of all imports of a cache.
func importDir(cache string) string { return filepath.Join(cache, "cache", "gpx-import") }
