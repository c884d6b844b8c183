// Package doctor goes through the troubleshooting tree: everything that the
// download of a module depends on, in the order in which it matters.
//
//	go command ▶ settings ▶ DNS ▶ network ▶ forward proxy ▶ hops ▶ certificates
//	and clock ▶ checksum database ▶ project ▶ caches
//
// [Steps] is a pure function from [Facts]; [Look] reads the few facts that
// nobody else has: the state of the caches' folders and the toolchain's age.
// Every step says what it saw, and where something is wrong, what to do.
package doctor

import (
	"time"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe/monitor"
)

// A Step is one question of the tree, with what was seen. All text is redacted
// and free of control characters.
type Step struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"` // what to do; "" where nothing is wrong
}

// A State is how a step came out.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // works, and may bite
	Fail State = "fail"
	Skip State = "skip" // does not apply, or what it needs failed
)

// Facts are all that [Steps] knows.
type Facts struct {
	Now        time.Time
	Env        *env.Env
	EnvErr     error            // the environment could not be read
	Project    *project.Project // nil outside a module
	ProjectErr error            // other than project.ErrNone
	Snapshot   monitor.Snapshot // of a burst
	Machine    Machine
}

// A Machine is what [Look] saw.
type Machine struct {
	Folders []Folder
	// GoBuilt is when the toolchain was released: no clock that is right shows
	// an earlier time. Zero when it is not known.
	GoBuilt time.Time
}

// A Folder is one that the go command writes to.
type Folder struct {
	Name string // "GOMODCACHE"
	Path string
	// Missing says that it is not there; Writable then speaks of the nearest
	// folder above it that is.
	Missing  bool
	Writable bool
	Err      string // why it could not be looked at, "" when it could
	Free     int64  // bytes that this user can still write; -1 when not known
}

// Steps goes through the tree.
func Steps(f Facts) []Step {
	if f.Env == nil {
		s := Step{Name: "go settings", State: Fail, Detail: "go env cannot be read", Hint: "run: go env"}
		if f.EnvErr != nil {
			s.Detail += ": " + clean(f.EnvErr.Error())
		}
		return append([]Step{s}, folderSteps(f)...)
	}
	var steps []Step
	for _, part := range []func(Facts) []Step{
		commandSteps, proxySettingSteps, shadowSteps, patternSteps, sumSettingSteps,
		nameSteps, networkSteps, forwardSteps, hopSteps, certificateSteps, clockSteps, sumSteps,
		projectSteps, folderSteps,
	} {
		steps = append(steps, part(f)...)
	}
	return steps
}

// Worst is the worst state of steps, for an exit status.
func Worst(steps []Step) State {
	worst := OK
	for _, s := range steps {
		if s.State == Fail || s.State == Warn && worst == OK {
			worst = s.State
		}
	}
	return worst
}
