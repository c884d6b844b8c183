// Package project reads what a Go project asks of the module system: go.mod,
// go.work, go.sum and vendor. It reads files only; it runs nothing.
package project

import (
	"errors"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
)

// ErrNone says that a directory is in no module.
var ErrNone = errors.New("no go.mod in this directory or above it")

// A Require is one require line.
type Require struct {
	module.Version
	Indirect bool
}

// A Replace is one replace line. New.Version is "" when New.Path is a
// directory.
type Replace struct {
	Old, New module.Version
}

// A Project is a main module, or a workspace of several.
type Project struct {
	Root      string    // directory of go.work, or of go.mod
	GoMod     string    // path of the main module's go.mod
	GoWork    string    // path of go.work, "" outside a workspace
	Module    string    // path of the main module
	Go        string    // the go line that counts, such as "1.26"
	Toolchain string    // the toolchain line that counts, such as "go1.26.8"
	Members   []string  // directories of the main modules, absolute
	Requires  []Require // of every member, sorted, each module version once
	Replaces  []Replace // in force, go.work's before go.mod's
	Tools     []string  // tool directives, package paths
	Vendored  bool      // vendor/modules.txt exists
	Sums      Sums      // go.sum of every member, and go.work.sum
	Problem   error     // what is broken, with file and line; the rest is what could be read
}

// Sums are go.sum lines: hashes by module version. The version of a go.mod
// line ends in "/go.mod".
type Sums map[module.Version][]string

// Has reports whether there is a hash for m's zip.
func (s Sums) Has(m module.Version) bool { return len(s[m]) > 0 }

// HasGoMod reports whether there is a hash for m's go.mod.
func (s Sums) HasGoMod(m module.Version) bool {
	return s.Has(module.Version{Path: m.Path, Version: m.Version + "/go.mod"})
}

// Find reads the project that dir is in. Without a go.mod the error is
// ErrNone; what is broken in a file is the Project's Problem.
func Find(dir string, e *env.Env) (*Project, error) { return nil, ErrNone }

// Canary is a module that the project really needs and that the public may
// know, for asking proxies.
func (p *Project) Canary(private func(path string) bool) (module.Version, bool) {
	return module.Version{}, false
}

// Private lists the required module paths that match patterns.
func (p *Project) Private(patterns string) []string { return nil }
