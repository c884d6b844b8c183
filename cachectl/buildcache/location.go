package buildcache

import (
	"cmp"
	"path/filepath"

	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// A Location says which build cache an environment uses.
type Location struct {
	Dir string // "" when there is none
	// Note says what is odd about it, "" when nothing is.
	Note string
	// Program reports that GOCACHEPROG keeps the entries elsewhere. Dir then
	// holds fuzz corpora, and what was built before.
	Program bool
}

// Locate finds the build cache of e (cmd/go/internal/cache, default.go).
//
// For a GOCACHE that it refuses, or cannot make up, the go command reports "off";
// what was said tells which of these it is.
func Locate(e *env.Env) Location {
	said := cmp.Or(e.OSEnv("GOCACHE"), e.UserFileValues["GOCACHE"])
	dir := e.Get("GOCACHE")
	if dir == "off" {
		dir = said
	}
	switch {
	case dir == "":
		return Location{Note: "there is no build cache: GOCACHE is not set, and the system names no place for caches"}
	case dir == "off":
		return Location{Note: "GOCACHE=off: there is no build cache, and the go command refuses to build; go env -u GOCACHE, or unset it in the shell"}
	case !filepath.IsAbs(dir):
		return Location{Note: "GOCACHE is not an absolute path, which the go command refuses: " + redact.Clean(dir)}
	default:
		l := Location{Dir: dir}
		if program := e.Get("GOCACHEPROG"); program != "" {
			l.Program = true
			l.Note = "GOCACHEPROG keeps the entries (" + redact.Value("GOCACHEPROG", program) +
				"); this folder has fuzz corpora and older entries, and no go command trims it"
		}
		return l
	}
}
