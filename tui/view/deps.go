package view

import (
	"context"

	"golang.org/x/mod/module"

	"gpx/cachectl/deps"
)

// Deps is what the screen can ask for and do about the project's modules, with the
// rules of [Services]. Who can give one is asked with [Caches].Where.
type Deps struct {
	// ReadDeps says what the project needs and what of it is here; nil where there
	// is no project.
	ReadDeps func(ctx context.Context) (*deps.Report, error)
	// LastDeps is what whoever keeps an eye on the project saw last; nil before
	// that. It reads nothing, and the same report is the same pointer.
	LastDeps func() *deps.Report
	// FetchFrom names for each version who would be asked, the first one first. It
	// asks nobody.
	FetchFrom func(ctx context.Context, ms []module.Version) ([][]string, error)
	// Fetch gets all that is missing and takes it into the module cache.
	Fetch func(ctx context.Context, report func(Step)) (Outcome, error)
	// Salvage looks for what is missing on this machine and below roots, and plans
	// to take it in. Nothing is planned when nothing was found.
	Salvage func(ctx context.Context, roots []string, report func(Step)) (Salvaged, error)
	// Vendor writes the vendor folder of the project.
	Vendor func(ctx context.Context, report func(Step)) (Outcome, error)
	// Prove runs go build and go test without a network.
	Prove func(ctx context.Context, report func(Step)) (deps.Proof, error)
}

// A Salvaged is what was found on this machine.
type Salvaged struct {
	Proposal        // its Plan is nil when nothing was found
	Found    int    // versions
	Lines    []Line // what was found, refused and is nowhere
}

// A Line says one thing, good or bad.
type Line struct {
	Good bool
	Text string
}
