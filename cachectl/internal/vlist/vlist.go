// Package vlist writes the list file of a module in a module cache: the
// versions of which there is a .mod, one a line, in order
// (cmd/go/internal/modfetch, rewriteVersionList). GOPROXY=file://…/cache/download
// offers what stands in it.
//
// The go command locks the list itself while it writes, so whoever writes it
// here holds that lock (see gpx/cachectl/internal/flock), and writes into the
// file that it locked: a new file in its place would not be the one that a
// waiting go command writes to.
package vlist

import (
	"os"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Of is what the list of an @v folder should hold.
func Of(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var list []string
	for _, e := range entries {
		if v, ok := strings.CutSuffix(e.Name(), ".mod"); ok && v != "" && module.CanonicalVersion(v) == v {
			list = append(list, v)
		}
	}
	semver.Sort(list)
	var b strings.Builder
	for _, v := range list {
		b.WriteString(v + "\n")
	}
	return b.String(), nil
}

// Overwrite writes text over what the file holds, in one write with blank lines
// up to the old end, so that nobody reads half of a line; then it cuts them off.
func Overwrite(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	padding := max(0, int(info.Size())-len(text))
	if _, err := f.WriteAt([]byte(text+strings.Repeat("\n", padding)), 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(text)))
}
