package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/envctl/shell"
)

type envDocument struct {
	Vars []env.Var `json:"vars"`
}

func envCommand(a *app) *cobra.Command {
	var sh string
	cmd := &cobra.Command{
		Use: "env [NAME…]", Short: "Show go's variables with where each value comes from",
		Long: `Prints the variables of go env with their values in force, where each one comes
from (the environment of this shell, go env -w, $GOROOT/go.env, a default), and
which values it hides.

--export SHELL prints shell lines instead: of the variables named, or of all
that are not at their default.`,
		Args: arguments(0, -1, "names"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("export") {
				return runExport(cmd.Context(), a, sh, args)
			}
			return runEnv(cmd.Context(), a, args)
		},
	}
	cmd.Flags().StringVar(&sh, "export", "", "print lines for `SHELL`: bash, zsh or fish")
	return cmd
}

// chosen reads the variables that args name; none means all.
func (a *app) chosen(ctx context.Context, args []string) ([]env.Var, error) {
	e, err := a.env(ctx)
	if err != nil {
		return nil, failed("env", "", err)
	}
	if e.Go == "" { // then all values are in doubt; other problems are told with the whole list
		for _, p := range e.Problems {
			a.errs.line("gpx: note: " + p)
		}
	}
	if len(args) == 0 {
		return e.Vars, nil
	}
	vars := []env.Var{}
	for _, name := range args {
		v, ok := e.Lookup(name)
		if !ok {
			f := usage("env", "go has no variable %q", name)
			if up := strings.ToUpper(name); up != name {
				if _, ok := e.Lookup(up); ok {
					f.hint("did you mean: gpx env %s", up)
				}
			}
			return nil, f
		}
		vars = append(vars, v)
	}
	return vars, nil
}

func runEnv(ctx context.Context, a *app, args []string) error {
	vars, err := a.chosen(ctx, args)
	if err != nil {
		return err
	}
	doc := envDocument{Vars: []env.Var{}}
	for _, v := range vars {
		doc.Vars = append(doc.Vars, a.printable(v))
	}
	if a.flags.json {
		a.out.document(doc)
		return a.out.err
	}
	var rows [][]string
	for _, v := range doc.Vars {
		rows = append(rows, []string{a.out.strong(v.Name), a.out.dash(v.Value), a.out.dim(v.Origin.Words())})
		for _, s := range v.Shadowed {
			if s.Origin == env.Default || s.Origin == env.GOROOT && v.Origin == env.User {
				continue // what a setting is there to hide
			}
			rows = append(rows, []string{"", a.out.warn(a.out.theme.Glyphs.Shadow + " hides " + s.Value), a.out.dim(s.Origin.Words())})
		}
	}
	a.out.table("", rows)
	if len(args) == 0 && a.goEnv.Go != "" {
		for _, p := range a.goEnv.Problems {
			a.out.line(a.out.sign(toneWarn, p))
		}
	}
	return a.out.err
}

// printable is v without credentials, unless they were asked for.
func (a *app) printable(v env.Var) env.Var {
	show := func(value string) string {
		if a.flags.showSecrets {
			return redact.Clean(value)
		}
		return redact.Value(v.Name, value)
	}
	v.Value = show(v.Value)
	v.Shadowed = slices.Clone(v.Shadowed)
	for i := range v.Shadowed {
		v.Shadowed[i].Value = show(v.Shadowed[i].Value)
	}
	if v.Shadowed == nil {
		v.Shadowed = []env.Setting{}
	}
	return v
}

func runExport(ctx context.Context, a *app, sh string, args []string) error {
	vars, err := a.chosen(ctx, args)
	if err != nil {
		return err
	}
	var as []change.Assignment
	hidden := false
	for _, v := range vars {
		if len(args) == 0 && v.Origin != env.OS && v.Origin != env.User {
			continue
		}
		value := v.Value
		if !a.flags.showSecrets {
			value = redact.Value(v.Name, v.Value)
			hidden = hidden || value != v.Value
		}
		as = append(as, change.Assignment{Name: v.Name, Value: value})
	}
	text, err := shell.Export(sh, as)
	if err != nil {
		f := failed("env", "", err)
		f.Class, f.status = "usage", statusUsage
		return f
	}
	if a.flags.json {
		a.out.document(map[string]any{"shell": sh, "script": text, "redacted": hidden})
		return a.out.err
	}
	a.out.write(text)
	if hidden {
		a.errs.line("gpx: note: xxxxx stands for credentials, so these lines do not work as they are; --show-secrets prints them whole")
	}
	return a.out.err
}
