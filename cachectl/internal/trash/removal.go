package trash

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/flock"
	"gpx/envctl/advice"
	"gpx/envctl/change"
	"gpx/envctl/redact"
)

// A Removal is one version as it is taken out of the cache or put back: the
// payload of the steps of this package's kinds.
type Removal struct {
	Root    string `json:"root"` // GOMODCACHE
	Path    string `json:"path"`
	Version string `json:"version"`
	// Parts are in the order in which they leave (see [Order]).
	Parts []Part `json:"parts"`
	// Absent are places where nothing stood when the plan was made. Where
	// something stands by now, such as a tree that was extracted meanwhile, the
	// version is another than was looked at.
	Absent []string `json:"absent,omitempty"`
	// Box is the trash that it is to be put back from: the change that threw
	// it away.
	Box string `json:"box,omitempty"`
}

// A Part is one file or folder of a version, and what it was when the plan was
// made.
type Part struct {
	Rel   string      `json:"rel"` // below GOMODCACHE, with slashes
	Mode  fs.FileMode `json:"mode"`
	Size  int64       `json:"size,omitempty"` // of a file
	MTime int64       `json:"mtime"`          // Unix nanoseconds
}

// Look describes what stands at rel now; fs.ErrNotExist where nothing does.
func Look(root, rel string) (Part, error) {
	info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(rel)))
	if err != nil {
		return Part{}, err
	}
	p := Part{Rel: rel, Mode: info.Mode(), MTime: info.ModTime().UnixNano()}
	if info.Mode().IsRegular() {
		p.Size = info.Size()
	}
	return p, nil
}

// Names are the places of a version, below GOMODCACHE and with slashes
// (cmd/go/internal/modfetch, CachePath and DownloadDir).
type Names struct {
	Download string // cache/download/<escaped path>/@v
	Version  string // escaped
	Tree     string // <escaped path>@<escaped version>
}

// NamesOf are the places of m.
func NamesOf(m module.Version) (Names, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return Names{}, err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return Names{}, err
	}
	return Names{Download: "cache/download/" + path + "/@v", Version: version, Tree: path + "@" + version}, nil
}

// File is <version>.suffix.
func (n Names) File(suffix string) string { return n.Download + "/" + n.Version + "." + suffix }

// Order are the places of the parts of a version in the order in which they
// leave the cache: .ziphash, tree, .zip; with meta also .info and .mod; then
// more, which are leftovers; and .partial at last. They come back in the
// opposite order. So the go command finds, at every instant and after SIGKILL,
// a state that it makes whole by itself:
//
//   - without .ziphash it trusts neither zip nor tree, and waits for the
//     version's lock before it makes the hash again, or downloads (modfetch,
//     DownloadDir and DownloadZip);
//   - a tree comes and goes by one rename;
//   - a half tree without .partial would pass for a whole one.
func (n Names) Order(meta bool, more ...string) []string {
	order := []string{n.File("ziphash"), n.Tree, n.File("zip")}
	if meta {
		order = append(order, n.File("info"), n.File("mod"))
	}
	order = append(order, more...)
	return append(order, n.File("partial"))
}

// Step makes the step of a removal. bytes is what it frees.
func (r *Removal) Step(kind string, bytes int64) (change.Step, error) {
	payload, err := json.Marshal(r)
	return change.Step{
		Action:  change.Action{Kind: kind, Target: r.String(), Bytes: bytes, Undoable: kind != RemoveVersion},
		Payload: payload,
	}, err
}

// String is path@version, clean.
func (r *Removal) String() string { return redact.Clean(r.Path + "@" + r.Version) }

func (r *Removal) module() module.Version {
	return module.Version{Path: r.Path, Version: r.Version}
}

func (r *Removal) names() (Names, error) { return NamesOf(r.module()) }

// valid refuses names that lead out of the cache, whoever wrote them down.
func (r *Removal) valid() error {
	for _, p := range r.Parts {
		if !filepath.IsLocal(filepath.FromSlash(p.Rel)) {
			return fmt.Errorf("%s: %q is no name in a module cache", r, p.Rel)
		}
	}
	if !filepath.IsAbs(r.Root) || strings.ContainsAny(r.Box, `/\.`) {
		return fmt.Errorf("%s: not a removal from a module cache", r)
	}
	return nil
}

// errChanged: what stands there is not what the plan was made for.
var errChanged = errors.New("it has changed since the plan was made")

// unchanged fails when the version is not what it was when the plan was made.
func (r *Removal) unchanged() error {
	for _, p := range r.Parts {
		now, err := Look(r.Root, p.Rel)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || now != p {
			return errChanged
		}
	}
	if slices.ContainsFunc(r.Absent, func(rel string) bool { return there(filepath.Join(r.Root, filepath.FromSlash(rel))) }) {
		return errChanged
	}
	return nil
}

// gone reports whether no part of the version is in the cache.
func (r *Removal) gone() bool {
	return !slices.ContainsFunc(r.Parts, func(p Part) bool { return there(filepath.Join(r.Root, filepath.FromSlash(p.Rel))) })
}

// lock takes the version's lock as the go command does, or says that a go
// command has it.
func (r *Removal) lock() (unlock func(), err error) {
	n, err := r.names()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(r.Root, filepath.FromSlash(n.File("lock")))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	f, err := flock.Try(path)
	if errors.Is(err, flock.ErrHeld) {
		return nil, errors.New("a go command is at work on it")
	}
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// move renames a part. A folder has to be writable for that, since its ".."
// changes (rename(2), EACCES), and the trees of the go command are not.
func move(from, to string, p Part) error {
	if p.Mode.IsDir() && p.Mode&0o200 == 0 {
		if err := os.Chmod(from, p.Mode|0o700); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	return crossing(os.Rename(from, to))
}

// crossing says what to do about a part that another file system is mounted on, or
// holds: nothing can be moved out of there in one step, and nothing is copied.
func crossing(err error) error {
	if errors.Is(err, syscall.EXDEV) {
		return advice.Add(err, "a file system is mounted within the module cache: take it away, or delete there by hand")
	}
	return err
}

// unsettled reports whether p is a tree that stands in the cache with the mode
// that move gave it. (Renaming changes no time of what is renamed, only of the
// folders around it.)
func (p Part) unsettled(root string) bool {
	if !p.Mode.IsDir() {
		return false
	}
	now, err := Look(root, p.Rel)
	return err == nil && now.Mode != p.Mode && now.Mode == p.Mode|0o700 && now.MTime == p.MTime
}

// settle gives such a tree the mode back that it had.
func (p Part) settle(root string) error {
	if !p.unsettled(root) {
		return nil
	}
	return os.Chmod(filepath.Join(root, filepath.FromSlash(p.Rel)), p.Mode)
}

func (r *Removal) settle() error {
	for _, p := range r.Parts {
		if err := p.settle(r.Root); err != nil {
			return err
		}
	}
	return nil
}
