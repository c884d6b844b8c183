package modcache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/sealed"
	"gpx/cachectl/internal/trash"
	"gpx/cachectl/internal/walk"
)

const (
	resumeKind = "verification"
	// resumeFor is how long an interrupted run is gone on with. What a disk
	// does to a file shows in no time of it, so older news are no news.
	resumeFor = 24 * time.Hour
	// The file is written after so many versions, or so many bytes: what a
	// power failure costs.
	resumeVersions = 64
	resumeBytes    = 256 << 20
)

// A resume is what an interrupted verification had seen: versions in which
// everything agreed. Damaged ones are looked at again. Their hashes are kept,
// not the verdict, so that another go.sum judges them anew.
//
// A run that came to its end leaves nothing: the next one reads every byte.
type resume struct {
	file string // "" for none

	mu    sync.Mutex
	state resumeState
	found map[module.Version]int // places in state.Seen
	since struct {
		versions int
		bytes    int64
	}
}

type resumeState struct {
	Root  string    `json:"root"`
	Begun time.Time `json:"begun"`
	Seen  []seen    `json:"seen"`
}

// A seen version is one in which everything agreed.
type seen struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	ID      string `json:"id"` // see identify
	Zip     string `json:"zip,omitempty"`
	Tree    string `json:"tree,omitempty"`
	Hash    string `json:"hash,omitempty"`
	Mod     string `json:"mod,omitempty"`
	ZipMod  string `json:"zip_mod,omitempty"`
}

// openResume reads what an interrupted run left for the cache at root. Whatever
// is wrong with the file, it is as if there were none.
func openResume(file, root string, fresh bool, now time.Time) *resume {
	r := &resume{file: file, state: resumeState{Root: root, Begun: now}, found: map[module.Version]int{}}
	if file == "" || fresh {
		return r
	}
	var old resumeState
	if err := sealed.ReadJSON(file, resumeKind, &old); err == nil {
		r.goOn(old, now)
	}
	return r
}

// goOn takes over what an interrupted run of the same cache had seen.
func (r *resume) goOn(old resumeState, now time.Time) {
	if age := now.Sub(old.Begun); old.Root != r.state.Root || age < 0 || age > resumeFor {
		return
	}
	r.state = old
	for i, s := range old.Seen {
		r.found[module.Version{Path: s.Path, Version: s.Version}] = i
	}
}

// find returns the facts of a version that was seen and has not changed since.
func (r *resume) find(m module.Version, id string) (*facts, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.found[m]
	if !ok || r.state.Seen[i].ID != id {
		return nil, false
	}
	s := &r.state.Seen[i]
	f := &facts{m: m, root: r.state.Root}
	var err error
	if f.at, err = trash.NamesOf(m); err != nil {
		return nil, false
	}
	f.zip = zipFacts{there: s.Zip != "", sum: s.Zip, modSum: s.ZipMod}
	f.tree = treeFacts{there: s.Tree != "", sum: s.Tree}
	f.hash = hashFacts{there: s.Hash != "", sum: s.Hash}
	f.mod = modFacts{there: s.Mod != "", sum: s.Mod}
	return f, true
}

// add notes a version in which everything agreed.
func (r *resume) add(m module.Version, id string, f *facts, weight int64) error {
	if r.file == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := seen{Path: m.Path, Version: m.Version, ID: id, Zip: f.zip.sum, Tree: f.tree.sum, Hash: f.hash.sum, Mod: f.mod.sum, ZipMod: f.zip.modSum}
	if i, ok := r.found[m]; ok {
		r.state.Seen[i] = s
	} else {
		r.found[m] = len(r.state.Seen)
		r.state.Seen = append(r.state.Seen, s)
	}
	r.since.versions++
	r.since.bytes += weight
	if r.since.versions < resumeVersions && r.since.bytes < resumeBytes {
		return nil
	}
	return r.write()
}

// save writes what was added since the last time.
func (r *resume) save() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.since.versions == 0 {
		return nil
	}
	return r.write()
}

// write writes the file. r is locked.
func (r *resume) write() error {
	r.since.versions, r.since.bytes = 0, 0
	if err := sealed.WriteJSON(r.file, resumeKind, r.state); err != nil {
		return fmt.Errorf("cache verify: what was done cannot be remembered: %w; it works without: --all", err)
	}
	return nil
}

// done ends a run that is complete.
func (r *resume) done() error {
	if r.file == "" {
		return nil
	}
	if err := os.Remove(r.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cache verify: %w", err)
	}
	return nil
}

// identify names the state of a version's files, as far as that can be told
// without reading them: what is there, with size, times and inode. Of a tree
// that is its topmost folder alone.
func identify(ctx context.Context, root string, m module.Version) (string, error) {
	n, err := trash.NamesOf(m)
	if err != nil {
		return "", err
	}
	paths := []string{n.Tree}
	for _, suffix := range []string{"zip", "ziphash", "mod", "info", "partial"} {
		paths = append(paths, n.File(suffix))
	}
	texts := make([]string, len(paths))
	err = walk.Stat(ctx, root, paths, walk.Options{Workers: 1}, func(i int, e walk.Entry, err error) {
		if err == nil {
			texts[i] = fmt.Sprint(e.Type, e.Size, e.Stamp)
		}
	})
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", texts))
	return fmt.Sprintf("%x", sum[:16]), err
}
