package view

import (
	"path/filepath"
	"strings"

	"gpx/envctl/env"
)

// Home is the home folder in the environment that e was read from, "" when there
// is none; e may be nil.
func Home(e *env.Env) (home string) {
	if e == nil {
		return ""
	}
	for _, kv := range e.Environ {
		if h, ok := strings.CutPrefix(kv, "HOME="); ok {
			home = h
		}
	}
	return home
}

// Tilde shortens a path below the home folder of e.
func Tilde(e *env.Env, path string) string {
	home := Home(e)
	if rel, err := filepath.Rel(home, path); home != "" && err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return filepath.Join("~", rel)
	}
	return path
}
