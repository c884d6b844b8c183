package main

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/shell"
)

// consent are the flags of commands that change something.
type consent struct{ yes, dryRun bool }

func (c *consent) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do it without asking")
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "print the plan and change nothing")
}

// carryOut shows a plan with the reasons for it, asks, applies it and says how
// to take it back.
func (a *app) carryOut(ctx context.Context, op string, p *change.Plan, c consent, why ...string) error {
	if a.flags.showSecrets {
		p.Commands = p.RawCommands()
	}
	p.DryRun = c.dryRun
	nothing := p.Empty() && (len(p.Shell()) == 0 || !shell.Active())
	switch {
	case (c.dryRun || nothing) && a.flags.json:
		a.out.document(p)
		return a.out.err
	case c.dryRun || nothing:
		a.printPlan(a.out, p, why)
		if c.dryRun {
			a.out.line(a.out.dim("dry run: nothing was changed"))
		}
		return a.out.err
	}
	if err := a.confirm(ctx, op, p, c, why); err != nil {
		return err
	}
	done, err := a.apply(ctx, p)
	if err != nil {
		return failed(op, "", err)
	}
	a.printNotices()
	if a.flags.json {
		a.out.document(p)
		return a.out.err
	}
	what, back := "applied as change "+done.ID, "; take it back with: gpx undo"
	switch {
	case done.ID == "":
		what, back = "this shell follows", "; nothing was written"
	case done.Undoes != "":
		// Plain undo goes on to the change before, so that an undo is taken
		// back by its own id.
		what, back = "took back change "+done.Undoes, "; bring it back with: gpx undo "+done.ID
	}
	a.out.line(a.out.sign(toneGood, what) + a.out.dim(back))
	return a.out.err
}

// confirm shows a plan, and asks where nobody said yes beforehand.
func (a *app) confirm(ctx context.Context, op string, p *change.Plan, c consent, why []string) error {
	ask := !c.yes && a.std.inTTY && a.std.errTTY
	switch {
	case ask:
		a.printPlan(a.errs, p, why)
	case !a.flags.json:
		a.printPlan(a.out, p, why)
	}
	if !c.yes && !ask {
		return usage(op, "this changes something, and there is no terminal to ask on").
			hint("pass --yes to do it, or --dry-run to see the plan")
	}
	yes := c.yes || a.ask(ctx, "Apply?")
	switch {
	case ctx.Err() != nil:
		return interrupted(usage(op, "interrupted"))
	case !yes:
		return &failure{Op: op, Class: "declined", Message: "not applied; nothing was changed", status: statusFailed}
	}
	return nil
}

// apply does what a plan says: to the machine through the journal, and to the
// calling shell, where its environment hides the user file, through the hook. A
// plan may be for the shell alone.
func (a *app) apply(ctx context.Context, p *change.Plan) (change.Change, error) {
	var done change.Change
	var err error
	if !p.Empty() {
		if done, err = a.changer(ctx).Apply(ctx, p); err != nil {
			return done, err
		}
	}
	a.goEnv = nil
	if err := a.handoff(p); err != nil {
		a.notice(err.Error())
	}
	p.Applied = true
	return done, nil
}

// ask puts a question whose default is no.
func (a *app) ask(ctx context.Context, question string) bool {
	a.errs.write(question + " [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.std.in).ReadString('\n')
		answer <- line
	}()
	select {
	case <-ctx.Done():
		a.errs.line("")
		return false
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return true
		}
		return false
	}
}

// hiddenBy says what the environment of this shell does to a change that it
// hides. A plan has no line for the shell where the user's own value comes back
// under an environment that hid it before (see the undo of gpx/envctl/change).
func hiddenBy(p *change.Plan, c *change.VarChange) string {
	text := "this shell's environment sets " + c.Var + " to " + c.EffectiveOld + ", "
	switch {
	case !c.Shadowed:
		return text + "so nothing changes here"
	case slices.ContainsFunc(p.Shell(), func(a change.Assignment) bool { return a.Name == c.Var }):
		return text + "which hides this until the line below is run"
	default:
		return text + "which goes on hiding this"
	}
}

// printPlan writes what would be done, and why.
func (a *app) printPlan(out *printer, p *change.Plan, why []string) {
	out.line(out.strong(p.Title))
	switch {
	case p.Empty() && len(p.Changes) == 0:
		out.line("  nothing to change")
	case p.Empty():
		out.line("  nothing to change in the user's go settings, only in this shell")
	}
	if len(why) > 0 {
		out.line(out.dim("  why"))
		for _, reason := range why {
			out.text("    ", reason)
		}
	}
	shown := map[string]bool{}
	for _, c := range p.Changes {
		shown[c.Var] = true
		out.line("  " + out.strong(c.Var))
		was, then, origin := c.EffectiveOld, c.EffectiveNew, env.Origin(c.OriginOld)
		if c.Hidden() { // in effect nothing changes, so show what does: the user file
			was, then, origin = c.Old, c.New, env.User
		}
		out.table("    ", [][]string{
			{out.dim("now"), out.dash(was) + out.dim("  from "+origin.Words())},
			{out.dim("then"), out.dash(then)},
		})
		if c.Hidden() {
			out.text("    ", out.sign(toneWarn, hiddenBy(p, &c)))
		}
	}
	for _, act := range p.Actions {
		if shown[act.Target] {
			continue
		}
		text := act.Kind + " " + act.Target
		if act.New != "" {
			text += " " + out.theme.Glyphs.Arrow + " " + act.New
		}
		if act.Bytes > 0 {
			text += " (" + humanize.IBytes(uint64(act.Bytes)) + ")"
		}
		if !act.Undoable {
			text += " " + out.sign(toneWarn, "cannot be undone")
		}
		out.line("  " + text)
	}
	if len(p.Commands) > 0 {
		out.line(out.dim("  the same by hand"))
		for _, c := range p.Commands {
			out.line("    " + c)
		}
	}
	for _, w := range p.Warnings {
		out.text("  ", out.sign(toneWarn, w))
	}
	if p.FreedBytes > 0 {
		out.line(fmt.Sprintf("  frees %s", humanize.IBytes(uint64(p.FreedBytes))))
	}
}
