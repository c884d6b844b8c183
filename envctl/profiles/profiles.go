// Package profiles makes the plans for what people want as a whole: another
// chain, the checksum database on or off, work without a network.
//
//	Use       GOPROXY
//	SumDB     GOSUMDB, or GONOSUMDB for some modules
//	Offline   GOPROXY=file://$GOMODCACHE/cache/download
//	          GONOPROXY=none, GOSUMDB without a URL, the marker
//	          sumdb/NAME/supported, GOTOOLCHAIN=local where it must be
//
// A profile is a [change.Plan] and nothing else, so every one can be shown
// first and taken back. Offline mode never switches verification off: the
// module cache is also a file tree that answers for the checksum database,
// from the tiles that earlier lookups left there. What they do not answer is
// named before the plan is applied ([Unverifiable]).
package profiles

import (
	"fmt"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/project"
)

// Use plans to make c the value of GOPROXY. What the toolchain would take by
// itself is not written down: it would stick, and hide what the next toolchain
// is set to. p may be nil.
func Use(e *env.Env, p *project.Project, c chain.Chain) (*change.Plan, error) {
	db, err := e.SumDB()
	if err == nil && db.Off && singleFile(c.String()) {
		if name, missing := missingToolchain(e, p); missing {
			return nil, fmt.Errorf("use %s: %w", c.Redacted(), unverifiedToolchain(name, "switch checksums on first: gpx sumdb on"))
		}
	}
	want := change.Assignment{Name: "GOPROXY", Value: c.String()}
	if want.Value == unset(e, "GOPROXY") {
		want = change.Assignment{Name: "GOPROXY", Unset: true}
	}
	plan, err := change.PlanEnv(e, "use "+c.Redacted(), []change.Assignment{want})
	if err != nil {
		return nil, err
	}
	if e.NoProxy() == "none" && e.Get("GOPRIVATE") != "" {
		plan.Warn("GONOPROXY=none is still set: private modules are asked for at every proxy of the chain")
	}
	return plan, nil
}

// unset is the value that a variable has when neither the OS environment nor
// the user file sets it.
func unset(e *env.Env, name string) string {
	v, _ := e.Lookup(name)
	for _, s := range append([]env.Setting{{Origin: v.Origin, Value: v.Value}}, v.Shadowed...) {
		if s.Origin != env.OS && s.Origin != env.User {
			return s.Value
		}
	}
	return ""
}
