package deps

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"gpx/envctl/env"
	"gpx/envctl/project"
)

// Whatever stands in a project's files, there is an answer, and what stops the go
// command is said in one clean line each.
func FuzzProject(f *testing.F) {
	base := bases["pruned"]["go.mod"]
	f.Add(base, "", "", "")
	f.Add(base, "lab.example.com/lib v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "go 1.22\nuse .\n", "# lab.example.com/lib v1.0.0\n## explicit\nlab.example.com/lib\n")
	f.Add("module m\n\nreplace m => ../m\nrequire m v1.0.0\n", "m v1.0.0\n", "use ./x\nuse ./x\n", "## workspace\n# m => ./m\n")
	f.Add("module m\n\ngo 1.99999\ntoolchain go1.x\ntool m/x\nignore ./\nexclude m v1.0.0\n", "\x00", "go x\n", "# \n#  =>\n")
	f.Add("module \"a\x1b[31m\"\n", "a b c\n", "", "")
	f.Fuzz(func(t *testing.T, goMod, goSum, goWork, modules string) {
		dir := t.TempDir()
		files := map[string]string{"go.mod": goMod, "go.sum": goSum, "app.go": "package app\n\nimport _ \"lab.example.com/lib\"\n"}
		if goWork != "" {
			files["go.work"] = goWork
		}
		if modules != "" {
			files["vendor/modules.txt"] = modules
		}
		place := map[string]string{}
		for name, text := range files {
			place[filepath.Join(dir, name)] = text
		}
		writeAll(t, place)
		e := &env.Env{GoVersion: "go1.26.0", Dir: dir, Vars: []env.Var{
			{Name: "GOARCH", Value: "amd64"}, {Name: "GOMODCACHE", Value: filepath.Join(dir, "mod")}, {Name: "GOOS", Value: "linux"}, {Name: "GOTOOLCHAIN", Value: "auto"},
		}}
		p, err := project.Find(dir, e)
		if err != nil {
			t.Skip(err)
		}
		r, err := Read(t.Context(), Options{Env: e, Project: p})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []Answer{r.Build, r.Test, r.Tools} {
			if a.Ready != (len(a.Troubles) == 0) {
				t.Errorf("ready is %v, with %d troubles", a.Ready, len(a.Troubles))
			}
			for _, x := range a.Troubles {
				if x.Text == "" || strings.ContainsFunc(x.Text, unicode.IsControl) {
					t.Errorf("%q is no clean line", x.Text)
				}
			}
		}
	})
}
