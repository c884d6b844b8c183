package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"gpx/envctl/advice"
	"gpx/envctl/redact"
)

// A bundle is read from its beginning to its end, and every file is understood
// before a byte of it is read:
//
//	file ─▶ zstd ─▶ guard ─▶ tail ─▶ tar ─▶ name, size, duplicates ─▶ manifest ─▶ visit
//
// What the rest of this package sees of a bundle are names that passed
// [parseName] and sizes within their limits.

// A member is one file of a bundle. Its reader holds until the next one.
type member struct {
	name name
	size int64
	r    io.Reader
	want *File // the manifest's line; nil where there is no manifest
}

// A visitor is told of a bundle as it is read.
type visitor struct {
	// manifest is called first, when there is one, with its bytes. With skip
	// nothing more is read.
	manifest func(m *Manifest, text []byte) (skip bool, err error)
	file     func(m member) error
}

// readBundle reads a bundle. It fails where a bundle is not what it says: on a
// member that its manifest does not have, on one that it lacks, at a truncated
// end. In a folder, which may be served and grow meanwhile, what the manifest
// does not list is not looked at.
func readBundle(ctx context.Context, in string, v visitor) error {
	info, err := os.Stat(in)
	if err != nil {
		return unwrapPath(err)
	}
	switch {
	case info.IsDir():
		return readFolder(ctx, in, v)
	case info.Mode().IsRegular():
		return readArchive(ctx, in, v)
	}
	return errors.New("it is neither a file nor a folder")
}

// maxWindow is the largest distance over which the compression of a bundle may
// reach, in bytes: what zstd unpacks without being asked to (--long=27). It is
// unpacked in twice as much memory.
const maxWindow = 128 << 20

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// isPacked reports whether a file begins as gzip, zip, bzip2 or xz does.
func isPacked(magic []byte) bool {
	return slices.ContainsFunc([]string{"\x1f\x8b", "PK\x03\x04", "BZh", "\xfd7zX"}, func(m string) bool {
		return bytes.HasPrefix(magic, []byte(m))
	})
}

func readArchive(ctx context.Context, in string, v visitor) error {
	s, err := openStream(ctx, in)
	if err != nil {
		return err
	}
	defer s.close()
	a := &archiveReader{stream: s, v: v, seen: map[string]bool{}}
	if err := a.run(); err != nil && ctx.Err() == nil {
		return s.explain(err)
	}
	return ctx.Err()
}

// A stream is an archive that is being read, with what watches over it.
type stream struct {
	guard *guard
	tail  *tail
	tar   *tar.Reader
	files int // entries so far
	close func()
}

// openStream opens a .tar or .tar.zst, by what it holds.
func openStream(ctx context.Context, in string) (*stream, error) {
	f, err := os.Open(in)
	if err != nil {
		return nil, unwrapPath(err)
	}
	s := &stream{close: func() { f.Close() }}
	raw := &counter{r: contextReader{ctx, layer{f, errDisk}}}
	buffered := bufio.NewReaderSize(raw, 1<<20)
	magic, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		s.close()
		return nil, s.explain(err)
	}
	var unpacked io.Reader = buffered
	switch {
	case len(magic) == 0:
		err = errors.New("it is empty")
	case bytes.Equal(magic, zstdMagic):
		// In little memory the window would be copied for every megabyte.
		var d *zstd.Decoder
		if d, err = zstd.NewReader(buffered, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(false)); err == nil {
			unpacked, s.close = layer{d, errUnpack}, func() { d.Close(); f.Close() }
		}
	case isPacked(magic):
		err = errors.New("it is compressed in another way; a bundle is a folder, a .tar or a .tar.zst")
	}
	if err != nil {
		s.close()
		return nil, err
	}
	s.guard = &guard{r: unpacked, in: raw}
	s.tail = &tail{r: bufio.NewReaderSize(s.guard, 256<<10)}
	s.tar = tar.NewReader(s.tail)
	return s, nil
}

// next goes on to the next entry. At the end, io.EOF, it is for the caller to
// look at the tail.
func (s *stream) next() (*tar.Header, error) {
	h, err := s.tar.Next()
	if err != nil {
		return nil, within(errTar, err)
	}
	if s.files++; s.files > maxFiles+1 {
		return nil, fmt.Errorf("more than %d files", maxFiles)
	}
	return h, nil
}

// An archiveReader reads the members of a tar archive.
type archiveReader struct {
	*stream
	v visitor

	seen     map[string]bool
	names    int // bytes in seen
	manifest *Manifest
	want     map[string]*File
}

var errSkip = errors.New("enough")

func (a *archiveReader) run() error {
	for {
		h, err := a.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := a.member(h); err == errSkip {
			return nil
		} else if err != nil {
			return err
		}
	}
	if a.manifest != nil {
		for _, f := range a.manifest.Files {
			if !a.seen[f.Path] {
				return fmt.Errorf("%s is in its manifest and not in it", f.Path)
			}
		}
	}
	if a.files == 0 {
		return errors.New("there is nothing in it")
	}
	return a.tail.finish()
}

// member decides what one entry of the archive is.
func (a *archiveReader) member(h *tar.Header) error {
	// Tools write ./NAME when they are told to pack a folder.
	p := strings.TrimPrefix(h.Name, "./")
	if h.Typeflag == tar.TypeDir {
		if p = strings.TrimSuffix(p, "/"); p == "" || p == "." {
			return nil
		}
		return checkPath(p)
	}
	if err := checkFile(h); err != nil {
		return err
	}
	n, ok, err := parseName(p)
	if err != nil {
		return err
	}
	if !ok {
		if a.manifest != nil {
			return fmt.Errorf("%s is not in its manifest", p)
		}
		return nil
	}
	if a.seen[p] {
		return fmt.Errorf("%s is in it twice", p)
	}
	if a.names += len(p); a.names > maxNames {
		return fmt.Errorf("its names alone have more than %d MiB", maxNames>>20)
	}
	a.seen[p] = true
	if h.Size > limits[n.part] {
		return fmt.Errorf("%s has %d bytes, more than a %s may have (%d)", p, h.Size, n.part, limits[n.part])
	}
	if n.part == partManifest {
		return a.readManifest(h.Size)
	}
	m := member{name: n, size: h.Size, r: a.tar}
	if a.manifest != nil {
		if m.want = a.want[p]; m.want == nil {
			return fmt.Errorf("%s is not in its manifest", p)
		}
		if m.want.Size != h.Size {
			return fmt.Errorf("%s has %d bytes, its manifest says %d", p, h.Size, m.want.Size)
		}
	}
	return a.v.file(m)
}

// checkFile refuses what is no plain file.
func checkFile(h *tar.Header) error {
	if h.Typeflag != tar.TypeReg {
		return fmt.Errorf("%s is %s; a bundle has only files", redact.Clean(clip(h.Name)), kindOf(h.Typeflag))
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return fmt.Errorf("%s is a sparse file; a bundle has none", redact.Clean(clip(h.Name)))
		}
	}
	return nil
}

func (a *archiveReader) readManifest(size int64) error {
	if len(a.seen) != 1 {
		return advice.Add(fmt.Errorf("%s is not its first file", ManifestName), "import the folder itself that was packed here")
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(a.tar, text); err != nil {
		return err
	}
	m, err := parseManifest(text)
	if err != nil {
		return err
	}
	a.manifest = m
	a.want = make(map[string]*File, len(m.Files))
	for i := range m.Files {
		a.want[m.Files[i].Path] = &m.Files[i]
	}
	// A header and its padding, and another with a long name, for each.
	a.guard.max = a.guard.out + m.Bytes + int64(len(m.Files)+1)*4096 + 2*maxPadding
	skip, err := a.v.manifest(m, text)
	if err == nil && skip {
		return errSkip
	}
	return err
}

// What an error came from, where the libraries' own words help nobody.
var (
	errDisk   = errors.New("reading failed")
	errUnpack = errors.New("unpacking failed")
	errTar    = errors.New("the tar archive is damaged")
)

// A layer is a reader whose errors say that they are its own.
type layer struct {
	r    io.Reader
	name error
}

func (l layer) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && err != io.EOF {
		err = within(l.name, err)
	}
	return n, err
}

// within names the layer that an error comes from, unless one below did.
func within(layer, err error) error {
	if err == io.EOF || errors.Is(err, errDisk) || errors.Is(err, errUnpack) || errors.Is(err, errBomb) {
		return err
	}
	return fmt.Errorf("%w: %w", layer, err)
}

// explain puts the errors of the libraries into words: what is wrong, and what
// to do about it.
func (s *stream) explain(err error) error {
	switch {
	case errors.Is(err, errBomb):
		return errBomb
	case errors.Is(err, errDisk):
		return advice.Add(fmt.Errorf("reading it failed (%s)", redact.Clean(unwrapPath(err).Error())), "look after the disk that it is on, or fetch it again")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("it wants more memory to be unpacked than a bundle needs (%d MiB); nothing of it is used", maxWindow>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return advice.Add(errors.New("it was cut short"), "fetch it again")
	case errors.Is(err, zstd.ErrUnknownDictionary):
		return advice.Add(errors.New("it was compressed with a dictionary that is not in it"), "compress it again without one")
	case errors.Is(err, errUnpack):
		return advice.Add(fmt.Errorf("it is damaged: it cannot be unpacked beyond %s", count(s.files, "file")), "fetch it again")
	case errors.Is(err, errTar) && s.files == 0:
		return advice.Add(errors.New("it is no bundle: neither a .tar nor a .tar.zst"), "make one with: gpx cache export")
	case errors.Is(err, errTar):
		return advice.Add(fmt.Errorf("it is damaged: what follows its first %s is no tar archive", count(s.files, "file")), "fetch it again")
	}
	return err
}

func kindOf(flag byte) string {
	switch flag {
	case tar.TypeLink:
		return "a hard link"
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeChar, tar.TypeBlock:
		return "a device"
	case tar.TypeFifo:
		return "a named pipe"
	case tar.TypeGNUSparse:
		return "a sparse file"
	}
	return fmt.Sprintf("an entry of type %q", flag)
}

// clip makes a name short enough for a message.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
