package env

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"gpx/envctl/folder"
)

// A SettingError is a value that the go command refuses, in its own words.
type SettingError struct {
	Name string // the variable
	Text string
}

func (e *SettingError) Error() string { return e.Text }

func refuse(name, format string, args ...any) error {
	return &SettingError{name, fmt.Sprintf(format, args...)}
}

// Refusal is why the go command gets no module under these settings, whatever is
// asked of it and whoever would answer, a [*SettingError]; nil where it goes ahead.
// "go env" itself does not mind most of them (cmd/go/main.go, modload.FindGoWork,
// base.InitGOFLAGS, modload.Init). Values that only builds mind are those of
// [Env.BuildRefusal]; what the files say that settings name is not looked at.
func (e *Env) Refusal() error {
	if e.refused != nil {
		return e.refused
	}
	for _, p := range filepath.SplitList(e.Get("GOPATH")) {
		switch {
		case p == "" || filepath.IsAbs(p):
		case strings.HasPrefix(p, "~"):
			return refuse("GOPATH", "GOPATH entry cannot start with shell metacharacter '~': %q", p)
		default:
			return refuse("GOPATH", "GOPATH entry is relative; must be absolute path: %q", p)
		}
	}
	switch work, _ := e.Lookup("GOWORK"); work.Origin {
	case OS, User, GOROOT: // else it was found by a search
		if w := work.Value; w != "" && w != "off" && w != "auto" && !filepath.IsAbs(w) {
			return refuse("GOWORK", "invalid GOWORK: not an absolute path")
		}
	}
	if err := e.refusedFlag(); err != nil {
		return err
	}
	switch mode := e.Get("GO111MODULE"); mode {
	case "", "on", "auto":
	case "off":
		return refuse("GO111MODULE", "modules disabled by GO111MODULE=off; see 'go help modules'")
	default:
		return refuse("GO111MODULE", "unknown environment setting GO111MODULE=%s", mode)
	}
	return e.refusedModFile()
}

// fatal matches what go env says of a setting that no go command survives
// (cmd/go/main.go, buildcfg.Check, fips140.Init). Others end go env alone, such as a
// flag in GOFLAGS that means something else to it.
var fatal = regexp.MustCompile(`^(?:(?:unknown|invalid|malformed) (GO[A-Z0-9]+)|cannot (?:find|use) (GOROOT|GOFIPS140))\b`)

// fatalSetting is the [*SettingError] in a line of go env, nil where it is of
// something else.
func fatalSetting(line string) error {
	text := strings.TrimPrefix(line, "go: ")
	m := fatal.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	return &SettingError{m[1] + m[2], text}
}

// CacheRefusal is why the go command can keep no module in GOMODCACHE, a
// [*SettingError]; nil where nothing is wrong with the value, and a directory lies
// there or can be made. Unlike what [Env.Refusal] tells, it shows only when a module
// is wanted from there or to be put there: a build from a vendor directory goes on
// (cmd/go/internal/modfetch, checkCacheDir).
func (e *Env) CacheRefusal() error {
	v, known := e.Lookup("GOMODCACHE")
	dir := v.Value
	switch {
	case dir == "" && known:
		return refuse("GOMODCACHE", "module cache not found: neither GOMODCACHE nor GOPATH is set")
	case dir == "":
		return nil
	case !filepath.IsAbs(dir):
		return refuse("GOMODCACHE", "GOMODCACHE entry is relative; must be absolute path: %q", dir)
	}
	switch fi, err := os.Stat(dir); {
	case err == nil && !fi.IsDir():
		return refuse("GOMODCACHE", "could not create module cache: %q is not a directory", dir)
	case err != nil:
		if errors.Is(err, fs.ErrNotExist) { // what is not there is made
			err = folder.Make(dir)
		}
		if err != nil {
			return refuse("GOMODCACHE", "could not create module cache: %v", err)
		}
	}
	return nil
}

// KeepRefusal is why the go command can put no module into the GOMODCACHE that is
// there, a [*SettingError]; nil where it can, and where [Env.CacheRefusal] says more.
// What is there is used all the same. The words of the go command name the folder of
// one module.
func (e *Env) KeepRefusal() error {
	dir := e.Get("GOMODCACHE")
	if dir == "" || e.CacheRefusal() != nil {
		return nil
	}
	for _, d := range []string{filepath.Join(dir, "cache", "download"), dir} { // files as they come, and trees
		if err := folder.Keep(d); err != nil {
			return refuse("GOMODCACHE", "module cache cannot be written: %v", err)
		}
	}
	return nil
}

// refusedModFile is what the go command says of -modfile in GOFLAGS where there is no
// one go.mod to take the place of (modload.Init). That there is none, only a go
// command knows.
func (e *Env) refusedModFile() error {
	file := e.Flag("modfile")
	mod, known := e.Lookup("GOMOD")
	switch {
	case file == "":
		return nil
	case e.inWorkspace():
		return refuse("GOFLAGS", "-modfile cannot be used in workspace mode")
	case known && (mod.Value == "" || mod.Value == os.DevNull): // outside of a module, without and with module mode
		return refuse("GOFLAGS", "cannot find main module, but -modfile was set")
	case !strings.HasSuffix(file, ".mod"):
		return refuse("GOFLAGS", "-modfile=%s: file does not have .mod extension", file)
	}
	return nil
}

// refusedFlag is what every go command says of GOFLAGS before it does anything.
func (e *Env) refusedFlag() error {
	words := SplitFlags(e.Get("GOFLAGS"))
	if n := len(words); n > 0 {
		if last := words[n-1]; strings.ContainsAny(last[:1], `'"`) && (len(last) == 1 || last[len(last)-1] != last[0]) {
			return refuse("GOFLAGS", "parsing $GOFLAGS: unterminated %c string", last[0])
		}
	}
	for i, w := range words {
		words[i] = unquote(w)
		if !isFlag(words[i]) {
			return refuse("GOFLAGS", "parsing $GOFLAGS: non-flag %q", words[i])
		}
		if name, _, _ := cutFlag(words[i]); !hasFlag(name) && isRead(e.GoVersion) {
			return refuse("GOFLAGS", "parsing $GOFLAGS: unknown flag -%s", name)
		}
	}
	for _, w := range words {
		if err := refusedValue(w); err != nil {
			return err
		}
	}
	return nil
}

// refusedValue is what a go command says of the value of a flag in GOFLAGS, of the
// flags that all of those have which want a module (base.SetFromGOFLAGS;
// AddChdirFlag, AddModCommonFlags).
func refusedValue(flag string) error {
	name, value, has := cutFlag(flag)
	switch name {
	case "C", "modfile", "overlay":
		switch {
		case !has:
			return needsArgument(name)
		case name == "C":
			return refuse("GOFLAGS", "invalid value %q for flag -C (from %s): -C flag must be first flag on command line", value, goflags())
		}
	case "modcacherw":
		return refusedBool(name, value, has)
	}
	return nil
}

// goflags is what the go command calls GOFLAGS.
func goflags() string {
	if runtime.GOOS == "windows" {
		return "%GOFLAGS%"
	}
	return "$GOFLAGS"
}

func needsArgument(name string) error {
	return refuse("GOFLAGS", "flag needs an argument: -%s (from %s)", name, goflags())
}

func refusedBool(name, value string, has bool) error {
	if _, err := strconv.ParseBool(value); has && err != nil {
		return refuse("GOFLAGS", "invalid boolean value %q for flag -%s (from %s): parse error", value, name, goflags())
	}
	return nil
}

// hasFlag reports that some command of the go command has a flag. Those of go test
// have a twin each for the test program.
func hasFlag(name string) bool {
	_, known := slices.BinarySearch(flags, name)
	return known || strings.HasPrefix(name, "test.")
}

// isFlag reports that a word looks like -x, --x, -x=value or --x=value.
func isFlag(word string) bool {
	name, ok := strings.CutPrefix(word, "-")
	name = strings.TrimPrefix(name, "-")
	return ok && name != "" && name[0] != '-' && name[0] != '='
}

// flags are the flags that some command of the go command has, sorted: GOFLAGS may
// hold them whatever the command is (cmd/go/internal/base, hasFlag). They are those
// of go1.26 and what go1.21 and later had before; a flag that is newer than the
// toolchain passes for a known one.
var flags = strings.Fields(`C a artifacts asan asmflags bench benchmem benchtime blockprofile blockprofilerate buildmode buildvcs
	c cache changed compat compiled compiler count cover covermode coverpkg coverprofile cpu cpuprofile d deps diff dropexclude
	dropgodebug dropignore dropreplace droprequire dropretract droptool dropuse e exclude exec export f failfast find fix fixtool fmt fullpath
	fuzz fuzzcache fuzzminimizetime fuzztime gccgoflags gcflags go godebug i ignore insecure installsuffix json ldflags linkshared list
	m memprofile memprofilerate mod modcache modcacherw modfile module msan mutexprofile mutexprofilefraction n o outputdir overlay
	p parallel pgo pkgdir print r race replace require retract retracted reuse run short shuffle skip t tags test testcache
	timeout tool toolchain toolexec trace trimpath u use v vendor versions vet vettool w work x`)
