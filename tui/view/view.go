// Package view is what the router and the views of the screen share: the
// services they call, the messages they exchange and the interface that every
// view has. It draws nothing.
//
//	Source ──snapshots──▶ router ──▶ views
//	views ──key──▶ Action ──Cmd──▶ Services ──▶ Result ──▶ the view that asked
package view

import (
	"context"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/failover"
	"gpx/probe/monitor"
)

// Services is everything the screen can ask for or do. The composition root
// fills it; a nil function means that the feature is not there, and the
// actions that need it say so. Every function may be called from any goroutine
// and must return soon after its context is cancelled.
type Services struct {
	// Env reads the effective go environment of the project folder.
	Env func(ctx context.Context) (*env.Env, error)
	// Status says which temporary states are in force: offline mode, checksums
	// off and until when.
	Status func(ctx context.Context) (Status, error)

	// Recommend returns the chain that gpx would switch to.
	Recommend func(ctx context.Context, s monitor.Snapshot) (failover.Recommendation, error)
	// PlanUse plans a switch to c.
	PlanUse func(ctx context.Context, c chain.Chain) (*change.Plan, error)
	// PlanEnv plans assignments of go env variables, validated by the toolchain.
	PlanEnv func(ctx context.Context, title string, as []change.Assignment) (*change.Plan, error)
	// Profiles lists the profiles with their present state.
	Profiles func(ctx context.Context) ([]Profile, error)
	// PlanProfile plans profile id with one of its choices ("" when it has none).
	PlanProfile func(ctx context.Context, id, choice string) (*change.Plan, error)
	// PlanUndo plans taking back change id; "" is the last one that is not undone.
	PlanUndo func(ctx context.Context, id string, force bool) (*change.Plan, error)
	// Apply does what a plan says and journals it.
	Apply func(ctx context.Context, p *change.Plan) (change.Change, error)
	// Changes lists what was applied, newest first.
	Changes func(ctx context.Context) ([]change.Change, error)
	// Automatic says how automatic switching stands, at once; SetAutomatic switches
	// it on or off for as long as the screen is open.
	Automatic    func() Automatic
	SetAutomatic func(on bool)

	// ProbeNow asks the monitor to probe endpoints at once; none means all.
	ProbeNow func(keys ...string)
	// Deep runs the deep probe of one endpoint; keys are those of probe.Result.
	Deep func(ctx context.Context, key string) (probe.Result, error)
	// Catalog lists the known public proxies, the toolchain's default first.
	Catalog func() []catalog.Entry
	// AddEndpoint has an endpoint watched that is not in the chain.
	AddEndpoint func(ctx context.Context, rawURL string) error
	// RemoveEndpoint stops watching one that AddEndpoint added.
	RemoveEndpoint func(ctx context.Context, key string) error
	// Consent says whether the catalog may be probed, and whether the user was
	// asked already.
	Consent func(ctx context.Context) (granted, asked bool, err error)
	// SetConsent remembers the answer; granted starts watching the catalog.
	SetConsent func(ctx context.Context, granted bool) error

	Relay
	Caches
	Deps
	History

	// Crash writes a report of a panic and returns the file's path.
	Crash func(value any, stack []byte) (path string)
}

// Status is what is temporarily in force.
type Status struct {
	Offline      string    // "", "offline", "offline strict" …: the profile in force
	Unverifiable []string  // module@version that offline mode cannot verify
	SumDBOff     bool      // checksums are off for everything or for SumDBModules
	SumDBUntil   time.Time // zero: no expiry
	SumDBModules string    // GONOSUMDB patterns; "" means every module
	Unaudited    int       // module versions that arrived while checksums were off, and that no audit has proven
	Notices      []string  // what the user should know: a damaged database, recovered changes
}

// Automatic is how automatic switching stands.
type Automatic struct {
	On    bool
	Waits string // why it does not act although it is on, "" when it may
	Said  string // what it has done, or why not; the last of it
	// StandsDown says that somebody else has set the chain in force, which is left
	// alone until it has worked.
	StandsDown bool
	// Own and Now are redacted chains while it has put Now in the place of Own, ""
	// otherwise. Own comes back when it has been well for Quiet; Well is since when
	// it is, zero while it is not.
	Own, Now    string
	Since, Well time.Time
	Quiet       time.Duration
}

// A Profile is a named bundle of settings that is planned as one change.
type Profile struct {
	ID     string
	Title  string // what choosing it does: "Offline", "Offline: back online"
	Detail string // one sentence: what it does
	On     bool   // in force now: choosing it ends it
	Loud   bool   // weakens security; shown as such
	// Choices are asked for after the profile was picked; none means that it
	// takes no argument.
	Choices []Choice
	// Disabled is the reason why the profile cannot be used here; "" when it can.
	Disabled string
}

// A Choice is one argument of a profile.
type Choice struct {
	Title string // "for 1 hour"
	Arg   string // what PlanProfile is given
}

// A Source is a stream of snapshots: live, recorded and simulated outages are
// all the same to the screen. *monitor.Monitor is one.
type Source interface {
	// Subscribe returns a channel that always holds the newest snapshot soon,
	// and a function that ends the subscription. A slow reader loses old
	// snapshots, never new ones.
	Subscribe() (<-chan monitor.Snapshot, func())
}
