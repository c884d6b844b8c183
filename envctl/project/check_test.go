package project

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gpx/envctl/env"
)

// refused are projects, and what the go command says of them: every go command that
// wants a module, or else builds alone. The directory is "a" where there is one.
var refused = []struct {
	name  string
	files map[string]string
	set   []string
	every string
	build string
}{
	{"nothing", map[string]string{"go.mod": mod + "toolchain go1.22.1\ngodebug panicnil=1\ngodebug default=go1.21\n"}, nil, "", ""},
	{"a workspace", map[string]string{"go.work": "go 1.21\nuse (\n\t./a\n\t./b\n)\ngodebug panicnil=1\n", "a/go.mod": mod, "b/go.mod": other}, nil, "", ""},

	{"a path that is none", map[string]string{"go.mod": "module \"Bad Path!\"\n\ngo 1.21\n"}, nil, `malformed module path "Bad Path!": invalid char ' '`, ""},
	{"a path that only a module must not have", map[string]string{"go.mod": "module .example/x\n\ngo 1.21\n"}, nil, "", ""},
	{"a path in a workspace", map[string]string{"go.work": "go 1.21\nuse ./a\nuse ./b\n", "a/go.mod": mod, "b/go.mod": "module b..\n"}, nil, `malformed module path "b..": trailing dot in path element`, ""},
	{"a reserved path", map[string]string{"go.mod": "module toolchain\n\ngo 1.21\n"}, nil, `invalid module path: "toolchain"`, ""},
	{"the other reserved path", map[string]string{"go.mod": "module go\n\ngo 1.21\n"}, nil, `invalid module path: "go"`, ""},
	{"a tool that is none", map[string]string{"go.mod": mod + "tool \"bad path!\"\n"}, nil, `malformed tool path "bad path!": invalid char ' '`, ""},
	{"a retracted version of another major", map[string]string{"go.mod": mod + "retract [v1.0.0, v2.0.0]\n"}, nil, `version "v2.0.0" invalid: should be v0 or v1, not v2`, ""},
	{"a required version of another major", map[string]string{"go.mod": mod + "require lab.example.com/x v2.0.0\n"}, nil, `version "v2.0.0" invalid: should be v0 or v1, not v2`, ""},
	{"a required path without versions", map[string]string{"go.mod": mod + "require gopkg.in/x v2.0.0\n"}, nil, `version "v2.0.0" invalid: malformed module path "gopkg.in/x"`, ""},
	{"an old version of gopkg.in", map[string]string{"go.mod": mod + "exclude gopkg.in/x.v2 v2.0.0-gopkgin-v2.1.0\n"}, nil, "", ""},
	{"a version to look up", map[string]string{"go.mod": mod + "require lab.example.com/x latest\n"}, nil, "module lookup disabled by GOPROXY=off", ""},
	{"a version that is found", tree(map[string]string{"go.mod": mod + "require lab.example.com/x latest\n"}), []string{"GOPROXY=file://DIR/tree"}, "", "updates to go.mod needed"},
	{"a version that is found for replacing", tree(map[string]string{"go.mod": mod + "replace lab.example.com/y => lab.example.com/x v1\n"}), []string{"GOPROXY=file://DIR/tree"}, "", "updates to go.mod needed"},
	{"a version that is found with -mod=mod", tree(map[string]string{"go.mod": mod + "require lab.example.com/x v1\n"}), []string{"GOPROXY=file://DIR/tree", "GOFLAGS=-mod=mod"}, "", ""},
	{"a version that is found in a workspace", tree(map[string]string{"go.work": "go 1.21\nuse ./a\n", "a/go.mod": mod + "require lab.example.com/x latest\n"}), []string{"GOPROXY=file://DIR/tree"}, "", ""},

	{"replaced twice", map[string]string{"go.mod": mod + "replace lab.example.com/x => ./x\nreplace lab.example.com/x => ./y\n"}, nil, "conflicting replacements for lab.example.com/x", ""},
	{"replaced twice by the same", map[string]string{"go.mod": mod + "replace lab.example.com/x => ./x\nreplace lab.example.com/x => ./x\n"}, nil, "", ""},
	{"replaced twice by a workspace", map[string]string{"go.work": "go 1.21\nuse ./a\nreplace lab.example.com/x => ./x\nreplace lab.example.com/x => ./y\n", "a/go.mod": mod}, nil, "conflicting replacements for lab.example.com/x", ""},
	{"replaced by two modules", map[string]string{"go.work": "go 1.21\nuse ./a\nuse ./b\n", "a/go.mod": mod + "replace lab.example.com/x => ./x\n", "b/go.mod": other + "replace lab.example.com/x => ./x\n"}, nil, "conflicting replacements for lab.example.com/x", ""},
	{"replaced by two modules alike", map[string]string{"go.work": "go 1.21\nuse ./a\nuse ./b\n", "a/go.mod": mod + "replace lab.example.com/x => ../x\n", "b/go.mod": other + "replace lab.example.com/x => ../x\n"}, nil, "", ""},
	{"settled by the workspace", map[string]string{"go.work": "go 1.21\nuse ./a\nuse ./b\nreplace lab.example.com/x v1.0.0 => ./x\n", "a/go.mod": mod + "replace lab.example.com/x => ./x\n", "b/go.mod": other + "replace lab.example.com/x => ./x\n"}, nil, "", ""},
	{"a module of the workspace is replaced", map[string]string{"go.work": "go 1.21\nuse ./a\nreplace lab.example.com/main => ./x\n", "a/go.mod": mod}, nil, "", "workspace module lab.example.com/main is replaced at all versions in the go.work file"},
	{"a version of a module of the workspace is replaced", map[string]string{"go.work": "go 1.21\nuse ./a\nreplace lab.example.com/main v1.0.0 => ./x\n", "a/go.mod": mod}, nil, "", ""},

	{"one path twice", map[string]string{"go.work": "go 1.21\nuse ./a\nuse ./b\n", "a/go.mod": mod, "b/go.mod": mod}, nil, "", "module lab.example.com/main appears multiple times in workspace"},
	{"one directory twice", map[string]string{"go.work": "go 1.21\nuse (\n\t./a\n\t./b/../a\n)\n", "a/go.mod": mod}, nil, "go.work:4: path DIR/a appears multiple times in workspace", ""},
	{"a workspace without the module", map[string]string{"go.work": "go 1.21\nuse ./b\n", "a/go.mod": mod, "b/go.mod": other}, nil, "", "does not list the module in"},

	{"an unknown godebug", map[string]string{"go.mod": mod + "godebug (\n\tpanicnil=1\n\tx=y\n)\n"}, nil, `go.mod:6: unknown godebug "x"`, ""},
	{"a removed godebug", map[string]string{"go.mod": mod + "godebug x509sha1=1\n"}, nil, `go.mod:4: use of removed godebug "x509sha1", see https://go.dev/doc/godebug#go-124`, ""},
	{"two settings in one godebug", map[string]string{"go.mod": mod + "godebug panicnil=1,execerrdot=0\n"}, nil, "go.mod:4: usage: godebug key=value", ""},
	{"a default that is no version", map[string]string{"go.mod": mod + "godebug default=1.21\n"}, nil, "go.mod:4: value for default= must be goVERSION", ""},
	{"a default to come", map[string]string{"go.mod": mod + "godebug default=go1.99\n"}, nil, "go.mod:4: default=go1.99 too new (toolchain is go", ""},
	{"an unknown godebug of a workspace", map[string]string{"go.work": "go 1.21\nuse ./a\ngodebug x=y\n", "a/go.mod": mod}, nil, `go.work:3: unknown godebug "x"`, ""},
	{"an unknown godebug in a workspace, which does not count", map[string]string{"go.work": "go 1.21\nuse ./a\n", "a/go.mod": mod + "godebug x=y\n"}, nil, "", ""},
	{"an unknown godebug without the workspace", map[string]string{"go.work": "go 1.21\nuse ./a\n", "a/go.mod": mod + "godebug x=y\n"}, []string{"GOWORK=off"}, `unknown godebug "x"`, ""},

	{"a toolchain that is none", map[string]string{"go.mod": mod + "toolchain x\n"}, nil, "go.mod:4: invalid toolchain version 'x'", ""},
	{"a toolchain without a release", map[string]string{"go.mod": mod + "toolchain go1.x\n"}, nil, "", "updates to go.mod needed"},
	{"a toolchain without a release, with auto", map[string]string{"go.mod": mod + "toolchain go1.x\n"}, []string{"GOTOOLCHAIN=auto"}, `invalid toolchain "go1.x" in go.mod`, ""},
	{"a toolchain without a release, with path", map[string]string{"go.mod": mod + "toolchain go1.22.1-x/y\n"}, []string{"GOTOOLCHAIN=path"}, `invalid toolchain "go1.22.1-x/y" in go.mod`, ""},
	{"a toolchain without a release in a workspace", map[string]string{"go.work": "go 1.21\ntoolchain go1.x\nuse ./a\n", "a/go.mod": mod}, nil, "", ""},
	{"a toolchain without a release in a workspace, with auto", map[string]string{"go.work": "go 1.21\ntoolchain go1.x\nuse ./a\n", "a/go.mod": mod}, []string{"GOTOOLCHAIN=local+auto"}, `invalid toolchain "go1.x" in go.work`, ""},
	{"a toolchain without a release in a member, with auto", map[string]string{"go.work": "go 1.21\nuse ./a\n", "a/go.mod": mod + "toolchain go1.x\n"}, []string{"GOTOOLCHAIN=auto"}, "", ""},
	{"a toolchain that the go line names", map[string]string{"go.mod": "module lab.example.com/main\ngo 1.21.3\ntoolchain go1.21.3\n"}, nil, "", "updates to go.mod needed"},
	{"a toolchain that is as old as the go line", map[string]string{"go.mod": "module lab.example.com/main\ngo 1.21.3\ntoolchain go1.21\n"}, nil, "", ""},
	{"a toolchain that knows no such lines", map[string]string{"go.mod": mod + "toolchain go1.20.3\n"}, nil, "", "updates to go.mod needed"},
	{"the default toolchain", map[string]string{"go.mod": mod + "toolchain default\n"}, nil, "", "updates to go.mod needed"},
	{"the default toolchain, and -mod=mod", map[string]string{"go.mod": mod + "toolchain default\n"}, []string{"GOFLAGS=-mod=mod"}, "", ""},
	{"the default toolchain, vendored", map[string]string{"go.mod": mod + "toolchain default\n", "vendor/modules.txt": ""}, nil, "", "updates to go.mod needed"},
	{"the default toolchain, without a go line", map[string]string{"go.mod": "module lab.example.com/main\ntoolchain default\n"}, nil, "", "updates to go.mod needed"},
	{"a go line that is none", map[string]string{"go.mod": "module lab.example.com/main\ngo 1.x\n"}, nil, "go.mod:2: invalid go version '1.x'", ""},
	{"a go line of a workspace that is none", map[string]string{"go.work": "go 1.x\nuse ./a\n", "a/go.mod": mod}, nil, "go.work:1: invalid go version '1.x'", ""},
	{"a go line to come", map[string]string{"go.mod": "module lab.example.com/main\ngo 1.99\n"}, nil, "go.mod requires go >= 1.99 (running go", ""},
	{"a go line to come in a workspace", map[string]string{"go.work": "go 1.99\nuse ./a\n", "a/go.mod": mod}, nil, "go.work requires go >= 1.99 (running go", ""},
	{"a go line to come in a member", map[string]string{"go.work": "go 1.21\nuse ./a\n", "a/go.mod": "module lab.example.com/main\ngo 1.99\n"}, nil, "go 1.21 is older than go 1.99 of", ""},
}

const (
	mod   = "module lab.example.com/main\n\ngo 1.21\n"
	other = "module lab.example.com/other\n\ngo 1.21\n"
)

// tree adds a GOPROXY tree to files: one version of lab.example.com/x.
func tree(files map[string]string) map[string]string {
	const at = "tree/lab.example.com/x/@v/"
	files[at+"list"], files[at+"v1.0.0.info"], files[at+"v1.0.0.mod"] = "v1.0.0\n", `{"Version":"v1.0.0"}`, "module lab.example.com/x\n"
	return files
}

// What the go command refuses of a project's files is known without asking it, and
// whether that keeps it from downloading as well. A download that goes ahead is told that
// nobody has the module.
func TestRefusalAsTheGoCommand(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("missing program: go")
	}
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for name, text := range c.files {
				files[name] = text
				files[filepath.Join(filepath.Dir(name), "m.go")] = "package m\n"
			}
			root := write(t, files)
			dir := root
			if files["a/go.mod"] != "" {
				dir = filepath.Join(root, "a")
			}
			set := []string{"GOTOOLCHAIN=local", "GOPROXY=off", "GOSUMDB=off", "GOMODCACHE=" + filepath.Join(root, "mod")}
			for _, s := range c.set {
				set = append(set, strings.ReplaceAll(s, "DIR", filepath.ToSlash(root)))
			}
			e := environment(t, dir, append(set, "GOFLAGS="+strings.TrimSpace("-modcacherw "+flags(c.set)))...)
			p := find(t, dir, e)
			every, build := p.Refusal(), p.BuildRefusal()
			if err := ChooseToolchain(e, p).Refusal(e); err != nil {
				every = err
			}
			for _, want := range []struct {
				text string
				got  error
			}{{c.every, every}, {c.build, build}} {
				text := strings.ReplaceAll(want.text, "DIR/", root+string(filepath.Separator))
				if (want.got != nil) != (text != "") || want.got != nil && !strings.Contains(want.got.Error(), text) {
					t.Errorf("%v, want %q", want.got, text)
				}
			}

			_, said := goes(t, e, "mod", "download", "lab.example.com/m@v1.0.0")
			if downloads := strings.Contains(said, "go: lab.example.com/m@v1.0.0: "); downloads != (every == nil) {
				t.Errorf("go mod download says %s; found was %v", said, every)
			}
			if text := strings.ReplaceAll(c.every, "DIR/", root+string(filepath.Separator)); ownWords.MatchString(text) && !strings.Contains(short(said, dir), short(text, dir)) {
				t.Errorf("go mod download says %s, want %q", said, text)
			}
			builds, said := goes(t, e, "build", ".")
			if ownWords.MatchString(c.build) && !strings.Contains(said, c.build) {
				t.Errorf("go build says %s, want %q", said, c.build)
			}
			if builds != (every == nil && build == nil) {
				t.Errorf("go build says %s; found were %v and %v", said, every, build)
			}
		})
	}
}

// flags is GOFLAGS in a list of settings.
func flags(set []string) string {
	for _, s := range set {
		if value, ok := strings.CutPrefix(s, "GOFLAGS="); ok {
			return value
		}
	}
	return ""
}

// ownWords are those of the go command; for the others it needs several lines.
var ownWords = regexp.MustCompile(`^(go\.(mod|work)[: ]|updates|malformed|invalid|conflicting|workspace|module|version)`)

// short leaves out the folders before a file: the go command names it from where it is.
func short(text, dir string) string {
	text = strings.ReplaceAll(text, dir+string(filepath.Separator), "")
	return strings.ReplaceAll(text, ".."+string(filepath.Separator), "")
}

// goes runs the go command.
func goes(t *testing.T, e *env.Env, args ...string) (ok bool, stderr string) {
	t.Helper()
	cmd := exec.Command(e.Go, args...) // unlike e.Command, with the toolchain that is set
	cmd.Dir, cmd.Env = e.Dir, e.Environ
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	return err == nil, said.String()
}
