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

// Untilde is the path that the user means by what was typed, which may begin with a
// tilde: no shell has seen it.
func Untilde(e *env.Env, typed string) string {
	typed = strings.TrimSpace(typed)
	home := Home(e)
	if rest, ok := strings.CutPrefix(typed, "~"+string(filepath.Separator)); ok && home != "" {
		return filepath.Join(home, rest)
	}
	return typed
}

// HopName is the part of a hop's URL that tells it from others: most are called
// proxy.
func HopName(hop string) string {
	_, rest, ok := strings.Cut(hop, "://")
	if !ok {
		return hop
	}
	host, path, _ := strings.Cut(rest, "/")
	if host == "" { // file:///srv/tree
		return "/" + path
	}
	if short, ok := strings.CutPrefix(host, "proxy."); ok && strings.Contains(short, ".") {
		return short
	}
	return host
}
