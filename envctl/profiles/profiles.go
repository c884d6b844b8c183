// Package profiles makes the plans for what people want as a whole: another
// chain, the checksum database on or off, work without a network.
package profiles

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/project"
)

var errNotYet = errors.New("profiles: not there yet")

// Use plans to make c the value of GOPROXY.
func Use(e *env.Env, p *project.Project, c chain.Chain) (*change.Plan, error) { return nil, errNotYet }

// SumDBOptions say what is wanted of the checksum database.
type SumDBOptions struct {
	Value   string        // "on", "off", or a value for GOSUMDB
	For     time.Duration // off: for this long; 0 means until it is taken back
	Modules string        // off: only for modules that match these patterns (added to GONOSUMDB)
	Now     time.Time
}

// SumDB plans to switch checksum verification.
func SumDB(ctx context.Context, e *env.Env, p *project.Project, o SumDBOptions) (*change.Plan, error) {
	return nil, errNotYet
}

// OfflineOptions choose the kind of offline work.
type OfflineOptions struct{ Strict, Vendor bool }

// Offline plans to work without a network.
func Offline(ctx context.Context, e *env.Env, p *project.Project, o OfflineOptions) (*change.Plan, error) {
	return nil, errNotYet
}

// An OfflineStatus says whether gpx put the environment offline.
type OfflineStatus struct {
	On           bool     `json:"on"`
	Mode         string   `json:"mode"`      // "normal", "strict", "vendor", "strict+vendor"; "" when off
	ChangeID     string   `json:"change_id"` // the change to take back; "" when gpx did not make it
	Unverifiable []string `json:"unverifiable"`
}

// Status looks at the environment and, when ch is not nil, at the journal.
func Status(ctx context.Context, e *env.Env, p *project.Project, ch *change.Changer) (OfflineStatus, error) {
	return OfflineStatus{}, errNotYet
}

// Unverifiable lists the required modules that could not be verified offline.
func Unverifiable(ctx context.Context, e *env.Env, p *project.Project) ([]module.Version, error) {
	return nil, errNotYet
}

// Expired plans to take back every change whose time has run out.
func Expired(ctx context.Context, ch *change.Changer, now time.Time) ([]*change.Plan, error) {
	return nil, errNotYet
}
