package view

import (
	"context"

	"golang.org/x/mod/module"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/envctl/change"
	"gpx/probe/reach"
)

// Caches is what the screen can ask for and do about the module cache and the
// build cache, with the rules of [Services]. A report may be called from any
// goroutine and returns at once.
type Caches struct {
	// Scan reads the module cache, and tells what is known of it while it does.
	Scan func(ctx context.Context, report func(modcache.Progress)) (*modcache.Inventory, error)
	// ScanBuild reads the build cache; kinds looks into every output, which takes
	// longer. The inventory is nil when there is no build cache.
	ScanBuild func(ctx context.Context, kinds bool, report func(buildcache.Progress)) (buildcache.Location, *buildcache.Inventory, error)
	// Needs says which versions known projects and running go commands need.
	Needs func(ctx context.Context) (Household, error)
	// Where asks the hops of the chain, and nobody else, which of them can give
	// these versions now.
	Where func(ctx context.Context, ms []module.Version, report func(reach.Answer)) error

	// PlanPrune plans to take versions out of the module cache, and says what
	// stays. Needs, Reach and the clock of o are filled in.
	PlanPrune func(ctx context.Context, inv *modcache.Inventory, o modcache.PruneOptions, report func(Step)) (*change.Plan, []modcache.Kept, error)
	// PlanPruneBuild plans to take entries out of the build cache.
	PlanPruneBuild func(ctx context.Context, o buildcache.PruneOptions) (*change.Plan, error)
	// Verify checks versions against their hashes, go.sum and the checksum
	// database.
	Verify func(ctx context.Context, v Verify, report func(modcache.VerifyProgress), bad func(modcache.Bad)) (modcache.VerifyResult, error)
	// Export writes a bundle.
	Export func(ctx context.Context, e Export, report func(Step)) (Outcome, error)
	// PlanImport plans to take in the bundle at a path, of either cache.
	PlanImport func(ctx context.Context, path string, report func(Step)) (Proposal, error)
}

// A Household is what the projects on this machine need.
type Household struct {
	Needs    needs.Needs
	Running  []string // of the names in Needs those of running go commands
	Problems []string // why more may be needed, one clean line each
}

// A Verify says what is verified, and how.
type Verify struct {
	Versions []modcache.Version
	All      bool // they are all that the cache has: what was interrupted goes on
	Online   bool // the database is asked for what is not cached of it
}

// An Export says what goes into a bundle, and where that is written.
type Export struct {
	Path string // as the user typed it: a folder, .tar or .tar.zst
	// What goes in: these versions, what the project needs, all of the module
	// cache, or the build cache.
	Versions []module.Version
	Project  bool
	All      bool
	Build    bool
}

// An Outcome says what was done, in words.
type Outcome struct {
	Text  string   // one line
	Notes []string // what there is to know about it
}
