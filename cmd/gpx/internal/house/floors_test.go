package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// floors, lowest first. A package may import its own floor and those below.
var floors = []string{"envctl", "probe", "cachectl", "history", "tui", "cmd"}

// A libraryRule says on which floors a library may be named in an import, and
// on which it may be reached at all.
type libraryRule struct {
	prefix    string
	importers []string // floors that may import it; empty means every floor
	lowest    string   // lowest floor that may depend on it, however indirectly
}

var libraries = []libraryRule{
	{"github.com/mattn/go-sqlite3", []string{"history"}, "history"},
	{"github.com/charmbracelet/bubbletea", []string{"tui"}, "tui"},
	{"github.com/charmbracelet/bubbles", []string{"tui"}, "tui"},
	{"github.com/charmbracelet/lipgloss", []string{"tui"}, "tui"},
	{"github.com/charmbracelet/", nil, "tui"},
	{"github.com/muesli/", nil, "tui"},
	{"github.com/aymanbagabas/go-osc52", nil, "tui"},
	{"github.com/mattn/go-isatty", nil, "tui"},
	{"github.com/mattn/go-runewidth", nil, "tui"},
	{"github.com/rivo/uniseg", nil, "tui"},
	{"golang.org/x/term", nil, "tui"},
	{"github.com/spf13/cobra", []string{"cmd"}, "cmd"},
	{"github.com/spf13/pflag", []string{"cmd"}, "cmd"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestFloors(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 5 {
		t.Fatalf("go list found only %d packages", len(packages))
	}
	for _, p := range packages {
		at := floorOf(p.ImportPath)
		if at < 0 {
			t.Errorf("%s stands on no floor; the floors are %s", p.ImportPath, strings.Join(floors, " "))
			continue
		}
		for _, dep := range p.Deps {
			if f := floorOf(dep); f > at {
				t.Errorf("%s (floor %s) depends on %s (floor %s), which is above it", p.ImportPath, floors[at], dep, floors[f])
			}
			if rule, ok := ruleFor(dep); ok && at < index(floors, rule.lowest) {
				t.Errorf("%s (floor %s) depends on %s, which begins at floor %s", p.ImportPath, floors[at], dep, rule.lowest)
			}
		}
		for _, dep := range p.Imports {
			if rule, ok := ruleFor(dep); ok && len(rule.importers) > 0 && index(rule.importers, floors[at]) < 0 {
				t.Errorf("%s imports %s, which only %s may", p.ImportPath, dep, strings.Join(rule.importers, ", "))
			}
		}
	}
}

// The package that keeps Bubble Tea's init from asking the terminal must run
// before it, so it may need almost nothing itself.
func TestNoQueryIsStandardLibraryOnly(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.ImportPath != "gpx/tui/noquery" {
			continue
		}
		for _, dep := range p.Deps {
			if strings.Contains(strings.SplitN(dep, "/", 2)[0], ".") || strings.HasPrefix(dep, "gpx/") {
				t.Errorf("%s depends on %s", p.ImportPath, dep)
			}
		}
		return
	}
	t.Error("gpx/tui/noquery is gone: a terminal that answers no query then costs 5 s at every start")
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// floorOf returns the index of the floor that a package stands on, -1 for
// packages of other modules.
func floorOf(path string) int {
	rest, ok := strings.CutPrefix(path, "gpx/")
	if !ok {
		return -1
	}
	first, _, _ := strings.Cut(rest, "/")
	return index(floors, first)
}

func ruleFor(path string) (libraryRule, bool) {
	for _, r := range libraries {
		if path == r.prefix || strings.HasPrefix(path, strings.TrimSuffix(r.prefix, "/")+"/") {
			return r, true
		}
	}
	return libraryRule{}, false
}

func index(list []string, s string) int {
	for i, v := range list {
		if v == s {
			return i
		}
	}
	return -1
}

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above this test")
		}
		dir = up
	}
}
