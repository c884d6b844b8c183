package main

import (
	"bytes"
	"strings"

	"github.com/spf13/cobra"
)

var completionShells = []string{"bash", "zsh", "fish", "powershell"}

func completionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Short: "Print completions for bash, zsh, fish or powershell",
		Long: `Prints a script that completes gpx's commands and flags. For example:

  bash   source <(gpx completion bash)
  zsh    gpx completion zsh > "${fpath[1]}/_gpx"
  fish   gpx completion fish | source`,
		Args: arguments(1, 1, "one shell"), ValidArgs: completionShells, Annotations: quiet,
		RunE: func(cmd *cobra.Command, args []string) error {
			var script bytes.Buffer
			var err error
			switch root := cmd.Root(); args[0] {
			case "bash":
				err = root.GenBashCompletionV2(&script, true)
			case "zsh":
				err = root.GenZshCompletion(&script)
			case "fish":
				err = root.GenFishCompletion(&script, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(&script)
			default:
				return usage("completion", "there is no completion for %q", args[0]).
					hint("shells: %s", strings.Join(completionShells, ", "))
			}
			if err != nil {
				return failed("completion", args[0], err)
			}
			if a.flags.json {
				a.out.document(map[string]string{"shell": args[0], "script": script.String()})
			} else {
				a.out.write(script.String())
			}
			return a.out.err
		},
	}
}
