// Package modcache looks after a module cache (GOMODCACHE): it says what is
// there, verifies it, and takes versions out of it without ever taking what a
// build needs.
//
//	GOMODCACHE/
//	  cache/download/<escaped path>/@v/   list, <v>.info .mod .zip .ziphash .lock .partial
//	  cache/download/sumdb/               what the checksum database answered
//	  cache/vcs/                          clones
//	  cache/lock                          the side lock
//	  cache/gpx-trash/<change>/           what gpx moved away, for 24 h
//	  <escaped path>@<escaped version>/   the extracted tree, read-only
//
// The rules are those of cmd/go/internal/modfetch (cache.go, fetch.go). The go
// command reads extracted trees without a lock, so nothing here ever changes
// one: a version is whole, or it is moved away whole.
package modcache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/advice"
	"gpx/envctl/redact"
)

// A Cache is a module cache.
type Cache struct {
	dir string
}

// Open opens the module cache at dir, which must be absolute. A cache that is
// not there yet is an empty one; anything but a folder is an error.
func Open(dir string) (*Cache, error) {
	if !filepath.IsAbs(dir) {
		return nil, advice.Add(fmt.Errorf("module cache: %s: is no absolute path", redact.Clean(dir)), "set GOMODCACHE to one")
	}
	dir = filepath.Clean(dir)
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &Cache{dir: dir}, nil
	}
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(real); err == nil && !info.IsDir() {
			err = errors.New("is no folder")
		}
	}
	if err != nil {
		return nil, unreadable(dir, err)
	}
	return &Cache{dir: real}, nil
}

// unreadable is the error of a folder that cannot be read.
func unreadable(dir string, err error) error {
	return advice.Add(fmt.Errorf("module cache: %s: %s", redact.Clean(dir), reason(err)), "set GOMODCACHE to a folder that can be read")
}

// reason is an error without the path that it repeats.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return redact.Clean(err.Error())
}

// Dir is the cache's folder, with symbolic links resolved.
func (c *Cache) Dir() string { return c.dir }

// A State says how much of a module version the cache holds.
type State string

// The states.
const (
	Whole       State = "whole"       // zip, .ziphash and tree
	Unextracted State = "unextracted" // zip and .ziphash; the go command extracts it when it needs it
	TreeOnly    State = "tree_only"   // the tree without its zip: builds work, go mod verify and export do not
	ModOnly     State = "mod_only"    // .info or .mod alone, for the module graph
	Partial     State = "partial"     // a download or an extraction was cut short
	Damaged     State = "damaged"     // a part of it cannot be read, or is no such file
)

// A Version is one module version as the cache holds it. Sizes are those of
// regular files, in bytes.
type Version struct {
	module.Version

	Info, Mod, Zip, ZipHash, Dir bool // which parts are there

	ZipBytes  int64 // the .zip
	MetaBytes int64 // .info, .mod, .ziphash
	LeftBytes int64 // temporary files and folders of go commands that were killed, or are at it
	DirBytes  int64 // the tree; by the zip's central directory while not Exact
	Files     int64 // in the tree
	FetchedAt time.Time
	State     State
	Exact     bool // DirBytes and Files were counted, now or by the index
}

// Bytes is all that the version occupies.
func (v *Version) Bytes() int64 { return v.ZipBytes + v.MetaBytes + v.LeftBytes + v.DirBytes }

// A Part is what the cache holds beside module versions: "checksum database",
// "clones", "trash", "other".
type Part struct {
	Name  string
	Bytes int64
	Files int64
}

// An Inventory is what a scan found. It is not changed once it was handed out.
type Inventory struct {
	Dir      string
	Versions []Version // by path, then by semantic version
	Parts    []Part
	Bytes    int64 // of all regular files below Dir
	Files    int64
	Exact    bool // every figure was counted; else trees come from central directories
	At       time.Time
	Problems []string // folders that could not be read, one clean line each
}

// Modules is the number of module paths.
func (i *Inventory) Modules() int {
	n, last := 0, ""
	for _, v := range i.Versions {
		if v.Path != last {
			n, last = n+1, v.Path
		}
	}
	return n
}
