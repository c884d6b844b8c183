package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/probe"
	"gpx/probe/doctor"
	"gpx/probe/monitor"
	"gpx/probe/route"
)

type doctorDocument struct {
	Verdict monitor.Verdict `json:"verdict"`
	Steps   []doctor.Step   `json:"steps"`
}

func doctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "doctor [URL]", Short: "Go through the troubleshooting tree, step by step",
		Long: `Looks at everything that downloading a module depends on, in the order in which
it matters: the go command, its settings, the project, the forward proxy, every
hop of the chain, the checksum database, and what the go command would do for a
module of this project. Every step says what it saw and, where something is
wrong, what to do. With a URL it goes through the layers of that endpoint.

A hop that fails where the go command does not come to it, or moves on, is a
warning. Exit status 3 means an outage, as for gpx status, or that another step
failed, which is then named at the end.`,
		Args: arguments(0, 1, "at most one URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var doc doctorDocument
			var err error
			if len(args) > 0 {
				doc, err = doctorURL(cmd.Context(), a, args[0])
			} else {
				doc, err = doctorAll(cmd.Context(), a)
			}
			if err != nil {
				return err
			}
			return a.printDoctor(doc)
		},
	}
}

func doctorAll(ctx context.Context, a *app) (doctorDocument, error) {
	m, in, err := a.monitor(ctx)
	if err != nil {
		return doctorDocument{}, failed("doctor", "", err)
	}
	a.remember(ctx, in.Project)
	a.progress("probing…")
	defer a.progress("")
	s := m.Burst(ctx)
	steps := doctor.Steps(doctor.Facts{Now: a.now(), Env: in.Env, Project: in.Project, Snapshot: s, Machine: doctor.Look(in.Env)})
	if in.Project != nil && s.Chain.Error == "" {
		private := func(path string) bool {
			return module.MatchPrefixPatterns(in.Env.NoProxy(), path) || module.MatchPrefixPatterns(in.Env.Get("GOPRIVATE"), path)
		}
		prober, err := a.prober(ctx)
		if err != nil {
			return doctorDocument{}, failed("doctor", "", err)
		}
		if canary, ok := in.Project.Canary(private); ok {
			if r, err := route.Observe(ctx, prober, in.Env, in.Project, canary); err == nil {
				steps = append(steps, routeStep(r))
			}
		}
	}
	if ctx.Err() != nil {
		return doctorDocument{}, interrupted(failed("doctor", "", ctx.Err()))
	}
	return doctorDocument{Verdict: s.Verdict, Steps: steps}, nil
}

func routeStep(r route.Route) doctor.Step {
	st := doctor.Step{Name: "go mod download", State: doctor.OK, Detail: r.Module + "@" + r.Version + " is " + strings.ReplaceAll(r.Result, "_", " ")}
	if r.Why != "" {
		st.Detail += ": " + r.Why
	}
	switch r.Result {
	case route.Served, route.Direct:
	case route.Unknown:
		st.State = doctor.Warn
	default:
		st.State, st.Hint = doctor.Fail, "gpx route "+r.Module+"@"+r.Version+" shows it hop by hop"
	}
	return st
}

func doctorURL(ctx context.Context, a *app, raw string) (doctorDocument, error) {
	eps, err := a.named(ctx, "doctor", []string{raw}, false)
	if err != nil {
		return doctorDocument{}, err
	}
	p, err := a.prober(ctx)
	if err != nil {
		return doctorDocument{}, failed("doctor", "", err)
	}
	a.progress("probing…")
	r := p.Deep(ctx, eps[0])
	a.progress("")
	if ctx.Err() != nil {
		return doctorDocument{}, interrupted(failed("doctor", "", ctx.Err()))
	}
	return doctorDocument{Verdict: verdictOf(r), Steps: doctor.Layers(r)}, nil
}

// verdictOf is what one result says about its endpoint.
func verdictOf(r probe.Result) monitor.Verdict {
	v := monitor.Verdict{State: monitor.StateOK, Scope: monitor.ScopeNone, Headline: r.URL + " works", Evidence: []string{}, Fixes: []monitor.Fix{}}
	info := r.Class.Info()
	switch {
	case r.Class == probe.ClassUnknown:
		v.State, v.Headline = monitor.StateUnknown, r.URL+" was not probed"
	case r.Class.Failed():
		v.State, v.Scope, v.Headline = monitor.StateOutage, monitor.ScopeChain, r.URL+" does not work: "+r.Class.Words()
		v.Evidence = []string{info.Meaning, "What the go command does: " + info.GoDoes}
		if r.Detail != "" {
			v.Evidence = append([]string{r.Detail}, v.Evidence...)
		}
		v.Fixes = []monitor.Fix{{Title: info.Advice}}
	case r.Class != probe.OK:
		v.Headline = r.URL + " is alive: " + r.Class.Words()
		v.Evidence = []string{info.Meaning}
	}
	return v
}

func (a *app) printDoctor(doc doctorDocument) error {
	if a.flags.json {
		a.out.document(doc)
	} else {
		var rows [][]string
		for _, s := range doc.Steps {
			t := toneIdle
			switch s.State {
			case doctor.OK:
				t = toneGood
			case doctor.Warn:
				t = toneWarn
			case doctor.Fail:
				t = toneBad
			}
			rows = append(rows, []string{a.out.sign(t, string(s.State)), s.Name, s.Detail})
			if s.Hint != "" {
				rows = append(rows, []string{"", "", a.out.dim(a.out.theme.Glyphs.Arrow+" ") + s.Hint})
			}
		}
		a.out.table("", rows)
		a.out.line("")
		a.printVerdict(doc.Verdict)
		if names := failedSteps(doc.Steps); doc.Verdict.State != monitor.StateOutage && len(names) > 0 {
			a.out.line(a.out.sign(toneBad, "failed all the same: "+strings.Join(names, ", ")))
		}
	}
	if a.out.err == nil && (doc.Verdict.State == monitor.StateOutage || doctor.Worst(doc.Steps) == doctor.Fail) {
		return errBadNews
	}
	return a.out.err
}

func failedSteps(steps []doctor.Step) []string {
	var names []string
	for _, s := range steps {
		if s.State == doctor.Fail {
			names = append(names, s.Name)
		}
	}
	return names
}
