package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gpx/tui"
)

// documents names the list of JSON fields (testdata/schema) of a command.
var documents = map[string][]string{
	"status": {"status"}, "probe": {"probe", "probe-deep"}, "doctor": {"doctor"}, "route": {"route"},
	"env": {"env", "export"}, "use": {"plan"}, "sumdb": {"plan"}, "offline": {"plan", "offline"}, "undo": {"plan"}, "changes": {"changes"},
	"cache": {"cache"}, "cache ls": {"cache-ls"}, "cache prune": {"plan-prune"}, "cache verify": {"cache-verify"}, "cache audit": {"cache-audit"},
	"cache export": {"cache-export", "cache-export-build"}, "cache import": {"cache-import", "cache-import-build"},
	"deps": {"deps"}, "fetch": {"fetch"}, "salvage": {"salvage"}, "serve": {"serve"},
	"history": {"history-ls"}, "history ls": {"history-ls"}, "history show": {"history-show"}, "history note": {"history-show"},
	"history stats": {"history-stats"}, "history replay": {"history-replay"}, "history backtest": {"history-backtest"}, "history report": {"history-report"},
	"history export": {"history-export"}, "history import": {"history-show"}, "history prune": {"history-prune"},
	"watch": {"history-replay"}, "demo": {"demo"}, "config": {"config"}, "shell-init": {"completion"}, "completion": {"completion"}, "version": {"version"},
}

// TestPages holds README.md and docs/commands.md to the tables they are printed
// from. GPX_UPDATE_DOCS=1 (make docs) prints them again.
func TestPages(t *testing.T) {
	root := filepath.Join("..", "..")
	readme := filepath.Join(root, "README.md")
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := between(t, string(data), "commands", commandTable())
	text = between(t, text, "keys", tui.KeyTable())
	for file, want := range map[string]string{
		readme: text,
		filepath.Join(root, "docs", "commands.md"): commandsPage(t),
	} {
		if os.Getenv("GPX_UPDATE_DOCS") != "" {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the code says; run: make docs", filepath.Base(file))
		}
	}
}

// The picture that README shows is there.
func TestReadmeFilesExist(t *testing.T) {
	root := filepath.Join("..", "..")
	data, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(data), "](")[1:] {
		target, _, _ := strings.Cut(part, ")")
		if strings.Contains(target, "://") {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, target)); err != nil {
			t.Errorf("README.md points to %s: %v", target, err)
		}
	}
}

// between replaces what stands between <!-- name --> and <!-- /name -->.
func between(t *testing.T, text, name, with string) string {
	t.Helper()
	open, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(text, open)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md has no place for %s", name)
	}
	return before + open + strings.TrimRight(with, "\n") + "\n" + end + after
}

func commandTable() string {
	var b strings.Builder
	b.WriteString("| command | does |\n|---|---|\n| `gpx` | the screen |\n")
	for _, c := range allCommands(newApp(streams{})) {
		fmt.Fprintf(&b, "| `gpx %s` | %s |\n", strings.ReplaceAll(useOf(c), "|", "\\|"), c.Short)
	}
	return b.String()
}

// allCommands are the commands, each followed by those below it.
func allCommands(a *app) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range commands(a) {
		all = append(append(all, c), c.Commands()...)
	}
	return all
}

// useOf is how a command is typed, without the program.
func useOf(c *cobra.Command) string {
	if !c.HasParent() {
		return c.Use
	}
	return useOf(c.Parent()) + " " + c.Use
}

func commandsPage(t *testing.T) string {
	a := newApp(streams{})
	root := newRoot(a)
	var b strings.Builder
	b.WriteString("# Commands\n\nThis page is printed from the program (`make docs`).\n\n" + root.Long + "\n\n## Flags of every command\n\n")
	flagList(&b, root.PersistentFlags())
	b.WriteString(`
## JSON

With ` + "`--json`" + ` stdout holds one document, also on failure; ` + "`probe --watch`" + ` prints one a line. Instants are RFC 3339 in UTC with
milliseconds, fields named _ms are milliseconds, sizes are bytes. Below, ` + "`[]`" + ` stands for every element of a list, and ` + "`?`" + ` marks a field
that may be absent. A failure is:

`)
	fields(t, &b, "error")
	b.WriteString("\nIts `class` is usage, failed, interrupted, declined, or a word of the command's own.\n")
	for _, c := range allCommands(a) {
		fmt.Fprintf(&b, "\n## gpx %s\n\n", useOf(c))
		if c.Long != "" {
			b.WriteString("```\n" + strings.TrimSpace(c.Long) + "\n```\n")
		} else {
			b.WriteString(c.Short + ".\n")
		}
		if c.LocalFlags().HasAvailableFlags() {
			b.WriteString("\n")
			flagList(&b, c.LocalFlags())
		}
		for _, name := range documents[commandName(c)] {
			b.WriteString("\n")
			fields(t, &b, name)
		}
	}
	return b.String()
}

func flagList(b *strings.Builder, flags *pflag.FlagSet) {
	b.WriteString("| flag | |\n|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, strings.ReplaceAll(text, "|", "\\|"))
	})
}

func fields(t *testing.T, b *strings.Builder, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "schema", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("```\n")
	for line := range bytes.Lines(data) {
		b.Write(line)
	}
	b.WriteString("```\n")
}

// Every command is documented: a sentence in lists, and an example of use in a
// script of its own.
func TestEveryCommandHasAScript(t *testing.T) {
	for _, c := range allCommands(newApp(streams{})) {
		if c.Short == "" {
			t.Errorf("%s has no description", useOf(c))
		}
		name := strings.NewReplacer("-", "", " ", "").Replace(commandName(c))
		if _, err := os.Stat(filepath.Join("testdata", "script", name+".txtar")); err != nil {
			t.Errorf("%s has no script: %v", c.Name(), err)
		}
	}
}
