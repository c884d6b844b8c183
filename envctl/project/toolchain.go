package project

import (
	"fmt"
	"go/version"
	"path/filepath"
	"strings"

	"gpx/envctl/env"
)

// A Toolchain is the one that the go command would go on as.
type Toolchain struct {
	Name     string // such as "go1.27.0"; "" is the installed one
	Download bool   // it is downloaded where this machine lacks it
	Err      error  // of this every go command here fails: the go command's words
}

// Refusal is why no go command in the environment e gets past the choice, in its own
// words: t.Err, or that a toolchain which may not be downloaded is not on PATH. It is
// nil where it does, though there may be something to download first.
func (t Toolchain) Refusal(e *env.Env) error {
	if t.Name != "" && !t.Download && !e.OnPath(t.Name) {
		return fmt.Errorf("cannot find %q in PATH", t.Name)
	}
	return t.Err
}

// ChooseToolchain is the go command's choice in the environment e and the
// project p, which may be nil (cmd/go/internal/toolchain, Select).
func ChooseToolchain(e *env.Env, p *Project) Toolchain {
	setting := e.Get("GOTOOLCHAIN")
	// Before go1.25, the development branch put a word in front (cmd/go/internal/gover, local).
	installed := strings.TrimPrefix(e.GoVersion, "devel ")
	if installed == "" || !chooses(e.Get("GO111MODULE"), p) {
		return Toolchain{}
	}
	running, mode, err := parseToolchain(setting, installed)
	if err != nil {
		return Toolchain{Err: err}
	}
	t := Toolchain{Download: mode != "path"}
	wanted, err := p.wanted(running, mode)
	if err != nil {
		return Toolchain{Err: err}
	}
	if wanted != installed {
		if !strings.HasPrefix(wanted, "go1") && !strings.Contains(wanted, "-go1") {
			return Toolchain{Err: fmt.Errorf("invalid GOTOOLCHAIN %q", wanted)}
		}
		t.Name, running = wanted, wanted
	}
	t.Err = p.tooNew(running, setting, mode)
	return t
}

// chooses reports whether the go command looks at GOTOOLCHAIN at all: it does not
// outside of module mode (modload, WillBeEnabled).
func chooses(mode string, p *Project) bool {
	switch mode {
	case "", "on":
		return true
	case "auto":
		return p != nil
	default:
		return false
	}
}

// parseToolchain reads GOTOOLCHAIN: the least toolchain that runs, and whether
// a project may ask for a newer one: "auto" and "path" say where it is then
// looked for.
func parseToolchain(setting, installed string) (least, mode string, err error) {
	if setting == "auto" || setting == "path" {
		return installed, setting, nil
	}
	least, mode, plus := strings.Cut(setting, "+")
	switch {
	case least == "local", setting == "": // "" is that of a go.env without one
		least = installed
	case release(least) == "" && plus:
		return "", "", fmt.Errorf("invalid GOTOOLCHAIN %q: invalid minimum toolchain %q", setting, least)
	case release(least) == "":
		return "", "", fmt.Errorf("invalid GOTOOLCHAIN %q", setting)
	}
	if plus && mode != "auto" && mode != "path" {
		return "", "", fmt.Errorf("invalid GOTOOLCHAIN %q: only version suffixes are +auto and +path", setting)
	}
	return least, mode, nil
}

// release is the Go release that a toolchain's name tells, without what its
// maker put behind it; "" when it tells none (cmd/go/internal/gover,
// FromToolchain).
func release(name string) string {
	if strings.ContainsAny(name, `\/`) {
		return ""
	}
	if i := strings.IndexAny(name, " \t-"); i >= 0 {
		name = name[:i]
	}
	if !version.IsValid(name) {
		return ""
	}
	return name
}

// wanted is the toolchain that p asks for, or least where that is new enough.
func (p *Project) wanted(least, mode string) (string, error) {
	if p == nil || mode != "auto" && mode != "path" || p.Toolchain == "default" {
		return least, nil
	}
	if p.Toolchain != "" && release(p.Toolchain) == "" {
		return "", fmt.Errorf("invalid toolchain %q in %s", p.Toolchain, p.file())
	}
	if version.Compare(release(p.Toolchain), release(least)) > 0 {
		least = p.Toolchain
	}
	if line := "go" + p.Go; version.Compare(line, release(least)) > 0 {
		least = line
		if version.Lang(line) == line && version.Compare(line, "go1.21") >= 0 {
			least += ".0" // the first release of a language version
		}
	}
	return least, nil
}

// file is the name of the file with the go and toolchain lines that count.
func (p *Project) file() string {
	if p.GoWork != "" {
		return filepath.Base(p.GoWork)
	}
	return filepath.Base(p.GoMod)
}

// tooNew is what the go command says where the project's go line is newer than
// the toolchain that runs. The toolchain line is a wish, and no such demand
// (cmd/go/internal/gover, TooNewError).
func (p *Project) tooNew(running, setting, mode string) error {
	running = release(running)
	if p == nil || p.Go == "" || running == "" || version.Compare("go"+p.Go, running) <= 0 {
		return nil
	}
	file, because := p.file(), ""
	if setting != "" && setting != "auto" {
		because = "; GOTOOLCHAIN=" + setting
	}
	if mode != "" { // else nobody reads the line
		because += "; " + file + " sets toolchain " + p.Toolchain
	}
	return fmt.Errorf("%s requires go >= %s (running go %s%s)", file, p.Go, strings.TrimPrefix(running, "go"), because)
}
