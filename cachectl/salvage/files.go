package salvage

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"gpx/cachectl/bundle"
	"gpx/envctl/bounded"
	"gpx/probe"
)

// files looks into folders that are laid out as GOPROXY trees.
func (s *seeker) files(ctx context.Context, dirs []string, kind Kind) {
	for _, dir := range dirs {
		s.report("looking in %s", dir)
		for _, w := range s.wants() {
			if path, version, ok := escaped(w.Version); ok {
				s.versionFiles(ctx, w, filepath.Join(dir, filepath.FromSlash(path), "@v", version), kind)
			}
		}
	}
}

// trees looks into @v folders that lie somewhere.
func (s *seeker) trees(ctx context.Context, by map[string][]string) {
	for _, w := range s.wants() {
		p, version, ok := escaped(w.Version)
		if !ok {
			continue
		}
		end := string(filepath.Separator) + filepath.Join(filepath.FromSlash(p), "@v")
		for _, dir := range by[path.Base(p)] {
			if _, left := s.left[w.Version]; left && strings.HasSuffix(dir, end) {
				s.versionFiles(ctx, w, filepath.Join(dir, version), Tree)
			}
		}
	}
}

// versionFiles takes the files of a version whose names begin with base.
func (s *seeker) versionFiles(ctx context.Context, w Want, base string, kind Kind) {
	if !w.ModOnly && !isFile(base+".zip") || w.ModOnly && !isFile(base+".mod") {
		return
	}
	small := func(f probe.File) func(context.Context) ([]byte, error) {
		return func(context.Context) ([]byte, error) {
			data, err := bounded.ReadFile(base+"."+string(f), probe.MaxSize(f))
			if errors.Is(err, fs.ErrNotExist) {
				err = errAbsent
			}
			return data, err
		}
	}
	c := candidate{source: base + ".zip", kind: kind, mod: small(probe.Mod), info: small(probe.Info)}
	if w.ModOnly {
		c.source = base + ".mod"
	} else {
		c.zip = func(ctx context.Context, to *os.File) error { return copyFile(to, base+".zip") }
		if !isFile(base + ".mod") {
			c.mod = func(context.Context) ([]byte, error) { return modOfZip(base+".zip", w.Version) }
		}
	}
	s.try(ctx, w, c)
}

func isFile(name string) bool {
	fi, err := os.Lstat(name)
	return err == nil && fi.Mode().IsRegular()
}

func copyFile(to io.Writer, name string) error {
	if !isFile(name) {
		return errors.New("it is no regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(to, io.LimitReader(f, modzip.MaxZipFile+1))
	if err == nil && n > modzip.MaxZipFile {
		err = errors.New("its zip is larger than 500 MB")
	}
	return err
}

// bundles takes what is wanted out of archives.
func (s *seeker) bundles(ctx context.Context, files []string) {
	for _, file := range files {
		wants := s.wants()
		if len(wants) == 0 || ctx.Err() != nil {
			return
		}
		s.report("looking in %s", file)
		if err := s.bundle(ctx, file, wants); err != nil && ctx.Err() == nil {
			s.problem("%s: not looked into: %v", file, err)
		}
	}
}

// bundle unpacks the wanted versions of one archive into a folder, and goes on as
// with any other tree.
func (s *seeker) bundle(ctx context.Context, file string, wants []Want) error {
	contents, err := bundle.Inspect(ctx, file)
	if err != nil {
		return err
	}
	has := slices.ContainsFunc(contents.Versions, func(v bundle.Version) bool {
		return slices.ContainsFunc(wants, func(w Want) bool { return w.Version == v.Version })
	})
	if !has {
		return nil
	}
	dir, err := s.stage.TempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	err = bundle.Extract(ctx, file, dir, func(m module.Version) bool {
		_, left := s.left[m]
		return left
	})
	if err != nil {
		return err
	}
	for _, w := range wants {
		p, version, ok := escaped(w.Version)
		if !ok {
			continue
		}
		base := filepath.Join(dir, filepath.FromSlash(p), "@v", version)
		before := len(s.result.Found) + len(s.result.Refused)
		s.versionFiles(ctx, w, base, Bundle)
		if len(s.result.Found)+len(s.result.Refused) > before { // whichever it was, it came from the archive
			s.named(w.Version, file)
		}
	}
	return nil
}

// named corrects the source of what was said last of a version.
func (s *seeker) named(m module.Version, source string) {
	if n := len(s.result.Found) - 1; n >= 0 && s.result.Found[n].Version == m {
		s.result.Found[n].Source = source
	}
	if n := len(s.result.Refused) - 1; n >= 0 && s.result.Refused[n].Version == m {
		s.result.Refused[n].Source = source
	}
}

// extracted makes zips of extracted trees.
func (s *seeker) extracted(ctx context.Context, p *places) {
	for _, w := range s.wants() {
		ep, version, ok := escaped(w.Version)
		if !ok {
			continue
		}
		tree := filepath.FromSlash(ep) + "@" + version
		dirs := []string{}
		for _, cache := range p.caches {
			dirs = append(dirs, filepath.Join(cache, tree))
		}
		dirs = append(dirs, p.trees[filepath.Base(tree)]...)
		for _, dir := range dirs {
			if _, left := s.left[w.Version]; !left || ctx.Err() != nil {
				break
			}
			if isDir(dir) {
				s.report("packing %s", dir)
				s.tree(ctx, w, dir, strings.HasSuffix(dir, string(filepath.Separator)+tree))
			}
		}
	}
}

// tree packs a tree. Its path may name the whole module, or the end of it alone:
// then its go.mod says which module it is, or nothing but the hash does.
func (s *seeker) tree(ctx context.Context, w Want, dir string, named bool) {
	mod := func(context.Context) ([]byte, error) {
		name := filepath.Join(dir, "go.mod")
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return synthetic(w.Path), nil
		}
		if !isFile(name) {
			return nil, errors.New("its go.mod is no regular file")
		}
		return bounded.ReadFile(name, probe.MaxSize(probe.Mod))
	}
	if !named {
		data, err := bounded.ReadFile(filepath.Join(dir, "go.mod"), probe.MaxSize(probe.Mod))
		named = err == nil && modfile.ModulePath(data) == w.Path
	}
	s.try(ctx, w, candidate{
		source: dir, kind: Extracted, mod: mod, weak: !named,
		zip: func(ctx context.Context, to *os.File) error {
			if err := fits(ctx, dir); err != nil {
				return err
			}
			return modzip.CreateFromDir(to, w.Version, dir)
		},
	})
}

// maxFiles is more than any module has.
const maxFiles = 200_000

// fits looks at the size of a tree before it is packed: modzip reads all names
// first, whatever it is given.
func fits(ctx context.Context, dir string) error {
	files, size := 0, int64(0)
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if files++; files > maxFiles {
			return fmt.Errorf("it has more than %d files", maxFiles)
		}
		if d.Type().IsRegular() {
			fi, err := d.Info()
			if err != nil {
				return err
			}
			if size += fi.Size(); size > modzip.MaxZipFile {
				return fmt.Errorf("it is larger than %d MB", modzip.MaxZipFile>>20)
			}
		}
		return nil
	})
}

// vendored notes vendor folders that hold what is left.
func (s *seeker) vendored(dirs []string) {
	for _, dir := range dirs {
		data, err := bounded.ReadFile(filepath.Join(dir, "modules.txt"), 64<<20)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) < 3 || f[0] != "#" {
				continue
			}
			m := module.Version{Path: f[1], Version: f[2]}
			if _, left := s.left[m]; left && isDir(filepath.Join(dir, filepath.FromSlash(m.Path))) {
				s.result.Vendored = append(s.result.Vendored, Vendored{m, dir})
			}
		}
	}
}

func autoQuote(path string) string { return modfile.AutoQuote(path) }

// modOfZip is the go.mod in a zip, or the one that the go command makes up.
func modOfZip(name string, m module.Version) ([]byte, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	f, err := z.Open(m.Path + "@" + m.Version + "/go.mod")
	if errors.Is(err, fs.ErrNotExist) {
		return synthetic(m.Path), nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, probe.MaxSize(probe.Mod)+1))
	if err == nil && int64(len(data)) > probe.MaxSize(probe.Mod) {
		err = fmt.Errorf("its go.mod is larger than 16 MB")
	}
	return data, err
}
