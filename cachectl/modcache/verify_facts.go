package modcache

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"

	"gpx/cachectl/internal/flock"
	"gpx/cachectl/internal/trash"
	"gpx/cachectl/internal/ziphash"
	"gpx/envctl/bounded"
)

// facts are all that was seen of one version in the cache. They judge nothing:
// see judge.
type facts struct {
	m    module.Version
	root string // GOMODCACHE
	at   trash.Names

	zip  zipFacts
	hash hashFacts
	tree treeFacts
	mod  modFacts
	info infoFacts
}

// zipFacts: a zip that is there has a sum, or damage with a reason, or err.
type zipFacts struct {
	there   bool
	folder  bool // in its place
	sum     string
	damage  Damage // ZipTruncated, ZipInvalid or ZipChanged
	reason  string
	err     error  // it cannot be read
	modSum  string // of the go.mod in it; "" without one
	refused string // why the go command would not unpack it, though it can be hashed
	gone    bool   // while it was looked at
}

// hashFacts is .ziphash.
type hashFacts struct {
	there bool
	sum   string // "" when it holds no hash
	text  string // what it holds then
	err   error
}

// treeFacts: a tree that is a folder has the sum of its files, unless there is
// something else in it.
type treeFacts struct {
	there    bool
	partial  bool   // .partial is there
	other    string // what it is instead of a folder
	compared bool   // with the zip, all of which was read
	diff     treeDiff
	sum      string
	err      error
}

// modFacts is the .mod file.
type modFacts struct {
	there  bool
	listed bool // the module's list was written when it was there
	sum    string
	err    error
}

// infoFacts is the .info file.
type infoFacts struct {
	there   bool
	version string
	invalid string // why it is none
	err     error
}

const (
	hashMost = 4 << 10  // a .ziphash has 47 bytes
	infoMost = 1 << 20  // an .info has some hundred; an Origin may name many
	modMost  = 16 << 20 // modzip.MaxGoMod
	listMost = 4 << 20  // 100,000 versions
)

// observe gathers the facts of one version. It fails with the context's error, or
// for what is no module version; all else is a fact.
func observe(ctx context.Context, root string, m module.Version, meter *versionMeter) (*facts, error) {
	f := &facts{m: m, root: root}
	var err error
	if f.at, err = trash.NamesOf(m); err != nil {
		return nil, err
	}
	f.lookAtHash()
	f.lookAtMod()
	f.lookAtInfo()
	files := f.lookForTree(ctx)
	f.lookAtZip(ctx, meter, files)
	if f.tree.there && f.tree.other == "" && f.tree.err == nil && f.tree.sum == "" {
		f.tree.sum, f.tree.err = hashTree(ctx, m, f.path(f.at.Tree), files)
	}
	return f, ctx.Err()
}

func (f *facts) path(rel string) string { return filepath.Join(f.root, filepath.FromSlash(rel)) }

// read reads one of the small files.
func (f *facts) read(suffix string, most int64) (data []byte, there bool, err error) {
	data, err = bounded.ReadFile(f.path(f.at.File(suffix)), most)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return data, true, err
}

func (f *facts) lookAtHash() {
	data, there, err := f.read("ziphash", hashMost)
	f.hash = hashFacts{there: there, err: err}
	if there && err == nil {
		f.hash.sum, f.hash.text = parseZipHash(data)
	}
}

// parseZipHash reads a .ziphash file, which the go command trims
// (modfetch.checkMod) and compares as a whole.
func parseZipHash(data []byte) (sum, text string) {
	text = strings.TrimSpace(string(data))
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "h1:"))
	if !strings.HasPrefix(text, "h1:") || err != nil || len(raw) != sha256.Size || base64.StdEncoding.EncodeToString(raw) != text[3:] {
		return "", text
	}
	return text, text
}

func (f *facts) lookAtMod() {
	data, there, err := f.read("mod", modMost)
	if bytes.HasPrefix(data, []byte("//vgo 0.0.")) {
		there = false // as the go command has it (modfetch, oldVgoPrefix)
	}
	f.mod = modFacts{there: there, err: err}
	if there && err == nil {
		f.mod.sum = goModSum(data)
	}
	if !there {
		list, err := bounded.ReadFile(f.path(f.at.Download+"/list"), listMost)
		f.mod.listed = err == nil && slices.Contains(strings.Fields(string(list)), f.m.Version)
	}
}

// goModSum is the hash of a go.mod line of go.sum (modfetch.goModSum).
func goModSum(data []byte) string {
	sum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
	if err != nil {
		return "" // cannot be: nothing is read
	}
	return sum
}

func (f *facts) lookAtInfo() {
	data, there, err := f.read("info", infoMost)
	f.info = infoFacts{there: there, err: err}
	if there && err == nil {
		f.info.version, f.info.invalid = parseInfo(data)
	}
}

// parseInfo reads an .info file as the go command does (modfetch.RevInfo).
func parseInfo(data []byte) (version, invalid string) {
	var info struct{ Version string }
	if err := json.Unmarshal(data, &info); err != nil {
		return "", "it is no JSON: " + err.Error()
	}
	if info.Version == "" {
		return "", "it names no version"
	}
	return info.Version, ""
}

// lookForTree lists the tree (modfetch.DownloadDir says what counts as one).
func (f *facts) lookForTree(ctx context.Context) []treeFile {
	dir := f.path(f.at.Tree)
	if _, err := os.Lstat(f.path(f.at.File("partial"))); err == nil {
		f.tree.partial = true
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		f.tree.there, f.tree.err = true, err
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		f.tree.there, f.tree.other = true, "a symbolic link"
		return nil
	case !info.IsDir():
		f.tree.there, f.tree.other = true, "no folder"
		return nil
	}
	f.tree.there = true
	files, err := listTree(ctx, dir)
	f.tree.err = err
	if f.m.Path == "golang.org/toolchain" {
		files = withoutCopies(dir, files)
	}
	return files
}

// lookAtZip hashes the zip and compares the tree with it on the way.
func (f *facts) lookAtZip(ctx context.Context, meter *versionMeter, files []treeFile) {
	name := f.path(f.at.File("zip"))
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	f.zip.there = true
	if err == nil && !info.Mode().IsRegular() {
		f.zip.damage, f.zip.reason, f.zip.folder = ZipInvalid, "no regular file", info.IsDir()
		return
	}
	var file *os.File
	if err == nil {
		file, err = os.Open(name)
	}
	if err != nil {
		f.zip.err = err
		return
	}
	defer file.Close()
	f.hashZip(ctx, meter, file, info.Size(), files)
	if f.zip.sum != "" && !(f.tree.compared && f.tree.diff.none()) {
		// A tree that equals its zip was unpacked by somebody who took the zip.
		if _, err := modzip.CheckZip(f.m, name); err != nil {
			f.zip.refused, f.zip.gone = zipReason(err, name), gone(err)
		}
	}
}

func (f *facts) hashZip(ctx context.Context, meter *versionMeter, file *os.File, size int64, files []treeFile) {
	r := newWindow(file)
	defer r.release()
	z, err := ziphash.Open(r, size)
	if err != nil {
		f.zip.damage, f.zip.reason = openDamage(file, size, err)
		if isIO(err) {
			f.zip.err = err
		}
		return
	}
	if unpacked(z) > modzip.MaxZipFile {
		f.zip.damage, f.zip.reason = ZipInvalid, fmt.Sprintf("it unpacks to more than %d MiB, the most that the go command takes", modzip.MaxZipFile>>20)
		return
	}
	s := zipSink{prefix: f.m.Path + "@" + f.m.Version + "/", meter: meter}
	if f.tree.there && f.tree.other == "" && f.tree.err == nil {
		s.tree = &comparer{dir: f.path(f.at.Tree), files: files, buf: r.spare()}
		defer s.tree.close()
	}
	sum, err := ziphash.SumTo(ctx, z, s.file)
	switch {
	case ctx.Err() != nil:
		return
	case isIO(err):
		f.zip.err = err
		return
	case err != nil:
		f.zip.damage, f.zip.reason = readDamage(err), someNames([]string{s.name}, 1)+": "+zipReason(err, file.Name())
		return
	}
	f.zip.sum = sum
	if s.hasMod {
		f.zip.modSum = goModSum(s.mod.Bytes())
	}
	if s.tree != nil {
		s.tree.finish()
		f.tree.compared, f.tree.diff, f.tree.err = true, s.tree.diff, s.tree.err
		if s.tree.diff.none() && s.tree.err == nil {
			f.tree.sum = sum
		}
	}
}

// A zipSink is shown a zip's files while they are hashed.
type zipSink struct {
	prefix string // of every name in a module's zip
	meter  *versionMeter
	tree   *comparer // nil where there is none
	name   string    // of the last file
	hasMod bool
	mod    bytes.Buffer // the go.mod
}

// file begins with the next file, and says who is to see its bytes.
func (s *zipSink) file(f *zip.File) io.Writer {
	s.name = f.Name
	s.meter.add(int64(f.CompressedSize64))
	name, ok := strings.CutPrefix(f.Name, s.prefix)
	switch {
	case !ok && s.tree != nil:
		s.tree.diff.missing.add(f.Name) // no tree of this module has such a file
		return nil
	case !ok || name == "" || strings.HasSuffix(name, "/"):
		return nil
	}
	var writers []io.Writer
	if name == "go.mod" && f.UncompressedSize64 <= modMost {
		s.hasMod = true
		s.mod.Reset()
		writers = append(writers, &s.mod)
	}
	if s.tree != nil {
		s.tree.next(name)
		writers = append(writers, s.tree)
	}
	switch len(writers) {
	case 0:
		return nil
	case 1:
		return writers[0]
	}
	return io.MultiWriter(writers...)
}

// vanished reports whether something went away while it was looked at, which says
// nothing of what is there now.
func (f *facts) vanished() bool { return f.zip.gone || gone(f.zip.err) || gone(f.tree.err) }

// gone reports whether err is that of a name that is not there any more. A link to
// nowhere is there.
func gone(err error) bool {
	var at *fs.PathError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &at) {
		return false
	}
	_, err = os.Lstat(at.Path)
	return errors.Is(err, fs.ErrNotExist)
}

// unpacked is what the zip's directory says that its files have, in bytes.
func unpacked(z *zip.Reader) uint64 {
	var n uint64
	for _, f := range z.File {
		if n += f.UncompressedSize64; n > modzip.MaxZipFile || f.UncompressedSize64 > modzip.MaxZipFile {
			return modzip.MaxZipFile + 1
		}
	}
	return n
}

// isIO reports whether err is the system's, not the zip's.
func isIO(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe)
}

// openDamage says why a zip's directory cannot be read. A download that was cut
// begins like a zip and lacks its end.
func openDamage(r io.ReaderAt, size int64, err error) (Damage, string) {
	var head [4]byte
	n, _ := r.ReadAt(head[:], 0)
	if size == 0 {
		return ZipTruncated, "it is empty"
	}
	if errors.Is(err, zip.ErrFormat) && bytes.HasPrefix([]byte("PK\x03\x04"), head[:n]) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ZipTruncated, "its end is missing"
	}
	return ZipInvalid, zipReason(err, "")
}

// readDamage says what a file of a zip means that cannot be inflated, or is not
// what its checksum says.
func readDamage(err error) Damage {
	var corrupt flate.CorruptInputError
	if errors.Is(err, zip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt) || strings.HasPrefix(err.Error(), "flate: ") {
		return ZipChanged
	}
	return ZipInvalid
}

// zipReason is an error without the name of the zip, which stands before it.
func zipReason(err error, name string) string {
	text := strings.TrimPrefix(err.Error(), "zip: ")
	if name != "" {
		text = strings.TrimPrefix(text, name+": ")
	}
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// held reports whether a go command has the version's lock: it is downloading
// or unpacking it now. No lock file is created to find out, and who else asks is
// no go command.
func (f *facts) held() bool {
	path := f.path(f.at.File("lock"))
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	lock, err := flock.TryShared(path)
	if err != nil {
		return errors.Is(err, flock.ErrHeld)
	}
	lock.Close()
	return false
}
