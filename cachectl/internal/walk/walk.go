// Package walk measures and lists file trees, several folders at a time.
//
// It counts what `find -type f -printf '%s\n'` prints: the apparent size of
// every regular file, a file with several links once for each. It follows no
// symbolic link, so it never leaves the tree, and it opens nothing but folders.
// Nothing is kept but the folders that are still to be read, so memory does not
// grow with the number of files; folders may be nested deeper than a path can
// be long.
//
// On Linux a folder is read with getdents64 and its files are measured with
// fstatat below the folder's descriptor (folder_linux.go): the rest is the
// kernel's own time, and only doing several folders at a time makes it less.
// Elsewhere package os does it (folder_os.go).
package walk

import (
	"context"
	"io/fs"
	"sync"
	"time"
)

const (
	// workers is the number of folders that are read at a time. On a cold disk
	// requests overlap, on a warm one two cores are busy with two; more than
	// eight gained nothing (650,000 files, two cores).
	workers = 8
	// maxProblems bounds what is told of unreadable folders: after a hundred a
	// reader knows, and the number goes on being counted.
	maxProblems = 100
)

// Options say how a tree is walked. The zero value is fine.
type Options struct {
	Workers int // folders at a time; 0 means 8
	// Problem is told what could not be read, by the path below base and why;
	// by one goroutine at a time, at most a hundred times. Such a folder or file
	// counts as nothing, and the walk goes on. What vanished during the walk is
	// no problem.
	Problem func(path string, err error)

	open   func(base string) (folder, error) // for tests; nil: openNative
	atOnce time.Duration                     // for tests; 0: [atOnce]
}

// A Size is what a tree holds. The tree's own folder is one of its folders.
type Size struct {
	Bytes  int64 // apparent sizes of regular files
	Files  int64 // regular files
	Dirs   int64
	Unread int64 // folders and files that could not be read
}

// A Stamp tells a folder or file from what later stands in its place. A folder
// whose stamp is the same has the same names in it, unless it was changed
// within the granularity of the file system's clock. Inode and CTime are zero
// where the system has no such thing.
type Stamp struct {
	Inode uint64
	MTime int64 // Unix nanoseconds
	CTime int64 // Unix nanoseconds; unlike MTime, nobody can set it
}

// An Entry is one name in a folder.
type Entry struct {
	Name  string
	Type  fs.FileMode // the type bits; 0 is a regular file
	Size  int64       // of a regular file
	Stamp Stamp
	// Skip is for visit to set: this folder is not entered.
	Skip bool
}

// A Folder is what [Folders] shows: one folder, or a part of one with very many
// names. The parts come one after another, in the same Folder.
type Folder struct {
	Path    string  // below base, with slashes; "." is base itself
	Stamp   Stamp   // from before the names were read
	Entries []Entry // in no order, valid until visit returns
	First   bool    // nothing of this folder was shown before
	Last    bool    // nothing more comes; Entries may be empty
	Err     error   // what kept some of it, or all, from being read; only with Last
	Data    any     // whatever visit keeps from part to part
}

// Tree measures the tree whose topmost folder is root. A symbolic link as root
// is followed, as `find root/` does. The error says why nothing at all could be
// measured, or is the context's.
func Tree(ctx context.Context, root string, opt Options) (Size, error) {
	var size Size
	var failed error
	err := Trees(ctx, root, []string{"."}, opt, func(_ int, s Size, err error) { size, failed = s, err })
	if err == nil {
		err = failed
	}
	return size, err
}

// Trees measures several trees below the folder base, each named by its path
// from there with slashes, through no symbolic link. done is told of each tree
// as soon as it is measured, by one goroutine at a time; its error says why the
// tree's own folder could not be read. Trees itself fails when base cannot be
// opened, or with the context's error, after which done was not told of all.
func Trees(ctx context.Context, base string, trees []string, opt Options, done func(i int, s Size, err error)) error {
	w, err := newWalker(base, opt)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	w.done = func(t *tree) {
		mu.Lock()
		defer mu.Unlock()
		done(t.index, t.size(), t.err)
	}
	return w.run(ctx, trees)
}

// Folders shows visit the folders below base that paths name, and every folder
// below those, with the stamp of all that is in them. It calls visit from
// several goroutines at once, for one folder from one at a time. A folder is
// entered after visit saw it among the entries of the one above, and not where
// visit set Skip. Folders fails when base cannot be opened, or with the
// context's error.
func Folders(ctx context.Context, base string, paths []string, opt Options, visit func(*Folder)) error {
	w, err := newWalker(base, opt)
	if err != nil {
		return err
	}
	w.visit = visit
	return w.run(ctx, paths)
}
