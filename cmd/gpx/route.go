package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/probe/route"
)

type routeDocument struct {
	Routes []route.Route `json:"routes"`
}

func routeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "route MODULE[@VERSION]…", Short: "Say what the go command will do for a module, file by file and hop by hop",
		Long: `Asks the hops what the prediction needs, and says for each file of the module
which hop the go command would ask, what that hop answers now, and what the go
command does with the answer. Without a version the project's own is taken.

Exit status 3 means that the go command would not get the module.`,
		Args: arguments(1, -1, "at least one module"),
		RunE: func(cmd *cobra.Command, args []string) error { return runRoute(cmd.Context(), a, args) },
	}
}

func runRoute(ctx context.Context, a *app, args []string) error {
	var modules []module.Version
	for _, arg := range args {
		path, version, versioned := strings.Cut(arg, "@")
		err := module.CheckPath(path)
		if versioned && err == nil {
			err = module.Check(path, version)
		}
		if err == nil && versioned && module.CanonicalVersion(version) != version {
			err = fmt.Errorf("%s is not an exact version", arg)
		}
		if err != nil {
			return usage("route", "%v", err).hint("wanted is a module path such as golang.org/x/text, or one with its exact version: golang.org/x/text@v0.3.0")
		}
		modules = append(modules, module.Version{Path: path, Version: version})
	}
	e, p, err := a.both(ctx)
	if err != nil {
		return failed("route", "", err)
	}
	prober, err := a.prober(ctx)
	if err != nil {
		return failed("route", "", err)
	}
	a.remember(ctx, p)
	doc := routeDocument{Routes: []route.Route{}}
	for _, m := range modules {
		a.progress("asking for " + m.Path + "…")
		r, err := route.Observe(ctx, prober, e, p, m)
		if ctx.Err() != nil {
			return interrupted(failed("route", m.Path, ctx.Err()))
		}
		if err != nil {
			return failed("route", m.String(), err)
		}
		doc.Routes = append(doc.Routes, r)
	}
	a.progress("")
	if a.flags.json {
		a.out.document(doc)
	} else {
		for i, r := range doc.Routes {
			if i > 0 {
				a.out.line("")
			}
			a.printRoute(r)
		}
	}
	for _, r := range doc.Routes {
		if a.out.err == nil && r.Result != route.Served && r.Result != route.Direct {
			return errBadNews
		}
	}
	return a.out.err
}

func (a *app) printRoute(r route.Route) {
	out := a.out
	t := toneBad
	switch r.Result {
	case route.Served, route.Direct:
		t = toneGood
	case route.Unknown:
		t = toneIdle
	}
	name := r.Module
	if r.Version != "" {
		name += "@" + r.Version
	}
	out.text("", out.sign(t, out.strong(name))+"  "+strings.ReplaceAll(r.Result, "_", " ")+why(r.Why))
	if r.Private {
		out.line("  " + out.dim("private: GONOPROXY keeps it away from every proxy"))
	}
	var rows [][]string
	for _, s := range r.Steps {
		rows = append(rows, []string{out.dim(s.File), s.Hop, out.sign(classTone(s.Class), s.Class.Words()), actionWords(out, s.Action), out.dim(s.Why)})
	}
	out.table("  ", rows)
}

func why(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}
