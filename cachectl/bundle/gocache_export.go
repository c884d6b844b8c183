package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gpx/cachectl/buildcache"
	"gpx/envctl/advice"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
)

// BuildExportOptions say what of a build cache goes into a bundle, and where
// that is written.
type BuildExportOptions struct {
	Cache string // GOCACHE
	Out   string // a file that ends in .tar or .tar.zst and does not exist
	// Since leaves out what was last used before. Zero: everything goes in.
	Since    time.Time
	Settings BuildSettings
	// Created is written into the bundle. Two exports with the same content
	// and the same Created are the same bytes. Zero writes no time.
	Created time.Time
	Report  func(Progress) // called by one goroutine at a time; may be nil
}

// A BuildResult says what was exported.
type BuildResult struct {
	Outputs int    `json:"outputs"`
	Entries int    `json:"entries"`
	Bytes   int64  `json:"bytes"` // of the bundle
	Path    string `json:"path"`
	// LeftOut counts outputs that are damaged, or were trimmed meanwhile.
	LeftOut int `json:"left_out"`
}

// ExportBuildCache writes a bundle of a build cache: every output that an entry
// leads to and whose bytes are those that its name says. Fuzz corpora stay.
// Cancelled or killed it leaves no Out.
func ExportBuildCache(ctx context.Context, o BuildExportOptions) (BuildResult, error) {
	r, err := exportBuildCache(ctx, &o)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return BuildResult{}, fmt.Errorf("cache export: %s: %w", redact.Clean(o.Out), advised(err, o.Cache))
	}
	return r, nil
}

func (o *BuildExportOptions) check() error {
	var err error
	switch {
	case o.Out == "":
		return advice.Add(errors.New("no name for the bundle"), "give one with -o")
	case archiveOf(o.Out) == notArchive:
		return advice.Add(errors.New("a bundle of a build cache is one file"), "let its name end in .tar or .tar.zst")
	}
	if o.Out, err = filepath.Abs(o.Out); err != nil {
		return err
	}
	if _, err := os.Lstat(o.Out); !errors.Is(err, fs.ErrNotExist) {
		return advice.Add(errors.New("it exists already"), "name another place")
	}
	if inside(o.Cache, o.Out) {
		return advice.Add(errors.New("a bundle is not written into the build cache"), "name another place")
	}
	return checkPlace(o.Out)
}

func exportBuildCache(ctx context.Context, o *BuildExportOptions) (BuildResult, error) {
	if err := o.check(); err != nil {
		return BuildResult{}, err
	}
	c, err := buildcache.Open(o.Cache)
	if err != nil {
		return BuildResult{}, err
	}
	list, m, err := o.choose(ctx, c)
	if err != nil {
		return BuildResult{}, err
	}
	root, err := os.OpenRoot(c.Dir())
	if err != nil {
		return BuildResult{}, err
	}
	defer root.Close()
	w := &buildWriter{ctx: ctx, o: o, root: root, total: m.Bytes, r: BuildResult{Path: o.Out}}
	w.r.Bytes, err = writeBeside(o.Out, func(part string) (int64, error) {
		return createArchive(part, archiveOf(o.Out), func(out io.Writer) error { return w.write(out, m, list) })
	})
	return w.r, err
}

// choose lists what goes in, and describes it.
func (o *BuildExportOptions) choose(ctx context.Context, c *buildcache.Cache) ([]buildcache.Output, *BuildManifest, error) {
	seq, err := c.Outputs(ctx)
	if err != nil {
		return nil, nil, err
	}
	m := &BuildManifest{Kind: kindBuildCache, Format: manifestFormat, Created: wire.At(o.Created), Settings: o.Settings.clean()}
	var list []buildcache.Output
	for out := range seq {
		if out.Used.Before(o.Since) || out.Size > maxOutput {
			continue
		}
		list = append(list, out)
		m.Outputs++
		m.Entries += len(out.Actions)
		m.Bytes += out.Size + int64(len(out.Actions))*buildcache.EntrySize
	}
	switch {
	case len(list) == 0:
		return nil, nil, errors.New("the build cache has nothing to export")
	case m.Outputs+m.Entries > maxFiles:
		return nil, nil, advice.Add(fmt.Errorf("%d files are more than one bundle holds", m.Outputs+m.Entries), "export what was used lately")
	}
	return list, m, nil
}

// A buildWriter writes the members of a bundle.
type buildWriter struct {
	ctx         context.Context
	o           *BuildExportOptions
	root        *os.Root
	t           *tar.Writer
	at          time.Time
	done, total int64
	r           BuildResult
}

func (w *buildWriter) write(out io.Writer, m *BuildManifest, list []buildcache.Output) error {
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	w.t, w.at = tar.NewWriter(out), time.Unix(0, 0)
	if !w.o.Created.IsZero() {
		w.at = w.o.Created.Truncate(time.Second)
	}
	if err := w.member(ManifestName, 0o644, append(text, '\n')); err != nil {
		return err
	}
	for i := range list {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.output(&list[i]); err != nil {
			return err
		}
		w.done += list[i].Size + int64(len(list[i].Actions))*buildcache.EntrySize
		if w.o.Report != nil {
			w.o.Report(Progress{Phase: Writing, Done: w.done, Total: w.total})
		}
	}
	return w.t.Close()
}

func (w *buildWriter) header(name string, mode, size int64) error {
	return w.t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: mode, ModTime: w.at, Format: tar.FormatUSTAR})
}

func (w *buildWriter) member(name string, mode int64, data []byte) error {
	if err := w.header(name, mode, int64(len(data))); err != nil {
		return err
	}
	_, err := w.t.Write(data)
	return err
}

// output writes an output and its entries, or leaves all of them out when one of
// them is not what it should be.
func (w *buildWriter) output(o *buildcache.Output) error {
	entries, size := w.entries(o)
	name, mode := outputPath(o.ID), int64(0o644)
	if o.Program && len(entries) > 0 {
		name, mode = w.program(name), 0o755
	}
	if len(entries) == 0 || name == "" {
		w.r.LeftOut++
		return nil
	}
	written, err := w.content(o.ID, name, mode, size)
	if err != nil {
		return err
	}
	if !written {
		w.r.LeftOut++
		return nil
	}
	w.r.Outputs++
	for _, e := range entries {
		if err := w.member(e.name, 0o644, e.text); err != nil {
			return err
		}
		w.r.Entries++
	}
	return nil
}

// A buildEntry is an entry's file.
type buildEntry struct {
	name string
	text []byte
}

// entries reads the entries of an output that still lead to it, and the size
// that they say it has.
func (w *buildWriter) entries(o *buildcache.Output) (list []buildEntry, size int64) {
	for _, id := range o.Actions {
		name := entryPath(id)
		text, err := w.root.ReadFile(name)
		if err != nil {
			continue
		}
		e, err := buildcache.ParseEntry(text)
		if err != nil || e.Action != id || e.Output != o.ID || len(list) > 0 && e.Size != size {
			continue
		}
		size = e.Size
		list = append(list, buildEntry{name, text})
	}
	return list, size
}

// program is the path of the one file in an executable's folder, "" when that
// has another content.
func (w *buildWriter) program(folder string) string {
	entries, err := fs.ReadDir(w.root.FS(), folder)
	if err != nil || len(entries) != 1 || !entries[0].Type().IsRegular() || checkProgram(entries[0].Name()) != nil {
		return ""
	}
	return folder + "/" + entries[0].Name()
}

// inMemory is the size up to which an output is read once: hashed, then
// written. A larger one is read twice.
const inMemory = 8 << 20

// content writes the bytes of an output if they are those of its name.
func (w *buildWriter) content(id buildcache.ID, name string, mode, size int64) (bool, error) {
	f, err := w.root.Open(name)
	if err != nil {
		return false, nil // trimmed meanwhile
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != size {
		return false, nil
	}
	h := sha256.New()
	var seen bytes.Buffer
	first := io.Writer(h)
	if size <= inMemory {
		first = io.MultiWriter(h, &seen)
	}
	if _, err := io.Copy(first, contextReader{w.ctx, io.LimitReader(f, size+1)}); err != nil {
		return false, err
	}
	if !slices.Equal(h.Sum(nil), id[:]) {
		return false, w.ctx.Err()
	}
	if err := w.header(name, mode, size); err != nil {
		return false, err
	}
	if size <= inMemory {
		_, err := w.t.Write(seen.Bytes())
		return true, err
	}
	h.Reset()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	_, err = io.CopyN(io.MultiWriter(w.t, h), contextReader{w.ctx, f}, size)
	if err == nil && !slices.Equal(h.Sum(nil), id[:]) || err == io.EOF {
		return false, &changedError{name}
	}
	return err == nil, err
}
