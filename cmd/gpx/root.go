package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gpx/tui"
)

// globals are the flags of every command.
type globals struct {
	json, noColor, ascii, showSecrets bool

	project, config, db string
}

// quiet marks commands that touch nothing of the user's: no recovery, no
// database, no notices.
var quiet = map[string]string{"quiet": "yes"}

// soon marks commands that ask for the go environment first, whatever they are told.
var soon = map[string]string{"soon": "yes"}

func init() { cobra.EnableCommandSorting = false }

// commands builds every command, in the order in which help lists them.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		statusCommand(a), probeCommand(a), doctorCommand(a), routeCommand(a),
		envCommand(a), useCommand(a), sumdbCommand(a), offlineCommand(a),
		cacheCommand(a), depsCommand(a), fetchCommand(a), salvageCommand(a), undoCommand(a), changesCommand(a),
		historyCommand(a), watchCommand(a), serveCommand(a), runCommand(a), demoCommand(a), configCommand(a), shellInitCommand(a), completionCommand(a), versionCommand(a),
	}
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "gpx",
		Short: "See why Go modules do not download, and switch away from it",
		Long: `gpx shows what is broken between this machine and its Go modules (the network,
the settings, one proxy, the checksum database), what the go command will do
about it, and what to press. What it changes can be taken back.

Without a command it opens the screen; where the output is no terminal it
prints what "gpx status" prints.

Exit status: 0 done or healthy, 1 failed, 2 wrong usage, 3 done and the answer
is bad news, 130 interrupted.`,
		Args:          noArguments,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.begin(cmd) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return runRoot(cmd, a) },
	}
	f := root.PersistentFlags()
	f.BoolVar(&a.flags.json, "json", false, "print one JSON document (streams: one a line)")
	f.StringVar(&a.flags.project, "project", "", "work for the Go project in `DIR` (default: the current directory)")
	f.StringVar(&a.flags.config, "config", "", "read settings from `FILE`")
	f.StringVar(&a.flags.db, "db", "", "keep the history in `FILE`")
	f.BoolVar(&a.flags.noColor, "no-color", false, "no colour (also: NO_COLOR)")
	f.BoolVar(&a.flags.ascii, "ascii", false, "nothing but ASCII characters")
	f.BoolVar(&a.flags.showSecrets, "show-secrets", false, "print credentials in commands and values instead of xxxxx")
	f.SortFlags = false

	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return usage(commandName(cmd), "%v", err).hint("see: %s --help", cmd.CommandPath())
	})
	root.SetIn(a.std.in)
	root.SetOut(a.std.out)
	root.SetErr(a.std.err)
	root.AddCommand(commands(a)...)
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Annotations = quiet
			c.Run, c.RunE = nil, showHelp
		}
	}
	return root
}

// commandName is a command's path without the program: "sumdb off".
func commandName(cmd *cobra.Command) string {
	name := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "gpx"), " ")
	if name == "" {
		return "gpx"
	}
	return name
}

// noArguments refuses arguments; for the root it guesses a mistyped command.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasParent() {
		return usage(commandName(cmd), "takes no arguments, got %q", args[0]).hint("see: %s --help", cmd.CommandPath())
	}
	f := usage("gpx", "there is no command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return f.hint("did you mean: gpx %s", strings.Join(near, ", gpx "))
	}
	return f.hint("see: gpx --help")
}

// showHelp is cobra's help command, but for a command that does not exist, at
// which that prints the root's help and calls it done.
func showHelp(cmd *cobra.Command, args []string) error {
	about, rest, err := cmd.Root().Find(args)
	if err != nil {
		return err
	}
	if !about.HasParent() && len(rest) > 0 {
		return noArguments(about, rest)
	}
	about.InitDefaultHelpFlag()
	return about.Help()
}

// arguments returns a check for a number of arguments; most < 0 has no limit.
func arguments(least, most int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usage(commandName(cmd), "wants %s, got %d arguments", want, len(args)).
				hint("see: %s --help", cmd.CommandPath())
		}
		return nil
	}
}

func runRoot(cmd *cobra.Command, a *app) error {
	if !a.interactive() {
		return runStatus(cmd.Context(), a)
	}
	return runScreen(cmd.Context(), a, tui.Live, replay{})
}
