package bundle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
)

// BuildSettings are what the go command mixes into the names of what it
// compiles, beside the sources (cmd/go/internal/work, buildActionID). All values
// are redacted: two that differ in a password alone are equal here.
type BuildSettings struct {
	GoVersion string            `json:"go_version"` // such as "go1.26.8", or several: "go1.25.1, go1.26.8"
	Vars      map[string]string `json:"vars"`       // of go env, those of buildVars
	Projects  []string          `json:"projects"`   // roots of the projects that were built
}

// archVars are the variables that choose an instruction set
// (cmd/go/internal/cfg, GetArchEnv). go env has the one of GOARCH.
var archVars = []string{"GO386", "GOAMD64", "GOARM", "GOARM64", "GOMIPS", "GOMIPS64", "GOPPC64", "GORISCV64", "GOWASM"}

// cVars decide how C code is compiled.
var cVars = []string{"CC", "CXX", "FC", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_FFLAGS", "CGO_LDFLAGS"}

var buildVars = slices.Concat([]string{"GOOS", "GOARCH", "GOEXPERIMENT", "GOFIPS140", "CGO_ENABLED", "GOFLAGS", "GOMODCACHE"}, archVars, cVars)

// maxProjects bounds the list of projects in a manifest.
const maxProjects = 1000

// BuildSettingsOf are the settings of an environment in which these projects
// are built.
func BuildSettingsOf(e *env.Env, projects []string) BuildSettings {
	s := BuildSettings{GoVersion: goVersions(e, projects), Vars: map[string]string{}, Projects: slices.Sorted(slices.Values(projects))}
	for _, name := range buildVars {
		if v, ok := e.Lookup(name); ok {
			s.Vars[name] = v.Value
		}
	}
	return s.clean()
}

const versionSeparator = ", "

// goVersions are the versions of Go that build the projects: GOTOOLCHAIN and a
// project's own lines may choose another than the installed one. "" when unknown.
func goVersions(e *env.Env, projects []string) string {
	chosen := map[string]bool{}
	choose := func(p *project.Project) {
		if t := project.ChooseToolchain(e, p); t.Err == nil {
			chosen[cmp.Or(t.Name, e.GoVersion)] = true
		}
	}
	for _, root := range projects[:min(len(projects), maxProjects)] {
		if p, err := project.Find(root, e); err == nil {
			choose(p)
		}
	}
	if len(chosen) == 0 {
		choose(nil)
	}
	return strings.Join(slices.Sorted(maps.Keys(chosen)), versionSeparator)
}

// clean makes settings fit to be shown, kept and compared.
func (s BuildSettings) clean() BuildSettings {
	vars := map[string]string{}
	for _, name := range buildVars {
		if v, ok := s.Vars[name]; ok {
			vars[name] = redact.Value(name, v)
		}
	}
	s.Vars, s.GoVersion = vars, redact.Clean(s.GoVersion)
	s.Projects = slices.Clone(s.Projects[:min(len(s.Projects), maxProjects)])
	for i := range s.Projects {
		s.Projects[i] = redact.Text(s.Projects[i])
	}
	return s
}

// A Hit says whether a build will use what is in a bundle.
type Hit string

// The hits, from the best to the worst.
const (
	Hits    Hit = "hits"    // as far as the sources are the same
	Partly  Hit = "partly"  // some packages
	Unknown Hit = "unknown" // nobody can say
	Misses  Hit = "misses"  // compiled again
)

// A Reason is a difference between there and here, and what follows from it.
type Reason struct {
	Setting string `json:"setting"` // "Go version", a variable, a flag, "project"
	There   string `json:"there"`
	Here    string `json:"here"`
	Means   string `json:"means"`
}

// A Prediction says for which packages a bundle saves the compiling.
type Prediction struct {
	Std     Hit      `json:"std"`     // the standard library
	Modules Hit      `json:"modules"` // what is in the module cache
	Project Hit      `json:"project"`
	Reasons []Reason `json:"reasons"` // none: everything hits
}

// Predict compares the settings that a bundle was built with and those of here.
// It takes the sources for the same.
//
// The place of GOROOT does not matter: the compiler hides it.
func Predict(there, here BuildSettings) Prediction {
	c := &comparison{there: there, here: here, p: Prediction{Std: Hits, Modules: Hits, Project: Hits, Reasons: []Reason{}}}
	c.compiler()
	c.flags()
	c.cgo()
	c.folders()
	return c.p
}

type comparison struct {
	there, here BuildSettings
	p           Prediction
}

// because notes a reason, and what it leaves of the three.
func (c *comparison) because(r Reason, std, modules, project Hit) {
	c.p.Std, c.p.Modules, c.p.Project = worse(c.p.Std, std), worse(c.p.Modules, modules), worse(c.p.Project, project)
	c.p.Reasons = append(c.p.Reasons, r)
}

func worse(a, b Hit) Hit {
	order := []Hit{Hits, Partly, Unknown, Misses}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// all notes a difference that touches every package alike.
func (c *comparison) all(hit Hit, setting, there, here, means string) {
	c.because(Reason{setting, there, here, means}, hit, hit, hit)
}

// variable compares one variable and reports whether it differs.
func (c *comparison) variable(name string) (there, here string, differs bool) {
	there, here = c.there.Vars[name], c.here.Vars[name]
	return there, here, there != here
}

// compiler compares what every compiled package depends on.
func (c *comparison) compiler() {
	switch there, here := c.there.GoVersion, c.here.GoVersion; {
	case there == "" || here == "":
		c.all(Unknown, "Go version", there, here, "without both versions nobody can say whether anything is used")
	case there != here && shared(there, here):
		c.all(Partly, "Go version", there, here, "each project is built with a version of its own choice: what another one built is compiled again")
	case there != here:
		c.all(Misses, "Go version", there, here, "another compiler: everything is compiled again")
	case strings.HasPrefix(here, "devel"):
		c.all(Unknown, "Go version", there, here, "a development version is used only by the very same build of the compiler")
	}
	for _, name := range append([]string{"GOOS", "GOARCH", "GOEXPERIMENT"}, archVars...) {
		if there, here, differs := c.variable(name); differs {
			c.all(Misses, name, there, here, "compiled for something else: everything is compiled again")
		}
	}
	if there, here, differs := c.variable("GOFIPS140"); differs {
		c.all(Partly, "GOFIPS140", there, here, "packages of crypto, and what imports them, are compiled again")
	}
}

// shared reports whether a version of Go is in both lists.
func shared(there, here string) bool {
	list := strings.Split(there, versionSeparator)
	return slices.ContainsFunc(strings.Split(here, versionSeparator), func(v string) bool { return slices.Contains(list, v) })
}

// What a flag of GOFLAGS does to the names of compiled packages. A flag that is
// not here may do anything.
var flagEffects = map[string]Hit{
	"mod": Hits, "modfile": Hits, "modcacherw": Hits, "v": Hits, "x": Hits, "n": Hits, "p": Hits, "json": Hits, "work": Hits,
	"ldflags": Hits, "buildvcs": Hits, "count": Hits, "run": Hits, "short": Hits, "timeout": Hits, "vet": Hits,
	"tags": Partly, "asmflags": Partly, "overlay": Partly, "pgo": Partly, "gcflags": Partly,
	"trimpath": Misses, "race": Misses, "msan": Misses, "asan": Misses, "buildmode": Misses, "linkshared": Misses, "compiler": Misses, "toolexec": Misses,
	"cover": Partly, "covermode": Partly, "coverpkg": Partly, "gccgoflags": Unknown,
}

// flags compares GOFLAGS flag by flag.
func (c *comparison) flags() {
	there, here := parseFlags(c.there.Vars["GOFLAGS"]), parseFlags(c.here.Vars["GOFLAGS"])
	if here["a"] == "true" {
		c.all(Misses, "-a", there["a"], here["a"], "with it everything is always compiled")
	}
	both := maps.Clone(there)
	maps.Copy(both, here)
	delete(both, "a")
	for _, name := range slices.Sorted(maps.Keys(both)) {
		if there[name] == here[name] {
			continue
		}
		effect, known := flagEffects[name]
		switch {
		case !known || effect == Unknown:
			c.all(Unknown, "-"+name, there[name], here[name], "nobody can say what of it is used")
		case effect == Misses || effect == Partly && strings.Contains(there[name]+here[name], "all="):
			c.all(Misses, "-"+name, there[name], here[name], "everything is compiled again")
		case effect == Partly:
			c.all(Partly, "-"+name, there[name], here[name], "packages that it concerns, and what imports them, are compiled again")
		}
	}
}

// parseFlags reads GOFLAGS: -name or -name=value, blanks between them, quotes
// around those that have blanks (cmd/internal/quoted). A flag without a value is
// "true"; one that is false is none.
func parseFlags(text string) map[string]string {
	flags := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		var one string
		if q := text[0]; q == '"' || q == '\'' {
			one, text, _ = strings.Cut(text[1:], string(q))
		} else if i := strings.IndexAny(text, " \t\r\n"); i >= 0 {
			one, text = text[:i], text[i:]
		} else {
			one, text = text, ""
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(one, "-"), "=")
		if !hasValue {
			value = "true"
		}
		if value == "false" || value == "0" {
			delete(flags, name)
			continue
		}
		flags[name] = value
	}
	return flags
}

// cgo compares how C code is compiled.
func (c *comparison) cgo() {
	if there, here, differs := c.variable("CGO_ENABLED"); differs {
		c.all(Partly, "CGO_ENABLED", there, here, "packages that use C (net, os/user …), and what imports them, are compiled again")
		return
	}
	if c.here.Vars["CGO_ENABLED"] != "1" {
		return
	}
	for _, name := range cVars {
		if there, here, differs := c.variable(name); differs {
			c.all(Partly, name, there, here, "packages with C code, and what imports them, are compiled again")
		}
	}
}

// folders compares the places that compiled packages name, unless -trimpath
// keeps them out.
func (c *comparison) folders() {
	const again = "compiled packages name their folder, since -trimpath is not in GOFLAGS: "
	if parseFlags(c.there.Vars["GOFLAGS"])["trimpath"] != "" {
		return // here too, or everything misses already
	}
	if there, here, differs := c.variable("GOMODCACHE"); differs {
		c.because(Reason{"GOMODCACHE", there, here, again + "modules, and what imports them, are compiled again"}, Hits, Misses, Partly)
	}
	for _, project := range c.here.Projects {
		if slices.Contains(c.there.Projects, project) {
			continue
		}
		means := Reason{"project", fewOf(c.there.Projects), project, again + "the project's own packages are compiled again"}
		if len(c.there.Projects) == 0 {
			means.Means = again + "nobody can say whether this one was built"
			c.because(means, Hits, Hits, Unknown)
			continue
		}
		c.because(means, Hits, Hits, Misses)
	}
}

// fewOf names the first of a list and counts the others.
func fewOf(list []string) string {
	const most = 3
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
