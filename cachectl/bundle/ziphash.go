package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gpx/envctl/advice"
	"gpx/envctl/bounded"
	"gpx/envctl/change"
	"gpx/envctl/redact"
)

// A .ziphash can be in the cache before its zip is. The go command takes a zip
// with a .ziphash beside it for one that it has checked (cmd/go/internal/modfetch,
// DownloadZip), so an import never puts a zip beside one that it has not compared:
//
//	zip  extracted tree  .ziphash
//	no   no              left by a go command that was killed, or by hand: replaced, and put back by an undo
//	no   yes             the tree's: the zip has to agree with it, or is refused
//	yes  –               the zip is not imported
//
// A .ziphash that is no hash is worth nothing in any row; the go command writes
// it again too.

// maxHash bounds a .ziphash, in bytes: a hash has 47.
const maxHash = 1 << 10

func (s *importStep) hashTarget(it *item) string { return s.target(it.Path) + "hash" }

// lonelyHash is what a .ziphash says that stands for neither a zip nor an
// extracted tree; nil when there is none.
func (s *importStep) lonelyHash(it *item) (*[]byte, error) {
	if exists(s.target(it.Path)) {
		return nil, nil
	}
	text, err := readHash(s.hashTarget(it))
	if text == nil || isSum(hashOf(*text)) && exists(s.tree(it.name.version)) {
		return nil, err
	}
	return text, nil
}

// readHash reads a .ziphash; nil when there is none.
func readHash(path string) (*[]byte, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: bounded.ErrIrregular}
	}
	if err != nil {
		return nil, err
	}
	data, err := bounded.ReadFile(path, maxHash)
	if err != nil {
		return nil, err
	}
	return &data, nil
}

func hashOf(text []byte) string { return string(bytes.TrimSpace(text)) }

// leaves reports whether h1 of a zip is left to the go command. One that finds a
// .ziphash would not compute it.
func (st *stage) leaves(it *item) bool { return st.s.Leave && !it.Hashed && it.Stale == nil }

// hashFits fails when the zip must not stand beside the .ziphash that the cache
// has. It.Sum is h1 of the zip, or a claim where that is left to the go command.
func (st *stage) hashFits(it *item) error {
	if exists(st.s.target(it.Path)) {
		return nil // it is not placed
	}
	have, err := readHash(st.s.hashTarget(it))
	if err != nil || have == nil {
		return err
	}
	h := hashOf(*have)
	switch {
	case h == it.Sum && !st.leaves(it):
		return nil
	case it.Hashed:
		m := it.name.version
		return advice.Add(fmt.Errorf("the cache has %s extracted from another zip (%s, in the bundle %s)", m, redact.Clean(clip(h)), it.Sum), "take that out first with: gpx cache prune %s", m)
	case it.Stale == nil || !bytes.Equal(*it.Stale, *have) || isSum(h) && exists(st.s.tree(it.name.version)):
		return change.Stale(redact.Clean(st.s.hashTarget(it)))
	}
	return nil
}

// replaces reports whether a placed file stands where a stale .ziphash did.
func (st *stage) replaces(i int, f placed) bool {
	it := &st.s.Add[i]
	return it.Stale != nil && f.to == st.s.hashTarget(it)
}

// show makes a file visible. It replaces no other than the .ziphash that the
// plan names.
func (st *stage) show(i int, f placed) error {
	if st.replaces(i, f) {
		if have, err := readHash(f.to); err == nil && have != nil && bytes.Equal(*have, *st.s.Add[i].Stale) {
			return os.Rename(f.from, f.to)
		}
	}
	return link(f.from, f.to)
}

// takeBack removes a placed file. A .ziphash gives way, in one instant, to the
// one that it had replaced.
func (st *stage) takeBack(i int, f placed) error {
	if !st.replaces(i, f) {
		return os.Remove(f.to)
	}
	tmp := st.hash(i) + ".stale"
	if err := os.MkdirAll(filepath.Dir(tmp), 0o700); err != nil {
		return err
	}
	return replaceFile(tmp, f.to, *st.s.Add[i].Stale, 0o666)
}
