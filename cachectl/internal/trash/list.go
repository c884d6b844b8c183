package trash

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// relist makes the list file of a version's module name what is there, where
// the version's .mod comes or goes: GOPROXY=file://…/cache/download offers what
// stands in it (cmd/go/internal/modfetch, rewriteVersionList). A list that
// cannot be written now is put right by the next .mod that the go command
// writes.
func relist(ctx context.Context, r *Removal) {
	n, err := r.names()
	if err != nil || !slices.ContainsFunc(r.Parts, func(p Part) bool { return p.Rel == n.File("mod") }) {
		return
	}
	dir := filepath.Join(r.Root, filepath.FromSlash(n.Download))
	path := filepath.Join(dir, "list")
	if !there(path) {
		return
	}
	unlock, err := lockSoon(ctx, path) // the go command locks the file itself
	if err != nil {
		return
	}
	defer unlock()
	if text, err := versionList(dir); err == nil {
		overwrite(path, text)
	}
}

// versionList is what the list file of an @v folder should hold.
func versionList(dir string) (string, error) {
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

// overwrite writes text over what the file holds, in one write with blank lines
// up to the old end, so that nobody reads half of a line; then it cuts them off.
func overwrite(path, text string) error {
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
