package env

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"gpx/envctl/bounded"
	"gpx/envctl/redact"
)

// userFile is where the go command of this environment keeps what go env -w
// writes (cmd/go/internal/cfg, EnvFile): GOENV, which only the OS environment
// can set, or go/env in the user's configuration directory.
func (e *Env) userFile() (file string, off bool, err error) {
	switch goenv := e.OSEnv("GOENV"); goenv {
	case "off":
		return "", true, nil
	case "":
	default:
		if !filepath.IsAbs(goenv) {
			goenv = filepath.Join(e.Dir, goenv)
		}
		return goenv, false, nil
	}
	dir, err := e.configDir()
	if err != nil {
		return "", false, err
	}
	return filepath.Join(dir, "go", "env"), false, nil
}

// configDir is os.UserConfigDir for e's environment.
func (e *Env) configDir() (string, error) {
	switch runtime.GOOS {
	case "windows":
		return e.under("AppData", "")
	case "darwin", "ios":
		return e.under("HOME", "Library/Application Support")
	}
	return e.xdg("XDG_CONFIG_HOME", ".config")
}

// cacheDir is os.UserCacheDir for e's environment.
func (e *Env) cacheDir() (string, error) {
	switch runtime.GOOS {
	case "windows":
		return e.under("LocalAppData", "")
	case "darwin", "ios":
		return e.under("HOME", "Library/Caches")
	}
	return e.xdg("XDG_CACHE_HOME", ".cache")
}

func (e *Env) under(name, rest string) (string, error) {
	if dir := e.OSEnv(name); dir != "" {
		return filepath.Join(dir, rest), nil
	}
	return "", errors.New("$" + name + " is not defined")
}

func (e *Env) xdg(name, rest string) (string, error) {
	dir := e.OSEnv(name)
	switch {
	case dir == "" && e.OSEnv("HOME") == "":
		return "", errors.New("neither $" + name + " nor $HOME are defined")
	case dir == "":
		return filepath.Join(e.OSEnv("HOME"), rest), nil
	case !filepath.IsAbs(dir):
		return "", errors.New("path in $" + name + " is relative")
	}
	return dir, nil
}

// maxEnvFile bounds what is read of a user file or a GOROOT/go.env, in bytes:
// they have a few hundred.
const maxEnvFile = 4 << 20

// readUserFile fills in UserFile, UserFileOff and UserFileValues. The go
// command reads over everything odd in silence; here it is said.
func (e *Env) readUserFile() {
	file, off, err := e.userFile()
	switch {
	case off:
		e.UserFileOff = true
		e.problem("GOENV=off: the user file is not read, and go env -w fails")
		return
	case err != nil:
		e.problem("no user file, go env -w fails: %v", err)
		return
	}
	e.UserFile = file
	data, err := bounded.ReadFile(file, maxEnvFile)
	if err != nil {
		switch {
		case errors.Is(err, bounded.ErrIrregular), errors.Is(err, bounded.ErrTooLarge):
			e.endless = true
			e.problem("user file: %v: the go command reads it to its end, and hangs where there is none; gpx reads on without it", err)
		case !errors.Is(err, fs.ErrNotExist):
			e.problem("the go command does not read the user file and does not say so: %v", err)
		}
		return
	}
	var odd []string
	e.UserFileValues, odd = ParseFile(data)
	for _, o := range odd {
		e.problem("user file %s: %s", file, o)
	}
}

// ParseGOROOT reads the text of GOROOT/go.env. The go command reads it like the
// user file but never overwrites what it has, so that here the earlier of two
// lines counts; GOROOT in it does not count at all.
func ParseGOROOT(data []byte) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		one, _ := ParseFile([]byte(strings.TrimSuffix(line, "\n")))
		for name, value := range one {
			if _, ok := values[name]; !ok && name != "GOROOT" {
				values[name] = value
			}
		}
	}
	return values
}

// ParseFile reads the text of a user file as the go command does
// (cmd/go/internal/cfg, readEnvFile): of lines NAME=value whose name begins with
// a capital letter; everything else is read over. The later of two lines counts.
// Nothing is trimmed: a carriage return belongs to the value.
//
// The second result names the lines that cannot mean what they seem to.
func ParseFile(data []byte) (values map[string]string, odd []string) {
	values = map[string]string{}
	lineOf := map[string]int{}
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		n := i + 1
		eq := strings.IndexByte(line, '=')
		if eq < 0 || line[0] < 'A' || 'Z' < line[0] {
			if t := strings.TrimSpace(line); t != "" && t[0] != '#' {
				odd = append(odd, lineNote(n, "is ignored: not NAME=value"))
			}
			continue
		}
		name, value := line[:eq], line[eq+1:]
		if before, ok := lineOf[name]; ok {
			odd = append(odd, lineNote(before, name+" has no effect, a later line sets it again"))
		}
		lineOf[name], values[name] = n, value
		if strings.HasSuffix(value, "\r") {
			odd = append(odd, lineNote(n, name+" ends in a carriage return, which the go command takes for a part of the value; save the file with LF line ends"))
		}
	}
	return values, odd
}

func lineNote(n int, what string) string { return fmt.Sprintf("line %d: %s", n, what) }

// standardGOROOT is what Go itself ships in GOROOT/go.env. GOPROXY is kept as
// the SHA-256 of its value: which proxy that is, is nobody's constant but the
// toolchain's.
var standardGOROOT = map[string]string{
	"GOPROXY":     "sha256:6b92323c3a3f154c0a30cc602002b87ff41486d6cba571162e1bae16d7761997",
	"GOSUMDB":     "sum.golang.org",
	"GOTOOLCHAIN": "auto",
}

// readGOROOT finds GOROOT and reads its go.env. The file is looked for where
// the go command does (cmd/go/internal/cfg, initEnvCache): there the user
// file's GOROOT comes before the OS environment's, the other way round than
// for every value.
func (e *Env) readGOROOT(said map[string]string) map[string]string {
	e.GOROOT = said["GOROOT"]
	root := e.UserFileValues["GOROOT"]
	if root == "" {
		root = e.OSEnv("GOROOT")
	}
	if root != "" {
		root = filepath.Clean(root)
	} else if root = e.GOROOT; root == "" {
		root = e.detectGOROOT()
	}
	if e.GOROOT == "" {
		e.GOROOT = root
	}
	if root == "" {
		e.problem("GOROOT is unknown: the defaults in its go.env cannot be read")
		return nil
	}
	file := filepath.Join(root, "go.env")
	data, err := bounded.ReadFile(file, maxEnvFile)
	if err != nil {
		e.problem("%v: GOPROXY, GOSUMDB and GOTOOLCHAIN have no default", err)
		return nil
	}
	values := ParseGOROOT(data)
	for _, name := range slices.Sorted(maps.Keys(standardGOROOT)) {
		if value, ok := values[name]; !ok || value == "" {
			e.problem("%s was changed by whoever packaged Go: it has no %s", file, name)
		} else if want := standardGOROOT[name]; value != want && digest(value) != want {
			e.problem("%s was changed by whoever packaged Go: %s=%s", file, name, redact.Value(name, value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, ok := standardGOROOT[name]; !ok {
			e.problem("%s was changed by whoever packaged Go: %s=%s", file, name, redact.Value(name, values[name]))
		}
	}
	return values
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// detectGOROOT finds GOROOT from the place of the go command, or where Go's own
// installers put it.
func (e *Env) detectGOROOT() string {
	var roots []string
	if e.Go != "" {
		roots = append(roots, filepath.Dir(filepath.Dir(e.Go)))
		if exe, err := filepath.EvalSymlinks(e.Go); err == nil {
			roots = append(roots, filepath.Dir(filepath.Dir(exe)))
		}
	}
	if runtime.GOOS == "windows" {
		roots = append(roots, `C:\Program Files\Go`)
	} else {
		roots = append(roots, "/usr/local/go", "/usr/lib/go")
	}
	for _, r := range roots {
		if fi, err := os.Stat(filepath.Join(r, "pkg", "tool")); err == nil && fi.IsDir() {
			return r
		}
	}
	return ""
}
