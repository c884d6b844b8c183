package env

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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
// base.InitGOFLAGS, modload.Init). Values that only some commands mind are not
// looked at, nor is what the files say that settings name.
func (e *Env) Refusal() error {
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
	return e.refused
}

// fatalSetting is what go env says of a setting that no go command survives. Others
// end go env alone, such as a flag in GOFLAGS that means something else to it.
func fatalSetting(line string) error {
	text := strings.TrimPrefix(line, "go: ")
	for _, name := range []string{"GOEXPERIMENT", "GOFIPS140", "GOARM64"} {
		if strings.HasPrefix(text, "unknown "+name) || strings.HasPrefix(text, "invalid "+name) {
			return &SettingError{name, text}
		}
	}
	return nil
}

// CacheRefusal is why the go command can keep no module in GOMODCACHE, a
// [*SettingError]; nil where nothing is wrong with the value, and no file lies there. Unlike what [Env.Refusal]
// tells, it shows only when a module is wanted from there or to be put there: a
// build from a vendor directory goes on (cmd/go/internal/modfetch, checkCacheDir).
func (e *Env) CacheRefusal() error {
	v, known := e.Lookup("GOMODCACHE")
	switch dir := v.Value; {
	case dir == "" && known:
		return refuse("GOMODCACHE", "module cache not found: neither GOMODCACHE nor GOPATH is set")
	case dir != "" && !filepath.IsAbs(dir):
		return refuse("GOMODCACHE", "GOMODCACHE entry is relative; must be absolute path: %q", dir)
	case dir != "" && isFile(dir):
		return refuse("GOMODCACHE", "could not create module cache: %q is not a directory", dir)
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
	for _, w := range words {
		w = unquote(w)
		if !isFlag(w) {
			return refuse("GOFLAGS", "parsing $GOFLAGS: non-flag %q", w)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(w[1:], "-"), "=")
		if !hasFlag(name) && isRead(e.GoVersion) {
			return refuse("GOFLAGS", "parsing $GOFLAGS: unknown flag -%s", name)
		}
	}
	if dir := e.Flag("C"); dir != "" {
		return refuse("GOFLAGS", "invalid value %q for flag -C (from $GOFLAGS): -C flag must be first flag on command line", dir)
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
