package main

import (
	"slices"

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
			words := standing(list)
			for i, c := range list {
				t := toneIdle
				if words[i] == inForce {
					t = toneGood
				}
				rows = append(rows, []string{c.ID, a.out.dim(c.At.Local().Format("2006-01-02 15:04:05")), a.out.sign(t, words[i]), a.out.dim(c.Actor), c.Title})
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

const inForce = "in force"

// standing says of each change, newest first, what has become of it: a later
// change that set the same things has replaced it, whatever they are worth now.
func standing(list []change.Change) []string {
	byID := map[string]change.Change{}
	for _, c := range list {
		byID[c.ID] = c
	}
	words := make([]string, len(list))
	set := map[string]bool{} // targets that a newer change in force has set
	for i, c := range list {
		switch {
		case c.Undone:
			words[i] = "undone"
			continue
		case takesBack(byID, c), forGood(c):
			words[i] = "done"
			continue
		}
		words[i] = "replaced"
		for _, act := range c.Actions {
			if !set[act.Target] {
				words[i], set[act.Target] = inForce, true
			}
		}
	}
	return words
}

// forGood reports whether nothing of a change can be taken back.
func forGood(c change.Change) bool {
	return len(c.Actions) > 0 && !slices.ContainsFunc(c.Actions, func(a change.Action) bool { return a.Undoable })
}

// takesBack reports whether c is the undo of a change; the undo of an undo sets
// again what that change had set.
func takesBack(byID map[string]change.Change, c change.Change) bool {
	back := false
	for range byID { // no chain is longer, even in a damaged journal
		if c.Undoes == "" {
			break
		}
		back, c = !back, byID[c.Undoes]
	}
	return back
}
