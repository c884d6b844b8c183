// Package bundle writes and reads bundles: GOPROXY file trees (a folder, .tar or
// .tar.zst) that any go command can build from, checksum database included, and
// bundles of a build cache.
//
//	gpx-bundle.json                  the manifest, first: every file with its size and hash
//	<escaped path>/@v/               list, <v>.info .mod .zip
//	sumdb/<name>/supported           empty: this tree answers for the database
//	sumdb/<name>/lookup/… tile/…     what the database said of the versions in it
//
// A bundle is written as a stream, the same bytes for the same content. It is
// read as hostile: nothing becomes visible before its hash was checked, nothing
// that is there is overwritten.
//
// The records of the database are all put under one signed tree head, whichever
// head they once came with: a client asks in an order of its own, and only
// proofs in one head stand in every order (see prove.go).
package bundle

import (
	"cmp"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/envctl/redact"
)

// A Result says what was exported or imported.
type Result struct {
	Modules int    `json:"modules"` // module versions that were written
	Bytes   int64  `json:"bytes"`   // of the bundle, or of what came out of it
	Path    string `json:"path"`
	// Unverifiable are path@version that the bundle holds no proof of from the
	// checksum database, so that go.sum has to know them.
	Unverifiable []string `json:"unverifiable"`
	// LeftOut are versions that were asked for and are not in the bundle.
	LeftOut []LeftOut `json:"left_out"`
}

// LeftOut is a version that is not in the bundle, and why. Its texts are clean.
type LeftOut struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Why     string `json:"why"`
}

func leftOut(m module.Version, why string) LeftOut {
	return LeftOut{Path: redact.Clean(m.Path), Version: redact.Clean(m.Version), Why: redact.Text(why)}
}

// A Version is one module version in a bundle.
type Version struct {
	module.Version
	Info, Mod, Zip bool   // which files are there
	Bytes          int64  // of them
	Sum            string // h1 of the zip, as the manifest claims it
}

// A Phase is a part of the work that progress is reported of.
type Phase string

// The phases.
const (
	Listing  Phase = "listing"  // what there is
	Checking Phase = "checking" // hashes
	Proving  Phase = "proving"  // what the checksum database says; counts versions
	Writing  Phase = "writing"  // the bundle, or what comes out of it
	Placing  Phase = "placing"  // files of an import become visible; counts files
)

// Progress is how far the work has come, in bytes where the phase does not say
// otherwise.
type Progress struct {
	Phase       Phase
	Done, Total int64
}

// compareVersions orders module versions by path, then by semantic version, so
// that the versions of one module, which share most of their content, are
// neighbours in an archive.
func compareVersions(a, b module.Version) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), semver.Compare(a.Version, b.Version), cmp.Compare(a.Version, b.Version))
}
