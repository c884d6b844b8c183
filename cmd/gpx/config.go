package main

import (
	"bytes"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
)

type configDocument struct {
	File   string   `json:"file"`
	Exists bool     `json:"exists"`
	Config settings `json:"config"`
}

func configCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "Show the settings in force and the file they come from", Args: noArguments, Annotations: quiet,
		Long: `Prints every setting with its value in force, as a file that gpx would read.
A key that gpx does not know is an error, with file and line.`,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.settings()
			if err != nil {
				return err
			}
			if !a.flags.showSecrets {
				s = s.redacted()
			}
			if a.flags.json {
				a.out.document(configDocument{File: a.settingsFile, Exists: a.settingsFound, Config: s})
				return a.out.err
			}
			var text bytes.Buffer
			if err := toml.NewEncoder(&text).SetIndentTables(false).Encode(s); err != nil {
				return failed("config", a.settingsFile, err)
			}
			state := "in force; the file does not exist, these are the defaults"
			if a.settingsFound {
				state = "in force; what the file does not say is the default"
			}
			a.out.line("# " + a.settingsFile)
			a.out.line("# " + state)
			a.out.write(text.String())
			return a.out.err
		},
	}
}
