package change

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"gpx/envctl/advice"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// undoVariables plans to take back a group of set_variable steps: byte for
// byte when the file is as the change left it, variable by variable when
// something else in it changed since.
func undoVariables(ctx context.Context, e *env.Env, _ string, steps []Step, force bool) (*Plan, error) {
	vs, file, err := variables(steps)
	if err != nil {
		return nil, err
	}
	taken := map[string]variableStep{}
	var as []Assignment
	for _, v := range vs {
		taken[v.Name] = v
		as = append(as, Assignment{Name: v.Name, Value: deref(v.Old), Unset: v.Old == nil})
	}
	path, err := userFile(e, as)
	if err != nil {
		return nil, err
	}
	if path != file.Path {
		return nil, advice.Add(fmt.Errorf("the change was made to %s, but GOENV now names %s", redact.Clean(file.Path), redact.Clean(path)),
			"run it with: GOENV=%s gpx undo", quote(redact.Clean(file.Path)))
	}
	now, err := readImage(path)
	if err != nil {
		return nil, err
	}
	back := takeBack{steps: taken}
	if now.equal(file.After) {
		back.image = &file.Before
	} else if changed := changedSince(now, vs); len(changed) > 0 && !force {
		return nil, fmt.Errorf("%s %w: now %s; take it back all the same with --force",
			strings.Join(changed, ", "), ErrChangedSince, nowValues(now, changed))
	}
	p, err := planEnv(ctx, e, as, back)
	if err != nil {
		return nil, err
	}
	p.forgetFile(file)
	return p, nil
}

// changedSince names the variables that are neither what the change made them
// nor what they were before it.
func changedSince(now image, vs []variableStep) []string {
	var names []string
	have := values(now.Data)
	for _, v := range vs {
		if !v.is(have, v.New) && !v.is(have, v.Old) {
			names = append(names, redact.Clean(v.Name))
		}
	}
	return names
}

func nowValues(now image, names []string) string {
	have := values(now.Data)
	texts := make([]string, len(names))
	for i, name := range names {
		value, ok := have[name]
		switch texts[i] = redact.Value(name, value); {
		case !ok:
			texts[i] = "unset"
		case value == "":
			texts[i] = "empty"
		}
	}
	return strings.Join(texts, ", ")
}

// forgetFile makes a plan that empties a file which gpx itself had created
// remove it, and lets it remove the directories that came with it.
func (p *Plan) forgetFile(was *fileStep) {
	for i, s := range p.steps {
		var v variableStep
		if s.Action.Kind != SetVariable || json.Unmarshal(s.Payload, &v) != nil || v.File == nil {
			continue
		}
		if !was.Before.Exists && len(v.File.After.Data) == 0 {
			v.File.After = image{}
		}
		if !v.File.After.Exists {
			v.File.Dirs = was.Dirs
		}
		if payload, err := json.Marshal(v); err == nil {
			p.steps[i].Payload = payload
		}
	}
}
