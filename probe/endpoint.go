package probe

import (
	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
)

// An Endpoint is something that can be probed.
type Endpoint struct {
	// URL is raw: it may hold credentials. A proxy's or file tree's base URL,
	// "direct", "off", a forward proxy's URL, or where the checksum database is
	// dialled (empty: where SumDB itself says).
	URL  string
	Kind Kind

	// Module is what is asked for. Hops of the chain are asked for a module that
	// the project really needs; the zero value asks for [Canary], a fixed neutral
	// public one.
	Module module.Version

	// SumDB is the checksum database, for KindSumDB and for the checksum part of
	// a deep probe. The zero value leaves that part out.
	SumDB chain.SumDB

	// VCS names module paths whose version control "direct" would use.
	VCS []string
}

// Canary is the module that is asked of hosts that have nothing to do with the
// project: small, old, public, and in the checksum database.
var Canary = module.Version{Path: "golang.org/x/sync", Version: "v0.1.0"}

// Key is the endpoint's identity: stable, and free of credentials. The result of
// a probe has the same key.
func (e Endpoint) Key() string { return key(e.Kind, redact.URL(e.address())) }

// Key is the identity of the endpoint that was probed.
func (r Result) Key() string { return key(r.Kind, r.URL) }

func key(kind Kind, redacted string) string {
	switch kind {
	case KindSumDB, KindForward: // may share a URL with a hop
		return string(kind) + " " + redacted
	default:
		return redacted
	}
}

// address is the URL with the defaults filled in.
func (e Endpoint) address() string {
	switch {
	case e.URL != "":
		return e.URL
	case e.Kind == KindSumDB && e.SumDB.URL != "":
		return e.SumDB.URL
	case e.Kind == KindSumDB && e.SumDB.Name != "":
		return e.SumDB.Direct()
	case e.Kind == KindDirect || e.Kind == KindOff:
		return string(e.Kind)
	}
	return ""
}

// canary is the module to ask for.
func (e Endpoint) canary() module.Version {
	if e.Module.Path == "" {
		return Canary
	}
	return e.Module
}
