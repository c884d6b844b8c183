package main

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpx/history/incident"
	"gpx/probe/lab"
	"gpx/tui"
)

type scenarioDocument struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Story string `json:"story"`
}

func demoCommand(a *app) *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use: "demo [SCENARIO]", Short: "Show the screen over a real outage on loopback",
		Long: `Starts proxies, a checksum database and a small project of their own in a
temporary folder, breaks them on a schedule, and opens the screen over them.
Nothing of this machine is read or changed, and nothing but loopback is dialled.

--list prints the scenarios.`,
		Args: arguments(0, 1, "at most one scenario"), Annotations: quiet,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return scenarioNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return listScenarios(a)
			}
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return runDemo(cmd.Context(), a, name)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "print the scenarios")
	return cmd
}

func scenarioNames() []string {
	var names []string
	for _, s := range lab.Scenarios() {
		names = append(names, s.Name)
	}
	return names
}

func listScenarios(a *app) error {
	docs := []scenarioDocument{}
	for _, s := range lab.Scenarios() {
		docs = append(docs, scenarioDocument{s.Name, s.Title, s.Story})
	}
	if a.flags.json {
		a.out.document(map[string]any{"scenarios": docs})
		return a.out.err
	}
	var rows [][]string
	for _, d := range docs {
		rows = append(rows, []string{a.out.strong(d.Name), d.Title})
	}
	a.out.table("", rows)
	return a.out.err
}

func runDemo(ctx context.Context, a *app, name string) (err error) {
	scenario, ok := lab.FindScenario(name)
	if !ok {
		return usage("demo", "there is no scenario %q", name).hint("scenarios: %s", strings.Join(scenarioNames(), ", "))
	}
	if !a.interactive() {
		return usage("demo", "the screen needs a terminal").hint("gpx demo --list prints the scenarios")
	}
	box, err := scenario.Start()
	if err != nil {
		return failed("demo", scenario.Name, err)
	}
	defer func() {
		if closing := box.Close(); closing != nil && err == nil {
			err = failed("demo", scenario.Name, closing)
		}
	}()

	pem, err := os.ReadFile(box.Lab.CAFile())
	if err != nil {
		return failed("demo", scenario.Name, err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)

	d := newApp(a.std)
	d.flags, d.out, d.errs = a.flags, a.out, a.errs
	d.flags.db, d.flags.project = "", ""
	d.environ, d.folder, d.roots = box.Environ(), box.Project, roots
	d.stateDir = filepath.Join(box.Getenv("XDG_STATE_HOME"), "gpx")
	defer d.close()
	d.notice(enterNotice(box.Dir))
	// Something to replay before an incident of one's own is over.
	if store := d.history(ctx); store != nil {
		if _, err := store.AddRecording(ctx, incident.Synthetic(d.now().Add(-time.Hour))); err != nil {
			return failed("demo", scenario.Name, err)
		}
	}
	return runScreen(ctx, d, tui.Demo, replay{})
}

// enterNotice tells how to get a shell in the demo of dir. It is short, because
// the command is there to be copied and the message line cuts what does not fit.
func enterNotice(dir string) string {
	return "a shell in the demo: sh " + filepath.Join(dir, "enter.sh")
}
