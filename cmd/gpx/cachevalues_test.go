package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpx/cachectl/modcache"
	"gpx/envctl/change"
)

func TestPeriod(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"30d": 30 * day, "2w": 14 * day, "1.5d": 36 * time.Hour, "12h": 12 * time.Hour, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute,
		"": 0, "0d": 0, "0s": 0, "-1d": 0, "-2h": 0, "d": 0, "NaNd": 0, "Infd": 0, "1e300d": 0, "40000d": 0, "1d12h": 0, "30": 0, "30 d": 0,
	} {
		var p period
		err := p.Set(text)
		if time.Duration(p) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v, want %v", text, time.Duration(p), err, want)
		}
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{
		"2GB": 2e9, "2GiB": 2 << 30, "500 MiB": 500 << 20, "1": 1, "0": 0,
		"": -1, "x": -1, "-1": -1, "NaN": -1, "9e30": -1, "99EB": -1,
	} {
		s := bytesize(-1)
		err := s.Set(text)
		if int64(s) != want || (err == nil) != (want >= 0) {
			t.Errorf("%q: %d, %v, want %d", text, s, err, want)
		}
	}
}

// TestLongPlan: people see what weighs most, and what the rest comes to; nothing
// that cannot be undone hides in it.
func TestLongPlan(t *testing.T) {
	var actions []change.Action
	for i := range 40 {
		actions = append(actions, change.Action{Kind: "k", Target: "m" + string(rune('A'+i)), Bytes: int64(i) << 20, Undoable: i != 0})
	}
	text := printed(func(p *printer) { printActions(p, actions) })
	hold(t, text, "k mh (39 MiB)\n", "and 28 more (378 MiB) ^ cannot be undone; all of them: --dry-run --json")
	lack(t, text, "mA", "mB")
	text = printed(func(p *printer) { printActions(p, actions[:3]) })
	hold(t, text, "k mA ^ cannot be undone\n  k mB (1.0 MiB)\n")
	lack(t, text, "more")
}

func TestKept(t *testing.T) {
	kept := []modcache.Kept{{Path: "a.example.com/m", Version: "v1.0.0", Reason: modcache.OnlyCopy, Why: "nobody has it", Bytes: 1 << 20}}
	for i := range 5 {
		kept = append(kept, modcache.Kept{Path: "b.example.com/m", Version: fmt.Sprintf("v1.0.%d", i), Reason: modcache.Needed, Why: "needed by ~/src/app", Bytes: int64(i) << 20})
	}
	kept[1].Named = true
	text := printed(func(p *printer) { printKept(p, kept) })
	hold(t, text, `  keeps 6 versions, 11 MiB
    ^ 1 version, 1.0 MiB: ONLY COPY: nobody who answers now can give it back
      a.example.com/m@v1.0.0  1.0 MiB  nobody has it
    5 versions, 10 MiB: known projects need them
      b.example.com/m@v1.0.0  0 B  needed by ~/src/app
      b.example.com/m@v1.0.4  4.0 MiB  needed by ~/src/app
      b.example.com/m@v1.0.3  3.0 MiB  needed by ~/src/app
      and 2 more; all of them: --dry-run --json
`)
}

// Every reason has its words: what has none would be kept without a word.
func TestKeptWords(t *testing.T) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, filepath.Join("..", "..", "cachectl", "modcache", "prune.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Reason" {
			found++
			reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			text := printed(func(p *printer) {
				printKept(p, []modcache.Kept{{Path: "m", Version: "v1", Reason: modcache.Reason(reason)}})
			})
			hold(t, text, "    ", "m@v1")
		}
		return true
	})
	if found == 0 {
		t.Error("no reason was found")
	}
}

// printed is what f writes, in ASCII and without colour.
func printed(f func(*printer)) string {
	var b strings.Builder
	f(newPrinter(&b, false, true))
	return b.String()
}

func hold(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("lacks %q:\n%s", part, text)
		}
	}
}

func lack(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("holds %q:\n%s", part, text)
		}
	}
}
