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

Exit status 3 means that a step failed.`,
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
	st := doctor.Step{Name: "go mod download " + r.Module + "@" + r.Version, State: doctor.OK, Detail: strings.ReplaceAll(r.Result, "_", " ")}
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

// layers of one endpoint, in the order in which a probe passes them.
var layers = []probe.Layer{
	probe.LayerConfig, probe.LayerDNS, probe.LayerTCP, probe.LayerTLS,
	probe.LayerHTTP, probe.LayerProtocol, probe.LayerContent, probe.LayerSumDB,
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
	return doctorDocument{Verdict: verdictOf(r), Steps: layerSteps(r)}, nil
}

// verdictOf is what one result says about its endpoint.
func verdictOf(r probe.Result) monitor.Verdict {
	v := monitor.Verdict{State: monitor.StateOK, Scope: monitor.ScopeNone, Headline: r.URL + " works", Evidence: []string{}, Fixes: []monitor.Fix{}}
	info := r.Class.Info()
	switch {
	case r.Class == probe.ClassUnknown:
		v.State, v.Headline = monitor.StateUnknown, r.URL+" was not probed"
	case r.Class.Failed():
		v.State, v.Scope, v.Headline = monitor.StateOutage, monitor.ScopeChain, r.URL+" does not work: "+string(r.Class)
		v.Evidence = []string{info.Meaning, "What the go command does: " + info.GoDoes}
		if r.Detail != "" {
			v.Evidence = append([]string{r.Detail}, v.Evidence...)
		}
		v.Fixes = []monitor.Fix{{Title: info.Advice}}
	case r.Class != probe.OK:
		v.Headline = r.URL + " is alive: " + string(r.Class)
		v.Evidence = []string{info.Meaning}
	}
	return v
}

// layerSteps tells how far the probe came, and what each kind of request said.
func layerSteps(r probe.Result) []doctor.Step {
	var steps []doctor.Step
	reached := true
	for _, l := range layers {
		if l == probe.LayerSumDB && r.Layer != l {
			continue // the checks below say it better
		}
		st := doctor.Step{Name: string(l), State: doctor.OK}
		switch {
		case !reached:
			st.State, st.Detail = doctor.Skip, "not reached"
		case l == r.Layer && r.Class != probe.OK:
			reached = false
			st.Detail, st.Hint = r.Detail, r.Class.Info().Advice
			st.State = doctor.Warn
			if r.Class.Failed() {
				st.State = doctor.Fail
			}
			if st.Detail == "" {
				st.Detail = r.Class.Info().Meaning
			}
		case l == probe.LayerDNS && r.Phases.DNS > 0:
			st.Detail = milliseconds(r.Phases.DNS)
		case l == probe.LayerTCP && r.Phases.TCP > 0:
			st.Detail = milliseconds(r.Phases.TCP) + " to " + r.RemoteAddr
		case l == probe.LayerTLS && strings.HasPrefix(r.URL, "http://"):
			st.State, st.Detail = doctor.Skip, "plain http"
		case l == probe.LayerTLS && r.Phases.TLS > 0:
			st.Detail = milliseconds(r.Phases.TLS)
			if !r.TLSExpires.IsZero() {
				st.Detail += ", certificate until " + r.TLSExpires.Local().Format("2006-01-02")
			}
		case l == probe.LayerHTTP && r.Phases.TTFB > 0:
			st.Detail = "first byte after " + milliseconds(r.Phases.TTFB)
		}
		steps = append(steps, st)
	}
	for _, c := range r.Checks {
		st := doctor.Step{Name: "request " + string(c.File), State: doctor.OK, Detail: string(c.Class)}
		if c.Detail != "" {
			st.Detail += ": " + c.Detail
		}
		switch {
		case c.Class.Failed():
			st.State, st.Hint = doctor.Fail, c.Class.Info().Advice
		case c.Class == probe.ClassUnknown:
			st.State = doctor.Skip
		case c.Class != probe.OK:
			st.State = doctor.Warn
		}
		steps = append(steps, st)
	}
	return steps
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
	}
	if a.out.err != nil {
		return a.out.err
	}
	if doc.Verdict.State == monitor.StateOutage || doctor.Worst(doc.Steps) == doctor.Fail {
		return errBadNews
	}
	return nil
}
