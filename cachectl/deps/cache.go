package deps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/cachectl/internal/walk"
	"gpx/cachectl/internal/ziphash"
	"gpx/envctl/bounded"
	"gpx/envctl/sumdb"
)

// A cache is the module cache, looked at one version at a time.
type cache struct {
	dir   string // GOMODCACHE, "" when it is not set
	memo  *Memo
	ahead map[module.Version][4]stamp // of versions that were looked at together
	facts once[module.Version, facts]
}

// Facts are what the module cache holds of a version (modfetch/cache.go).
type facts struct {
	Parts
	hasHash bool   // there is a .ziphash
	hash    string // what it says, "" when it says nothing sound
	partial bool   // an extraction began and did not end
	linked  bool   // a file is a symbolic link, and what it leads to changes by itself

	tree string // where the extracted tree is, or would be
	base string // of the files in the @v folder, without what follows the version
	err  error  // something is there and cannot be looked at
}

// zip is where the zip is, or would be.
func (f *facts) zip() string { return f.base + ".zip" }

// A site is where a version is in the module cache, slashed, from GOMODCACHE on.
type site struct{ folder, tree, base string }

func siteOf(m module.Version) (site, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return site{}, err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return site{}, err
	}
	folder := "cache/download/" + path + "/@v"
	return site{folder: folder, tree: path + "@" + version, base: folder + "/" + version}, nil
}

// watched are the files and folders of a version that tell whether it is as it was.
func (s *site) watched() []string {
	return []string{s.folder, s.tree, s.base + ".mod", s.base + ".ziphash"}
}

func (c *cache) at(m module.Version) facts {
	return c.facts.do(m, func() facts {
		s, err := siteOf(m)
		if err != nil || c.dir == "" {
			return facts{err: err}
		}
		stamps, known := c.ahead[m]
		if !known {
			stamps = c.stamps(context.Background(), s.watched())[0] // all four, whatever else ends
		}
		base, tree := filepath.Join(c.dir, filepath.FromSlash(s.base)), filepath.Join(c.dir, filepath.FromSlash(s.tree))
		f := c.memo.facts(m, stamps, func() facts { return look(base, tree, m.Path) })
		f.base, f.tree = base, tree
		return f
	})
}

// stamps are those of files below GOMODCACHE, by fours. What cannot be looked at
// is [unseen], so that whoever looks at it says why not, and so is a symbolic link:
// what it leads to has times of its own.
func (c *cache) stamps(ctx context.Context, names []string) [][4]stamp {
	out := make([][4]stamp, len(names)/4)
	err := walk.Stat(ctx, c.dir, names, walk.Options{}, func(i int, e walk.Entry, err error) {
		s := &out[i/4][i%4]
		switch {
		case err == nil && e.Type&fs.ModeSymlink == 0:
			*s = stamp{true, e.Size, e.Stamp}
		case !errors.Is(err, fs.ErrNotExist):
			*s = unseen
		}
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		for i := range out {
			out[i] = [4]stamp{unseen, unseen, unseen, unseen}
		}
	}
	return out
}

func look(base, tree, path string) (f facts) {
	is := func(suffix string) bool {
		fi, err := os.Lstat(base + suffix)
		if err == nil && fi.Mode()&fs.ModeSymlink != 0 {
			f.linked = true
			fi, err = os.Stat(base + suffix)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.err = err
		}
		return err == nil && fi.Mode().IsRegular()
	}
	f.Info, f.Mod, f.Zip = is(".info"), is(".mod"), is(".zip")
	f.partial = is(".partial")
	if hash, err := bounded.ReadFile(base+".ziphash", 1<<10); err == nil {
		f.hasHash = true
		if text := string(bytes.TrimSpace(hash)); isHash(text) {
			f.hash = text
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		f.err = err
	}
	if fi, err := os.Stat(tree); err == nil && fi.IsDir() {
		// This one is unpacked out of GOROOT and has no .ziphash.
		f.Dir = !f.partial && (f.hasHash || path == "golang.org/fips140")
	}
	return f
}

// isHash reports whether text looks like a hash of go.sum.
func isHash(text string) bool {
	return strings.HasPrefix(text, "h1:") && len(text) == len("h1:")+44
}

// mod reads the .mod of a version. One that the first go commands made up does
// not count (modfetch, oldVgoPrefix).
func (c *cache) mod(m module.Version) (modFile, error) {
	f := c.at(m)
	if f.err != nil {
		return modFile{}, f.err
	}
	if !f.Mod {
		return modFile{}, fs.ErrNotExist
	}
	return c.memo.record(m).mod(func() (modFile, error) {
		name := f.base + ".mod"
		data, err := bounded.ReadFile(name, maxMod)
		if err == nil && bytes.HasPrefix(data, []byte("//vgo 0.0.")) {
			err = fs.ErrNotExist
		}
		if err != nil {
			return modFile{}, err
		}
		return parseMod(name, data)
	})
}

// zipSum is the hash that the go command checks a version by: what .ziphash
// says, and where that is gone, what the zip comes to (modfetch, checkMod).
func (f *facts) zipSum(ctx context.Context) (string, error) {
	switch {
	case f.hash != "":
		return f.hash, nil
	case !f.Zip:
		return "", errors.New("its .ziphash says nothing, and the zip is gone")
	}
	return ziphash.SumFile(ctx, f.zip())
}

// Sightings are versions that were looked at together, and their stamps.
type sightings struct {
	of     []module.Version
	stamps [][4]stamp
	cut    bool // not all were looked at
}

// byVersion is a map of them, nil when they are not all.
func (s *sightings) byVersion() map[module.Version][4]stamp {
	if s.cut {
		return nil
	}
	by := make(map[module.Version][4]stamp, len(s.of))
	for i, m := range s.of {
		by[m] = s.stamps[i]
	}
	return by
}

// lookAhead takes the stamps of all versions that go.mod requires, in its order:
// each is asked for, by a package or by its row in the report, and many at a time
// cost half of what they cost one by one.
func (l *loader) lookAhead() sightings {
	var ms []module.Version
	var names []string
	for _, q := range l.project.Requires {
		m := q.Version
		if to, ok := l.project.Replacement(m); ok {
			m = to
		}
		if s, err := siteOf(m); err == nil && m.Version != "" && l.cache.dir != "" {
			ms, names = append(ms, m), append(names, s.watched()...)
		}
	}
	stamps := l.cache.stamps(l.ctx, names)
	return sightings{ms, stamps, l.ctx.Err() != nil}
}

// older lists the versions of a path whose zip or tree is in the cache.
func (c *cache) older(path string) []string {
	escaped, err := module.EscapePath(path)
	if err != nil || c.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(c.dir, "cache", "download", filepath.FromSlash(escaped), "@v"))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".zip")
		if version, err := module.UnescapeVersion(name); ok && err == nil {
			out = append(out, version)
		}
	}
	semver.Sort(out)
	return out
}

// checkSum compares a hash with go.sum, and where that says nothing and may stay
// silent, with the checksum database (modfetch, checkModSum). The Version of a
// go.mod's key ends in "/go.mod".
func (l *loader) checkSum(key module.Version, hash string) *Trouble {
	m := module.Version{Path: key.Path, Version: strings.TrimSuffix(key.Version, "/go.mod")}
	for _, want := range l.project.Sums[key] {
		if want == hash {
			if l.work == nil {
				return nil
			}
			continue // another file of the workspace may contradict
		}
		if strings.HasPrefix(want, "h1:") {
			what := "its zip"
			if key != m {
				what = "its go.mod"
			}
			return trouble(WrongSum, m, "gpx cache verify", "%s: %s is %s in the module cache and %s in go.sum", m, what, hash, want)
		}
	}
	if l.haveSum(key) {
		return nil
	}
	return l.askDatabase(key, hash)
}

// haveSum reports whether go.sum has a line that counts (modfetch, HaveSum).
func (l *loader) haveSum(key module.Version) bool {
	for _, h := range l.project.Sums[key] {
		if strings.HasPrefix(h, "h1:") {
			return true
		}
	}
	return false
}

// mustHaveSums reports whether the go command adds no line to go.sum (modload,
// mustHaveSums). In a workspace it needs none.
func (l *loader) mustHaveSums() bool { return l.mode == "readonly" && l.work == nil }

// askDatabase looks a hash up in what is cached of the checksum database.
func (l *loader) askDatabase(key module.Version, hash string) *Trouble {
	m := module.Version{Path: key.Path, Version: strings.TrimSuffix(key.Version, "/go.mod")}
	l.wider.Store(true)
	t := l.proofs.do(key, func() *Trouble {
		if !sumdb.Verifies(l.env, key.Path) {
			return nil
		}
		client, err := l.database()
		var lines []string
		if err == nil {
			lines, err = client.Lookup(l.ctx, m)
		}
		if err != nil {
			return trouble(Unverifiable, m, "go mod download "+m.String(), "%s: go.sum has no line, and the checksum database is not to be asked: %v", m, err)
		}
		for _, line := range lines {
			if line == fmt.Sprintf("%s %s %s", key.Path, key.Version, hash) {
				return nil
			}
		}
		return trouble(WrongSum, m, "gpx cache verify", "%s: it is not what the checksum database says", m)
	})
	return t
}
