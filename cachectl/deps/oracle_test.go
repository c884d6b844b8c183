package deps

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// A state is a project and a module cache in some condition.
type state struct {
	name string
	base string // whose files: the key of bases
	do   func(m *machine)
}

// bases are projects that build.
var bases = map[string]map[string]string{
	"pruned": {
		"go.mod": `module example.com/app

go 1.22

require (
	lab.example.com/check v1.0.0
	lab.example.com/lib v1.0.0
	lab.example.com/lib/nested v1.0.0
	lab.example.com/windows v1.0.0
	lab.example.com/cgo v1.0.0
	lab.example.com/tagged v1.0.0
)
`,
		"app.go":               "package app\n\nimport (\n\t_ \"fmt\"\n\n\t_ \"lab.example.com/lib\"\n\t_ \"lab.example.com/lib/nested\"\n)\n",
		"app_test.go":          "package app_test\n\nimport _ \"lab.example.com/check\"\n",
		"app_windows.go":       "package app\n\nimport _ \"lab.example.com/windows\"\n",
		"c.go":                 "package app\n\nimport \"C\"\n\nimport _ \"lab.example.com/cgo\"\n",
		"t.go":                 "//go:build special\n\npackage app\n\nimport _ \"lab.example.com/tagged\"\n",
		"sub/sub.go":           "package sub\n",
		"testdata/x.go":        "package x\n\nimport _ \"lab.example.com/nowhere\"\n",
		"_skipped/x.go":        "package x\n\nimport _ \"lab.example.com/nowhere\"\n",
		"other/go.mod":         "module example.com/app/other\n",
		"other/other.go":       "package other\n\nimport _ \"lab.example.com/nowhere\"\n",
		"ignored/deep/deep.go": "//go:build ignore\n\npackage main\n\nimport _ \"lab.example.com/nowhere\"\n",
	},
	"old": {
		"go.mod":      "module example.com/app\n\ngo 1.16\n\nrequire (\n\tlab.example.com/lib v1.0.0\n\tlab.example.com/old v1.0.0\n)\n",
		"app.go":      "package app\n\nimport (\n\t_ \"lab.example.com/lib\"\n\t_ \"lab.example.com/old\"\n)\n",
		"app_test.go": "package app\n\nimport _ \"lab.example.com/util\"\n",
	},
	"olddep": {
		"go.mod": "module example.com/app\n\ngo 1.22\n\nrequire lab.example.com/old v1.0.0\n",
		"app.go": "package app\n\nimport _ \"lab.example.com/old\"\n",
	},
	"cycle": {
		"go.mod":         "module example.com/app\n\ngo 1.22\n\nrequire (\n\tlab.example.com/back v1.0.0\n\tlab.example.com/windows v1.0.0\n)\n",
		"app.go":         "package app\n\nimport _ \"lab.example.com/back\"\n",
		"app_windows.go": "package app\n\nimport _ \"lab.example.com/windows\"\n",
	},
	"tool": {
		"go.mod": "module example.com/app\n\ngo 1.24\n\ntool lab.example.com/tool/cmd/tool\n\nrequire lab.example.com/util v1.0.0\n\nrequire lab.example.com/tool v1.0.0\n",
		"app.go": "package app\n\nimport _ \"lab.example.com/util\"\n",
	},
	"replace": {
		"go.mod":         "module example.com/app\n\ngo 1.22\n\nrequire (\n\tlab.example.com/lib v1.0.0\n\tlab.example.com/local v0.0.0\n\tlab.example.com/util v1.0.0\n)\n\nreplace (\n\tlab.example.com/local => ./local\n\tlab.example.com/util v1.0.0 => lab.example.com/fork v1.0.0\n)\n",
		"app.go":         "package app\n\nimport (\n\t_ \"lab.example.com/lib\"\n\t_ \"lab.example.com/local\"\n)\n",
		"local/go.mod":   "module lab.example.com/local\n\ngo 1.21\n",
		"local/local.go": "package local\n\nimport _ \"lab.example.com/util\"\n",
	},
	"work": {
		"go.work":     "go 1.22\n\nuse (\n\t./a\n\t./b\n)\n",
		"a/go.mod":    "module example.com/a\n\ngo 1.22\n\nrequire lab.example.com/lib v1.0.0\n",
		"a/a.go":      "package a\n\nimport _ \"lab.example.com/lib\"\n",
		"b/go.mod":    "module example.com/b\n\ngo 1.21\n\nrequire lab.example.com/util v1.1.0\n",
		"b/b.go":      "package b\n\nimport (\n\t_ \"example.com/a\"\n\t_ \"lab.example.com/util/more\"\n)\n",
		"b/b_test.go": "package b\n\nimport _ \"lab.example.com/util\"\n",
	},
}

// prepare fills the caches of a base as a developer's work does.
func (w *world) prepare(t *testing.T, name string) *machine {
	m := w.machine(t)
	m.write(bases[name])
	if name == "work" {
		for _, dir := range []string{"a", "b"} {
			m.project = filepath.Join(m.dir, "project", dir)
			m.environ = []string{"GOWORK=off"}
			if dir == "b" {
				must(t, os.WriteFile(filepath.Join(m.project, "go.sum"), nil, 0o666))
				m.edit("b/b.go", func(s string) string { return strings.ReplaceAll(s, "\t_ \"example.com/a\"\n", "") })
			}
			m.mustRun(w.proxy, "mod", "tidy")
		}
		m.write(map[string]string{"b/b.go": bases[name]["b/b.go"]})
		m.project, m.environ = filepath.Join(m.dir, "project"), nil
		m.mustRun(w.proxy, "work", "sync")
		m.mustRun(w.proxy, "list", "-deps", "-test", "./a/...", "./b/...")
		return m
	}
	m.mustRun(w.proxy, "mod", "tidy")
	m.mustRun(w.proxy, "mod", "download", "all")
	return m
}

// states are the conditions. Each module's parts are taken away one by one, each
// of its go.sum lines is dropped and made wrong, and then there are those that
// have a story.
func states() (out []state) {
	type mv struct{ path, version string }
	needs := map[string][]mv{
		"pruned": {{"lab.example.com/lib", "v1.0.0"}, {"lab.example.com/util", "v1.0.0"}, {"lab.example.com/check", "v1.0.0"},
			{"lab.example.com/far", "v1.0.0"}, {"lab.example.com/windows", "v1.0.0"}, {"lab.example.com/unused", "v1.0.0"}, {"lab.example.com/lib/nested", "v1.0.0"}},
		"old":     {{"lab.example.com/old", "v1.0.0"}, {"lab.example.com/util", "v1.0.0"}, {"lab.example.com/unused", "v1.0.0"}},
		"olddep":  {{"lab.example.com/old", "v1.0.0"}, {"lab.example.com/util", "v1.1.0"}},
		"cycle":   {{"lab.example.com/back", "v1.0.0"}, {"lab.example.com/windows", "v1.0.0"}},
		"tool":    {{"lab.example.com/tool", "v1.0.0"}, {"lab.example.com/toolib", "v1.0.0"}},
		"replace": {{"lab.example.com/fork", "v1.0.0"}, {"lab.example.com/lib", "v1.0.0"}},
		"work":    {{"lab.example.com/lib", "v1.0.0"}, {"lab.example.com/util", "v1.1.0"}, {"lab.example.com/util", "v1.0.0"}},
	}
	cuts := [][]string{{"info"}, {"mod"}, {"zip"}, {"dir"}, {"ziphash"}, {"zip", "dir"}, {"zip", "ziphash"}, {"dir", "ziphash"}, {"zip", "dir", "ziphash"}, {"info", "mod", "zip", "dir", "ziphash"}}
	for _, base := range []string{"pruned", "old", "olddep", "cycle", "tool", "replace", "work"} {
		out = append(out, state{"whole", base, func(m *machine) {}})
		for _, v := range needs[base] {
			for _, cut := range cuts {
				out = append(out, state{fmt.Sprintf("%s without %s", v.path, strings.Join(cut, "+")), base, func(m *machine) {
					for _, part := range cut {
						name := m.cache("cache", "download", filepath.FromSlash(v.path), "@v", v.version+"."+part)
						if part == "dir" {
							name = m.cache(filepath.FromSlash(v.path) + "@" + v.version)
						}
						must(m.t, os.RemoveAll(name))
					}
				}})
			}
			out = append(out,
				state{v.path + " partial", base, func(m *machine) {
					must(m.t, os.WriteFile(m.cache("cache", "download", filepath.FromSlash(v.path), "@v", v.version+".partial"), nil, 0o666))
				}},
				state{v.path + " partial without zip", base, func(m *machine) {
					must(m.t, os.WriteFile(m.cache("cache", "download", filepath.FromSlash(v.path), "@v", v.version+".partial"), nil, 0o666))
					must(m.t, os.RemoveAll(m.cache("cache", "download", filepath.FromSlash(v.path), "@v", v.version+".zip")))
				}},
				state{v.path + " with a cut zip and no tree", base, func(m *machine) {
					zip := m.cache("cache", "download", filepath.FromSlash(v.path), "@v", v.version+".zip")
					if data, err := os.ReadFile(zip); err == nil {
						must(m.t, os.WriteFile(zip, data[:len(data)/2], 0o666))
					}
					must(m.t, os.RemoveAll(m.cache(filepath.FromSlash(v.path)+"@"+v.version)))
				}},
				state{v.path + " with an empty ziphash", base, func(m *machine) {
					name := m.cache("cache", "download", filepath.FromSlash(v.path), "@v", v.version+".ziphash")
					if _, err := os.Stat(name); err == nil {
						must(m.t, os.WriteFile(name, nil, 0o666))
					}
				}},
				state{v.path + " with another go.mod", base, func(m *machine) {
					name := m.cache("cache", "download", filepath.FromSlash(v.path), "@v", v.version+".mod")
					if data, err := os.ReadFile(name); err == nil {
						must(m.t, os.WriteFile(name, append(data, "\n// changed\n"...), 0o666))
					}
				}},
			)
			zipLine, modLine := v.path+" "+v.version+" h1:", v.path+" "+v.version+"/go.mod h1:"
			for _, how := range []struct {
				name string
				line string
				to   string
			}{
				{"no zip line", zipLine, ""}, {"no go.mod line", modLine, ""},
				{"a wrong zip line", zipLine, zipLine + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"},
				{"a wrong go.mod line", modLine, modLine + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"},
			} {
				out = append(out, state{v.path + " with " + how.name, base, func(m *machine) {
					for _, file := range sumFiles(m) {
						data, err := os.ReadFile(file)
						must(m.t, err)
						text := ""
						for line := range strings.Lines(string(data)) {
							if strings.HasPrefix(line, how.line) {
								line = how.to
							}
							text += line
						}
						must(m.t, os.WriteFile(file, []byte(text), 0o666))
					}
				}})
			}
		}
	}
	return append(out, stories()...)
}

func sumFiles(m *machine) (files []string) {
	for _, name := range filesBelow(filepath.Join(m.dir, "project")) {
		if strings.HasSuffix(name, ".sum") {
			files = append(files, name)
		}
	}
	return files
}

// stories are single conditions.
func stories() []state {
	goFlags := func(flags string) func(m *machine) {
		return func(m *machine) { m.environ = append(m.environ, "GOFLAGS=-modcacherw "+flags) }
	}
	both := func(fs ...func(m *machine)) func(m *machine) {
		return func(m *machine) {
			for _, f := range fs {
				f(m)
			}
		}
	}
	vendor := func(m *machine) { m.mustRun(m.w.proxy, "mod", "vendor") }
	empty := func(m *machine) { must(m.t, os.RemoveAll(m.cache())) }
	edit := func(name, from, to string) func(m *machine) {
		return func(m *machine) {
			m.edit(name, func(s string) string { return strings.ReplaceAll(s, from, to) })
		}
	}
	write := func(name, text string) func(m *machine) {
		return func(m *machine) { m.write(map[string]string{name: text}) }
	}
	untidy := edit("go.mod", "go 1.22", "go 1.22\n\ntoolchain default")
	return []state{
		{"empty cache", "pruned", empty},
		{"no go.sum", "pruned", func(m *machine) { must(m.t, os.Remove(filepath.Join(m.dir, "project", "go.sum"))) }},
		{"empty go.sum", "pruned", write("go.sum", "")},
		{"malformed go.sum", "pruned", edit("go.sum", "lab.example.com/lib v1.0.0 ", "lab.example.com/lib v1.0.0")},
		{"no go.sum, unpruned", "old", func(m *machine) { must(m.t, os.Remove(filepath.Join(m.dir, "project", "go.sum"))) }},
		{"broken go.mod", "pruned", edit("go.mod", "require (", "require ((")},
		{"go.mod without module", "pruned", edit("go.mod", "module example.com/app\n", "")},
		{"version that is none", "pruned", edit("go.mod", "lab.example.com/lib v1.0.0", "lab.example.com/lib main")},
		{"version of another major", "pruned", edit("go.mod", "lab.example.com/lib v1.0.0", "lab.example.com/lib v2.0.0")},
		{"version that is not cached", "pruned", edit("go.mod", "lab.example.com/lib v1.0.0", "lab.example.com/lib v1.9.9")},
		{"requirement too low", "pruned", edit("go.mod", "lab.example.com/util v1.0.0 // indirect\n", "")},
		{"requirement missing", "pruned", edit("go.mod", "\tlab.example.com/lib/nested v1.0.0\n", "")},
		{"requirement for tests missing", "pruned", edit("go.mod", "\tlab.example.com/check v1.0.0\n", "")},
		{"package that nobody has", "pruned", write("sub/sub.go", "package sub\n\nimport _ \"lab.example.com/nowhere\"\n")},
		{"package that the module lacks", "pruned", write("sub/sub.go", "package sub\n\nimport _ \"lab.example.com/lib/none\"\n")},
		{"package outside of the standard library", "pruned", write("sub/sub.go", "package sub\n\nimport _ \"fmt/none\"\n")},
		{"package of a pruned module", "pruned", write("sub/sub.go", "package sub\n\nimport _ \"lab.example.com/lib/extra\"\n")},
		{"package of a module two steps away", "pruned", write("sub/sub.go", "package sub\n\nimport _ \"lab.example.com/unused\"\n")},
		{"test of a package that nobody has", "pruned", write("sub/sub_test.go", "package sub\n\nimport _ \"lab.example.com/nowhere\"\n")},
		{"relative import", "pruned", write("sub/sub.go", "package sub\n\nimport _ \"./x\"\n")},
		{"cgo off", "pruned", func(m *machine) { m.environ = append(m.environ, "CGO_ENABLED=0") }},
		{"cgo off without its module", "pruned", both(func(m *machine) { m.environ = append(m.environ, "CGO_ENABLED=0") },
			func(m *machine) { m.remove("lab.example.com/cgo", "v1.0.0", "zip", "dir") })},
		{"cgo on without its module", "pruned", both(func(m *machine) { m.environ = append(m.environ, "CGO_ENABLED=1") },
			func(m *machine) { m.remove("lab.example.com/cgo", "v1.0.0", "zip", "dir") })},
		{"tag without its module", "pruned", both(goFlags("-tags=special"), func(m *machine) { m.remove("lab.example.com/tagged", "v1.0.0", "zip", "dir") })},
		{"no tag and no module", "pruned", func(m *machine) { m.remove("lab.example.com/tagged", "v1.0.0", "zip", "dir") }},
		{"windows without its module", "pruned", both(func(m *machine) { m.environ = append(m.environ, "GOOS=windows") },
			func(m *machine) { m.remove("lab.example.com/windows", "v1.0.0", "zip", "dir") })},
		{"go line from the future", "pruned", edit("go.mod", "go 1.22", "go 1.99")},
		{"go line from the future, toolchain auto", "pruned", both(edit("go.mod", "go 1.22", "go 1.99.0"), func(m *machine) { m.environ = append(m.environ, "GOTOOLCHAIN=auto") })},
		{"toolchain line from the future, toolchain auto", "pruned", both(edit("go.mod", "go 1.22", "go 1.22\n\ntoolchain go1.99.0"), func(m *machine) { m.environ = append(m.environ, "GOTOOLCHAIN=auto") })},
		{"toolchain line from the future, toolchain local", "pruned", edit("go.mod", "go 1.22", "go 1.22\n\ntoolchain go1.99.0")},
		{"dependency from the future", "pruned", func(m *machine) {
			m.edit("go.mod", func(s string) string { return s + "\nrequire lab.example.com/future v1.0.0\n" })
			m.write(map[string]string{"sub/sub.go": "package sub\n\nimport _ \"lab.example.com/future\"\n"})
			m.run(m.w.proxy, "mod", "download", "lab.example.com/future")
		}},
		{"unused dependency from the future", "pruned", func(m *machine) {
			m.edit("go.mod", func(s string) string { return s + "\nrequire lab.example.com/future v1.0.0\n" })
			m.run(m.w.proxy, "mod", "download", "lab.example.com/future")
		}},
		{"no go line", "olddep", func(m *machine) {
			m.edit("go.mod", func(s string) string { return strings.ReplaceAll(s, "go 1.22\n", "") })
		}},
		{"-mod=mod", "pruned", goFlags("-mod=mod")},
		{"-mod=mod, a zip line less", "pruned", both(goFlags("-mod=mod"), func(m *machine) {
			m.edit("go.sum", func(s string) string { return cutLine(s, "lab.example.com/lib v1.0.0 ") })
		})},
		{"-mod=mod, no checksum database", "pruned", both(goFlags("-mod=mod"), func(m *machine) {
			m.edit("go.sum", func(s string) string { return cutLine(s, "lab.example.com/lib v1.0.0 ") })
			must(m.t, os.RemoveAll(m.cache("cache", "download", "sumdb")))
		})},
		{"-mod=mod, no checksum database, GOSUMDB=off", "pruned", both(goFlags("-mod=mod"), func(m *machine) {
			m.environ = append(m.environ, "GOSUMDB=off")
			m.edit("go.sum", func(s string) string { return cutLine(s, "lab.example.com/lib v1.0.0 ") })
			must(m.t, os.RemoveAll(m.cache("cache", "download", "sumdb")))
		})},
		{"-mod=what", "pruned", goFlags("-mod=what")},
		{"vendored", "pruned", vendor},
		{"vendored, empty cache", "pruned", both(vendor, empty)},
		{"vendored, no go.sum", "pruned", both(vendor, empty, func(m *machine) { must(m.t, os.Remove(filepath.Join(m.dir, "project", "go.sum"))) })},
		{"vendored, -mod=readonly, empty cache", "pruned", both(vendor, empty, goFlags("-mod=readonly"))},
		{"vendored, -mod=mod", "pruned", both(vendor, goFlags("-mod=mod"))},
		{"vendored, stale", "pruned", both(vendor, edit("go.mod", "lab.example.com/util v1.0.0", "lab.example.com/util v1.1.0"))},
		{"vendored, a requirement more", "pruned", both(vendor, func(m *machine) {
			m.edit("go.mod", func(s string) string { return s + "\nrequire lab.example.com/unused v1.0.0\n" })
		})},
		{"vendored, a package less", "pruned", both(vendor, func(m *machine) {
			must(m.t, os.RemoveAll(filepath.Join(m.project, "vendor", "lab.example.com", "util")))
		})},
		{"vendored, a package for tests less", "pruned", both(vendor, func(m *machine) {
			must(m.t, os.RemoveAll(filepath.Join(m.project, "vendor", "lab.example.com", "far")))
		})},
		{"vendored, modules.txt gone", "pruned", both(vendor, func(m *machine) { must(m.t, os.Remove(filepath.Join(m.project, "vendor", "modules.txt"))) })},
		{"vendored, a package that modules.txt lacks", "pruned", both(vendor, func(m *machine) {
			m.edit("vendor/modules.txt", func(s string) string { return strings.ReplaceAll(s, "\nlab.example.com/far\n", "\n") })
		})},
		{"vendored, replaced", "replace", vendor},
		{"vendored, replaced, empty cache", "replace", both(vendor, empty)},
		{"vendored, a replacement less", "replace", both(vendor, edit("go.mod", "\tlab.example.com/util v1.0.0 => lab.example.com/fork v1.0.0\n", ""))},
		{"vendored, another replacement", "replace", both(vendor, edit("go.mod", "=> lab.example.com/fork v1.0.0", "=> lab.example.com/util v1.1.0"))},
		{"vendored, old go line", "old", both(vendor, empty)},
		{"-mod=vendor without a vendor directory", "pruned", goFlags("-mod=vendor")},
		{"directory of a replacement gone", "replace", func(m *machine) { must(m.t, os.RemoveAll(filepath.Join(m.project, "local"))) }},
		{"go.mod of a replacement gone", "replace", func(m *machine) { must(m.t, os.Remove(filepath.Join(m.project, "local", "go.mod"))) }},
		{"replacement with another name", "replace", edit("local/go.mod", "lab.example.com/local", "lab.example.com/elsewhere")},
		{"replacement that wants more", "replace", edit("local/go.mod", "go 1.21\n", "go 1.21\n\nrequire lab.example.com/util v1.1.0\n")},
		{"replaced twice", "replace", edit("go.mod", "\tlab.example.com/local => ./local\n", "\tlab.example.com/local => ./local\n\tlab.example.com/local => ./elsewhere\n")},
		{"toolchain line that go mod tidy takes away", "pruned", untidy},
		{"the same, -mod=mod", "pruned", both(untidy, goFlags("-mod=mod"))},
		{"the same, vendored", "pruned", both(vendor, untidy)},
		{"the same, of a workspace", "work", edit("go.work", "go 1.22", "go 1.22\n\ntoolchain default")},
		{"tool, -mod=readonly", "tool", goFlags("-mod=readonly")},
		{"excluded requirement", "pruned", func(m *machine) {
			m.edit("go.mod", func(s string) string { return s + "\nexclude lab.example.com/lib v1.0.0\n" })
		}},
		{"another go.mod by -modfile", "pruned", func(m *machine) {
			m.write(map[string]string{"alt.mod": "module example.com/app\n\ngo 1.22\n"})
			m.environ = append(m.environ, "GOFLAGS=-modcacherw -modfile="+filepath.Join(m.project, "alt.mod"))
		}},
		{"ignored folder", "tool", both(write("skip/skip.go", "package skip\n\nimport _ \"lab.example.com/nowhere\"\n"),
			func(m *machine) {
				m.edit("go.mod", func(s string) string { return strings.Replace(s, "go 1.24", "go 1.25", 1) + "\nignore skip\n" })
			})},
		{"ignored folder at the root only", "tool", both(write("sub/skip/skip.go", "package skip\n\nimport _ \"lab.example.com/nowhere\"\n"),
			func(m *machine) {
				m.edit("go.mod", func(s string) string { return strings.Replace(s, "go 1.24", "go 1.25", 1) + "\nignore ./skip\n" })
			})},
		{"workspace, empty cache", "work", empty},
		{"workspace, no sums", "work", func(m *machine) {
			for _, f := range sumFiles(m) {
				must(m.t, os.Remove(f))
			}
		}},
		{"workspace, no sums, no checksum database", "work", func(m *machine) {
			for _, f := range sumFiles(m) {
				must(m.t, os.Remove(f))
			}
			must(m.t, os.RemoveAll(m.cache("cache", "download", "sumdb")))
		}},
		{"workspace, a member gone", "work", func(m *machine) { must(m.t, os.RemoveAll(filepath.Join(m.project, "a"))) }},
		{"workspace, go line too old", "work", edit("go.work", "go 1.22", "go 1.21")},
		{"workspace, broken", "work", edit("go.work", "use (", "use ((")},
		{"workspace, -mod=mod", "work", goFlags("-mod=mod")},
		{"workspace, a member replaced", "work", edit("go.work", "go 1.22", "go 1.22\n\nreplace example.com/a => ./b")},
		{"workspace, a module replaced", "work", edit("go.work", "go 1.22", "go 1.22\n\nreplace lab.example.com/util => lab.example.com/util v1.0.0")},
		{"workspace, replaced differently", "work", func(m *machine) {
			m.edit("a/go.mod", func(s string) string { return s + "\nreplace lab.example.com/util => ../x\n" })
			m.edit("b/go.mod", func(s string) string { return s + "\nreplace lab.example.com/util => ../y\n" })
		}},
		{"workspace off", "work", func(m *machine) {
			m.project = filepath.Join(m.project, "a")
			m.environ = append(m.environ, "GOWORK=off")
		}},
		{"workspace, vendored", "work", func(m *machine) { m.mustRun(m.w.proxy, "work", "vendor") }},
		{"workspace, vendored, empty cache", "work", both(func(m *machine) { m.mustRun(m.w.proxy, "work", "vendor") }, empty)},
		{"workspace, vendored, a requirement more", "work", both(func(m *machine) { m.mustRun(m.w.proxy, "work", "vendor") },
			func(m *machine) {
				m.edit("a/go.mod", func(s string) string { return s + "\nrequire lab.example.com/unused v1.0.0\n" })
			})},
		{"workspace, a requirement missing", "work", edit("b/go.mod", "require lab.example.com/util v1.1.0\n", "")},
	}
}

func cutLine(s, prefix string) string {
	out := ""
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, prefix) {
			out += line
		}
	}
	return out
}

// everyBase are the machines that the states begin with, by name.
func (w *world) everyBase(t *testing.T) map[string]*machine {
	machines := map[string]*machine{}
	for name := range bases {
		machines[name] = w.prepare(t, name)
	}
	return machines
}

// TestReadinessIsTheGoCommands builds every state for real.
func TestReadinessIsTheGoCommands(t *testing.T) {
	w := newWorld(t)
	machines := w.everyBase(t)
	every := map[string]int{"": 9, "system": 9}[os.Getenv("GPX_TEST_SCALE")] // soak: all
	every = max(every, 1)
	var n, builds, tests atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d states: %d build, %d test", n.Load(), builds.Load(), tests.Load())
		if builds.Load() < n.Load()/4 || builds.Load() > n.Load()*3/4 {
			t.Error("the states are all alike")
		}
	})
	for i, s := range states() {
		if i%every != 0 {
			continue
		}
		n.Add(1)
		t.Run(s.base+": "+s.name, func(t *testing.T) {
			t.Parallel()
			m := machines[s.base].copy(t)
			// What is remembered from before the change must not matter.
			file := filepath.Join(m.dir, "memo")
			memo := &Memo{}
			m.read(memo)
			must(t, memo.Save(file))
			s.do(m)
			r := m.read(OpenMemo(file)) // before the go command mends what it can
			patterns := []string{"./..."}
			if s.base == "work" && !strings.HasSuffix(m.project, "a") {
				patterns = []string{"./a/...", "./b/..."}
			}
			built, buildErr := m.run("off", append([]string{"build"}, patterns...)...)
			tested, testErr := m.run("off", append([]string{"vet"}, patterns...)...)
			if buildErr == nil {
				builds.Add(1)
			}
			if testErr == nil {
				tests.Add(1)
			}
			if r.Build.Ready != (buildErr == nil) {
				t.Errorf("build: ready is %v, and go build says: %v\n%s\n%s", r.Build.Ready, buildErr, built, texts(r.Build))
			}
			if r.Test.Ready != (testErr == nil) {
				t.Errorf("test: ready is %v, and go says: %v\n%s\n%s", r.Test.Ready, testErr, tested, texts(r.Test))
			}
		})
	}
}

func texts(a Answer) string {
	out := ""
	for _, t := range a.Troubles {
		out += fmt.Sprintf("  %s %s: %s\n", t.Kind, t.Module, t.Text)
	}
	return out
}
