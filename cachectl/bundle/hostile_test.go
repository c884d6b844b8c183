package bundle

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/mod/module"

	"gpx/cachectl/internal/ziphash"
)

// An archive that a test takes apart and puts together again.
type forged struct {
	t       *testing.T
	entries []forgedEntry
}

type forgedEntry struct {
	tar.Header
	data []byte
	raw  []byte // a header that no library writes
}

func takeApart(t *testing.T, file string) *forged {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	a := &forged{t: t}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return a
		}
		must(t, err)
		data, err := io.ReadAll(r)
		must(t, err)
		a.entries = append(a.entries, forgedEntry{Header: *h, data: data})
	}
}

func (f *forged) clone() *forged {
	return &forged{t: f.t, entries: slices.Clone(f.entries)}
}

func (f *forged) find(suffix string) *forgedEntry {
	f.t.Helper()
	for i := range f.entries {
		if strings.HasSuffix(f.entries[i].Name, suffix) {
			return &f.entries[i]
		}
	}
	f.t.Fatalf("no %s", suffix)
	return nil
}

// add appends a file.
func (f *forged) add(name string, data []byte) *forged {
	f.entries = append(f.entries, forgedEntry{Header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, data: data})
	return f
}

// special appends what is no file.
func (f *forged) special(flag byte, name, link string) *forged {
	f.entries = append(f.entries, forgedEntry{Header: tar.Header{Typeflag: flag, Name: name, Linkname: link, Mode: 0o644}})
	return f
}

// relabel makes the manifest tell the truth about the files, as somebody does
// who changes a bundle on purpose.
func (f *forged) relabel() *forged {
	f.t.Helper()
	return f.withManifest(func(m *Manifest) {
		m.Files, m.Bytes, m.Modules = nil, 0, 0
		for _, e := range f.entries[1:] {
			sum := sha256.Sum256(e.data)
			line := File{Path: e.Name, Size: int64(len(e.data)), SHA256: hex.EncodeToString(sum[:])}
			if strings.HasSuffix(e.Name, ".zip") {
				h1, err := ziphash.Sum(f.t.Context(), bytes.NewReader(e.data), line.Size)
				if err != nil {
					h1 = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
				}
				line.Sum = h1
				m.Modules++
			}
			m.Files = append(m.Files, line)
			m.Bytes += line.Size
		}
	})
}

func (f *forged) withManifest(change func(*Manifest)) *forged {
	f.t.Helper()
	m, err := parseManifest(f.entries[0].data)
	must(f.t, err)
	change(m)
	f.entries[0].data, err = m.marshal()
	must(f.t, err)
	return f
}

func (f *forged) tar() []byte {
	f.t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range f.entries {
		if e.raw != nil {
			must(f.t, w.Flush())
			b.Write(e.raw)
			continue
		}
		h := e.Header
		h.Size = int64(len(e.data))
		h.Format = tar.FormatUnknown
		must(f.t, w.WriteHeader(&h))
		_, err := w.Write(e.data)
		must(f.t, err)
	}
	must(f.t, w.Close())
	return b.Bytes()
}

func compressed(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	must(t, err)
	_, err = w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

// header is one tar block that says what a library refuses to say.
func header(name string, size int64, flag byte) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000644\x00")
	binary.BigEndian.PutUint64(b[128:], uint64(size)) // base 256: octal ends at 8 GB
	b[124] = 0x80
	copy(b[136:], "00000000000\x00")
	b[156] = flag
	copy(b[257:], "ustar\x0000")
	for i := range 8 {
		b[148+i] = ' '
	}
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// moduleZip makes a zip of a module with the given files, names as they are.
func moduleZip(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range files {
		w, err := z.Create(name)
		must(t, err)
		_, err = io.WriteString(w, "x")
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

// zipSaying makes a zip with one file of n zeros, of which its directory says
// that it has another size.
func zipSaying(t testing.TB, n int64, size uint32) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(alphaDir + "x")
	must(t, err)
	_, err = io.CopyN(w, zeros{}, n)
	must(t, err)
	must(t, z.Close())
	binary.LittleEndian.PutUint32(b.Bytes()[bytes.LastIndex(b.Bytes(), []byte("PK\x01\x02"))+24:], size)
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

const (
	alpha    = "lab.example.com/alpha/@v/v1.1.0"
	alphaDir = "lab.example.com/alpha@v1.1.0/"
)

// Whatever is wrong with a bundle: the import says so in one line, and the
// cache is exactly what it was.
func TestHostileBundles(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	file := filepath.Join(from.dir, "good.tar")
	from.mustExport(to(file))
	good := takeApart(t, file)
	user := w.home()
	user.download(labMods[0])
	// The database has to be believed from the bundle alone.
	must(t, os.RemoveAll(filepath.Join(user.cache(), "cache", "download", "sumdb")))
	must(t, os.RemoveAll(filepath.Join(user.dir, "gopath", "pkg", "sumdb")))
	before := listing(t, user.cache())

	// With a manifest that is right about everything that is wrong.
	evil := func(change func(f *forged)) []byte {
		f := good.clone()
		change(f)
		return f.relabel().tar()
	}
	// With the manifest of the good bundle.
	changed := func(change func(f *forged)) []byte {
		f := good.clone()
		change(f)
		return f.tar()
	}
	// Without a manifest.
	bare := func(change func(f *forged)) []byte {
		f := good.clone()
		f.entries = f.entries[1:]
		change(f)
		return f.tar()
	}
	manifest := func(change func(m *Manifest)) []byte { return good.clone().withManifest(change).tar() }
	whole := good.tar()
	cases := []struct {
		name string
		data []byte
		want string // in the error
	}{
		{"an absolute path", bare(func(f *forged) { f.add("/etc/passwd", nil) }), "leads out of the bundle"},
		{"a path with ..", bare(func(f *forged) { f.add("lab.example.com/x/../../../../y", nil) }), "leads out of the bundle"},
		{"a path that is not clean", bare(func(f *forged) { f.add("lab.example.com//x", nil) }), "leads out of the bundle"},
		{"a backslash", bare(func(f *forged) { f.add(`lab.example.com\..\x`, nil) }), "leads out of the bundle"},
		{"a folder outside", bare(func(f *forged) { f.special(tar.TypeDir, "../x/", "") }), "leads out of the bundle"},
		{"a symbolic link", bare(func(f *forged) { f.special(tar.TypeSymlink, "lab.example.com/x", "/etc") }), "is a symbolic link"},
		{"a hard link", bare(func(f *forged) { f.special(tar.TypeLink, alpha+".mod2", alpha+".mod") }), "is a hard link"},
		{"a device", bare(func(f *forged) { f.special(tar.TypeChar, "x", "") }), "is a device"},
		{"a block device", bare(func(f *forged) { f.special(tar.TypeBlock, "x", "") }), "is a device"},
		{"a named pipe", bare(func(f *forged) { f.special(tar.TypeFifo, "x", "") }), "is a named pipe"},
		{"a type that nobody knows", bare(func(f *forged) { f.special('7', "x", "") }), `an entry of type '7'`},
		{"the same file twice", bare(func(f *forged) { f.entries = append(f.entries, f.entries[3]) }), "is in it twice"},
		{"the same file twice, with a manifest", changed(func(f *forged) { f.entries = append(f.entries, f.entries[3]) }), "is in it twice"},
		{"A beside !a", bare(func(f *forged) { f.add("lab.example.com/Upper/@v/v1.2.3.mod", []byte("module x\n")) }), "lab.example.com/Upper"},
		{"a version in capitals", bare(func(f *forged) { f.add("lab.example.com/alpha/@v/v1.0.0-RC.mod", []byte("module x\n")) }), "v1.0.0-RC"},
		{"a path that is no module", bare(func(f *forged) { f.add("x y/@v/v1.0.0.mod", []byte("module x\n")) }), "x y/@v/v1.0.0.mod"},
		{"a wrong major version", bare(func(f *forged) { f.add("lab.example.com/x/@v/v2.0.0.mod", []byte("module x\n")) }), "v2"},
		{"a name that is not UTF-8", bare(func(f *forged) { f.add("lab.example.com/\xff\xfe", nil) }), "not UTF-8"},
		{"a terminal escape in a name", bare(func(f *forged) { f.add("lab.example.com/\x1b[2Jx", nil) }), "control characters"},
		{"a name of 300 bytes", bare(func(f *forged) { f.add("lab.example.com/"+strings.Repeat("x", 300), nil) }), "longer than file systems take"},
		{"a name of 5000 bytes", bare(func(f *forged) { f.add(strings.Repeat("xxxxxxxxx/", 500)+"x", nil) }), "longer than any in a module cache"},
		{"a file of 10 GB", changed(func(f *forged) {
			f.entries = append(f.entries, forgedEntry{raw: header("lab.example.com/x/@v/v1.0.0.zip", 10<<30, tar.TypeReg)})
		}), "more than a zip may have"},
		{"a sparse file of 10 GB, old format", changed(func(f *forged) {
			h := header("lab.example.com/x/@v/v1.0.0.zip", 0, tar.TypeGNUSparse)
			copy(h[257:], "ustar  \x00")
			copy(h[483:], "77777777777\x00")
			rechecksum(h)
			f.entries = append(f.entries, forgedEntry{raw: h})
		}), "is a sparse file"},
		{"a sparse file of 10 GB, new format", changed(func(f *forged) {
			pax := paxRecords("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", "lab.example.com/x/@v/v1.0.0.zip", "GNU.sparse.realsize", "10737418240")
			body := make([]byte, 512)
			copy(body, "1\n10737418240\n0\n")
			f.entries = append(f.entries, forgedEntry{raw: slices.Concat(
				header("PaxHeaders.0/x", int64(len(pax)), tar.TypeXHeader), padded(pax), header("GNUSparseFile.0/x", 512, tar.TypeReg), body)})
		}), "sparse file"},
		{"a zip that unpacks into 600 MB", evil(func(f *forged) { f.find(alpha + ".zip").data = zipSaying(t, 1<<20, 600<<20) }), "total uncompressed size of module contents too large"},
		{"a zip that says it unpacks into little", evil(func(f *forged) { f.find(alpha + ".zip").data = zipSaying(t, 5<<20, 10) }), "not a zip that the go command extracts"},
		{"a zip with paths outside of the module", evil(func(f *forged) {
			f.find(alpha + ".zip").data = moduleZip(t, alphaDir+"go.mod", "lab.example.com/beta@v1.0.0/x.go")
		}), "not a zip that the go command extracts"},
		{"a zip with .. in a path", evil(func(f *forged) { f.find(alpha + ".zip").data = moduleZip(t, alphaDir+"../../x") }), "not a zip that the go command extracts"},
		{"a zip with two names that differ in case", evil(func(f *forged) { f.find(alpha + ".zip").data = moduleZip(t, alphaDir+"A", alphaDir+"a") }), "not a zip that the go command extracts"},
		{"a zip of another version", evil(func(f *forged) {
			f.find(alpha + ".zip").data = f.find("alpha/@v/v1.0.0.zip").data
		}), "not a zip that the go command extracts"},
		{"a zip that is none", evil(func(f *forged) { f.find(alpha + ".zip").data = []byte("<html>login</html>") }), "not a zip that the go command extracts"},
		{"one changed byte in a zip", changed(func(f *forged) {
			e := f.find(alpha + ".zip")
			e.data = bytes.Clone(e.data)
			e.data[len(e.data)/3] ^= 1
		}), alpha + ".zip"},
		{"one changed byte in a .mod", changed(func(f *forged) {
			e := f.find(alpha + ".mod")
			e.data = bytes.ToUpper(e.data)
		}), "does not match its hash in the manifest"},
		{"an .info of another version", evil(func(f *forged) { f.find(alpha + ".info").data = []byte(`{"Version":"v1.0.9"}`) }), "another version"},
		{"an .info that is none", evil(func(f *forged) { f.find(alpha + ".info").data = []byte(`<html>`) }), "not an .info file"},
		{"another zip, the database knows", evil(func(f *forged) {
			f.find(alpha + ".zip").data = moduleZip(t, alphaDir+"go.mod", alphaDir+"evil.go")
		}), "differs from the checksum database"},
		{"another .mod, the database knows", evil(func(f *forged) {
			f.find(alpha + ".mod").data = []byte("module lab.example.com/alpha\n\nrequire evil.example.com v1.0.0\n")
		}), "differs from the checksum database"},
		{"a tampered tile", evil(func(f *forged) {
			for i := range f.entries {
				if strings.Contains(f.entries[i].Name, "/tile/8/0/") {
					f.entries[i].data = bytes.Repeat([]byte{7}, len(f.entries[i].data))
				}
			}
		}), "contradicts itself"},
		{"a record with another hash", evil(func(f *forged) {
			e := f.find("lookup/lab.example.com/alpha@v1.1.0")
			e.data = bytes.Replace(e.data, []byte(" h1:"), []byte(" h1:AAAA"), 1)
		}), "contradicts itself"},
		{"a head that the database did not sign", evil(func(f *forged) {
			e := f.find("lookup/lab.example.com/alpha@v1.1.0")
			i := bytes.LastIndexByte(bytes.TrimSpace(e.data), ' ')
			e.data = slices.Concat(e.data[:i+9], []byte("AAAAAAAA"), e.data[i+17:])
		}), "contradicts itself"},
		{"a file that the manifest does not have", changed(func(f *forged) { f.add("lab.example.com/x/@v/v1.0.0.mod", []byte("module x\n")) }), "is not in its manifest"},
		{"a stray file beside a manifest", changed(func(f *forged) { f.add("README", nil) }), "is not in its manifest"},
		{"a file that only the manifest has", changed(func(f *forged) { f.entries = slices.Delete(f.entries, 4, 5) }), "is in its manifest and not in it"},
		{"a manifest that is not first", changed(func(f *forged) { f.entries[0], f.entries[1] = f.entries[1], f.entries[0] }), "is not its first file"},
		{"two manifests", changed(func(f *forged) { f.entries = append(f.entries, f.entries[0]) }), "is in it twice"},
		{"a wrong size in the manifest", manifest(func(m *Manifest) { m.Files[2].Size++; m.Bytes++ }), "its manifest says"},
		{"a wrong hash in the manifest", manifest(func(m *Manifest) { m.Files[2].SHA256 = strings.Repeat("0", 64) }), "does not match its hash"},
		{"a wrong h1 in the manifest", manifest(func(m *Manifest) {
			for i := range m.Files {
				if m.Files[i].Path == alpha+".zip" {
					m.Files[i].Sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
				}
			}
		}), "has another h1 than the manifest says"},
		{"a wrong count in the manifest", manifest(func(m *Manifest) { m.Modules++ }), "contradicts itself"},
		{"a wrong total in the manifest", manifest(func(m *Manifest) { m.Bytes-- }), "contradicts itself"},
		{"a negative size in the manifest", manifest(func(m *Manifest) { m.Bytes -= 2 * m.Files[2].Size; m.Files[2].Size *= -1 }), "more than a"},
		{"a file twice in the manifest", manifest(func(m *Manifest) { m.Files = append(m.Files, m.Files[2]); m.Bytes += m.Files[2].Size }), "twice"},
		{"a path outside in the manifest", manifest(func(m *Manifest) { m.Files[2].Path = "../../x" }), "leads out of the bundle"},
		{"no hash in the manifest", manifest(func(m *Manifest) { m.Files[2].SHA256 = "" }), "has no SHA-256"},
		{"a manifest of a newer gpx", manifest(func(m *Manifest) { m.Format = 2 }), "newer gpx"},
		{"a manifest of something else", manifest(func(m *Manifest) { m.Kind = "\x1b]0;x\acakes" }), "another kind"},
		{"a manifest that is no JSON", changed(func(f *forged) { f.entries[0].data = []byte("hello") }), "cannot be read"},
		{"a manifest of a million braces", changed(func(f *forged) {
			f.entries[0].data = []byte(`{"files":[` + strings.Repeat("{},", maxFiles+2) + "{}]}")
		}), "lists more than"},
		{"a manifest of 10 GB", changed(func(f *forged) {
			f.entries[0] = forgedEntry{raw: header(ManifestName, 10<<30, tar.TypeReg)}
		}), "more than a manifest may have"},
		{"something after the end", append(bytes.Clone(whole), "and more"...), "something follows the end"},
		{"an archive after the end", append(bytes.Clone(whole), whole...), "something follows the end"},
		{"something after the end, compressed", slices.Concat(compressed(t, whole), compressed(t, []byte("and more"))), "something follows the end"},
		{"garbage after the compressed end", append(compressed(t, whole), "and more"...), "damaged"},
		{"nothing", nil, "it is empty"},
		{"another file", bytes.Repeat([]byte("hello world\n"), 1000), "neither a .tar nor a .tar.zst"},
		{"gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), "compressed in another way"},
		{"a tar without a module", (&forged{t: t}).add("README", []byte("hello")).tar(), "it holds no module"},
		{"an empty tar", (&forged{t: t}).tar(), "nothing in it"},
		{"a window of 2 GiB", slices.Concat(zstdMagic, []byte{0x00, 0xa8, 0x03, 0x00, 0x00, 0x00}), "more memory"},
		{"200 MB of zeros in a few bytes", bomb(t, alpha+".zip"), "far more than a bundle"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := filepath.Join(t.TempDir(), "evil.tar")
			must(t, os.WriteFile(in, c.data, 0o666))
			refused(t, user, in, c.want)
			if after := listing(t, user.cache()); after != before {
				t.Errorf("the cache changed:\n%s\nwant\n%s", after, before)
			}
		})
	}
	// And the good one is good.
	in := filepath.Join(t.TempDir(), "good.tar")
	must(t, os.WriteFile(in, whole, 0o666))
	user.mustImport(in)
}

// refused says that an import fails, with one line that can be printed.
func refused(t *testing.T, user *home, in, want string, options ...func(*ImportOptions)) {
	t.Helper()
	_, err := user.imports(in, options...)
	saysNo(t, err, want)
}

// saysNo holds the error of a refusal to what can be printed.
func saysNo(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was imported")
	}
	text := err.Error()
	if !strings.Contains(text, want) {
		t.Errorf("the error is %q, want it to say %q", text, want)
	}
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			t.Errorf("the error is not one harmless line: %q", text)
			break
		}
	}
	if len(text) > 700 {
		t.Errorf("the error has %d bytes: %q", len(text), text)
	}
}

func rechecksum(h []byte) {
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
}

func paxRecords(pairs ...string) []byte {
	var b bytes.Buffer
	for i := 0; i < len(pairs); i += 2 {
		line := " " + pairs[i] + "=" + pairs[i+1] + "\n"
		n := len(line) + 2
		if n > 99 {
			n++
		}
		fmt.Fprintf(&b, "%d%s", n, line)
	}
	return b.Bytes()
}

func padded(b []byte) []byte { return append(bytes.Clone(b), make([]byte, (512-len(b)%512)%512)...) }

// bomb is an archive in which a file of zeros, packed well, follows others.
func bomb(t testing.TB, name string, before ...forgedEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	must(t, err)
	w := tar.NewWriter(z)
	for _, e := range before {
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e.Name, Size: int64(len(e.data)), Mode: 0o644}))
		_, err := w.Write(e.data)
		must(t, err)
	}
	must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 200 << 20, Mode: 0o644, ModTime: time.Unix(0, 0)}))
	_, err = io.CopyN(w, zeros{}, 200<<20)
	must(t, err)
	must(t, w.Close())
	must(t, z.Close())
	return b.Bytes()
}

// A bundle that was cut short, at every 4 KiB, is refused, and says so.
func TestTruncatedBundles(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	user := w.home()
	user.download(labMods[0])
	before := listing(t, user.cache())
	for _, ext := range []string{".tar", ".tar.zst"} {
		file := filepath.Join(from.dir, "good"+ext)
		from.mustExport(to(file))
		data := []byte(read(t, file))
		if len(data) < 8<<10 {
			t.Fatalf("only %d bytes", len(data))
		}
		cuts := []int{1, 511, 512, 1024, len(data) - 1, len(data) - 512, len(data) - 1024}
		for at := 4 << 10; at < len(data); at += 4 << 10 {
			cuts = append(cuts, at)
		}
		in := filepath.Join(t.TempDir(), "cut"+ext)
		for _, at := range cuts {
			must(t, os.WriteFile(in, data[:at], 0o666))
			refused(t, user, in, "")
			if after := listing(t, user.cache()); after != before {
				t.Fatalf("cut at %d: the cache changed:\n%s", at, after)
			}
		}
		t.Logf("%s: %d cuts", ext, len(cuts))
	}
}

// A folder is a bundle too, and its files may be anything.
func TestHostileFolders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	user := w.home()
	before := listing(t, user.cache())
	outside := filepath.Join(from.dir, "outside")
	write(t, outside, "module x\n")
	cases := []struct {
		name   string
		change func(t *testing.T, dir string)
		want   string
	}{
		{"a link to a file outside", func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, alpha+".mod")))
			must(t, os.Symlink(outside, filepath.Join(dir, alpha+".mod")))
		}, "no regular file"},
		{"a link to a folder outside", func(t *testing.T, dir string) {
			at := filepath.Join(dir, "lab.example.com", "alpha")
			must(t, os.Rename(at, outside+".d"))
			must(t, os.Symlink(outside+".d", at))
		}, "escapes"},
		{"a file that is gone", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, alpha+".mod"))) }, "not in it"},
		{"a changed file", func(t *testing.T, dir string) { write(t, filepath.Join(dir, alpha+".info"), "{}") }, "its manifest says"},
		{"no manifest, and a link", func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, ManifestName)))
			must(t, os.Symlink(outside, filepath.Join(dir, "lab.example.com/alpha/@v/v1.9.0.mod")))
		}, "no regular file"},
		{"nothing but other files", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir))
			write(t, filepath.Join(dir, "README"), "hello")
		}, "it holds no module"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := filepath.Join(from.dir, fmt.Sprint("bundle", i))
			from.mustExport(to(in))
			c.change(t, in)
			refused(t, user, in, c.want)
			if after := listing(t, user.cache()); after != before {
				t.Errorf("the cache changed:\n%s", after)
			}
		})
	}
}

// go.sum has the last word, also where a bundle is right about itself and no
// database speaks.
func TestImportObeysGoSum(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	in := filepath.Join(from.dir, "b.tar")
	from.mustExport(to(in))
	user := w.home()
	before := listing(t, user.cache())
	for _, key := range []string{"v1.1.0", "v1.1.0/go.mod"} {
		sums := map[module.Version][]string{{Path: "lab.example.com/alpha", Version: key}: {"h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}
		refused(t, user, in, "differs from go.sum", func(o *ImportOptions) { o.Sums = sums })
		if after := listing(t, user.cache()); after != before {
			t.Errorf("the cache changed:\n%s", after)
		}
	}
}

// What the libraries say of a damaged bundle is put into words: what is wrong,
// and what to do.
func TestDamageInWords(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	file := filepath.Join(from.dir, "good.tar")
	from.mustExport(to(file))
	whole := []byte(read(t, file))
	packed := compressed(t, whole)
	flipped := func(data []byte, at int) []byte {
		data = bytes.Clone(data)
		data[at] ^= 0x5a
		return data
	}
	cases := map[string][]byte{
		"another dictionary":     slices.Concat(zstdMagic, []byte{0x23, 0x07, 0x00}, packed[6:]),
		"a name too long":        slices.Concat(header("x", 2<<20, tar.TypeGNULongName), make([]byte, 2<<20), whole),
		"a header in the middle": flipped(whole, 512+len(whole)/1024*512),
	}
	for at := len(zstdMagic); at < len(packed); at += max(1, len(packed)/300) {
		cases[fmt.Sprintf("byte %d", at)] = flipped(packed, at)
	}
	in := filepath.Join(t.TempDir(), "b")
	for name, data := range cases {
		must(t, os.WriteFile(in, data, 0o666))
		_, err := Inspect(t.Context(), in)
		if err == nil {
			continue // a bit that nobody reads
		}
		text := err.Error()
		if strings.Contains(text, "archive/tar") || strings.Contains(text, "invalid") || !strings.Contains(text, "it ") || !strings.Contains(text, "; ") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if runtime.GOOS == "linux" {
		_, err := Inspect(t.Context(), "/proc/self/mem") // reading it fails, as on a broken disk
		saysNo(t, err, "reading it failed (input/output error); look after the disk")
	}
}
