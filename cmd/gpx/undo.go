package main

import "github.com/spf13/cobra"

func undoCommand(a *app) *cobra.Command {
	var c consent
	var force bool
	cmd := &cobra.Command{
		Use: "undo [ID]", Short: "Take back the last change, or the one with that ID",
		Long: `Brings back exactly what was there before a change. It refuses when a value was
changed since by something else; --force takes it back all the same. gpx changes
lists what can be taken back.`,
		Args: arguments(0, 1, "at most one ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) > 0 {
				id = args[0]
			}
			p, err := a.changer(cmd.Context()).PlanUndo(cmd.Context(), id, force)
			if err != nil {
				return failed("undo", id, err)
			}
			return a.carryOut(cmd.Context(), "undo", p, c)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also when the value was changed since")
	c.addFlags(cmd)
	return cmd
}
