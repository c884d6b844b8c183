package trash

import (
	"context"
	"path/filepath"
	"slices"

	"gpx/cachectl/internal/flock"
	"gpx/cachectl/internal/vlist"
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
	unlock, err := flock.Soon(ctx, path) // the go command locks the file itself
	if err != nil {
		return
	}
	defer unlock()
	if text, err := vlist.Of(dir); err == nil {
		vlist.Overwrite(path, text)
	}
}
