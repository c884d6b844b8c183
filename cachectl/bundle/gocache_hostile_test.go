package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/cachectl/buildcache"
	"gpx/envctl/change"
)

// A forgedCache is a build cache that a test writes by hand.
type forgedCache struct {
	t   testing.TB
	dir string
}

func newForgedCache(t testing.TB) *forgedCache { return &forgedCache{t, t.TempDir()} }

func actionID(name string) buildcache.ID    { return sha256.Sum256([]byte("action " + name)) }
func outputID(content string) buildcache.ID { return sha256.Sum256([]byte(content)) }

func entryOf(name, content string) buildcache.Entry {
	return buildcache.Entry{Action: actionID(name), Output: outputID(content), Size: int64(len(content)), Time: time.Unix(0, 1)}
}

// output puts an output and its entry.
func (c *forgedCache) output(name, content string) buildcache.ID {
	write(c.t, filepath.Join(c.dir, outputPath(outputID(content))), content)
	return c.entry(name, content)
}

func (c *forgedCache) program(name, program, content string) buildcache.ID {
	write(c.t, filepath.Join(c.dir, outputPath(outputID(content)), program), content)
	return c.entry(name, content)
}

// entry puts an entry and returns its output's ID.
func (c *forgedCache) entry(name, content string) buildcache.ID {
	e := entryOf(name, content)
	write(c.t, filepath.Join(c.dir, entryPath(e.Action)), string(e.Text()))
	return e.Output
}

func (c *forgedCache) plan(in string) (*change.Plan, error) {
	p, err := PlanBuildImport(c.t.Context(), BuildImportOptions{In: in, Cache: c.dir})
	if err != nil {
		return nil, err
	}
	return p.Plan, nil
}

func (c *forgedCache) apply(p *change.Plan) error {
	_, err := (&home{dir: c.t.TempDir()}).changer().Apply(c.t.Context(), p)
	return err
}

// goodBundle is a bundle with two outputs, one of them a program, the first
// with two entries.
func goodBundle(t testing.TB) string {
	t.Helper()
	c := newForgedCache(t)
	c.output("one", "first")
	c.entry("two", "first")
	c.program("run", "prog", "ELF")
	out := filepath.Join(t.TempDir(), "good.tar")
	_, err := ExportBuildCache(t.Context(), BuildExportOptions{Cache: c.dir, Out: out})
	must(t, err)
	return out
}

// withBuildManifest changes the manifest.
func (f *forged) withBuildManifest(change func(*BuildManifest)) *forged {
	f.t.Helper()
	var m BuildManifest
	must(f.t, json.Unmarshal(f.entries[0].data, &m))
	change(&m)
	var err error
	f.entries[0].data, err = json.Marshal(m)
	must(f.t, err)
	return f
}

// generous lets the manifest allow for whatever a case adds.
func (f *forged) generous() *forged {
	return f.withBuildManifest(func(m *BuildManifest) { m.Outputs, m.Entries, m.Bytes = 100, 100, 20<<30 })
}

// Whatever is wrong with a bundle of a build cache: the import says so in one
// line, when it is planned and, should the file be another by then, when it is
// applied; and the cache is exactly what it was.
func TestHostileBuildBundles(t *testing.T) {
	file := goodBundle(t)
	good := takeApart(t, file)
	if len(good.entries) != 6 {
		t.Fatalf("the good bundle has %d files", len(good.entries))
	}
	// Where the parts of the good one are: the outputs are in the order of their IDs.
	first, run := good.index(outputPath(outputID("first"))), good.index(outputPath(outputID("ELF"))+"/prog")
	changed := func(change func(f *forged)) []byte {
		f := good.clone().generous()
		change(f)
		return f.tar()
	}
	add := func(name, data string) []byte {
		return changed(func(f *forged) { f.add(name, []byte(data)) })
	}
	output := func(f *forged, name, content string) {
		f.add(outputPath(outputID(content)), []byte(content)).add(entryPath(actionID(name)), entryOf(name, content).Text())
	}
	// last is an output whose ID comes after the others'.
	last := "x"
	for !strings.HasPrefix(outputID(last).String(), "ff") {
		last += "x"
	}
	program := func(name string) []byte {
		return changed(func(f *forged) {
			f.add(outputPath(outputID(last))+"/"+name, []byte(last)).add(entryPath(actionID("n")), entryOf("n", last).Text())
		})
	}
	manifest := func(change func(m *BuildManifest)) []byte { return good.clone().withBuildManifest(change).tar() }
	whole := good.tar()
	id := strings.Repeat("0a", 32)
	for _, c := range []struct {
		name string
		data []byte
		want string // in the error
	}{
		{"an absolute path", add("/etc/passwd", ""), "only entries and outputs"},
		{"a path with ..", add("../"+outputPath(outputID(last)), last), "only entries and outputs"},
		{"a path that is not clean", add("./"+outputPath(outputID(last)), last), "only entries and outputs"},
		{"a backslash", add(strings.ReplaceAll(outputPath(outputID(last)), "/", `\`), last), "only entries and outputs"},
		{"a folder", changed(func(f *forged) { f.special(tar.TypeDir, "0a/", "") }), "an entry of type '5'"},
		{"a symbolic link", changed(func(f *forged) { f.special(tar.TypeSymlink, "0a/"+id+"-d", "/etc/passwd") }), "is a symbolic link"},
		{"a hard link", changed(func(f *forged) { f.special(tar.TypeLink, "0a/"+id+"-d", "/etc/passwd") }), "is a hard link"},
		{"a device", changed(func(f *forged) { f.special(tar.TypeChar, "0a/"+id+"-d", "") }), "is a device"},
		{"a named pipe", changed(func(f *forged) { f.special(tar.TypeFifo, "0a/"+id+"-d", "") }), "is a named pipe"},
		{"a type that nobody knows", changed(func(f *forged) { f.special('7', "0a/"+id+"-d", "") }), `an entry of type '7'`},
		{"capital letters", add("0A/"+strings.ToUpper(id)+"-d", ""), "only entries and outputs"},
		{"another shard", add("0b/"+id+"-d", ""), "only entries and outputs"},
		{"another ending", add("0a/"+id+"-x", ""), "only entries and outputs"},
		{"a short ID", add("0a/"+id[2:]+"-d", ""), "only entries and outputs"},
		{"the trim's time", add("trim.txt", "0"), "only entries and outputs"},
		{"the expiry of tests", add("testexpire.txt", "0\n"), "only entries and outputs"},
		{"a corpus", add("fuzz/x", "0"), "only entries and outputs"},
		{"a name that is not UTF-8", add("0a/\xff\xfe", ""), "only entries and outputs"},
		{"a terminal escape in a name", add("0a/\x1b]0;x\a\x1b[2J", ""), "only entries and outputs"},
		{"a name of 5000 bytes", add(strings.Repeat("x", 5000), ""), "bundle"},
		{"an entry as a folder", add("0a/"+id+"-a/x", ""), "only entries and outputs"},
		{"a program in a folder", program("a/b"), "slash"},
		{"a program with ..", program(".."), "not a program's name"},
		{"a program with a backslash", program(`a\b`), "not a program's name"},
		{"a program without a name", changed(func(f *forged) {
			f.entries = append(f.entries, forgedEntry{raw: header(outputPath(outputID(last))+"/", 0, tar.TypeReg)})
		}), "no name for a program"},
		{"a program with a terminal escape", program("\x1b[2J"), "not in ASCII"},
		{"a program that turns its name around", program("exe\u202etxt"), "not in ASCII"},
		{"a program that Windows has reserved", program("NUL"), "not a program's name"},
		{"a program on another drive", program("c:x"), "not a program's name"},
		{"a program with a long name", program(strings.Repeat("x", 101)), "no name for a program"},
		{"the same output twice", changed(func(f *forged) { f.entries = append(f.entries, f.entries[len(f.entries)-2:]...) }), "is in it twice"},
		{"an output and a program of one hash", changed(func(f *forged) {
			f.entries = slices.Insert(f.entries, run+2, forgedEntry{Header: tar.Header{Typeflag: tar.TypeReg, Name: outputPath(outputID("ELF")), Mode: 0o644}, data: []byte("ELF")})
		}), "is in it twice"},
		{"two programs of one hash", changed(func(f *forged) {
			f.entries = slices.Insert(f.entries, run+2, forgedEntry{Header: tar.Header{Typeflag: tar.TypeReg, Name: outputPath(outputID("ELF")) + "/b", Mode: 0o644}, data: []byte("ELF")})
		}), "is in it twice"},
		{"the same entry twice", changed(func(f *forged) { f.entries = slices.Insert(f.entries, first+2, f.entries[first+1]) }), "is in it twice"},
		{"an entry under two outputs", changed(func(f *forged) { output(f, "one", last) }), "is in it twice"},
		{"outputs out of order", changed(func(f *forged) {
			f.entries = slices.Concat(f.entries[:1], f.entries[max(first, run):], f.entries[min(first, run):max(first, run)])
		}), "out of order"},
		{"entries out of order", changed(func(f *forged) { f.entries[first+1], f.entries[first+2] = f.entries[first+2], f.entries[first+1] }), "out of order"},
		{"an output with other bytes", changed(func(f *forged) { f.entries[first].data = []byte("FIRST") }), "does not match its name"},
		{"a program with other bytes", changed(func(f *forged) { f.entries[run].data = []byte("elf") }), "does not match its name"},
		{"an output that is shorter", changed(func(f *forged) { f.entries[first].data = []byte("firs") }), "does not match its name"},
		{"an output without entries", add(outputPath(outputID(last)), last), "has no entry that leads to it"},
		{"an output without entries, in the middle", changed(func(f *forged) { f.entries = slices.Delete(f.entries, min(first, run)+1, max(first, run)) }), "has no entry that leads to it"},
		{"an entry before any output", changed(func(f *forged) { f.entries = append(f.entries[:1], f.entries[first+1]) }), "does not stand before it"},
		{"an entry of another action", add(entryPath(actionID("x")), string(entryOf("y", last).Text())), "is the entry of another action"},
		{"an entry of another output", add(entryPath(actionID("x")), string(entryOf("x", "absent").Text())), "does not stand before it"},
		{"an entry with another size", changed(func(f *forged) {
			e := entryOf("x", last)
			e.Size++
			f.add(outputPath(outputID(last)), []byte(last)).add(entryPath(e.Action), e.Text())
		}), "does not stand before it"},
		{"an entry that is none", add(entryPath(actionID("x")), strings.Repeat("x", buildcache.EntrySize)), "not an action entry"},
		{"an entry of another version", add(entryPath(actionID("x")), strings.Replace(string(entryOf("x", last).Text()), "v1", "v2", 1)), "not an action entry"},
		{"an entry that is too long", add(entryPath(actionID("x")), string(entryOf("x", last).Text())+"\n"), "an entry has 175"},
		{"an empty entry", add(entryPath(actionID("x")), ""), "an entry has 175"},
		{"an output of 10 GB", changed(func(f *forged) {
			f.entries = append(f.entries, forgedEntry{raw: header(outputPath(outputID(last)), 10<<30, tar.TypeReg)})
		}), "more than an output may have"},
		{"a sparse file of 10 GB, old format", changed(func(f *forged) {
			h := header(outputPath(outputID(last)), 0, tar.TypeGNUSparse)
			copy(h[257:], "ustar  \x00")
			copy(h[483:], "77777777777\x00")
			rechecksum(h)
			f.entries = append(f.entries, forgedEntry{raw: h})
		}), "is a sparse file"},
		{"a sparse file of 10 GB, new format", changed(func(f *forged) {
			pax := paxRecords("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", outputPath(outputID(last)), "GNU.sparse.realsize", "10737418240")
			body := make([]byte, 512)
			copy(body, "1\n10737418240\n0\n")
			f.entries = append(f.entries, forgedEntry{raw: slices.Concat(
				header("PaxHeaders.0/x", int64(len(pax)), tar.TypeXHeader), padded(pax), header("GNUSparseFile.0/x", 512, tar.TypeReg), body)})
		}), "sparse file"},
		{"a file with attributes", changed(func(f *forged) {
			pax := paxRecords("SCHILY.xattr.user.x", "y")
			f.entries = append(f.entries, forgedEntry{raw: slices.Concat(
				header("PaxHeaders.0/x", int64(len(pax)), tar.TypeXHeader), padded(pax), header(outputPath(outputID(last)), 0, tar.TypeReg))})
		}), "has attributes"},
		{"no manifest", changed(func(f *forged) { f.entries = f.entries[1:] }), "is not its first file"},
		{"a manifest that is not first", changed(func(f *forged) { f.entries[0], f.entries[1] = f.entries[1], f.entries[0] }), "is not its first file"},
		{"two manifests", changed(func(f *forged) { f.entries = append(f.entries, f.entries[0]) }), "only entries and outputs"},
		{"fewer outputs in the manifest", manifest(func(m *BuildManifest) { m.Outputs-- }), "more than the 1 outputs"},
		{"fewer entries in the manifest", manifest(func(m *BuildManifest) { m.Entries-- }), "more than the 2 entries"},
		{"fewer bytes in the manifest", manifest(func(m *BuildManifest) { m.Bytes-- }), "bytes that its manifest says"},
		{"a negative count in the manifest", manifest(func(m *BuildManifest) { m.Outputs = -1 }), "counts what cannot be"},
		{"more than a million entries", manifest(func(m *BuildManifest) { m.Entries = 1 << 40 }), "counts what cannot be"},
		{"a manifest of a newer gpx", manifest(func(m *BuildManifest) { m.Format = 2 }), "newer gpx"},
		{"a manifest without a format", manifest(func(m *BuildManifest) { m.Format = 0 }), "has no format"},
		{"a manifest of modules", manifest(func(m *BuildManifest) { m.Kind = kindModules }), "another kind"},
		{"a manifest of something else", manifest(func(m *BuildManifest) { m.Kind = "\x1b]0;x\acakes" }), "another kind"},
		{"a manifest that is no JSON", changed(func(f *forged) { f.entries[0].data = []byte("hello") }), "cannot be read"},
		{"a manifest of 2 MB", changed(func(f *forged) { f.entries[0].data = bytes.Repeat([]byte(" "), 2<<20) }), "more than it may have"},
		{"a manifest of 10 GB", changed(func(f *forged) { f.entries[0] = forgedEntry{raw: header(ManifestName, 10<<30, tar.TypeReg)} }), "more than it may have"},
		{"something after the end", append(bytes.Clone(whole), "and more"...), "something follows the end"},
		{"an archive after the end", append(bytes.Clone(whole), whole...), "something follows the end"},
		{"something after the end, compressed", slices.Concat(compressed(t, whole), compressed(t, []byte("and more"))), "something follows the end"},
		{"garbage after the compressed end", append(compressed(t, whole), "and more"...), "damaged"},
		{"cut between two files", whole[:len(whole)-tarEnd], "cut short"},
		{"nothing", nil, "it is empty"},
		{"another file", bytes.Repeat([]byte("hello world\n"), 1000), "neither a .tar nor a .tar.zst"},
		{"gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), "compressed in another way"},
		{"an empty tar", (&forged{t: t}).tar(), "nothing in it"},
		{"a window of 2 GiB", slices.Concat(zstdMagic, []byte{0x00, 0xa8, 0x03, 0x00, 0x00, 0x00}), "more memory"},
		{"200 MB of zeros in a few bytes", bomb(t, outputPath(outputID("x")), good.clone().generous().entries[0]), "far more than a bundle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			user := newForgedCache(t)
			user.output("mine", "mine")
			before := listing(t, user.dir)
			in := filepath.Join(t.TempDir(), "evil.tar")
			must(t, os.WriteFile(in, c.data, 0o666))
			_, err := user.plan(in)
			saysNo(t, err, c.want)

			must(t, os.WriteFile(in, whole, 0o666))
			p, err := user.plan(in)
			must(t, err)
			must(t, os.WriteFile(in, c.data, 0o666))
			saysNo(t, user.apply(p), c.want)
			if after := listing(t, user.dir); after != before {
				t.Errorf("the cache changed:\n%s\nwant\n%s", after, before)
			}
		})
	}
	// And the good one is good.
	user := newForgedCache(t)
	p, err := user.plan(file)
	must(t, err)
	must(t, user.apply(p))
}

// index is where the file of that name stands.
func (f *forged) index(name string) int {
	f.t.Helper()
	i := slices.IndexFunc(f.entries, func(e forgedEntry) bool { return e.Name == name })
	if i < 0 {
		f.t.Fatalf("no %s", name)
	}
	return i
}

// A bundle that was cut short, anywhere, is refused.
func TestTruncatedBuildBundles(t *testing.T) {
	c := newForgedCache(t)
	for i := range 20 {
		c.output(string(rune('a'+i)), strings.Repeat(string(rune('a'+i)), 1000*i))
	}
	for _, ext := range []string{".tar", ".tar.zst"} {
		file := filepath.Join(t.TempDir(), "good"+ext)
		_, err := ExportBuildCache(t.Context(), BuildExportOptions{Cache: c.dir, Out: file})
		must(t, err)
		data := []byte(read(t, file))
		cuts := []int{0, 1, 511, 512, 1024, len(data) - 1, len(data) - 512, len(data) - 1024}
		for at := 4 << 10; at < len(data); at += 4 << 10 {
			cuts = append(cuts, at)
		}
		user := newForgedCache(t)
		in := filepath.Join(t.TempDir(), "cut"+ext)
		for _, at := range cuts {
			must(t, os.WriteFile(in, data[:max(at, 0)], 0o666))
			_, err := user.plan(in)
			saysNo(t, err, "")
		}
		if left := names(t, user.dir); len(left) > 0 {
			t.Errorf("left behind %v", left)
		}
	}
}

// A plan for one bundle does not import another that came in its place, good as
// it may be.
func TestBuildImportRefusesAnotherBundle(t *testing.T) {
	in := goodBundle(t)
	user := newForgedCache(t)
	p, err := user.plan(in)
	must(t, err)
	other := newForgedCache(t)
	other.output("one", "second")
	must(t, os.Remove(in))
	_, err = ExportBuildCache(t.Context(), BuildExportOptions{Cache: other.dir, Out: in})
	must(t, err)
	saysNo(t, user.apply(p), "changed since the plan was made")
	if left := names(t, user.dir); len(left) > 0 {
		t.Errorf("left behind %v", left)
	}
}

// FuzzBuildBundle feeds the reader anything. Whatever it accepts is a cache in
// which every output is named by its hash and every entry leads to one.
func FuzzBuildBundle(f *testing.F) {
	data, err := os.ReadFile(goodBundle(f))
	must(f, err)
	f.Add(data)
	f.Add(compressed(f, data))
	f.Add(data[:2048])
	f.Fuzz(func(t *testing.T, data []byte) {
		in := filepath.Join(t.TempDir(), "x.tar")
		must(t, os.WriteFile(in, data, 0o666))
		user := newForgedCache(t)
		p, err := user.plan(in)
		if err == nil && !p.Empty() {
			err = user.apply(p)
			must(t, err) // what was accepted once is accepted again
		}
		if err != nil {
			if left := names(t, user.dir); len(left) > 0 {
				t.Fatalf("refused with %v, and left %v", err, left)
			}
			return
		}
		c, err := buildcache.Open(user.dir)
		must(t, err)
		outputs, err := c.Outputs(t.Context())
		must(t, err)
		files := 0
		for o := range outputs {
			files += 1 + len(o.Actions)
			file := filepath.Join(user.dir, outputPath(o.ID))
			if o.Program {
				programs, err := os.ReadDir(file)
				must(t, err)
				file = filepath.Join(file, programs[0].Name())
			}
			if content, err := os.ReadFile(file); err != nil || outputID(string(content)) != o.ID {
				t.Fatalf("%s does not hold what its name says", file)
			}
		}
		if got := len(names(t, user.dir)); got != files {
			t.Fatalf("%d files, %d of them in use", got, files)
		}
	})
}
