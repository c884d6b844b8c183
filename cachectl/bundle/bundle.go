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
package bundle

// A Result says what was exported or imported.
type Result struct {
	Modules int    `json:"modules"` // module versions that were written
	Bytes   int64  `json:"bytes"`   // of the bundle, or of what came out of it
	Path    string `json:"path"`
	// Unverifiable are path@version that the bundle holds no proof of from the
	// checksum database, so that go.sum has to know them.
	Unverifiable []string `json:"unverifiable"`
}
