package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gpx/cachectl/modcache"
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

// A proposal is a plan with what a person wants to know to decide about it.
type proposal struct {
	*change.Plan
	why   []string        // the reasons for it
	about []string        // what else there is to know
	kept  []modcache.Kept // of the module cache: what it does not take, and why; nil where that is no question

	// document is what --json prints in the plan's place when it is no dry run.
	document any
}

// answer is what --json prints.
func (p proposal) answer() any {
	if p.document != nil && !p.DryRun {
		return p.document
	}
	return p
}

// carryOut shows a plan with the reasons for it, asks, applies it and says how
// to take it back.
func (a *app) carryOut(ctx context.Context, op string, p *change.Plan, c consent, why ...string) error {
	return a.carryOutProposal(ctx, op, proposal{Plan: p, why: why}, c)
}

func (a *app) carryOutProposal(ctx context.Context, op string, p proposal, c consent) error {
	if a.flags.showSecrets {
		p.Commands = p.RawCommands()
	}
	p.DryRun = c.dryRun
	nothing := p.Empty() && (len(p.Shell()) == 0 || !shell.Active())
	switch {
	case (c.dryRun || nothing) && a.flags.json:
		a.out.document(p.answer())
		return a.out.err
	case c.dryRun || nothing:
		a.printPlan(a.out, p)
		if c.dryRun {
			a.out.line(a.out.dim("dry run: nothing was changed"))
		}
		return a.out.err
	}
	if err := a.confirm(ctx, op, p, c); err != nil {
		return err
	}
	warned := len(p.Warnings)
	done, err := a.apply(ctx, p.Plan)
	a.progress("")
	if err != nil {
		// Its head is the plan's title: "use https://a.example.com".
		target, ok := strings.CutPrefix(p.Title, op+" ")
		if !ok {
			target = ""
		}
		return failed(op, target, err)
	}
	a.printNotices()
	if a.flags.json {
		a.out.document(p.answer())
		return a.told(op, done)
	}
	for _, w := range p.Warnings[warned:] { // what turned up while it was done
		a.out.text("", a.out.sign(toneWarn, w))
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
	if done.ID != "" && !slices.ContainsFunc(p.Actions, func(act change.Action) bool { return act.Undoable }) {
		back = "; it cannot be taken back"
	}
	a.out.line(a.out.sign(toneGood, what) + a.out.dim(back))
	return a.told(op, done)
}

// told fails where a change was made and the output did not take what was to be
// said of it.
func (a *app) told(op string, done change.Change) error {
	if a.out.err == nil || done.ID == "" {
		return a.out.err
	}
	return failed(op, "", fmt.Errorf("applied as change %s, but: %w", done.ID, errors.Unwrap(a.out.err)))
}

// confirm shows a plan, and asks where nobody said yes beforehand.
func (a *app) confirm(ctx context.Context, op string, p proposal, c consent) error {
	ask := !c.yes && a.std.inTTY && a.std.errTTY
	switch {
	case ask:
		a.printPlan(a.errs, p)
	case !a.flags.json:
		a.printPlan(a.out, p)
	}
	if !c.yes && !ask {
		return usage(op, "this changes something, and there is no terminal to ask on").
			hint("pass --yes to do it, or --dry-run to see the plan")
	}
	yes := c.yes || a.ask(ctx, "Apply?")
	switch {
	case ctx.Err() != nil:
		return interrupted(usage(op, "interrupted"))
	case a.out.err != nil:
		return a.out.err // nobody has seen the plan
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
		ctx := change.WithProgress(ctx, a.changeProgress())
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
func (a *app) printPlan(out *printer, p proposal) {
	out.line(out.strong(p.Title))
	switch {
	case len(p.Actions) > 0:
	case p.Empty() && len(p.Changes) == 0:
		out.line("  nothing to change")
	case p.Empty():
		out.line("  nothing to change in the user's go settings, only in this shell")
	}
	if len(p.why) > 0 {
		out.line(out.dim("  why"))
		for _, reason := range p.why {
			out.text("    ", reason)
		}
	}
	for _, text := range p.about {
		out.text("  ", text)
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
			out.text("    ", out.sign(toneWarn, hiddenBy(p.Plan, &c)))
		}
	}
	printActions(out, slices.DeleteFunc(slices.Clone(p.Actions), func(act change.Action) bool { return shown[act.Target] }))
	printKept(out, p.kept)
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
		out.line("  frees " + size(p.FreedBytes))
	}
}
