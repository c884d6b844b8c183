package env

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// layers are the places where values stand, highest precedence first.
type layers struct {
	os     func(name string) string
	user   map[string]string
	goroot map[string]string
}

// get is what the go command's own configuration lookup gives (cmd/go/internal/
// cfg, Getenv), with its origin. An OS variable that is set to nothing counts
// as unset; a line "NAME=" of the user file hides the line of go.env, though it
// gives no value. "" as origin: nothing says anything.
func (l layers) get(name string) (value string, origin Origin) {
	if v := l.os(name); v != "" {
		return v, OS
	}
	if v, ok := l.user[name]; ok {
		return v, User
	}
	if v, ok := l.goroot[name]; ok {
		return v, GOROOT
	}
	return "", ""
}

// resolve is the variable as the go command resolves it, with def below all
// layers.
func (l layers) resolve(name string, def Setting) Var {
	v := Var{Name: name, Shadowed: []Setting{}}
	value, origin := l.get(name)
	switch {
	case value != "":
		v.Value, v.Origin = value, origin
	case def.Value != "":
		v.Value, v.Origin = def.Value, def.Origin
	case origin == User && l.goroot[name] != "":
		v.Origin = User
	default:
		v.Origin = Default
	}
	for _, s := range []Setting{{User, l.user[name]}, {GOROOT, l.goroot[name]}, def} {
		if s.Value != "" && s.Origin != v.Origin && (rank(s.Origin) > rank(v.Origin) || v.Origin == Default || v.Origin == Derived) {
			v.Shadowed = append(v.Shadowed, s)
		}
	}
	return v
}

// rank orders the origins, 0 for the one that wins.
func rank(o Origin) int {
	switch o {
	case OS:
		return 0
	case User:
		return 1
	case GOROOT:
		return 2
	}
	return 3
}

// only is a variable that the given layers cannot set.
func only(name, value string, origin Origin) Var {
	return Var{Name: name, Value: value, Origin: origin, Shadowed: []Setting{}}
}

// cgoDefaults are the variables that go env derives by running the C compiler;
// gpx only names them.
var cgoDefaults = map[string]string{
	"CGO_CFLAGS": "-O2 -g", "CGO_CPPFLAGS": "", "CGO_CXXFLAGS": "-O2 -g", "CGO_FFLAGS": "-O2 -g", "CGO_LDFLAGS": "-O2 -g", "PKG_CONFIG": "pkg-config",
}

// silent are variables that the go command reads and go env does not list.
var silent = []string{
	"CGO_CFLAGS_ALLOW", "CGO_CFLAGS_DISALLOW", "CGO_CPPFLAGS_ALLOW", "CGO_CPPFLAGS_DISALLOW", "CGO_CXXFLAGS_ALLOW", "CGO_CXXFLAGS_DISALLOW",
	"CGO_FFLAGS_ALLOW", "CGO_FFLAGS_DISALLOW", "CGO_LDFLAGS_ALLOW", "CGO_LDFLAGS_DISALLOW", "FC", "GO_EXTLINK_ENABLED",
}

// archVars are listed only on the architecture that they are for.
var archVars = map[string]string{
	"GO386": "386", "GOAMD64": "amd64", "GOARM": "arm", "GOARM64": "arm64", "GOMIPS": "mips", "GOMIPS64": "mips64", "GOPPC64": "ppc64", "GORISCV64": "riscv64", "GOWASM": "wasm",
}

// vars lists every variable. said holds the go command's own values; nil when
// there is none.
func (l layers) vars(said map[string]string, e *Env) []Var {
	names := map[string]bool{}
	for _, n := range asked {
		names[n] = true
	}
	for n := range cgoDefaults {
		names[n] = true
	}
	for _, n := range silent {
		if v, _ := l.get(n); v != "" {
			names[n] = true
		}
	}
	// A name that stands in a file is one that go env answers for.
	for _, file := range []map[string]string{l.user, l.goroot} {
		for n := range file {
			if validName.MatchString(n) {
				names[n] = true
			}
		}
	}
	defaults := e.defaults(l, said)
	vars := make([]Var, 0, len(names))
	for n := range names {
		v := l.one(n, said, defaults)
		if v.Value == "" && said[n] == "" {
			if _, ok := archVars[n]; ok || said == nil && unknowable[n] {
				continue
			}
		}
		vars = append(vars, v)
	}
	slices.SortFunc(vars, func(a, b Var) int { return strings.Compare(a.Name, b.Name) })
	return vars
}

// validName is a name that can be shown and asked for.
var validName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_]*$`)

// unknowable are variables about which only a go command knows something.
var unknowable = map[string]bool{
	"GOHOSTARCH": true, "GOHOSTOS": true, "GOTOOLDIR": true, "GOMOD": true, "GOTELEMETRY": true, "GOTELEMETRYDIR": true, "GOEXE": true,
	"CC": true, "CXX": true, "CGO_ENABLED": true, "GCCGO": true, "GOFIPS140": true, "GOVERSION": true,
}

// one resolves one variable.
func (l layers) one(name string, said, defaults map[string]string) Var {
	value, known := said[name]
	switch name {
	case "GOHOSTARCH", "GOHOSTOS", "GOTOOLDIR", "GOVERSION", "GOTELEMETRY", "GOTELEMETRYDIR":
		if !known {
			value = defaults[name]
		}
		return only(name, value, Default)
	case "GOEXE", "GOMOD":
		return only(name, value, Derived)
	case "GODEBUG", "GOENV":
		// The OS environment alone sets these.
		l.user, l.goroot = nil, nil
	case "GOROOT":
		l.goroot = nil
	case "CGO_ENABLED":
		// Any other text is as good as none.
		if v, _ := l.get(name); v != "0" && v != "1" {
			return only(name, value, Default)
		}
	}
	def := Setting{Default, defaults[name]}
	switch name {
	case "GONOPROXY", "GONOSUMDB":
		v, _ := l.get("GOPRIVATE")
		def = Setting{Derived, v}
	case "GOMODCACHE":
		if v, _ := l.get("GOPATH"); v != "" {
			def.Origin = Derived
		}
	case "GOWORK":
		def.Origin = Derived
	}
	if def.Value == "" && known {
		if v, _ := l.get(name); v == "" {
			def.Value = value
		}
	}
	v := l.resolve(name, def)
	if known {
		v.Value = value
	}
	return v
}

// defaults are the built-in values that can be computed, in order to say what
// a setting hides and to do without a go command.
func (e *Env) defaults(l layers, said map[string]string) map[string]string {
	d := map[string]string{"GOAUTH": "netrc", "AR": "ar", "GOROOT": "", "GOVERSION": ""}
	for n, v := range cgoDefaults {
		d[n] = v
	}
	d["GOHOSTOS"], d["GOHOSTARCH"] = runtime.GOOS, runtime.GOARCH
	if said != nil {
		d["GOHOSTOS"], d["GOHOSTARCH"] = said["GOHOSTOS"], said["GOHOSTARCH"]
	}
	d["GOOS"], d["GOARCH"] = d["GOHOSTOS"], d["GOHOSTARCH"]
	home := "HOME"
	if runtime.GOOS == "windows" {
		home = "USERPROFILE"
	}
	if h := e.OSEnv(home); h != "" {
		// A Go that is installed in ~/go leaves no default GOPATH.
		if p := filepath.Join(h, "go"); p != filepath.Clean(e.GOROOT) {
			d["GOPATH"] = p
		}
	}
	gopath, _ := l.get("GOPATH")
	if gopath == "" {
		gopath = d["GOPATH"]
	}
	if list := filepath.SplitList(gopath); len(list) > 0 && list[0] != "" {
		d["GOMODCACHE"] = filepath.Join(list[0], "pkg", "mod")
	}
	d["GOCACHE"] = "off"
	if dir, err := e.cacheDir(); err == nil {
		d["GOCACHE"] = filepath.Join(dir, "go-build")
	}
	if dir, err := e.configDir(); err == nil {
		d["GOENV"] = filepath.Join(dir, "go", "env")
	}
	if said == nil && e.GOROOT != "" {
		d["GOROOT"] = e.GOROOT
		if data, err := os.ReadFile(filepath.Join(e.GOROOT, "VERSION")); err == nil {
			d["GOVERSION"] = firstLine(data)
		}
	}
	return d
}

// checkNames notes lines of the user file that no go command reads.
func (e *Env) checkNames() {
	known := map[string]bool{}
	for _, n := range append(append([]string{"GOGCCFLAGS"}, asked...), silent...) {
		known[n] = true
	}
	for n := range cgoDefaults {
		known[n] = true
	}
	for _, n := range slices.Sorted(maps.Keys(e.UserFileValues)) {
		switch {
		case n == "GOENV" || n == "GODEBUG":
			e.problem("user file %s: %s counts in the OS environment only", e.UserFile, n)
		case strings.HasPrefix(n, "GOTELEMETRY") || n == "GOMOD" || n == "GOEXE" || n == "GOGCCFLAGS" || n == "GOHOSTARCH" || n == "GOHOSTOS" || n == "GOTOOLDIR" || n == "GOVERSION":
			e.problem("user file %s: %s cannot be set", e.UserFile, n)
		case !known[n]:
			e.problem("user file %s: unknown variable %s", e.UserFile, n)
		}
	}
}
