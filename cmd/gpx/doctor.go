package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/probe/route"
)

// A doctorStep is one question of the troubleshooting tree, with what was seen.
type doctorStep struct {
	Name   string    `json:"name"`
	State  stepState `json:"state"`
	Detail string    `json:"detail"`
	Hint   string    `json:"hint"`
}

// A stepState is how a step came out.
type stepState string

const (
	stepOK   stepState = "ok"
	stepWarn stepState = "warn"
	stepFail stepState = "fail"
	stepSkip stepState = "skip" // does not apply, or what it needs failed
)

type doctorDocument struct {
	Verdict monitor.Verdict `json:"verdict"`
	Steps   []doctorStep    `json:"steps"`
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
	s := m.Burst(ctx)
	a.progress("")
	if ctx.Err() != nil {
		return doctorDocument{}, interrupted(failed("doctor", "", ctx.Err()))
	}
	steps := settingSteps(in.Env)
	steps = append(steps, projectSteps(in.Env, in.Project)...)
	steps = append(steps, endpointSteps(s)...)

	prober, err := a.prober(ctx)
	if err != nil {
		return doctorDocument{}, failed("doctor", "", err)
	}
	if in.Project != nil && s.Chain.Error == "" {
		if canary, ok := in.Project.Canary(func(path string) bool { return keptPrivate(in.Env, path) }); ok {
			r, err := route.Observe(ctx, prober, in.Env, in.Project, canary)
			if err == nil {
				steps = append(steps, routeStep(r))
			}
		}
	}
	if ctx.Err() != nil {
		return doctorDocument{}, interrupted(failed("doctor", "", ctx.Err()))
	}
	return doctorDocument{Verdict: s.Verdict, Steps: steps}, nil
}

func routeStep(r route.Route) doctorStep {
	st := doctorStep{Name: "go mod download " + r.Module + "@" + r.Version, State: stepOK, Detail: strings.ReplaceAll(r.Result, "_", " ")}
	if r.Why != "" {
		st.Detail += ": " + r.Why
	}
	switch r.Result {
	case route.Served, route.Direct:
	case route.Unknown:
		st.State = stepWarn
	default:
		st.State, st.Hint = stepFail, "gpx route "+r.Module+"@"+r.Version+" shows it hop by hop"
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
func layerSteps(r probe.Result) []doctorStep {
	var steps []doctorStep
	reached := true
	for _, l := range layers {
		if l == probe.LayerSumDB && r.Layer != l {
			continue // the checks below say it better
		}
		st := doctorStep{Name: string(l), State: stepOK}
		switch {
		case !reached:
			st.State, st.Detail = stepSkip, "not reached"
		case l == r.Layer && r.Class != probe.OK:
			reached = false
			st.Detail, st.Hint = r.Detail, r.Class.Info().Advice
			st.State = stepWarn
			if r.Class.Failed() {
				st.State = stepFail
			}
			if st.Detail == "" {
				st.Detail = r.Class.Info().Meaning
			}
		case l == probe.LayerDNS && r.Phases.DNS > 0:
			st.Detail = milliseconds(r.Phases.DNS)
		case l == probe.LayerTCP && r.Phases.TCP > 0:
			st.Detail = milliseconds(r.Phases.TCP) + " to " + r.RemoteAddr
		case l == probe.LayerTLS && strings.HasPrefix(r.URL, "http://"):
			st.State, st.Detail = stepSkip, "plain http"
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
		st := doctorStep{Name: "request " + string(c.File), State: stepOK, Detail: string(c.Class)}
		if c.Detail != "" {
			st.Detail += ": " + c.Detail
		}
		switch {
		case c.Class.Failed():
			st.State, st.Hint = stepFail, c.Class.Info().Advice
		case c.Class == probe.ClassUnknown:
			st.State = stepSkip
		case c.Class != probe.OK:
			st.State = stepWarn
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
			case stepOK:
				t = toneGood
			case stepWarn:
				t = toneWarn
			case stepFail:
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
	if doc.Verdict.State == monitor.StateOutage {
		return errBadNews
	}
	for _, s := range doc.Steps {
		if s.State == stepFail {
			return errBadNews
		}
	}
	return nil
}
