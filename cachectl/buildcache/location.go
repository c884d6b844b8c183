package buildcache

import (
	"cmp"
	"errors"
	"path/filepath"

	"gpx/envctl/advice"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// A Location says which build cache an environment uses.
type Location struct {
	Dir string // "" when there is none
	// Note says what is odd about it, "" when nothing is.
	Note string
	Err  error // why there is none, with advice; nil when there is
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
	none := func(why, next string) Location {
		err := advice.Add(errors.New(why), "%s", next)
		return Location{Note: err.Error(), Err: err}
	}
	switch {
	case dir == "":
		return none("there is no build cache: GOCACHE is not set, and the system names no place for caches", "set GOCACHE or HOME")
	case dir == "off":
		return none("GOCACHE=off: there is no build cache, and the go command refuses to build", "go env -u GOCACHE, or unset it in the shell")
	case !filepath.IsAbs(dir):
		return none("GOCACHE is not an absolute path, which the go command refuses: "+redact.Clean(dir), "go env -u GOCACHE, or unset it in the shell")
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
