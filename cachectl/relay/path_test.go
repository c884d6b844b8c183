package relay

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"gpx/probe"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]target{
		"/example.com/m/@v/list":                     {m: module.Version{Path: "example.com/m"}, file: probe.List},
		"/example.com/!upper/@latest":                {m: module.Version{Path: "example.com/Upper"}, file: probe.Latest},
		"/example.com/m/@v/v1.0.0.info":              {m: module.Version{Path: "example.com/m", Version: "v1.0.0"}, file: probe.Info},
		"/example.com/m/@v/v1.0.0-!r!c1.zip":         {m: module.Version{Path: "example.com/m", Version: "v1.0.0-RC1"}, file: probe.Zip},
		"/example.com/m/@v/v2.0.0+incompatible.mod":  {m: module.Version{Path: "example.com/m", Version: "v2.0.0+incompatible"}, file: probe.Mod},
		"/example.com/m/@v/master.info":              {m: module.Version{Path: "example.com/m", Version: "master"}, file: probe.Info},
		"/sumdb/sum.example.com/lookup/x.com/y@v1.0": {sum: "sum.example.com/lookup/x.com/y@v1.0"},
	} {
		got, err := parse(path)
		if err != nil || got != want || got.String() != path {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	for _, path := range []string{
		"", "/", "//", "/@v/list", "/example.com/m", "/example.com/m/", "/example.com/m/@v/", "/example.com/m/@v/.info",
		"/example.com/Upper/@v/list", "/example.com/m/@v/v1.0.0.tar", "/example.com/m/@v/../list", "/example.com/../m/@v/list",
		"/../example.com/m/@v/list", "/example.com//m/@v/list", "/example.com/m/@v/..%2f.info", "/example.com/m/@v/a/b.info",
		"/example.com/m/@v/master.zip", "/example.com/m/@v/v1.zip", "/example.com/m/@v/v1.0.0.info/", "/nodot/@v/list",
		"/http://example.com/@v/list", "/example.com:80/m/@v/list", "/example.com/m@v1.0.0/@v/list", "/example.com/m/@v/...info",
		"/example.com/" + strings.Repeat("m", maxPath) + "/@v/list", "/example.com/m\x00/@v/list", `/example.com/m/@v/..\..\x.info`,
	} {
		if got, err := parse(path); err == nil {
			t.Errorf("%q: %+v", path, got)
		}
	}
}

func TestConstant(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/example.com/m/@v/v1.0.0.info": true, "/example.com/m/@v/v1.0.0.mod": true, "/example.com/m/@v/v1.0.0.zip": true,
		"/example.com/m/@v/v2.0.0.info": false, "/example.com/m/@v/v1.info": false, "/example.com/m/@v/0123abc.info": false,
		"/example.com/m/@v/list": false, "/example.com/m/@latest": false,
	} {
		got, err := parse(path)
		if err != nil || got.constant() != want {
			t.Errorf("%s: %v, %v", path, got.constant(), err)
		}
	}
}

// Whatever is accepted is written as it was read, and names a file below a folder.
func FuzzParse(f *testing.F) {
	for _, path := range []string{
		"/example.com/!upper/@v/v1.0.0.zip", "/example.com/m/@latest", "/example.com/../../etc/@v/list", "/sumdb/a/latest", "/example.com/m/@v/%2e%2e.info",
	} {
		f.Add(path)
	}
	f.Add("example.com/!m@v1.0.0")
	f.Fuzz(func(t *testing.T, path string) {
		if m, err := parseLookup(path); err == nil {
			p, perr := module.EscapePath(m.Path)
			v, verr := module.EscapeVersion(m.Version)
			if perr != nil || verr != nil || p+"@"+v != path || !filepath.IsLocal(filepath.FromSlash(path)) {
				t.Errorf("lookup of %q: %v", path, m)
			}
		}
		got, err := parse(path)
		if err != nil {
			return
		}
		if got.String() != path {
			t.Errorf("%q comes back as %q", path, got)
		}
		if got.file != "" && !filepath.IsLocal(filepath.FromSlash(path[1:])) {
			t.Errorf("%q leads out", path)
		}
	})
}
