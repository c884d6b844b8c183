package change

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// The kinds of action that change one small file as a whole.
const (
	WriteFile  = "write_file"
	RemoveFile = "remove_file"
)

// A filePayload is the payload of write_file and remove_file.
type filePayload struct {
	File *fileStep `json:"file"`
}

func init() {
	for _, name := range []string{WriteFile, RemoveFile} {
		Register(Kind{
			Name: name, Check: checkFiles, Do: doFiles, Done: filesDone, Revert: revertFiles, Undo: undoFiles,
		})
	}
}

// PlanFile adds to p that path shall hold exactly data. Nothing is added when
// it does already.
func (p *Plan) PlanFile(path string, data []byte) error {
	return p.planFile(path, image{Exists: true, Data: data}, nil)
}

// planFile adds the step that makes path equal after. dirs, when not nil, are
// removed with the file if they are empty then.
func (p *Plan) planFile(path string, after image, dirs []string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s: not an absolute path", redact.Clean(path))
	}
	path, err := resolve(path)
	if err != nil {
		return err
	}
	before, err := readImage(path)
	if err != nil {
		return err
	}
	if before.equal(after) {
		return nil
	}
	if err := checkWritable(path); err != nil {
		return err
	}
	f := fileStep{Path: path, Before: before, After: after, Dirs: dirs}
	kind := WriteFile
	if !after.Exists {
		kind = RemoveFile
	} else if len(dirs) == 0 {
		f.Dirs = missingDirs(path)
	}
	payload, err := json.Marshal(filePayload{File: &f})
	if err != nil {
		return err
	}
	p.Add(Step{
		Action: Action{
			Kind: kind, Target: redact.Clean(path), Old: before.describe(), New: after.describe(),
			Bytes: int64(len(after.Data)), Undoable: true,
		},
		Payload: payload,
	})
	switch {
	case !after.Exists:
		p.fileCommand("rm", path)
	case !before.Exists && len(after.Data) == 0:
		if len(f.Dirs) > 0 {
			p.fileCommand("mkdir -p", filepath.Dir(path))
		}
		p.fileCommand("touch", path)
	}
	return nil
}

// describe says what a file is without showing what it holds.
func (i image) describe() string {
	switch {
	case !i.Exists:
		return "absent"
	case len(i.Data) == 0:
		return "empty file"
	default:
		return fmt.Sprintf("file of %d bytes", len(i.Data))
	}
}

func undoFiles(_ context.Context, _ *env.Env, _ string, steps []Step, force bool) (*Plan, error) {
	p := &Plan{}
	for i := len(steps) - 1; i >= 0; i-- {
		f, err := fileOf(steps[i])
		if err != nil || f == nil {
			return nil, errors.Join(err, fmt.Errorf("%s: the record names no file", steps[i].Action.Kind))
		}
		now, err := readImage(f.Path)
		if err != nil {
			return nil, err
		}
		if now.equal(f.Before) {
			continue // somebody took it back already
		}
		if !now.equal(f.After) && !force {
			return nil, fmt.Errorf("%s %w: it is now %s; take it back all the same with --force",
				redact.Clean(f.Path), ErrChangedSince, now.describe())
		}
		if err := p.planFile(f.Path, f.Before, f.Dirs); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// fileOf is the file that a step of one of this package's kinds changes; nil
// for the later steps of a set_variable group.
func fileOf(s Step) (*fileStep, error) {
	var payload filePayload
	if err := json.Unmarshal(s.Payload, &payload); err != nil {
		return nil, fmt.Errorf("%s %s: %w", s.Action.Kind, s.Action.Target, err)
	}
	return payload.File, nil
}

// eachFile calls f for every file of the steps.
func eachFile(steps []Step, f func(*fileStep) error) error {
	for _, s := range steps {
		file, err := fileOf(s)
		if err != nil {
			return err
		}
		if file == nil {
			continue
		}
		if err := f(file); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileStep) check() error {
	now, err := readImage(f.Path)
	if err != nil {
		return err
	}
	if !now.equal(f.Before) {
		return Stale(redact.Clean(f.Path))
	}
	return checkWritable(f.Path)
}

func checkFiles(_ context.Context, steps []Step) error { return eachFile(steps, (*fileStep).check) }

// doFiles does all steps or none.
func doFiles(_ context.Context, id string, steps []Step) error {
	var done []*fileStep
	err := eachFile(steps, func(f *fileStep) error {
		if err := f.do(id); err != nil {
			return err
		}
		done = append(done, f)
		return nil
	})
	if err == nil {
		return nil
	}
	for _, f := range slices.Backward(done) {
		if rerr := f.revert(id); rerr != nil {
			err = fmt.Errorf("%w, and %w: %w", err, ErrHalfWay, rerr)
		}
	}
	return err
}

func revertFiles(_ context.Context, id string, steps []Step) error {
	return eachFile(steps, func(f *fileStep) error { return f.revert(id) })
}

func (f *fileStep) do(id string) error {
	// The journal was written since the check, which takes a disk some time;
	// an editor that saved the file meanwhile must not lose that.
	err := f.check()
	if err == nil {
		err = put(f.Path, id, f.After)
	}
	if err != nil || !f.After.Exists {
		removeEmpty(f.Dirs)
	}
	return err
}

// revert brings back the old image, unless somebody else has written to the
// file meanwhile: then their bytes stay.
func (f *fileStep) revert(id string) error {
	removeLeftovers(f.Path, id)
	now, err := readImage(f.Path)
	if err != nil {
		return err
	}
	if now.equal(f.After) && !now.equal(f.Before) {
		if err := put(f.Path, id, f.Before); err != nil {
			return err
		}
		now = f.Before
	}
	if !now.Exists {
		removeEmpty(f.Dirs)
	}
	if !now.equal(f.Before) {
		return fmt.Errorf("%s was changed by something else meanwhile and was left as it is", redact.Clean(f.Path))
	}
	return nil
}

// filesDone reports whether every file of the steps is as they leave it.
func filesDone(_ context.Context, _ string, steps []Step) (bool, error) {
	done := true
	err := eachFile(steps, func(f *fileStep) error {
		now, err := readImage(f.Path)
		done = done && now.equal(f.After)
		return err
	})
	return done, err
}
