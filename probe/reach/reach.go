// Package reach says which endpoints can give a module version now: before a
// version is deleted, and when one is missing.
//
// It asks few questions, of many endpoints at a time, and keeps the answers for
// a while. A path that GOPRIVATE or GONOPROXY covers, or that can be no public
// module, is never sent to a public host.
package reach

import (
	"golang.org/x/mod/module"

	"gpx/probe"
)

// A Source is an endpoint's answer for one version.
type Source struct {
	Hop   string      // the endpoint: a redacted URL, "direct", or a bundle's path
	Class probe.Class // ok: it can give it now
}

// An Answer is what is known about one version.
type Answer struct {
	module.Version
	Sources []Source // in the order of the chain, then the others
	Asked   bool     // false: nobody could be asked, or the bounds of the call were reached
}

// Reachable reports whether somebody can give it now.
func (a *Answer) Reachable() bool {
	for _, s := range a.Sources {
		if s.Class == probe.OK {
			return true
		}
	}
	return false
}
