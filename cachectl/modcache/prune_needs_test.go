package modcache_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/probe/lab"
)

// A universe is modules that need one another at random: pruned and unpruned
// graphs, requirements that nothing imports, imports that only tests have.
type universe struct {
	rng      *rand.Rand
	modules  []*lab.Module
	requires map[module.Version][]module.Version
}

const universeModules, universeVersions = 14, 3

func pathOf(i int) string { return fmt.Sprintf("lab.example.com/u%d", i) }

func newUniverse(t testing.TB, rng *rand.Rand) *universe {
	t.Helper()
	u := &universe{rng: rng, requires: map[module.Version][]module.Version{}}
	for i := range universeModules {
		for k := range universeVersions {
			u.module(t, i, fmt.Sprintf("v1.%d.0", k))
		}
	}
	return u
}

// below chooses modules with a smaller number, at random versions.
func (u *universe) below(i, most int) []module.Version {
	chosen := map[string]module.Version{}
	for range u.rng.IntN(most + 1) {
		if i > 0 {
			path := pathOf(u.rng.IntN(i))
			chosen[path] = module.Version{Path: path, Version: fmt.Sprintf("v1.%d.0", u.rng.IntN(universeVersions))}
		}
	}
	return slices.SortedFunc(maps.Values(chosen), func(a, b module.Version) int { return strings.Compare(a.Path, b.Path) })
}

func (u *universe) module(t testing.TB, i int, version string) {
	t.Helper()
	m := module.Version{Path: pathOf(i), Version: version}
	direct := u.below(i, 4)
	goLine := []string{"", "go 1.16\n", "go 1.17\n", "go 1.20\n"}[u.rng.IntN(4)]
	requires := direct
	if goLine == "go 1.17\n" || goLine == "go 1.20\n" {
		requires = u.tidy(direct)
	}
	u.requires[m] = requires
	files := map[string]string{"go.mod": "module " + m.Path + "\n" + goLine + requireLines(requires)}
	for _, file := range []string{"u.go", "u_test.go", "extra/e.go"} {
		files[file] = "package u\n"
	}
	for _, r := range direct {
		if file := []string{"u.go", "u_test.go", "extra/e.go", ""}[u.rng.IntN(4)]; file != "" { // else required and not imported
			files[file] += fmt.Sprintf("import _ %q\n", r.Path)
		}
	}
	made, err := lab.NewModule(m.Path, m.Version, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), files)
	must(t, err)
	u.modules = append(u.modules, made)
}

// tidy are direct and all that they need, at the highest versions that are
// named: what a tidy go.mod since go 1.17 lists.
func (u *universe) tidy(direct []module.Version) []module.Version {
	highest := map[string]string{}
	var visit func(m module.Version)
	seen := map[module.Version]bool{}
	visit = func(m module.Version) {
		if seen[m] {
			return
		}
		seen[m] = true
		if semver.Compare(m.Version, highest[m.Path]) > 0 {
			highest[m.Path] = m.Version
		}
		for _, r := range u.requires[m] {
			visit(r)
		}
	}
	for _, m := range direct {
		visit(m)
	}
	var list []module.Version
	for _, path := range slices.Sorted(maps.Keys(highest)) {
		list = append(list, module.Version{Path: path, Version: highest[path]})
	}
	return list
}

func requireLines(ms []module.Version) string {
	text := ""
	for _, m := range ms {
		text += "require " + m.Path + " " + m.Version + "\n"
	}
	return text
}

// A commission is a random project.
type commission struct {
	name    string
	roots   []string // with a go.mod, below the project's folder
	command string   // where the go command runs
	environ []string
}

// forgetSums deletes go.sum, so that only the module graph tells what the
// project needs, and lets the go command do without.
func (c *commission) forgetSums(t testing.TB, h *house) {
	t.Helper()
	err := os.Remove(filepath.Join(h.dir, c.command, "go.sum"))
	if !errors.Is(err, fs.ErrNotExist) {
		must(t, err)
	}
	c.environ = []string{"GOFLAGS=-mod=mod", "GOSUMDB=off"}
}

// commission writes a random project and lets the go command complete it; false
// when the go command refuses what was thrown.
func (h *house) commission(u *universe, name string) (commission, bool) {
	h.t.Helper()
	c := commission{name: name, command: name}
	write := func(file, text string) {
		path := filepath.Join(h.dir, name, file)
		must(h.t, os.MkdirAll(filepath.Dir(path), 0o777))
		must(h.t, os.WriteFile(path, []byte(text), 0o666))
	}
	members := []string{"."}
	if u.rng.IntN(4) == 0 {
		members = []string{"a", "b"}
	}
	for n, member := range members {
		direct := u.below(universeModules, 4)
		text := fmt.Sprintf("module example.com/%s/m%d\n%s\n%s", name, n, []string{"go 1.16", "go 1.17", "go 1.20", "go 1.24.0"}[u.rng.IntN(4)], requireLines(direct[:u.rng.IntN(len(direct)+1)]))
		if len(direct) > 0 {
			one := direct[u.rng.IntN(len(direct))]
			other := pathOf(u.rng.IntN(universeModules))
			switch u.rng.IntN(5) {
			case 0:
				text += fmt.Sprintf("replace %s => %s v1.%d.0\n", one.Path, one.Path, u.rng.IntN(universeVersions))
			case 1:
				local := fmt.Sprintf("../%s-local%d", name, n)
				text += "replace " + one.Path + " => " + local + "\n"
				local = filepath.Join(member, filepath.FromSlash(local))
				write(filepath.Join(local, "go.mod"), "module "+one.Path+"\ngo 1.16\nrequire "+other+" v1.1.0\n")
				write(filepath.Join(local, "u.go"), "package u\nimport _ \""+other+"\"\n")
			case 2:
				text += fmt.Sprintf("exclude %s v1.%d.0\n", other, u.rng.IntN(universeVersions))
			}
			if strings.Contains(text, "go 1.24") && u.rng.IntN(2) == 0 {
				text += "tool " + one.Path + "\n"
			}
		}
		write(filepath.Join(member, "go.mod"), text)
		for i, m := range direct {
			file := []string{"p%d.go", "p%d_test.go", "sub%d/s.go"}[u.rng.IntN(3)]
			write(filepath.Join(member, fmt.Sprintf(file, i)), "package p\nimport _ \""+m.Path+"\"\n")
		}
		write(filepath.Join(member, "p.go"), "package p\n")
		if out, err := h.try(filepath.Join(name, member), []string{"GOWORK=off"}, "mod", "tidy"); err != nil {
			h.t.Logf("%s/%s is no project: %s", name, member, firstLine(out))
			return c, false
		}
		c.roots = append(c.roots, filepath.Join(name, member))
	}
	if len(members) > 1 {
		write("go.work", "go 1.24.0\nuse ./a\nuse ./b\n")
		c.command = filepath.Join(name, "a")
	}
	for _, args := range c.asks() {
		if out, err := h.try(c.command, nil, args...); err != nil {
			h.t.Logf("%s is no project: go %q: %s", name, args, firstLine(out))
			return c, false
		}
	}
	return c, true
}

// asks are the go commands that have to work without a network.
func (c commission) asks() [][]string {
	patterns := []string{"./..."}
	if c.command != c.name {
		patterns = []string{"./...", "../b/..."}
	}
	asks := [][]string{append([]string{"build"}, patterns...), append([]string{"vet"}, patterns...), append([]string{"list", "-deps", "-test"}, patterns...), {"mod", "verify"}}
	if c.command == c.name {
		asks = append(asks, []string{"mod", "tidy"}, []string{"list", "tool"}, []string{"mod", "graph"})
	}
	return asks
}

func firstLine(s string) string { line, _, _ := strings.Cut(s, "\n"); return line }

// Over many random projects: the modules that the go command says it takes are
// among the needs, and after pruning everything else every project builds, vets
// and tidies with GOPROXY=off.
func TestNeedsAreEnough(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for round := range scale(1, 2, 60) {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		u := newUniverse(t, rng)
		h := newHouse(t, u.modules)
		var known []commission
		var roots []string
		gone := 0
		for i := range scale(5, 8, 14) {
			c, ok := h.commission(u, fmt.Sprintf("p%d", i))
			switch {
			case !ok:
			case i%2 == 0:
				if i%4 == 0 && c.command == c.name { // -mod=mod is not for workspaces
					c.forgetSums(t, h)
				}
				known = append(known, c)
				roots = append(roots, filepath.Join(h.dir, c.roots[0]))
			default:
				gone++
			}
		}
		n := h.needs(roots...)
		for _, c := range known {
			if c.environ == nil { // else it would write go.sum again
				h.checkListed(c, n)
			}
		}
		p, kept := h.plan(modcache.PruneOptions{Unreferenced: true, AllFiles: round%2 == 1, Needs: n, Reach: everybody})
		if len(p.Actions) > 0 {
			h.apply(p)
		}
		for _, c := range known {
			for _, args := range c.asks() {
				if out, err := h.try(c.command, append(c.environ, "GOPROXY=off"), args...); err != nil {
					t.Errorf("%s: go %q after the prune: %v\n%s", c.name, args, err, out)
				}
			}
		}
		t.Logf("%d known projects, %d gone: %d versions pruned, %d kept", len(known), gone, len(p.Actions), len(kept))
		if t.Failed() {
			t.Fatalf("seed %d, round %d, in %s", seed, round, h.dir)
		}
	}
}

// checkListed compares needs with what go list says of a project.
func (h *house) checkListed(c commission, n needs.Needs) {
	h.t.Helper()
	const format = `{{with .Module}}{{if not .Main}}{{with .Replace}}{{.Path}}@{{.Version}}{{else}}{{.Path}}@{{.Version}}{{end}}{{end}}{{end}}`
	args := append([]string{"list", "-deps", "-test", "-f", format}, c.asks()[0][1:]...)
	for _, line := range strings.Fields(h.goes(c.command, nil, args...)) {
		if m := mv(line); m.Version != "" && len(n.Whole(m)) == 0 {
			h.t.Errorf("%s takes %s, which is not among what it needs", c.name, line)
		}
	}
}
