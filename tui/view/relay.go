package view

import (
	"context"

	"gpx/envctl/change"
)

// Relay is what the screen can ask for and do about a relay that lives in this
// process, with the rules of [Services].
type Relay struct {
	// StartRelay starts the relay, and plans to put it before the chain in force.
	StartRelay func(ctx context.Context) (*change.Plan, error)
	// PlanRelayOff plans to take it out of GOPROXY; nil when it is not in it.
	PlanRelayOff func(ctx context.Context) (*change.Plan, error)
	// StopRelay ends the relay. GOPROXY stays what it is.
	StopRelay func(ctx context.Context) error
	// RelayNow says, at once, what the relay did so far; false while none runs.
	RelayNow func() (RelayState, bool)
}

// RelayState is a relay as it is now.
type RelayState struct {
	URL     string
	InForce bool // GOPROXY leads through it

	Requests  int64 // that were for something
	Rescued   int64 // answered although an upstream failed, was late, or sent wrong bytes
	FromCache int64 // answered with what the go command had
	Failed    int64 // that nobody could answer
	Wrong     int64 // answers with wrong bytes, thrown away
	Bytes     int64 // of bodies that were sent
}
