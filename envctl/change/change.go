// Package change is the one way in which gpx changes the machine: a plan that
// can be shown, applied, and taken back exactly.
//
//	Plan ──show──▶ Apply: check ▶ begin ▶ keep ▶ do ▶ commit ──▶ Change ──▶ Undo
//	                              └────────── Journal ─────┘
//
// The journal and the before-images are durable before anything is touched, so
// that after SIGKILL the next start ([Changer.Recover]) knows what was in
// flight and finishes it or rolls it back.
//
// What is done is a list of [Step]s, each of a registered [Kind]; the kinds
// here are set_variable (the file that go env -w writes), write_file and
// remove_file. Other packages add theirs with [Register].
//
// Two texts are kept apart everywhere. What people and the journal see
// ([Action], [VarChange], [Plan.Commands]) is redacted; the raw values, which
// may hold credentials, live in a Plan's unexported fields and, once applied,
// in one 0600 file under [Options].StateDir. That directory is closed to others,
// since an undo file says what to write where:
//
//	StateDir/lock        taken by every process that changes something
//	StateDir/undo/ID     the raw steps of change ID; gone when it is undone, or after 30 days
//	StateDir/expiry      exists while a change waits for its end; holds that instant in Unix seconds
package change

import (
	"encoding/json"

	"gpx/envctl/env"
	"gpx/envctl/wire"
)

// An Action is one typed step of a plan. Old and New are redacted.
type Action struct {
	Kind     string `json:"kind"`
	Target   string `json:"target"`
	Old      string `json:"old"`
	New      string `json:"new"`
	Bytes    int64  `json:"bytes"`
	Undoable bool   `json:"undoable"`
}

// A VarChange says what a plan does to one go env variable: in the user file
// (Old, New) and in effect. All values are redacted.
type VarChange struct {
	Var          string `json:"var"`
	Old          string `json:"old"`
	New          string `json:"new"`
	OriginOld    string `json:"origin_old"`
	EffectiveOld string `json:"effective_old"`
	EffectiveNew string `json:"effective_new"`
	Shadowed     bool   `json:"shadowed"` // the OS environment hides the new value
}

// Hidden reports whether the OS environment decides before the plan and after
// it, so that only Old and New tell what the plan does.
func (c *VarChange) Hidden() bool {
	return c.Shadowed || c.OriginOld == string(env.OS) && c.EffectiveOld == c.EffectiveNew
}

// A Plan is what would be done, as data.
type Plan struct {
	ID         string      `json:"id"` // given by Apply; empty before
	Title      string      `json:"title"`
	Applied    bool        `json:"applied"`
	DryRun     bool        `json:"dry_run"`
	Actions    []Action    `json:"actions"`
	Changes    []VarChange `json:"changes"`
	Commands   []string    `json:"commands"`
	Warnings   []string    `json:"warnings"`
	FreedBytes int64       `json:"freed_bytes"`
	Undoes     string      `json:"undoes,omitempty"` // the change that this plan takes back
	Expires    wire.Time   `json:"expires,omitzero"` // when the change is to be taken back by itself

	steps []Step
	raw   []string     // Commands with nothing redacted
	shell []Assignment // what the calling shell would have to run for the plan to take effect there
	left  []string     // targets that stayed as they were when it was applied
}

// ByItself is the actor of what gpx changes without being asked by a person.
const ByItself = "auto"

// A Change is an applied plan, as the journal holds it.
type Change struct {
	ID      string    `json:"id"`
	At      wire.Time `json:"at"`
	Actor   string    `json:"actor"`
	Title   string    `json:"title"`
	Actions []Action  `json:"actions"`
	Undone  bool      `json:"undone"`
	Undoes  string    `json:"undoes,omitempty"`
	Expires wire.Time `json:"expires,omitzero"`
	Note    string    `json:"note,omitempty"` // what Recover did with it, or what Apply had to leave
}

// A Step is one action with what its kind needs to do it and to take it back.
type Step struct {
	Action Action
	// Payload is the kind's own, raw: it may hold credentials. It is written
	// to the undo file and nowhere else.
	Payload json.RawMessage
}

// An Assignment gives a go env variable a value, or takes it away. Value is raw.
type Assignment struct {
	Name  string
	Value string
	Unset bool
}

// Add appends a step and its action to the plan.
func (p *Plan) Add(steps ...Step) {
	for _, s := range steps {
		p.steps = append(p.steps, s)
		p.Actions = append(p.Actions, s.Action)
	}
}

// Merge appends what q does to p: steps, changes, commands and warnings.
func (p *Plan) Merge(q *Plan) {
	p.Add(q.steps...)
	p.Changes = append(p.Changes, q.Changes...)
	p.Commands = append(p.Commands, q.Commands...)
	p.raw = append(p.raw, q.raw...)
	p.shell = append(p.shell, q.shell...)
	p.Warnings = append(p.Warnings, q.Warnings...)
	p.FreedBytes += q.FreedBytes
}

// Warn appends a warning. The text must be clean and redacted.
func (p *Plan) Warn(text string) { p.Warnings = append(p.Warnings, text) }

// Empty reports whether the plan does nothing.
func (p *Plan) Empty() bool { return len(p.steps) == 0 }

// RawCommands returns Commands with nothing redacted, for --show-secrets.
func (p *Plan) RawCommands() []string { return append([]string{}, p.raw...) }

// Shell returns what the calling shell would have to set or unset for the plan
// to take effect there: only variables that its environment shadows. The
// values are raw.
func (p *Plan) Shell() []Assignment { return append([]Assignment{}, p.shell...) }

// MarshalJSON implements [json.Marshaler]: lists are never null.
func (p Plan) MarshalJSON() ([]byte, error) {
	type plain Plan
	q := plain(p)
	q.Actions = nonNil(q.Actions)
	q.Changes = nonNil(q.Changes)
	q.Commands = nonNil(q.Commands)
	q.Warnings = nonNil(q.Warnings)
	return json.Marshal(q)
}

// MarshalJSON implements [json.Marshaler]: lists are never null.
func (c Change) MarshalJSON() ([]byte, error) {
	type plain Change
	q := plain(c)
	q.Actions = nonNil(q.Actions)
	return json.Marshal(q)
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
