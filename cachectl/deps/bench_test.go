package deps

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe/lab"
)

// BenchmarkRead reads a project of 500 modules, each of one package with five
// files, all of them imported: with what is remembered of the module cache, and
// without.
func BenchmarkRead(b *testing.B) {
	const n = 500
	dir := b.TempDir()
	cache, root := filepath.Join(dir, "mod"), filepath.Join(dir, "project")
	goMod, goSum, code := "module example.com/app\n\ngo 1.22\n\nrequire (\n", "", "package app\n\nimport (\n"
	for i := range n {
		path := fmt.Sprintf("bench.example.com/module%03d", i)
		files := map[string]string{"go.mod": "module " + path + "\n\ngo 1.21\n"}
		for j := range 5 {
			files[fmt.Sprintf("file%d.go", j)] = "// Package p is one of many.\npackage p\n\nimport _ \"fmt\"\n\n" + strings.Repeat("// an ordinary line\n", 100)
		}
		m, err := lab.NewModule(path, "v1.0.0", time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), files)
		must(b, err)
		base := filepath.Join(cache, "cache", "download", path, "@v", "v1.0.0")
		place := map[string]string{base + ".info": string(m.Info), base + ".mod": files["go.mod"], base + ".zip": string(m.Zip), base + ".ziphash": m.ZipHash}
		for name, text := range files {
			place[filepath.Join(cache, path+"@v1.0.0", name)] = text
		}
		writeAll(b, place)
		goMod += "\t" + path + " v1.0.0\n"
		goSum += m.GoSum()
		code += "\t_ \"" + path + "\"\n"
	}
	writeAll(b, map[string]string{filepath.Join(root, "go.mod"): goMod + ")\n", filepath.Join(root, "go.sum"): goSum, filepath.Join(root, "app.go"): code + ")\n"})
	old := time.Now().Add(-time.Hour) // else nothing is remembered at first
	for _, name := range filesBelow(dir) {
		must(b, os.Chtimes(name, old, old))
	}
	e := &env.Env{GoVersion: "go1.26.0", Dir: root, Vars: []env.Var{
		{Name: "CGO_ENABLED", Value: "1"}, {Name: "GOARCH", Value: "amd64"}, {Name: "GOMODCACHE", Value: cache}, {Name: "GOOS", Value: "linux"}, {Name: "GOTOOLCHAIN", Value: "local"},
	}}
	for _, memo := range []*Memo{nil, {}} {
		name := "anew"
		if memo != nil {
			name = "remembered"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p, err := project.Find(root, e)
				must(b, err)
				r, err := Read(b.Context(), Options{Env: e, Project: p, Memo: memo})
				must(b, err)
				if !r.Build.Ready || len(r.Modules) != n {
					b.Fatal(texts(r.Build), len(r.Modules))
				}
			}
		})
	}
}

func writeAll(t testing.TB, files map[string]string) {
	t.Helper()
	for name, text := range files {
		must(t, os.MkdirAll(filepath.Dir(name), 0o777))
		must(t, os.WriteFile(name, []byte(text), 0o666))
	}
}
