package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"gpx/cachectl/buildcache"
	"gpx/envctl/advice"
	"gpx/envctl/redact"
)

// IsBuildCache reports whether a bundle is one of a build cache. It reads no
// further than the manifest.
func IsBuildCache(ctx context.Context, in string) (bool, error) {
	// A pipe would be waited for, without end, when it is opened.
	if info, err := os.Stat(in); err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	s, err := openStream(ctx, in)
	if err != nil {
		return false, fmt.Errorf("cache import: %s: %w", redact.Clean(in), err)
	}
	defer s.close()
	h, err := s.next()
	if err != nil || h.Name != ManifestName || h.Size > limits[partManifest] {
		return false, ctx.Err() // whoever reads it whole says what is wrong
	}
	var m struct {
		Kind string `json:"kind"`
	}
	err = json.NewDecoder(s.tar).Decode(&m)
	return err == nil && m.Kind == kindBuildCache, ctx.Err()
}

// A buildVisitor is told of a bundle of a build cache as it is read.
type buildVisitor struct {
	manifest func(m *BuildManifest) error
	// output is given an output's bytes. They are compared with its name when
	// it returns: until then nothing may be done with them.
	output func(n buildName, size int64, r io.Reader) error
	// entry is given an entry that leads to the output before it.
	entry func(e buildcache.Entry, text []byte) error
}

// readBuildCache reads a bundle of a build cache to its end and returns its
// digest: two bundles of one digest hold the same. It fails at the first thing
// that does not belong there.
func readBuildCache(ctx context.Context, in string, v buildVisitor) (digest string, err error) {
	info, err := os.Stat(in)
	if err != nil {
		return "", unwrapPath(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("a bundle of a build cache is one file, a .tar or .tar.zst")
	}
	s, err := openStream(ctx, in)
	if err != nil {
		return "", err
	}
	defer s.close()
	r := &buildReader{stream: s, v: v, digest: sha256.New(), actions: map[buildcache.ID]bool{}}
	if err := r.run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", s.explain(err)
	}
	return hex.EncodeToString(r.digest.Sum(nil)), nil
}

// A buildReader holds a bundle to the order that [ExportBuildCache] writes.
type buildReader struct {
	*stream
	v       buildVisitor
	m       *BuildManifest
	digest  hash.Hash
	actions map[buildcache.ID]bool // the only names that could come twice

	output  buildName // the last one
	size    int64
	last    buildcache.ID // the last entry of it
	entries int           // how many it has
	all     BuildManifest // counts
}

func (r *buildReader) run() error {
	for {
		h, err := r.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = checkFile(h)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(r.digest, "%d %s %d\n", len(h.Name), h.Name, h.Size)
		if r.m == nil {
			err = r.readManifest(h.Name, h.Size)
		} else {
			err = r.member(h)
		}
		if err != nil {
			return err
		}
	}
	if r.m == nil {
		return errors.New("there is nothing in it")
	}
	if err := r.complete(); err != nil {
		return err
	}
	return r.tail.finish()
}

func (r *buildReader) readManifest(name string, size int64) error {
	if name != ManifestName {
		return fmt.Errorf("%s is not its first file", ManifestName)
	}
	if size > maxBuildManifest {
		return fmt.Errorf("%s has %d bytes, more than it may have (%d)", ManifestName, size, maxBuildManifest)
	}
	text, err := io.ReadAll(io.TeeReader(r.tar, r.digest))
	if err != nil {
		return err
	}
	if r.m, err = parseBuildManifest(text); err != nil {
		return err
	}
	// A header and padding for each file.
	r.guard.max = r.guard.out + r.m.Bytes + int64(r.m.Outputs+r.m.Entries+1)*1024 + 2*maxPadding
	return r.v.manifest(r.m)
}

// member reads an output or an entry.
func (r *buildReader) member(h *tar.Header) error {
	name, size := h.Name, h.Size
	n, err := parseBuildName(name)
	if err != nil {
		return err
	}
	if len(h.PAXRecords) > 0 {
		return fmt.Errorf("%s has attributes; a bundle has none", name)
	}
	r.all.Bytes += size
	if r.all.Bytes > r.m.Bytes {
		return fmt.Errorf("it holds more than the %d bytes that its manifest says", r.m.Bytes)
	}
	if n.entry {
		return r.readEntry(n, name, size)
	}
	if err := r.complete(); err != nil {
		return err
	}
	if r.all.Outputs > 0 && bytes.Compare(n.id[:], r.output.id[:]) <= 0 {
		return fmt.Errorf("%s is in it twice, or out of order", name)
	}
	if size > maxOutput {
		return fmt.Errorf("%s has %d bytes, more than an output may have (%d)", name, size, int64(maxOutput))
	}
	if r.all.Outputs++; r.all.Outputs > r.m.Outputs {
		return fmt.Errorf("it holds more than the %d outputs that its manifest says", r.m.Outputs)
	}
	r.output, r.size, r.entries, r.last = n, size, 0, buildcache.ID{}
	return r.readOutput(n, name, size)
}

func (r *buildReader) readOutput(n buildName, name string, size int64) error {
	h := sha256.New()
	body := io.TeeReader(r.tar, h)
	if err := r.v.output(n, size, body); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	if !bytes.Equal(h.Sum(nil), n.id[:]) {
		return advice.Add(fmt.Errorf("%s does not match its name, which is its hash", name), "the bundle is damaged or was changed, fetch it again")
	}
	return nil
}

// readEntry reads an entry, which must lead to the output before it.
func (r *buildReader) readEntry(n buildName, name string, size int64) error {
	if size != buildcache.EntrySize {
		return fmt.Errorf("%s has %d bytes; an entry has %d", name, size, buildcache.EntrySize)
	}
	text := make([]byte, buildcache.EntrySize)
	if _, err := io.ReadFull(r.tar, text); err != nil {
		return err
	}
	r.digest.Write(text)
	e, err := buildcache.ParseEntry(text)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case e.Action != n.id:
		return fmt.Errorf("%s is the entry of another action", name)
	case r.all.Outputs == 0 || e.Output != r.output.id || e.Size != r.size:
		return fmt.Errorf("%s leads to an output that does not stand before it", name)
	case r.entries > 0 && bytes.Compare(n.id[:], r.last[:]) <= 0, r.actions[n.id]:
		return fmt.Errorf("%s is in it twice, or out of order", name)
	}
	if r.all.Entries++; r.all.Entries > r.m.Entries {
		return fmt.Errorf("it holds more than the %d entries that its manifest says", r.m.Entries)
	}
	r.actions[n.id], r.last = true, n.id
	r.entries++
	return r.v.entry(e, text)
}

// complete fails when no entry leads to the last output: nobody would find it.
func (r *buildReader) complete() error {
	if r.all.Outputs > 0 && r.entries == 0 {
		return fmt.Errorf("%s has no entry that leads to it", outputPath(r.output.id))
	}
	return nil
}
