// Package parcel is one incident as one file, for a colleague:
//
//	Recording ──redaction──▶ check ──▶ {"format":"gpx-incident","version":1,"recording":{…}} ──gzip──▶ file
//	Recording ◀──redaction── check ◀── strict JSON, counted before it is unfolded ◀── bounded gunzip ── file
//
// What comes in may have been made by anybody. [Decode] bounds what it unfolds,
// refuses what it does not know, and cleans every text before anything else sees
// it. [Encode] redacts again what was redacted when it was recorded, and holds the
// recording to the same bounds, so that what it writes can be read. [Mask] also
// takes out what a company would not want to tell: hosts, private modules, paths.
//
// The same recording is always the same file.
package parcel
