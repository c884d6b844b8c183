package main

import (
	"github.com/spf13/cobra"

	"gpx/envctl/shell"
)

func shellInitCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "shell-init SHELL", Short: "Print the hook that lets gpx reach the shell it is started from",
		Long: `Prints a function for bash, zsh or fish. With it, what gpx changes also reaches
variables that the calling shell has exported. Put this into the shell's start-up
file:

  bash, zsh   eval "$(gpx shell-init bash)"
  fish        gpx shell-init fish | source`,
		Args: arguments(1, 1, "one shell"), ValidArgs: []string{"bash", "zsh", "fish"}, Annotations: quiet,
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := shell.Init(args[0])
			if err != nil {
				f := failed("shell-init", "", err)
				f.Class, f.status = "usage", statusUsage
				return f
			}
			if a.flags.json {
				a.out.document(map[string]string{"shell": args[0], "script": text})
			} else {
				a.out.write(text)
			}
			return a.out.err
		},
	}
}
