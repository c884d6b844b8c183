package salvage

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"gpx/cachectl/bundle"
	"gpx/cachectl/internal/stage"
	"gpx/envctl/chain"
	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a machine on which the lab's modules lie about.
type world struct {
	t    *testing.T
	lab  *lab.Lab
	dir  string
	sums project.Sums
}

// The versions that are looked for, each of another kind.
var (
	alpha   = module.Version{Path: "lab.example.com/alpha", Version: "v1.1.0"}
	upper   = module.Version{Path: "lab.example.com/Upper", Version: "v1.2.3"}
	delta   = module.Version{Path: "lab.example.com/delta/v2", Version: "v2.0.1"}
	nightly = module.Version{Path: "lab.example.com/nightly", Version: "v0.0.0-20240107030405-0123456789ab"}
	one     = module.Version{Path: "github.com/gpx-lab/one", Version: "v1.1.0"}
)

func newWorld(t *testing.T) *world {
	t.Helper()
	for _, name := range []string{"go", "git"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("missing program: " + name)
		}
	}
	l, err := lab.Start(lab.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	w := &world{t: t, lab: l, dir: t.TempDir(), sums: project.Sums{}}
	for _, m := range l.Modules() {
		w.know(m)
	}
	return w
}

// know puts the lines of a module into go.sum.
func (w *world) know(m *lab.Module) {
	w.sums[m.Version] = []string{m.ZipHash}
	w.sums[module.Version{Path: m.Path, Version: m.Version.Version + "/go.mod"}] = []string{m.ModHash}
}

// cache makes a module cache at a folder, with versions in it.
func (w *world) cache(name string, versions ...module.Version) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, name)
	args := []string{"mod", "download"}
	for _, m := range versions {
		args = append(args, m.String())
	}
	w.run(w.dir, append(w.lab.GoEnv(filepath.Join(w.dir, "home"), w.lab.Proxy("p-"+name, nil).URL()), "GOMODCACHE="+dir), "go", args...)
	return dir
}

func (w *world) run(dir string, environ []string, name string, args ...string) {
	w.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, environ
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// git runs git in a folder.
func (w *world) git(dir string, args ...string) {
	w.t.Helper()
	environ := append(w.lab.GoEnv(filepath.Join(w.dir, "home"), "off"), "GIT_AUTHOR_NAME=n", "GIT_AUTHOR_EMAIL=e", "GIT_COMMITTER_NAME=n", "GIT_COMMITTER_EMAIL=e")
	w.run(dir, environ, "git", append([]string{"-c", "init.defaultBranch=main"}, args...)...)
}

// repo makes a repository out of the files of a version, tagged.
func (w *world) repo(name string, m module.Version, subdir, tag string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, name)
	for file, text := range w.module(m).Files {
		write(w.t, filepath.Join(dir, subdir, file), text)
	}
	w.git(w.dir, "init", "-q", dir)
	w.git(dir, "add", "-A")
	w.git(dir, "commit", "-qm", "all")
	if tag != "" {
		w.git(dir, "tag", tag)
	}
	return dir
}

func (w *world) module(v module.Version) *lab.Module {
	w.t.Helper()
	for _, m := range w.lab.Modules() {
		if m.Version == v {
			return m
		}
	}
	w.t.Fatalf("the lab has no %s", v)
	return nil
}

func (w *world) find(o Options, wants ...module.Version) Result {
	w.t.Helper()
	for _, m := range wants {
		o.Wants = append(o.Wants, Want{Version: m})
	}
	if o.Stage == "" {
		o.Stage = w.t.TempDir()
	}
	if o.Proofs == nil {
		o.Proofs = &Proofs{Sums: w.sums}
	}
	r, err := Find(w.t.Context(), o)
	must(w.t, err)
	for _, f := range r.Found { // whatever was found is what the lab published
		st := &stage.Stage{Dir: o.Stage}
		name, err := st.File(f.Version, probe.Mod)
		must(w.t, err)
		if data, err := os.ReadFile(name); err != nil || string(data) != w.module(f.Version).Files["go.mod"] {
			w.t.Errorf("%s: its .mod is %q, %v", f.Version, data, err)
		}
		if !st.Has(f.Version, probe.Zip) || !st.Has(f.Version, probe.Info) {
			w.t.Errorf("%s: not all of it is there", f.Version)
		}
	}
	return r
}

func (w *world) want(r Result, kinds ...Kind) {
	w.t.Helper()
	var got []Kind
	for _, f := range r.Found {
		got = append(got, f.Kind)
	}
	if !slices.Equal(got, kinds) {
		w.t.Errorf("found %v, want %v; refused %+v, missing %v, problems %v", r.Found, kinds, r.Refused, r.Missing, r.Problems)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(file), 0o777))
	must(t, os.WriteFile(file, []byte(text), 0o666))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOtherCaches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.cache("other", alpha, upper, delta, nightly)
	wants := []module.Version{alpha, upper, delta, nightly}
	r := w.find(Options{Caches: []string{other}}, append(wants, one)...)
	w.want(r, ModuleCache, ModuleCache, ModuleCache, ModuleCache)
	if !slices.Equal(r.Missing, []module.Version{one}) {
		t.Errorf("missing: %v", r.Missing)
	}
	// It is recognised below a mounted volume too.
	w.want(w.find(Options{Roots: []string{w.dir}}, alpha), ModuleCache)

	// Trees alone are packed again; a changed file shows.
	must(t, os.RemoveAll(filepath.Join(other, "cache", "download")))
	must(t, os.Mkdir(filepath.Join(other, "cache", "download"), 0o777))
	w.want(w.find(Options{Caches: []string{other}}, wants...), Extracted, Extracted, Extracted, Extracted)
	w.want(w.find(Options{Cache: other}, wants...), Extracted, Extracted, Extracted, Extracted)
	write(t, filepath.Join(other, "lab.example.com", "alpha@v1.1.0", "alpha.go"), "package evil\n")
	r = w.find(Options{Cache: other}, alpha, upper)
	w.want(r, Extracted)
	if len(r.Refused) != 1 || r.Refused[0].Version != alpha || !strings.Contains(r.Refused[0].Why, "go.sum says "+w.module(alpha).ZipHash) ||
		!strings.HasSuffix(r.Refused[0].Source, "alpha@v1.1.0") {
		t.Errorf("refused: %+v", r.Refused)
	}
	// A tree somewhere, under its name alone.
	must(t, os.Rename(filepath.Join(other, "lab.example.com", "!upper@v1.2.3"), filepath.Join(w.dir, "!upper@v1.2.3")))
	w.want(w.find(Options{Roots: []string{w.dir}}, upper), Extracted)
}

func TestTreesAndBundles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.lab.WriteTree(filepath.Join(w.dir, "somewhere", "tree"), false))
	w.want(w.find(Options{Roots: []string{w.dir}}, alpha, upper), Tree, Tree)
	must(t, os.RemoveAll(filepath.Join(w.dir, "somewhere")))

	cache := w.cache("mod", alpha, upper)
	must(t, os.Mkdir(filepath.Join(w.dir, "bundles"), 0o777))
	for _, name := range []string{"b.tar", "b.tar.zst"} {
		_, err := bundle.Export(t.Context(), bundle.ExportOptions{Cache: cache, Out: filepath.Join(w.dir, "bundles", name), SumDB: chain.SumDB{Off: true}, Sums: w.sums})
		must(t, err)
		r := w.find(Options{Roots: []string{filepath.Join(w.dir, "bundles")}}, alpha, delta)
		w.want(r, Bundle)
		if len(r.Found) == 1 && filepath.Base(r.Found[0].Source) != name {
			t.Errorf("it is said to come from %s", r.Found[0].Source)
		}
		must(t, os.Remove(filepath.Join(w.dir, "bundles", name)))
	}
	// What is no bundle is said to be none, and stops nothing.
	write(t, filepath.Join(w.dir, "bundles", "x.tar"), "no tar\n")
	must(t, w.lab.WriteTree(filepath.Join(w.dir, "bundles", "tree"), false))
	if r := w.find(Options{Roots: []string{filepath.Join(w.dir, "bundles")}}, alpha); len(r.Found) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestClones(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.repo("src/alpha", alpha, "", "v1.1.0")
	w.repo("src/mono", upper, "Upper", "Upper/v1.2.3")
	w.repo("src/delta", delta, "v2", "v2.0.1")
	r := w.find(Options{Roots: []string{filepath.Join(w.dir, "src")}}, alpha, upper, delta)
	w.want(r, Clone, Clone, Clone)

	// Bare ones, as the go command and servers keep them.
	w.git(w.dir, "clone", "-q", "--bare", filepath.Join(w.dir, "src", "alpha"), filepath.Join(w.dir, "bare", "alpha.git"))
	w.want(w.find(Options{Roots: []string{filepath.Join(w.dir, "bare")}}, alpha), Clone)
	must(t, os.MkdirAll(filepath.Join(w.dir, "own", "cache", "vcs"), 0o777))
	must(t, os.Rename(filepath.Join(w.dir, "bare", "alpha.git"), filepath.Join(w.dir, "own", "cache", "vcs", "0123")))
	w.want(w.find(Options{Cache: filepath.Join(w.dir, "own")}, alpha), Clone)

	// A tag that was moved to something else is refused by name.
	write(t, filepath.Join(w.dir, "src", "alpha", "alpha.go"), "package alpha // tampered with\n")
	w.git(filepath.Join(w.dir, "src", "alpha"), "commit", "-qam", "evil")
	w.git(filepath.Join(w.dir, "src", "alpha"), "tag", "-f", "v1.1.0")
	r = w.find(Options{Projects: []string{filepath.Join(w.dir, "src", "alpha")}}, alpha)
	w.want(r)
	if len(r.Refused) != 1 || r.Refused[0].Kind != Clone || !strings.HasSuffix(r.Refused[0].Source, "alpha") || !strings.Contains(r.Refused[0].Why, "go.sum says h1:") {
		t.Errorf("refused: %+v", r.Refused)
	}
	if !slices.Equal(r.Missing, []module.Version{alpha}) {
		t.Errorf("missing: %v", r.Missing)
	}
}

// A pseudo-version is a commit, and a module without a go.mod has one made up.
func TestCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(w.dir, "repo")
	write(t, filepath.Join(dir, "p.go"), "package p\n")
	w.git(w.dir, "init", "-q", dir)
	w.git(dir, "add", "-A")
	w.git(dir, "commit", "-qm", "all")
	cmd := exec.Command("git", "rev-parse", "--short=12", "HEAD")
	cmd.Dir = dir
	rev, err := cmd.Output()
	must(t, err)
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, version := range []string{module.PseudoVersion("v0", "", at, strings.TrimSpace(string(rev))), "v2.0.0+incompatible"} {
		w.git(dir, "tag", "-f", "v2.0.0")
		m := module.Version{Path: "lab.example.com/legacy", Version: version}
		made, err := lab.NewModule("lab.example.com/legacy", "v1.0.0", at, map[string]string{"go.mod": "module lab.example.com/legacy\n", "p.go": "package p\n"})
		must(t, err)
		sum := zipSumOf(t, m, map[string]string{"p.go": "package p\n"})
		sums := project.Sums{m: {sum}, {Path: m.Path, Version: m.Version + "/go.mod"}: {made.ModHash}}
		st := t.TempDir()
		r, err := Find(t.Context(), Options{Wants: []Want{{Version: m}}, Projects: []string{dir}, Stage: st, Proofs: &Proofs{Sums: sums}})
		must(t, err)
		if len(r.Found) != 1 || r.Found[0].Kind != Clone {
			t.Errorf("%s: %+v", version, r)
		}
	}
}

// What nothing vouches for is not taken, unless it is asked for and the go
// command would not care.
func TestUnproven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.cache("other", alpha)
	for _, tt := range []struct {
		name       string
		proofs     Proofs
		unverified bool
		found      bool
		why        string
	}{
		{"no line", Proofs{}, false, false, "go.sum has no line"},
		{"no line, asked for", Proofs{}, true, false, "go.sum has no line"},
		{"private", Proofs{Skip: func(string) bool { return true }}, false, false, "nothing vouches for it"},
		{"private, asked for", Proofs{Skip: func(string) bool { return true }}, true, true, ""},
		{"by the database", Proofs{Lookup: w.lookup}, false, true, ""},
	} {
		st := t.TempDir()
		r := w.find(Options{Caches: []string{other}, Proofs: &tt.proofs, Unverified: tt.unverified, Stage: st}, alpha)
		if (len(r.Found) == 1) != tt.found || !tt.found && (len(r.Refused) == 0 || !strings.Contains(r.Refused[0].Why, tt.why)) {
			t.Errorf("%s: %+v", tt.name, r)
		}
		if has := (&stage.Stage{Dir: st}).Has(alpha, probe.Zip); has != tt.found {
			t.Errorf("%s: in the stage: %v", tt.name, has)
		}
	}
}

func (w *world) lookup(_ context.Context, m module.Version) ([]string, error) {
	return strings.Split(strings.TrimSpace(w.module(m).GoSum()), "\n"), nil
}

// Links, pipes and folders that go round and round are passed over.
func TestHostile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.cache("other", alpha)
	base := filepath.Join(other, "cache", "download", "lab.example.com", "alpha", "@v", "v1.1.0.zip")
	must(t, os.Rename(base, filepath.Join(w.dir, "real.zip")))
	must(t, os.Symlink(filepath.Join(w.dir, "real.zip"), base))
	must(t, os.RemoveAll(filepath.Join(other, "lab.example.com")))
	must(t, os.Symlink("..", filepath.Join(w.dir, "loop")))
	r := w.find(Options{Caches: []string{other}, Roots: []string{w.dir}}, alpha)
	w.want(r)
	if len(r.Refused) > 0 || len(r.Missing) != 1 {
		t.Errorf("%+v", r)
	}
	// A zip that is cut is refused by name.
	must(t, os.Remove(base))
	data, err := os.ReadFile(filepath.Join(w.dir, "real.zip"))
	must(t, err)
	must(t, os.WriteFile(base, data[:len(data)/2], 0o666))
	r = w.find(Options{Caches: []string{other}}, alpha)
	if len(r.Refused) != 1 || r.Refused[0].Source != base {
		t.Errorf("%+v", r)
	}
}

// A vendor folder is named for what it is.
func TestVendored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(w.dir, "project")
	write(t, filepath.Join(dir, "vendor", "modules.txt"), "# lab.example.com/alpha v1.1.0\n## explicit\nlab.example.com/alpha\n")
	write(t, filepath.Join(dir, "vendor", "lab.example.com", "alpha", "alpha.go"), "package alpha\n")
	for _, o := range []Options{{Projects: []string{dir}}, {Roots: []string{w.dir}}} {
		r := w.find(o, alpha)
		w.want(r)
		if len(r.Vendored) != 1 || r.Vendored[0].Dir != filepath.Join(dir, "vendor") || len(r.Missing) != 1 {
			t.Errorf("%+v", r)
		}
	}
}

// A settings file of a repository runs nothing.
func TestSettingsOfARepositoryDoNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := w.repo("src/alpha", alpha, "", "v1.1.0")
	ran := filepath.Join(w.dir, "ran")
	write(t, filepath.Join(dir, ".gitattributes"), "*.go filter=evil\n")
	w.git(dir, "config", "filter.evil.smudge", "touch "+ran+"; cat")
	w.git(dir, "config", "core.fsmonitor", "touch "+ran)
	w.git(dir, "config", "uploadpack.packObjectsHook", "touch "+ran)
	write(t, filepath.Join(dir, ".git", "info", "attributes"), "*.go filter=evil\n")
	hook := filepath.Join(dir, ".git", "hooks", "post-checkout")
	write(t, hook, "#!/bin/sh\ntouch "+ran+"\n")
	must(t, os.Chmod(hook, 0o755))
	w.want(w.find(Options{Projects: []string{dir}}, alpha), Clone)
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program of the repository ran")
	}
}

// zipSumOf is the h1 of a module with these files.
func zipSumOf(t *testing.T, m module.Version, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	sum, err := dirhash.HashDir(dir, m.Path+"@"+m.Version, dirhash.Hash1)
	must(t, err)
	return sum
}

// published is what a proxy has of a version, as lines of go.sum.
func published(t *testing.T, m module.Version, files map[string]string) project.Sums {
	t.Helper()
	return project.Sums{
		m: {zipSumOf(t, m, files)},
		{Path: m.Path, Version: m.Version + "/go.mod"}: {probe.ModSum([]byte(files["go.mod"]))},
	}
}

// commit makes a repository of files, tagged.
func (w *world) commit(dir, tag string, files map[string]string) {
	w.t.Helper()
	for name, text := range files {
		write(w.t, filepath.Join(dir, name), text)
	}
	w.git(w.dir, "init", "-q", dir)
	w.git(dir, "add", "-A")
	w.git(dir, "commit", "-qm", "all")
	w.git(dir, "tag", "-a", "-m", "annotated", tag)
}

// What the go command makes of a repository that has more than one module: the
// license of the root goes along, other modules and what git leaves out of archives
// do not change anything, and a fork that replaces a module keeps its name.
func TestModulesOfARepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := filepath.Join(w.dir, "src")
	for _, tt := range []struct {
		name, tag string
		m         module.Version
		repo      map[string]string // what is in the repository
		files     map[string]string // what is in the module
	}{
		{
			"nested", "sub/v1.0.0", module.Version{Path: "lab.example.com/mono/sub", Version: "v1.0.0"},
			map[string]string{"LICENSE": "the license\n", "sub/go.mod": "module lab.example.com/mono/sub\n", "sub/a.go": "package sub\n", "sub/inner/go.mod": "module x\n", "subway/b.go": "package b\n"},
			map[string]string{"LICENSE": "the license\n", "go.mod": "module lab.example.com/mono/sub\n", "a.go": "package sub\n"},
		},
		{
			"major", "v3.0.0", module.Version{Path: "lab.example.com/major/v3", Version: "v3.0.0"},
			map[string]string{"go.mod": "module lab.example.com/major\n", "a.go": "package old\n", "v3/go.mod": "module lab.example.com/major/v3\n", "v3/a.go": "package a\n"},
			map[string]string{"go.mod": "module lab.example.com/major/v3\n", "a.go": "package a\n"},
		},
		{
			"fork", "v1.0.1", module.Version{Path: "lab.example.com/fork", Version: "v1.0.1"},
			map[string]string{"go.mod": "module lab.example.com/original\n", "a.go": "package a\n"},
			map[string]string{"go.mod": "module lab.example.com/original\n", "a.go": "package a\n"},
		},
		{
			"ignored", "v1.0.0", module.Version{Path: "lab.example.com/ignored", Version: "v1.0.0"},
			map[string]string{"go.mod": "module lab.example.com/ignored\n", "a.go": "package a\n", ".gitattributes": "a.go export-ignore\n"},
			map[string]string{"go.mod": "module lab.example.com/ignored\n", "a.go": "package a\n", ".gitattributes": "a.go export-ignore\n"},
		},
	} {
		w.commit(filepath.Join(root, tt.name), tt.tag, tt.repo)
		r, err := Find(t.Context(), Options{Wants: []Want{{Version: tt.m}}, Roots: []string{root}, Stage: t.TempDir(), Proofs: &Proofs{Sums: published(t, tt.m, tt.files)}})
		must(t, err)
		if len(r.Found) != 1 || filepath.Base(r.Found[0].Source) != tt.name || len(r.Refused) > 0 {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}

// Any repository may have a tag v1.0.0, and many modules end in /v2: what does not
// say that it is the wanted module is no tampered one. Nor is it taken unproven.
func TestOthersOfTheSameName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := module.Version{Path: "lab.example.com/wanted", Version: "v1.0.0"}
	two := module.Version{Path: "lab.example.com/wanted/v2", Version: "v2.0.1"}
	w.commit(filepath.Join(w.dir, "src", "nomod"), "v1.0.0", map[string]string{"a.go": "package a\n"})
	w.commit(filepath.Join(w.dir, "src", "other"), "v1.0.0", map[string]string{"go.mod": "module lab.example.com/other\n", "a.go": "package a\n"})
	write(t, filepath.Join(w.dir, "src", "tree", "v2@v2.0.1", "go.mod"), "module lab.example.com/other/v2\n")
	private := &Proofs{Skip: func(string) bool { return true }}
	known := published(t, m, map[string]string{"go.mod": "module lab.example.com/wanted\n", "b.go": "package b\n"})
	for key, lines := range published(t, two, map[string]string{"go.mod": "module lab.example.com/wanted/v2\n"}) {
		known[key] = lines
	}
	for _, o := range []Options{{Proofs: private}, {Proofs: private, Unverified: true}, {Proofs: &Proofs{Sums: known}}} {
		o.Wants, o.Roots, o.Stage = []Want{{Version: m}, {Version: two}}, []string{filepath.Join(w.dir, "src")}, t.TempDir()
		r, err := Find(t.Context(), o)
		must(t, err)
		if len(r.Found)+len(r.Refused) > 0 || len(r.Missing) != 2 {
			t.Errorf("%+v", r)
		}
	}
	// The URL of a remote says it, whatever is in there.
	for _, url := range []string{"https://lab.example.com/wanted", "git@lab.example.com:wanted.git", "ssh://git@lab.example.com/wanted"} {
		w.git(filepath.Join(w.dir, "src", "nomod"), "config", "remote.origin.url", url)
		r, err := Find(t.Context(), Options{Wants: []Want{{Version: m}}, Roots: []string{filepath.Join(w.dir, "src")}, Stage: t.TempDir(), Proofs: &Proofs{Sums: known}})
		must(t, err)
		if len(r.Refused) != 1 || filepath.Base(r.Refused[0].Source) != "nomod" {
			t.Errorf("%s: %+v", url, r)
		}
	}
}

// What was refused leaves nothing in the stage, its go.mod neither.
func TestRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.cache("other", alpha)
	must(t, os.RemoveAll(filepath.Join(other, "cache", "download")))
	tree := filepath.Join(other, "lab.example.com", "alpha@v1.1.0")
	must(t, os.Chmod(tree, 0o777))
	must(t, os.RemoveAll(filepath.Join(tree, "alpha.go")))
	st := t.TempDir()
	r := w.find(Options{Cache: other, Stage: st}, alpha)
	w.want(r)
	if len(r.Refused) != 1 || (&stage.Stage{Dir: st}).Has(alpha, probe.Mod) {
		t.Errorf("%+v", r)
	}
}

// What was not looked at is said.
func TestBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	deep := filepath.Join(w.dir, "root", strings.Repeat("d"+string(filepath.Separator), maxDepth+2))
	must(t, os.MkdirAll(deep, 0o777))
	r := w.find(Options{Roots: []string{filepath.Join(w.dir, "root")}}, alpha)
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "folders deep") {
		t.Errorf("problems: %q", r.Problems)
	}
	r = w.find(Options{Roots: []string{w.dir}, For: time.Nanosecond}, alpha)
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "the time was up") {
		t.Errorf("problems: %q", r.Problems)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ctx, Options{Wants: []Want{{Version: alpha}}, Roots: []string{w.dir}, Stage: t.TempDir(), Proofs: &Proofs{}}); err == nil {
		t.Error("an ended search ends well")
	}
	for name, want := range map[string]bool{"x@v1.2.3": true, "v2@v2.0.0-20240101000000-0123456789ab": true, "backup@volume": false, "a@v1": true, "x@v1.2.3-!r!c1": true} {
		if isTree(name) != want {
			t.Errorf("isTree(%q) is %v", name, !want)
		}
	}
}

// A cache that cannot be read is said to be one.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("everything can be read")
	}
	w := newWorld(t)
	other := w.cache("other", alpha)
	download := filepath.Join(other, "cache", "download")
	must(t, os.Chmod(download, 0))
	t.Cleanup(func() { must(t, os.Chmod(download, 0o777)) })
	r := w.find(Options{Caches: []string{other}}, alpha)
	if len(r.Problems) != 1 || !strings.HasSuffix(r.Problems[0], "cannot be read") {
		t.Errorf("%+v", r)
	}
}

// A clone may be another user's, have no history, or hash as few do; borrowing its
// objects works with each.
func TestUnusualClones(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	src := w.repo("src/alpha", alpha, "", "v1.1.0")
	w.git(src, "commit", "-q", "--allow-empty", "-m", "later")
	w.git(w.dir, "-c", "protocol.file.allow=always", "clone", "-q", "--depth=1", "--branch=v1.1.0", "file://"+filepath.ToSlash(src), "shallow")
	w.want(w.find(Options{Projects: []string{filepath.Join(w.dir, "shallow")}}, alpha), Clone)

	w.git(src, "pack-refs", "--all")
	w.git(src, "gc", "-q")
	w.want(w.find(Options{Projects: []string{src}}, alpha), Clone)

	other := filepath.Join(w.dir, "sha256")
	w.git(w.dir, "init", "-q", "--object-format=sha256", other)
	for file, text := range w.module(alpha).Files {
		write(t, filepath.Join(other, file), text)
	}
	w.git(other, "add", "-A")
	w.git(other, "commit", "-qm", "all")
	w.git(other, "tag", "v1.1.0")
	w.want(w.find(Options{Projects: []string{other}}, alpha), Clone)

	if os.Geteuid() == 0 {
		must(t, filepath.WalkDir(src, func(name string, _ os.DirEntry, err error) error {
			must(t, err)
			return os.Lchown(name, 1, 1)
		}))
		w.want(w.find(Options{Projects: []string{src}}, alpha), Clone)
	}
}
