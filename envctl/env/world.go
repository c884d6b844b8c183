package env

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/version"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"gpx/envctl/bounded"
	"gpx/envctl/redact"
)

// environs are the variables of the OS environment that a go command looks at
// before it answers go env for the names of asked, beside these and what is in
// repeated: to find itself and its files, to run at all, or in cmd/go/internal/
// toolchain, telemetry and the run time.
var environs = []string{
	"HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
	"GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH",
	"GOTOOLCHAIN_INTERNAL_SWITCH_COUNT", "GOTOOLCHAIN_INTERNAL_SWITCH_VERSION", "GO_TELEMETRY_CHILD", "GO_TELEMETRY_CHILD_UPLOAD",
}

// isRead reports whether the sources of a go command were read for what is here.
// What another one looks at, nobody knows.
func isRead(goVersion string) bool {
	return version.Compare("go1.21", goVersion) <= 0 && version.Compare(goVersion, "go1.27") < 0
}

// world names all that the answer of go env depends on, but for what programs are
// on PATH: two worlds of one name have one answer. No password goes into the
// name. It is false where the answer depends on something else: then it is not
// to be remembered.
//
//	the go command        its file, where it lies, what its GOROOT has
//	settings              OS environment, user file, GOROOT/go.env
//	telemetry             the file that go telemetry writes
//	the directory         go.mod, go.work and vendor in it and above it
func (e *Env) world() (name string, ok bool) {
	file, err := filepath.EvalSymlinks(e.Go)
	if err != nil {
		return "", false
	}
	program := stampOf(file)
	root, goroot, err := e.rootOf(file)
	if program == "" || err != nil || !filepath.IsAbs(root) {
		return "", false
	}
	l := layers{os: e.OSEnv, user: e.UserFileValues, goroot: goroot}
	if !l.plain() {
		return "", false
	}
	h := sha256.New()
	put := func(what ...any) { fmt.Fprintf(h, "%q\n", what) }
	put("gpx world 1", e.Go, file, program, root)
	for _, above := range []string{filepath.Dir(e.Go), filepath.Dir(filepath.Dir(e.Go)), filepath.Dir(file), filepath.Dir(filepath.Dir(file))} {
		put(isDir(filepath.Join(filepath.Dir(above), "pkg", "tool")))
	}
	l.put(h)
	for _, n := range environs {
		put(n, e.OSEnv(n))
	}
	mode := ""
	if dir, err := e.configDir(); err == nil {
		data, err := bounded.ReadFile(filepath.Join(dir, "go", "telemetry", "mode"), maxEnvFile)
		mode = fmt.Sprintf("%q %v", data, err == nil)
	}
	put(mode)
	e.putFiles(put)
	return hex.EncodeToString(h.Sum(nil)), true
}

// rootOf is the GOROOT that a go command finds (cmd/go/internal/cfg, findGOROOT)
// when the directory above its own is one, and what is in its go.env.
func (e *Env) rootOf(file string) (root string, values map[string]string, err error) {
	root = e.UserFileValues["GOROOT"]
	if root == "" {
		root = e.OSEnv("GOROOT")
	}
	if root == "" {
		root = filepath.Dir(filepath.Dir(file))
	}
	root = filepath.Clean(root)
	data, err := bounded.ReadFile(filepath.Join(root, "go.env"), maxEnvFile)
	return root, ParseGOROOT(data), err
}

// plain reports whether no setting makes the answer depend on more than world
// knows.
func (l layers) plain() bool {
	goflags, _ := l.get("GOFLAGS")
	if redact.Value("GOFLAGS", goflags) != goflags {
		return false // a part of it is not in the name
	}
	for _, f := range SplitFlags(goflags) {
		name, _, _ := strings.Cut(strings.TrimLeft(unquote(f), "-"), "=")
		if name == "C" || name == "modfile" || name == "overlay" {
			return false
		}
	}
	switch fips, _ := l.get("GOFIPS140"); fips { // any other one is looked for in GOROOT
	case "", "off", "latest":
	default:
		return false
	}
	for _, dir := range filepath.SplitList(l.os("PATH")) {
		if !filepath.IsAbs(dir) {
			return false
		}
	}
	return l.os("TEST_TELEMETRY_DIR") == "" // telemetry's file is in there
}

// put writes down what is set where, but for what the answer only repeats.
func (l layers) put(w io.Writer) {
	one := func(where, name, value string) {
		switch {
		case name == "GOFLAGS": // a wrong flag in it is an error
			value = redact.Value(name, value)
		case slices.Contains(repeated, name):
			return
		}
		fmt.Fprintf(w, "%s %q=%q\n", where, name, value)
	}
	for _, names := range [][]string{asked, silent, slices.Sorted(maps.Keys(cgoDefaults))} {
		for _, n := range names {
			one("os", n, l.os(n))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(l.user)) {
		one("user", n, l.user[n])
	}
	for _, n := range slices.Sorted(maps.Keys(l.goroot)) {
		one("goroot", n, l.goroot[n])
	}
}

// putFiles writes down which files are around the directory (cmd/go/internal/
// modload, findModuleRoot and findWorkspaceFile), and whether that is the
// directory for temporary files, whose go.mod does not count.
func (e *Env) putFiles(put func(...any)) {
	tmp := e.OSEnv("TMPDIR")
	if tmp == "" {
		tmp = "/tmp"
	}
	real, _ := filepath.EvalSymlinks(tmp)
	put(e.Dir, real)
	for dir := filepath.Clean(e.Dir); ; dir = filepath.Dir(dir) {
		mod, work := isFile(filepath.Join(dir, "go.mod")), isFile(filepath.Join(dir, "go.work"))
		put(mod, work)
		if mod || work {
			real, _ := filepath.EvalSymlinks(dir)
			put(real, stampOf(filepath.Join(dir, "vendor")), stampOf(filepath.Join(dir, "vendor", "modules.txt")))
		}
		if dir == filepath.Dir(dir) {
			return
		}
	}
}

// isFile is what the go command takes for a file: anything but a directory.
func isFile(name string) bool {
	fi, err := os.Stat(name)
	return err == nil && !fi.IsDir()
}

func isDir(name string) bool {
	fi, err := os.Stat(name)
	return err == nil && fi.IsDir()
}

// programs are the names that the go command looked for on PATH, with what is
// there: the default C compiler, without which cgo is off, and gccgo (cmd/go/
// internal/cfg, defaultContext; cmd/go/internal/work, gccgo.go).
func (e *Env) programs(l layers, said map[string]string) (map[string]string, bool) {
	found := map[string]string{}
	cc, from := l.get("CC")
	switch {
	case cc == "":
		found[said["CC"]] = ""
	case from != OS:
		return nil, false // it looks for the default one, and does not say which
	}
	gccgo, _ := l.get("GCCGO")
	if gccgo == "" {
		gccgo = "gccgo"
	}
	found[gccgo] = ""
	for name := range found {
		if name == "" || strings.ContainsAny(name, `/\`) {
			return nil, false
		}
		found[name] = onPath(e.OSEnv("PATH"), name)
	}
	// It looked a moment ago: somebody may be installing a compiler.
	if said["GCCGO"] != cmp.Or(found[gccgo], gccgo) {
		return nil, false
	}
	native := said["GOOS"] == said["GOHOSTOS"] && said["GOARCH"] == said["GOHOSTARCH"]
	if cgo, _ := l.get("CGO_ENABLED"); cc == "" && native && cgo != "0" && cgo != "1" && (said["CGO_ENABLED"] == "1") != (found[said["CC"]] != "") {
		return nil, false
	}
	return found, true
}

// onPath finds a program as the go command does (os/exec, LookPath); "" where there
// is none, or only in a relative entry.
func onPath(path, name string) string {
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return file
		}
	}
	return ""
}
