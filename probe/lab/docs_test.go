package lab_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpx/probe"
	"gpx/probe/lab"
)

var update = flag.Bool("update", false, "rewrite the generated pages under docs")

// TestGeneratedPages holds the pages that are printed from tables of the code to
// those tables. After a change of a table: go test ./probe/lab -run Pages -update
func TestGeneratedPages(t *testing.T) {
	for name, want := range map[string]string{"demo.md": demoPage(), "classes.md": classesPage()} {
		file := filepath.Join("..", "..", "docs", name)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("docs/%s is not what the code says; run: go test ./probe/lab -run Pages -update", name)
		}
	}
}

func demoPage() string {
	var b strings.Builder
	b.WriteString("# Outages to play with\n\n" +
		"`gpx demo SCENARIO` starts real servers on loopback, breaks them on a schedule, and opens the screen over a small\n" +
		"project that needs them. Its settings, caches and project are in one temporary folder that is removed at the end;\n" +
		"nothing of your own is read or changed, and nothing but loopback is dialled. Every scenario is healthy for\n" +
		fmt.Sprintf("the first %d seconds. The keys do what they always do: `s` switches, `u` takes it back, and a `go build` in the\n", int(lab.Calm.Seconds())) +
		"demo's project really works, fails or hangs (`sh DIR/enter.sh` opens a shell there).\n\n" +
		"This page is printed from the scenarios in `probe/lab`.\n\n")
	for _, s := range lab.Scenarios() {
		name := s.Name
		if name == lab.DefaultScenario {
			name += " (the default)"
		}
		fmt.Fprintf(&b, "## %s\n\n**%s.** %s\n\n", name, s.Title, s.Story)
		b.WriteString("| proxy | at the start | then |\n|---|---|---|\n")
		for _, p := range s.Proxies {
			start, then := "ok", []string{}
			for _, step := range p.Schedule {
				what := step.Fault.String()
				if len(step.Only) > 0 {
					var only []string
					for _, f := range step.Only {
						only = append(only, string(f))
					}
					what += " for " + strings.Join(only, ", ")
				}
				if step.From == 0 {
					start = what
				} else {
					then = append(then, fmt.Sprintf("%v %s", step.From, what))
				}
			}
			if len(then) == 0 {
				then = []string{"the same"}
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", p.Name, start, strings.Join(then, " · "))
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func classesPage() string {
	var b strings.Builder
	b.WriteString("# Classes: how an endpoint can be\n\n" +
		"Every probe ends in one of these classes. `gpx doctor`, the detail pane of the screen and `gpx probe` say the same\n" +
		"as this page, which is printed from the table in `probe`. They write a class in words (connect timeout, TLS untrusted);\n" +
		"its name here is the one in JSON.\n\n" +
		"A hop followed by `,` hands a request on after 404 and 410 only; a hop followed by `|` after any error.\n\n")
	for _, c := range probe.Classes {
		if c.Class == probe.ClassUnknown {
			continue
		}
		fmt.Fprintf(&b, "## `%s`\n\n%s\n\n- Seen in: %s\n- The go command: %s\n- What to do: %s\n\n", c.Class, c.Meaning, c.Layer, c.GoDoes, c.Advice)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
