package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// A Module is one version of one module, with every file that a proxy serves for
// it. Two calls with the same arguments give the same bytes.
type Module struct {
	module.Version
	Time  time.Time
	Files map[string]string // by slash path, go.mod included
	// Private modules are served only by proxies started with [Private], and are
	// not in the checksum database.
	Private bool

	Info    []byte // the .info file
	Zip     []byte // the .zip file
	ZipHash string // h1: of the zip, as in go.sum
	ModHash string // h1: of go.mod, as in go.sum
}

// NewModule builds a module version out of its files.
func NewModule(path, version string, at time.Time, files map[string]string) (*Module, error) {
	m := &Module{Version: module.Version{Path: path, Version: version}, Time: at.UTC(), Files: files}
	if err := module.Check(path, version); err != nil {
		return nil, err
	}
	if files["go.mod"] == "" {
		return nil, fmt.Errorf("%s: no go.mod", m)
	}
	var list []zip.File
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		list = append(list, memFile{name, files[name]})
	}
	var buf bytes.Buffer
	if err := zip.Create(&buf, m.Version, list); err != nil {
		return nil, fmt.Errorf("%s: %w", m, err)
	}
	m.Zip = buf.Bytes()
	var err error
	if m.Info, err = json.Marshal(map[string]any{"Version": version, "Time": m.Time}); err != nil {
		return nil, err
	}
	prefix := path + "@" + version + "/"
	var full []string
	for _, name := range names {
		full = append(full, prefix+name)
	}
	open := func(name string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte(files[name]))), nil
	}
	if m.ZipHash, err = dirhash.Hash1(full, func(name string) (io.ReadCloser, error) {
		return open(name[len(prefix):])
	}); err != nil {
		return nil, err
	}
	m.ModHash, err = dirhash.Hash1([]string{"go.mod"}, open)
	return m, err
}

// GoSum returns the two go.sum lines of the version.
func (m *Module) GoSum() string {
	return fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", m.Path, m.Version.Version, m.ZipHash, m.Path, m.Version.Version, m.ModHash)
}

// tampered returns a sound zip of the same version with other bytes in it.
func (m *Module) tampered() []byte {
	files := maps.Clone(m.Files)
	files["tampered.go"] = "package tampered // not what the author published\n"
	other, err := NewModule(m.Path, m.Version.Version, m.Time, files)
	if err != nil {
		return nil
	}
	return other.Zip
}

// memFile is one file of a module, in memory.
type memFile struct{ name, data string }

func (f memFile) Path() string                { return f.name }
func (f memFile) Lstat() (fs.FileInfo, error) { return memInfo(f), nil }
func (f memFile) Open() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader([]byte(f.data))), nil
}

type memInfo memFile

func (f memInfo) Name() string       { return path.Base(f.name) }
func (f memInfo) Size() int64        { return int64(len(f.data)) }
func (f memInfo) Mode() fs.FileMode  { return 0o644 }
func (f memInfo) ModTime() time.Time { return time.Time{} }
func (f memInfo) IsDir() bool        { return false }
func (f memInfo) Sys() any           { return nil }

// bigBytes is the size of the big module's payload: large enough that a server
// can die in the middle of it, small enough for a test.
const bigBytes = 3 << 20

// epoch is when the first default module was published.
var epoch = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

var defaultModules = sync.OnceValue(func() []*Module {
	goMod := func(path string, requires ...string) string {
		s := "module " + path + "\n\ngo 1.21\n"
		for _, r := range requires {
			s += "\nrequire " + r + "\n"
		}
		return s
	}
	var list []*Module
	add := func(path, version string, files map[string]string, requires ...string) *Module {
		all := map[string]string{"go.mod": goMod(path, requires...), "LICENSE": "Public domain.\n"}
		maps.Copy(all, files)
		m, err := NewModule(path, version, epoch.Add(time.Duration(len(list))*24*time.Hour), all)
		if err != nil {
			panic("lab: default module: " + err.Error())
		}
		list = append(list, m)
		return m
	}
	code := func(pkg, value string, imports ...string) map[string]string {
		s := "// Package " + pkg + " exists to be downloaded.\npackage " + pkg + "\n"
		for _, i := range imports {
			s += "\nimport _ \"" + i + "\"\n"
		}
		return map[string]string{pkg + ".go": s + "\n// Name says which version this is.\nconst Name = \"" + value + "\"\n"}
	}
	add("lab.example.com/alpha", "v1.0.0", code("alpha", "alpha v1.0.0"))
	add("lab.example.com/alpha", "v1.1.0", code("alpha", "alpha v1.1.0"))
	add("lab.example.com/beta", "v1.0.0", code("beta", "beta v1.0.0", "lab.example.com/alpha"), "lab.example.com/alpha v1.0.0")
	add("lab.example.com/gamma", "v0.3.0", code("gamma", "gamma v0.3.0", "lab.example.com/beta"),
		"lab.example.com/alpha v1.1.0", "lab.example.com/beta v1.0.0")
	add("lab.example.com/delta/v2", "v2.0.1", code("delta", "delta v2.0.1"))
	add("lab.example.com/Upper", "v1.2.3", code("upper", "Upper v1.2.3"))
	add("lab.example.com/nightly", "v0.0.0-20240107030405-0123456789ab", code("nightly", "nightly"))
	big := code("big", "big v1.0.0")
	big["payload.bin"] = noise(bigBytes)
	add("lab.example.com/big", "v1.0.0", big)
	add("github.com/gpx-lab/one", "v1.0.0", code("one", "one v1.0.0"))
	add("github.com/gpx-lab/one", "v1.1.0", code("one", "one v1.1.0"))
	add("github.com/gpx-lab/two", "v1.0.0", code("two", "two v1.0.0", "github.com/gpx-lab/one"), "github.com/gpx-lab/one v1.0.0")
	add("corp.example.com/secret", "v1.0.0", code("secret", "secret v1.0.0")).Private = true
	add("github.com/gpx-lab-corp/secret", "v1.0.0", code("secret", "corp secret v1.0.0")).Private = true
	return list
})

// DefaultModules are what a lab serves unless told otherwise:
//
//	lab.example.com/alpha     v1.0.0 v1.1.0
//	lab.example.com/beta      v1.0.0          needs alpha
//	lab.example.com/gamma     v0.3.0          needs alpha and beta
//	lab.example.com/delta/v2  v2.0.1
//	lab.example.com/Upper     v1.2.3          a path that is escaped
//	lab.example.com/nightly   a pseudo-version only
//	lab.example.com/big       v1.0.0          a zip of 3 MB
//	github.com/gpx-lab/one    v1.0.0 v1.1.0   also in git, for "direct"
//	github.com/gpx-lab/two    v1.0.0          needs one; also in git
//	corp.example.com/secret, github.com/gpx-lab-corp/secret v1.0.0   private
func DefaultModules() []*Module { return slices.Clone(defaultModules()) }

// noise returns n bytes that do not compress, the same ones every time.
func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{'g', 'p', 'x'}).Read(b)
	return string(b)
}

// find returns a module version.
func find(list []*Module, path, version string) *Module {
	for _, m := range list {
		if m.Path == path && m.Version.Version == version {
			return m
		}
	}
	return nil
}

// versions returns a module's release versions in order, and the version that
// @latest names: the highest release, else the newest pseudo-version.
func versions(list []*Module, path string) (releases []string, latest *Module) {
	for _, m := range list {
		if m.Path != path {
			continue
		}
		v := m.Version.Version
		if module.IsPseudoVersion(v) {
			if latest == nil || module.IsPseudoVersion(latest.Version.Version) && m.Time.After(latest.Time) {
				latest = m
			}
			continue
		}
		releases = append(releases, v)
		if latest == nil || module.IsPseudoVersion(latest.Version.Version) || semver.Compare(v, latest.Version.Version) > 0 {
			latest = m
		}
	}
	semver.Sort(releases)
	return releases, latest
}
