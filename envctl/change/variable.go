package change

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"gpx/envctl/advice"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// SetVariable is the kind of action that changes the file go env -w writes.
const SetVariable = "set_variable"

// A variableStep is the payload of a set_variable step. A nil pointer means
// that the variable is not in the file.
type variableStep struct {
	Name string  `json:"name"`
	Old  *string `json:"old"`
	New  *string `json:"new"`
	// OS is the value in the OS environment when the plan was made, "" when
	// it had none.
	OS string `json:"os,omitempty"`
	// File is what the first step of a group says for all of it.
	File *fileStep `json:"file,omitempty"`
}

// A fileStep takes one file from one image to another.
type fileStep struct {
	Path   string   `json:"path"` // symbolic links resolved
	Before image    `json:"before"`
	After  image    `json:"after"`
	Dirs   []string `json:"dirs,omitempty"` // parents that did not exist, deepest first
}

func init() {
	Register(Kind{
		Name: SetVariable, Check: checkFiles, Do: doFiles, Done: variablesDone, Revert: revertFiles, Undo: undoVariables,
	})
}

// variablesDone reports whether the file is as the steps leave it, or at least
// every variable is: another line may have been written since.
func variablesDone(ctx context.Context, id string, steps []Step) (bool, error) {
	if done, err := filesDone(ctx, id, steps); done || err != nil {
		return done, err
	}
	taken, file, err := variables(steps)
	if err != nil {
		return false, err
	}
	now, err := readImage(file.Path)
	if err != nil {
		return false, err
	}
	have := values(now.Data)
	for _, v := range taken {
		if !v.is(have, v.New) {
			return false, nil
		}
	}
	return true, nil
}

// variables reads the payloads of a group of set_variable steps.
func variables(steps []Step) (vs []variableStep, file *fileStep, err error) {
	for _, s := range steps {
		var v variableStep
		if err := json.Unmarshal(s.Payload, &v); err != nil {
			return nil, nil, err
		}
		if v.File != nil {
			file = v.File
		}
		vs = append(vs, v)
	}
	if file == nil {
		return nil, nil, fmt.Errorf("%s: the record names no file", SetVariable)
	}
	return vs, file, nil
}

// is reports whether have gives the variable that value; nil means none.
func (v variableStep) is(have map[string]string, value *string) bool {
	now, ok := have[v.Name]
	return ok == (value != nil) && (!ok || now == *value)
}

// secret is the raw text whose salted hash the journal keeps for a step.
func secret(s Step) string {
	var v variableStep
	if s.Action.Kind != SetVariable || json.Unmarshal(s.Payload, &v) != nil {
		return ""
	}
	return deref(v.New)
}

// PlanEnv plans to change variables of the user's go env file. The toolchain
// itself checks the values and says what the file would hold. When the file
// would stay as it is the plan is [Plan.Empty]; it still has Commands and Shell
// where the OS environment decides otherwise.
func PlanEnv(e *env.Env, title string, as []Assignment) (*Plan, error) {
	p, err := planEnv(context.Background(), e, as, takeBack{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", subject(as), err)
	}
	p.Title = title
	return p, nil
}

// subject names what is changed, for the head of an error.
func subject(as []Assignment) string {
	names := make([]string, len(as))
	for i, a := range as {
		names[i] = redact.Clean(a.Name)
	}
	return "set " + strings.Join(names, ", ")
}

// userFile is the resolved path of the file that go env -w writes. as is what
// is wanted of it.
func userFile(e *env.Env, as []Assignment) (string, error) {
	switch {
	case e.UserFileOff:
		return "", advice.Add(errors.New("GOENV=off disables the user file, so nothing can be kept"), "unset GOENV, or %s", instead(as))
	case e.UserFile == "":
		return "", advice.Add(errors.New("there is no user file, because neither HOME nor XDG_CONFIG_HOME is set"), "set HOME, or GOENV to a file")
	case e.Go == "":
		return "", advice.Add(errors.New("there is no go command on PATH, and only it writes the user file"), "install Go or mend PATH")
	}
	file := e.UserFile
	if !filepath.IsAbs(file) {
		file = filepath.Join(e.Dir, file)
	}
	path, err := resolve(file)
	if err != nil {
		return "", fmt.Errorf("user file: %w", err)
	}
	return path, nil
}

// takeBack is what an undo adds to a plan; its zero value adds nothing.
type takeBack struct {
	image *image                  // the exact image to bring back, instead of what the toolchain would write
	steps map[string]variableStep // the steps that are taken back
}

// planEnv is PlanEnv for plans and undos.
func planEnv(ctx context.Context, e *env.Env, as []Assignment, back takeBack) (*Plan, error) {
	if err := checkNames(as); err != nil {
		return nil, err
	}
	path, err := userFile(e, as)
	if err != nil {
		return nil, err
	}
	before, err := readImage(path)
	if err != nil {
		return nil, fmt.Errorf("user file: %w", err)
	}
	if err := checkWritable(path); err != nil {
		return nil, advice.Add(fmt.Errorf("user file: %w", err), "make it writable, or %s", instead(as))
	}
	from, by := before, as
	if back.image != nil {
		// These bytes were there before, whatever go env -w thinks of them
		// (a value that ends in a carriage return, for one).
		from, by = *back.image, nil
	}
	after, effective, err := rewrite(ctx, e, from, by, undecided(as))
	if err != nil {
		return nil, err
	}
	p := &Plan{}
	same := after.equal(before)
	if !same {
		p.command("go env -u", unsetOf(as))
		p.command("go env -w", setOf(as))
	}
	file := &fileStep{Path: path, Before: before, After: after, Dirs: missingDirs(path)}
	old := values(before.Data)
	for i, a := range as {
		v := variableStep{Name: a.Name, OS: e.OSEnv(a.Name)}
		if value, ok := old[a.Name]; ok {
			v.Old = &value
		}
		if !a.Unset {
			v.New = &a.Value
		}
		if i == 0 {
			v.File = file
		}
		var taken *variableStep
		if t, ok := back.steps[a.Name]; ok {
			taken = &t
		}
		if !same {
			if err := p.addVariable(v); err != nil {
				return nil, err
			}
		}
		p.explain(e, v, effective[a.Name], taken, same)
	}
	return p, nil
}

func checkNames(as []Assignment) error {
	seen := map[string]bool{}
	for _, a := range as {
		if a.Name == "" || strings.ContainsAny(a.Name, "=\x00\n") {
			return fmt.Errorf("%q is not the name of a variable", redact.Clean(a.Name))
		}
		if seen[a.Name] {
			return fmt.Errorf("%s is given twice", redact.Clean(a.Name))
		}
		seen[a.Name] = true
	}
	if len(as) == 0 {
		return errors.New("no variable is given")
	}
	return nil
}

// undecided lists the variables whose effective value the toolchain has to be
// asked for: those that the new file does not decide.
func undecided(as []Assignment) []string {
	var names []string
	for _, a := range as {
		if (a.Unset || a.Value == "") && a.Name != "GOTOOLCHAIN" {
			names = append(names, a.Name)
		}
	}
	return names
}

// addVariable appends the step and the action of one variable.
func (p *Plan) addVariable(v variableStep) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return err
	}
	p.Add(Step{
		Action: Action{
			Kind: SetVariable, Target: redact.Clean(v.Name),
			Old: redacted(v.Name, v.Old), New: redacted(v.Name, v.New), Undoable: true,
		},
		Payload: payload,
	})
	return nil
}

// explain appends what becomes of one variable, and what the shell would have
// to do. below is its value when nothing sets it; taken, when not nil, is the
// step that is taken back. A file that stays the same is worth a word only
// where the OS environment decides otherwise.
func (p *Plan) explain(e *env.Env, v variableStep, below string, taken *variableStep, same bool) {
	now, _ := e.Lookup(v.Name)
	wanted := below // if the OS environment were silent
	if v.New != nil && *v.New != "" {
		wanted = *v.New
	} else if v.Name == "GOTOOLCHAIN" {
		// gpx runs the go command with GOTOOLCHAIN=local, so it cannot be asked.
		wanted = now.Below()
	}
	want, hidden := shellWants(v, taken)
	if same && want == nil {
		return
	}
	c := VarChange{
		Var: redact.Clean(v.Name), Old: redacted(v.Name, v.Old), New: redacted(v.Name, v.New),
		OriginOld:    string(now.Origin),
		EffectiveOld: redact.Value(v.Name, now.Value),
		EffectiveNew: redact.Value(v.Name, wanted),
		Shadowed:     hidden,
	}
	hook := want != nil && hooked(e)
	switch {
	case hook && !want.Unset:
		c.EffectiveNew, c.Shadowed = redact.Value(v.Name, want.Value), false
	case hook:
		c.Shadowed = false
	case v.OS != "":
		c.EffectiveNew = redact.Value(v.Name, v.OS)
	}
	p.Changes = append(p.Changes, c)
	if v.Name == "GOSUMDB" && wanted == "off" { // whoever asks for it, an undo included
		p.Warn(checksumsOff)
	}
	if want != nil {
		p.shadow(*want, hook)
	}
}

// checksumsOff goes with every plan after which nothing is verified.
const checksumsOff = "CHECKSUMS OFF: what is downloaded from now on is not verified by anyone, and its hash goes into go.sum as if it were right"

// hooked reports whether gpx runs behind the hook of gpx/envctl/shell, which
// makes the shell's part of a change when gpx ends.
func hooked(e *env.Env) bool {
	return e.OSEnv("GPX_SHELL_FILE") != "" && e.OSEnv("GPX_SHELL") != ""
}

// shellWants is what the calling shell would have to do for v to take effect
// there, nil when nothing. hidden says that its environment decides all the
// same, which is how it was before the change that is taken back.
func shellWants(v variableStep, taken *variableStep) (want *Assignment, hidden bool) {
	if taken != nil && taken.OS != "" {
		switch {
		case v.OS == taken.OS:
			return nil, v.New == nil || *v.New != v.OS
		case v.OS == deref(taken.New):
			// The hook gave the shell the new value: give it the old one back.
			return &Assignment{Name: v.Name, Value: taken.OS}, true
		}
	}
	switch {
	case v.OS == "":
		return nil, false
	case v.New == nil:
		// Whatever lies below, the OS environment would go on deciding.
		return &Assignment{Name: v.Name, Unset: true}, true
	case *v.New == v.OS:
		return nil, false
	default:
		return &Assignment{Name: v.Name, Value: *v.New}, true
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// shadow adds what the calling shell has to run for the plan to take effect
// there, and whether the hook does.
func (p *Plan) shadow(a Assignment, hook bool) {
	p.shell = append(p.shell, a)
	verb := "export"
	if a.Unset {
		verb = "unset"
	}
	p.command(verb, []Assignment{a})
	name := redact.Clean(a.Name)
	if hook {
		p.Warn(fmt.Sprintf("the OS environment sets %s, which hides the user file: the shell hook changes it in this shell, other shells keep theirs", name))
		return
	}
	p.Warn(fmt.Sprintf("the OS environment sets %s, which hides the user file: your shell has to run the %s line as well", name, verb))
}

func redacted(name string, value *string) string {
	if value == nil {
		return ""
	}
	return redact.Value(name, *value)
}

func setOf(as []Assignment) (set []Assignment) {
	for _, a := range as {
		if !a.Unset {
			set = append(set, a)
		}
	}
	return set
}

func unsetOf(as []Assignment) (unset []Assignment) {
	for _, a := range as {
		if a.Unset {
			unset = append(unset, a)
		}
	}
	return unset
}
