package project

import (
	"fmt"
	"go/version"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"

	"gpx/envctl/bounded"
)

// A godebug is a godebug line that counts.
type godebug struct{ at, key, value string }

// keepGodebug keeps the godebug lines of a file for [reader.checkGodebug].
func (r *reader) keepGodebug(file string, lines []*modfile.Godebug) {
	for _, l := range lines {
		r.godebug = append(r.godebug, godebug{at(file, l.Syntax), l.Key, l.Value})
	}
}

// checkGodebug holds the godebug lines to the settings that the toolchain knows which
// runs (modload, CheckGodebug): that is told by its own table. Where another toolchain
// than the installed one will run, or there is no table, nothing is held against them.
func (r *reader) checkGodebug() {
	if len(r.godebug) == 0 || r.env == nil || r.env.GOROOT == "" || ChooseToolchain(r.env, r.p).Name != "" {
		return
	}
	known, removed := godebugs(r.env.GOROOT)
	for _, g := range r.godebug {
		if err := g.check(known, removed, r.env.GoVersion); err != nil {
			r.problem(fmt.Errorf("%s: %w", g.at, err))
		}
	}
}

// check is what is wrong with a line. Of values, only that of default is looked at.
func (g godebug) check(known map[string]bool, removed map[string]string, toolchain string) error {
	running := release(strings.TrimPrefix(toolchain, "devel "))
	switch minor, gone := removed[g.key]; {
	case g.key == "default" && !version.IsValid(g.value):
		return fmt.Errorf("value for default= must be goVERSION")
	case g.key == "default" && running != "" && version.Compare(g.value, running) > 0:
		return fmt.Errorf("default=%s too new (toolchain is %s)", g.value, running)
	case g.key == "default" || known[g.key] || len(known) == 0:
		return nil
	case gone:
		return fmt.Errorf("use of removed godebug %q, see https://go.dev/doc/godebug#go-1%s", g.key, minor)
	default:
		return fmt.Errorf("unknown godebug %q", g.key)
	}
}

// A line of the table: a setting, or one that there was before a minor version.
var godebugLine = regexp.MustCompile(`(?m)^\s*\{Name: "(\w+)",(?: Removed: (\d+)\})?`)

// godebugs reads the table of a toolchain: the settings that it knows, and those
// that are gone, with the minor version since which they are. Nothing is known where
// it cannot be read.
func godebugs(goroot string) (known map[string]bool, removed map[string]string) {
	known, removed = map[string]bool{}, map[string]string{}
	data, _ := bounded.ReadFile(filepath.Join(goroot, "src", "internal", "godebugs", "table.go"), 1<<20)
	for _, m := range godebugLine.FindAllStringSubmatch(string(data), -1) {
		if minor := m[2]; minor != "" {
			removed[m[1]] = minor
		} else {
			known[m[1]] = true
		}
	}
	return known, removed
}
