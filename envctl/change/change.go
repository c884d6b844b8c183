// Package change is the one way in which gpx changes the machine: a plan that
// can be shown, applied, and taken back exactly.
//
//	Plan ──show──▶ Apply: begin ▶ do ▶ commit ──▶ Change ──▶ Undo
//	                        └────── Journal ──────┘
//
// The journal is written before anything is touched, so that after SIGKILL the
// next start knows what was in flight.
package change

import "gpx/envctl/wire"

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
// (Old, New) and in effect.
type VarChange struct {
	Var          string `json:"var"`
	Old          string `json:"old"`
	New          string `json:"new"`
	OriginOld    string `json:"origin_old"`
	EffectiveOld string `json:"effective_old"`
	EffectiveNew string `json:"effective_new"`
	Shadowed     bool   `json:"shadowed"` // the OS environment hides the new value
}

// A Plan is what would be done, as data.
type Plan struct {
	ID         string      `json:"id"`
	Title      string      `json:"title"`
	Applied    bool        `json:"applied"`
	DryRun     bool        `json:"dry_run"`
	Actions    []Action    `json:"actions"`
	Changes    []VarChange `json:"changes"`
	Commands   []string    `json:"commands"`
	Warnings   []string    `json:"warnings"`
	FreedBytes int64       `json:"freed_bytes"`
}

// A Change is an applied plan, as the journal holds it.
type Change struct {
	ID      string    `json:"id"`
	At      wire.Time `json:"at"`
	Actor   string    `json:"actor"`
	Title   string    `json:"title"`
	Actions []Action  `json:"actions"`
	Undone  bool      `json:"undone"`
}
