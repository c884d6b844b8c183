package bundle

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/probe/lab"
)

// Whatever the bytes of a bundle: an import fails with one line and leaves
// nothing, or it leaves files that are what they should be.
func FuzzImport(f *testing.F) {
	dir := f.TempDir()
	for i, m := range []string{"fuzz.example.com/a@v1.0.0", "fuzz.example.com/B@v0.1.0"} {
		v := versionsOf(m)[0]
		made, err := lab.NewModule(v.Path, v.Version, time.Unix(int64(i), 0), map[string]string{"go.mod": "module " + v.Path + "\n", "x.go": "package x\n"})
		must(f, err)
		for part, data := range map[part]string{partInfo: string(made.Info), partMod: made.Files["go.mod"], partZip: string(made.Zip)} {
			file, err := versionFile(v, part)
			must(f, err)
			write(f, filepath.Join(dir, "mod", "cache", "download", file), data)
		}
	}
	for _, name := range []string{"good.tar", "good.tar.zst"} {
		out := filepath.Join(dir, name)
		_, err := Export(context.Background(), ExportOptions{Cache: filepath.Join(dir, "mod"), Out: out})
		must(f, err)
		f.Add([]byte(read(f, out)))
	}
	f.Add(header("fuzz.example.com/a/@v/v1.0.0.zip", 10<<30, '0'))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		in, cache := filepath.Join(dir, "in"), filepath.Join(dir, "mod")
		must(t, os.WriteFile(in, data, 0o666))
		p, err := PlanImport(t.Context(), ImportOptions{In: in, Cache: cache})
		if err == nil {
			c := change.New(change.Options{
				StateDir: filepath.Join(dir, "state"), Env: func(context.Context) (*env.Env, error) { return &env.Env{}, nil },
			})
			_, err = c.Apply(t.Context(), p.Plan)
		}
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("the error is not one harmless line: %q", err)
			}
			if left := listing(t, cache); left != "" {
				t.Errorf("refused (%v), and left behind\n%s", err, left)
			}
			return
		}
		for _, n := range names(t, cache) {
			rel, ok := strings.CutPrefix(n, "cache/download/")
			if !ok {
				t.Errorf("it wrote %s", n)
				continue
			}
			name, ok, err := parseName(rel)
			must(t, err)
			if ok && name.part == partZip {
				s, err := hashZip(t.Context(), filepath.Join(cache, n), name.version)
				must(t, err)
				if got := read(t, filepath.Join(cache, n+"hash")); got != s.h1 {
					t.Errorf("%s has the .ziphash %s, and is %s", n, got, s.h1)
				}
			}
		}
	})
}

// A manifest that is read is one that can be written, and says the same then.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"kind":"modules","format":1,"modules":0,"bytes":2,"files":[{"path":"a.example.com/x/@v/v1.0.0.mod","size":2,"sha256":"` + strings.Repeat("0a", 32) + `"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		text, err := m.marshal()
		must(t, err)
		again, err := parseManifest(text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		text2, err := again.marshal()
		must(t, err)
		if string(text) != string(text2) {
			t.Errorf("%s\nbecomes\n%s", text, text2)
		}
	})
}
