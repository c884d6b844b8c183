package main

import (
	"github.com/spf13/cobra"

	"gpx/envctl/change"
)

type changesDocument struct {
	Changes []change.Change `json:"changes"`
}

func changesCommand(a *app) *cobra.Command {
	var expire, silent bool
	cmd := &cobra.Command{
		Use: "changes", Short: "List what gpx changed, newest first", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if expire && silent {
				return nil // begin has done it, as before every command
			}
			list, err := a.changer(cmd.Context()).Changes(cmd.Context())
			if err != nil {
				return failed("changes", "", err)
			}
			if list == nil {
				list = []change.Change{}
			}
			if a.flags.json {
				a.out.document(changesDocument{list})
				return a.out.err
			}
			if len(list) == 0 {
				a.out.line("nothing was changed yet")
				return a.out.err
			}
			var rows [][]string
			for _, c := range list {
				state := a.out.sign(toneGood, "in force")
				if c.Undone {
					state = a.out.dim(a.out.theme.Glyphs.Idle + " undone")
				}
				rows = append(rows, []string{c.ID, a.out.dim(c.At.Local().Format("2006-01-02 15:04:05")), state, a.out.dim(c.Actor), c.Title})
			}
			a.out.table("", rows)
			return a.out.err
		},
	}
	// What the shell hook runs at a prompt when a period has ended.
	cmd.Flags().BoolVar(&expire, "expire", false, "take back changes whose time has run out")
	cmd.Flags().BoolVar(&silent, "quiet", false, "do not list")
	cmd.Flags().MarkHidden("expire")
	cmd.Flags().MarkHidden("quiet")
	return cmd
}
