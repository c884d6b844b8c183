package modcache

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"gpx/cachectl/internal/trash"
)

// strayFor is how old a temporary file of an .info or a .mod has to be to count
// as left behind. The go command writes one without the version's lock, within
// milliseconds.
const strayFor = time.Hour

// A taking is what of a version goes.
type taking struct {
	parts   []trash.Part
	absent  []string // places where nothing stands
	bytes   int64
	sources bool // a zip or a whole tree is among it
}

// parts finds what of a version goes, as it stands in the cache now.
func (p *pruner) parts(v *Version) (taking, error) {
	n, err := trash.NamesOf(v.Version)
	if err != nil {
		return taking{}, err
	}
	var left []string
	if v.State == Partial || v.LeftBytes > 0 {
		left = p.leftovers(n)
	}
	order := n.Order(p.o.AllFiles && len(p.o.Needs.Mod(v.Version)) == 0, left...)
	take := taking{sources: v.hasSources() || p.o.AllFiles}
	if p.o.Partial {
		order, take.sources = p.debris(v, n, left)
	}
	for _, rel := range order {
		part, err := trash.Look(p.inv.Dir, rel)
		if errors.Is(err, fs.ErrNotExist) {
			take.absent = append(take.absent, rel)
			continue
		}
		if err != nil {
			return taking{}, err
		}
		if p.isYoung(rel, part) {
			continue
		}
		take.parts = append(take.parts, part)
		switch {
		case rel == n.Tree:
			take.bytes += v.DirBytes
		case part.Mode.IsDir():
			take.bytes += v.LeftBytes
		default:
			take.bytes += part.Size
		}
	}
	return take, nil
}

// isYoung reports whether a leftover may still be written.
func (p *pruner) isYoung(rel string, part trash.Part) bool {
	return strings.HasSuffix(rel, ".tmp") && !strings.Contains(path.Base(rel), ".zip") && p.o.Now.Sub(time.Unix(0, part.MTime)) < strayFor
}

// debris are the parts of a version that no build can use, in the order in
// which they leave. sources says that a whole tree is among them, which the go
// command would only use with its .ziphash, but from which the version could be
// made again.
func (p *pruner) debris(v *Version, n trash.Names, left []string) (order []string, sources bool) {
	partial := there(p.inv.Dir, n.File("partial"))
	switch {
	case v.Dir && partial:
		order = append(order, n.Tree)
	case v.Dir && !v.Zip && !v.ZipHash && v.Path != fips140:
		order, sources = append(order, n.Tree), true
	case v.ZipHash && !v.Zip && !v.Dir:
		order = append(order, n.File("ziphash"))
	}
	order = append(order, left...)
	if partial {
		order = append(order, n.File("partial"))
	}
	return order, sources
}

// leftovers are the temporary files and folders of a version: what modfetch's
// tempFile makes beside the .zip, .info and .mod, and what the go command before
// 1.16 extracted into.
func (p *pruner) leftovers(n trash.Names) []string {
	var left []string
	for _, name := range p.list(n.Download) {
		for _, suffix := range []string{"zip", "info", "mod"} {
			number, ok := strings.CutPrefix(name, n.Version+"."+suffix)
			if number, cut := strings.CutSuffix(number, ".tmp"); ok && cut && isNumber(number) {
				left = append(left, n.Download+"/"+name)
			}
		}
	}
	folder, tree := path.Split(n.Tree)
	for _, name := range p.list(path.Clean(folder)) {
		if strings.HasPrefix(name, tree+".tmp-") {
			left = append(left, folder+name)
		}
	}
	return left
}

// list reads a folder of the cache once.
func (p *pruner) list(rel string) []string {
	names, ok := p.listings[rel]
	if ok {
		return names
	}
	entries, _ := os.ReadDir(filepath.Join(p.inv.Dir, filepath.FromSlash(rel))) // what cannot be read holds nothing that could be taken
	for _, e := range entries {
		names = append(names, e.Name())
	}
	p.listings[rel] = names
	return names
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// there reports whether anything stands at rel in the cache at root.
func there(root, rel string) bool {
	_, err := os.Lstat(filepath.Join(root, filepath.FromSlash(rel)))
	return err == nil
}
