package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/advice"
	"gpx/envctl/chain"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
)

// ExportOptions say what goes into a bundle, and where that is written.
type ExportOptions struct {
	Cache string // GOMODCACHE
	// Versions are exported with their zip; the .mod files that their module
	// graphs need come along. Nil means all that the cache has.
	Versions []module.Version
	// Mods are versions of which the .mod is exported where it is cached: those
	// that a project requires and builds nothing from. The go command reads
	// them all the same, to decide on versions.
	Mods []module.Version
	// Out is a file that ends in .tar or .tar.zst, or else a folder. It must
	// not exist, but for a folder with Sync.
	Out string
	// Sync adds to the folder Out what it lacks, and changes nothing else, so
	// that it can go on serving.
	Sync bool

	SumDB   chain.SumDB // the checksum database; none goes in when it is off
	NoSumDB string      // patterns of module paths that it is never asked about (GONOSUMDB)
	// Remote asks the database for what is not cached: a path that begins with
	// /lookup/ or /tile/. Nil: nobody is asked.
	Remote func(ctx context.Context, path string) ([]byte, error)

	Sums project.Sums // go.sum: what contradicts it is left out

	// Checked names a file that remembers which zips were found to match their
	// .ziphash, so that the next export only has to find them unchanged. Empty
	// means that every zip is unpacked and hashed.
	Checked string
	// Created is written into the bundle. Two exports with the same content
	// and the same Created are the same bytes. Zero writes no time.
	Created time.Time
	Report  func(Progress) // called by one goroutine at a time; may be nil
}

// Export writes a bundle. What is damaged, incomplete or contradicts go.sum or
// the checksum database is left out and named in the result. Cancelled or
// killed it leaves no Out, or with Sync a valid one.
func Export(ctx context.Context, o ExportOptions) (Result, error) {
	r, err := export(ctx, &o)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return Result{}, fmt.Errorf("cache export: %s: %w", redact.Clean(o.Out), advised(err, o.Cache))
	}
	return r, nil
}

// attempts is how often an export begins again because a zip changed under it.
const attempts = 3

func export(ctx context.Context, o *ExportOptions) (Result, error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
	checked := loadChecked(o.Checked, o.Cache)
	for try := 1; ; try++ {
		r, err := exportOnce(ctx, o, checked)
		err = errors.Join(err, checked.save())
		var changed *changedError
		if !errors.As(err, &changed) || try == attempts {
			return r, err
		}
		checked.forget(changed.path)
	}
}

// A changedError: a file's bytes are not those that were hashed before.
type changedError struct{ path string }

func (e *changedError) Error() string {
	return redact.Clean(e.path) + " changes while it is read; try again when nothing writes to the cache"
}

func (o *ExportOptions) check() error {
	var err error
	switch {
	case o.Cache != "" && !filepath.IsAbs(o.Cache):
		return advice.Add(fmt.Errorf("GOMODCACHE is no absolute path: %s", redact.Clean(o.Cache)), "set GOMODCACHE to one")
	case o.Cache == "":
		return advice.Add(errors.New("GOMODCACHE is not known"), "set GOMODCACHE or HOME")
	case o.Out == "":
		return advice.Add(errors.New("no name for the bundle"), "give one with -o")
	case o.Sync && archiveOf(o.Out) != notArchive:
		return errors.New("an archive cannot grow; --sync wants a folder")
	}
	if o.Out, err = filepath.Abs(o.Out); err != nil {
		return err
	}
	if o.Cache, err = filepath.EvalSymlinks(o.Cache); errors.Is(err, fs.ErrNotExist) {
		return errors.New("the module cache is empty, so there is nothing to export")
	} else if err != nil {
		return err
	}
	if info, err := os.Stat(o.Cache); err == nil && !info.IsDir() {
		return advice.Add(fmt.Errorf("GOMODCACHE is no folder: %s", redact.Clean(o.Cache)), "set GOMODCACHE to one")
	}
	if inside(o.Cache, o.Out) {
		return advice.Add(errors.New("a bundle is not written into the module cache"), "name another place")
	}
	info, err := os.Stat(o.Out)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.Sync: // which makes the folder
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return checkPlace(o.Out)
	case err != nil:
		return err
	case !o.Sync:
		return advice.Add(errors.New("it exists already"), "name another place, or add to a folder with --sync")
	case !info.IsDir():
		return errors.New("it is not a folder, so nothing can be added to it")
	}
	return nil
}

// inside reports whether path is dir or below it, links resolved as far as the
// path exists.
func inside(dir, path string) bool {
	for p := path; ; p = filepath.Dir(p) {
		real, err := filepath.EvalSymlinks(p)
		if err != nil && p != filepath.Dir(p) {
			continue
		}
		rel, err := filepath.Rel(dir, filepath.Join(real, strings.TrimPrefix(path, p)))
		return err == nil && filepath.IsLocal(rel)
	}
}

// An archive is the format of a bundle, by its name.
type archive string

const (
	notArchive archive = ""
	plainTar   archive = ".tar"
	zstdTar    archive = ".tar.zst"
)

func archiveOf(path string) archive {
	for _, a := range []archive{zstdTar, plainTar} {
		if strings.HasSuffix(strings.ToLower(path), string(a)) {
			return a
		}
	}
	return notArchive
}

// exportOnce decides what goes in, proves it, and writes it.
func exportOnce(ctx context.Context, o *ExportOptions, checked *checked) (Result, error) {
	c := &collector{o: o, checked: checked, download: filepath.Join(o.Cache, "cache", "download")}
	got, err := c.collect(ctx)
	if err != nil {
		return Result{}, err
	}
	if o.Sync {
		return syncTree(ctx, o, got)
	}
	p, err := prove(ctx, o, got.versions(), nil)
	if err != nil {
		return Result{}, err
	}
	defer p.close()
	got.leaveOut(p.contradicted)
	files := append(got.files(), p.files...)
	m := manifestOf(o, files, p)
	r := Result{Modules: m.Modules, Path: o.Out, Unverifiable: m.Unverifiable, LeftOut: got.left}
	r.Bytes, err = writeBundle(ctx, o, m, files)
	return r.clean(), err
}

// clean makes empty lists of those that are nil, as JSON wants them.
func (r Result) clean() Result {
	if r.Unverifiable == nil {
		r.Unverifiable = []string{}
	}
	if r.LeftOut == nil {
		r.LeftOut = []LeftOut{}
	}
	return r
}

// manifestOf describes the files, in their order.
func manifestOf(o *ExportOptions, files []source, p *proof) *Manifest {
	m := &Manifest{
		Kind: kindModules, Format: manifestFormat, Created: wire.At(o.Created),
		Database: p.db, Heads: p.heads, Unverifiable: p.unverifiable,
	}
	for _, f := range files {
		m.Files = append(m.Files, f.File)
		m.Bytes += f.Size
		if f.name.part == partZip {
			m.Modules++
		}
	}
	return m
}

// report tells the caller how far it is.
func (o *ExportOptions) report(p Phase, done, total int64) {
	if o.Report != nil {
		o.Report(Progress{Phase: p, Done: done, Total: total})
	}
}
