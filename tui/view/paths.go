package view

import (
	"path/filepath"
	"strings"

	"gpx/envctl/env"
)

// Tilde shortens a path below the home folder of the environment that e was read
// from; e may be nil.
func Tilde(e *env.Env, path string) string {
	if e == nil {
		return path
	}
	home := ""
	for _, kv := range e.Environ {
		if h, ok := strings.CutPrefix(kv, "HOME="); ok {
			home = h
		}
	}
	if rel, err := filepath.Rel(home, path); home != "" && err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return filepath.Join("~", rel)
	}
	return path
}
