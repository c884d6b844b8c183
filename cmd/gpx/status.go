package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"gpx/cachectl/deps"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
)

// statusDocument is what scripts read of a snapshot.
type statusDocument struct {
	At        wire.Time                `json:"at"`
	Verdict   monitor.Verdict          `json:"verdict"`
	Chain     monitor.ChainStatus      `json:"chain"`
	SumDB     monitor.SumDBStatus      `json:"sumdb"`
	Endpoints []monitor.EndpointStatus `json:"endpoints"`
	Readiness monitor.Readiness        `json:"readiness"`
}

func statusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Probe once and say whether modules can be downloaded", Args: noArguments,
		Long: `Probes the chain, the checksum database and the forward proxy once, within 2.5
seconds, and says whether modules can be downloaded and why not, and whether the
project builds without downloading any.

Exit status 3 means an outage.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return runStatus(cmd.Context(), a) },
	}
}

func runStatus(ctx context.Context, a *app) error {
	m, in, err := a.monitor(ctx)
	if err != nil {
		return failed("status", "", err)
	}
	a.remember(ctx, in.Project)
	a.progress("probing…")
	var s monitor.Snapshot
	var r *deps.Report
	var wg sync.WaitGroup
	wg.Go(func() { s = m.Burst(ctx) })
	if in.Project != nil {
		wg.Go(func() { r = a.readinessSoon(ctx, in.Env, in.Project) })
	}
	wg.Wait()
	a.progress("")
	if r != nil {
		s.Readiness = readinessOf(r)
	}
	if ctx.Err() != nil {
		return interrupted(failed("status", "", ctx.Err()))
	}
	if a.flags.json {
		a.out.document(statusDocument{s.At, s.Verdict, s.Chain, s.SumDB, s.Endpoints, s.Readiness})
	} else {
		a.printStatus(s)
		if r != nil {
			out := a.out
			out.text("", out.strong("DEPS")+"  "+a.readiness(r))
		}
		for _, p := range in.Env.Problems {
			a.out.text("", a.out.sign(toneWarn, p))
		}
	}
	if a.out.err == nil && s.Verdict.State == monitor.StateOutage {
		return errBadNews
	}
	return a.out.err
}

// readFor bounds how long the status waits for what a project needs: the largest
// takes a second or two, and its modules may lie on a slow disk.
const readFor = 4 * time.Second

// readinessSoon is what the project needs, or nil when that takes too long.
func (a *app) readinessSoon(ctx context.Context, e *env.Env, p *project.Project) *deps.Report {
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	r, err := a.readDeps(ctx, e, p)
	if err != nil {
		return nil
	}
	return r
}

func readinessOf(r *deps.Report) monitor.Readiness {
	s := r.Readiness()
	return monitor.Readiness{State: string(s.State), Ready: s.Ready, Missing: s.Missing, AtRisk: s.AtRisk}
}

func (a *app) printStatus(s monitor.Snapshot) {
	out := a.out
	a.printVerdict(s.Verdict)
	out.line("")

	origin := ""
	if s.Chain.Origin != "" {
		origin = out.dim("  (from " + env.Origin(s.Chain.Origin).Words() + ")")
	}
	out.text("", out.strong("GOPROXY")+"  "+out.dash(s.Chain.Value)+origin)
	if s.Chain.Error != "" {
		out.text("  ", out.sign(toneBad, s.Chain.Error))
	}
	var rows [][]string
	reached := true
	for _, h := range s.Chain.Hops {
		ep := endpointOfHop(s, h.N)
		will := actionWords(out, h.GoWill)
		if !reached {
			will = out.dim("not asked now")
		}
		rows = append(rows, []string{
			strconv.Itoa(h.N), h.URL, out.dim(h.Separator),
			out.sign(healthTone(h.Health), healthWord(h)), latency(out, ep), will, out.dim(classDetail(h.Class, ep)),
		})
		reached = reached && (h.GoWill == probe.Next || h.GoWill == probe.ActionUnknown)
	}
	out.table("  ", rows)

	sumDB := out.strong("GOSUMDB") + "  " + out.dash(s.SumDB.Value) + "  "
	switch {
	case s.SumDB.Value == "off":
		out.text("", sumDB+out.sign(toneWarn, "CHECKSUMS ARE OFF: nobody verifies new modules; on again with: gpx sumdb on"))
	case s.SumDB.Route == "":
		out.line(sumDB + out.sign(classTone(s.SumDB.Class), s.SumDB.Class.Words()))
	default:
		out.text("", sumDB+out.sign(classTone(s.SumDB.Class), s.SumDB.Class.Words())+out.dim("  via "+s.SumDB.Route))
	}
	rows = nil
	for _, ep := range s.Endpoints {
		if len(ep.Hops) > 0 || ep.Kind == probe.KindSumDB {
			continue
		}
		rows = append(rows, []string{ep.URL, out.sign(healthTone(ep.Health), string(ep.Health)), latency(out, &ep), out.dim(classDetail(ep.Class, &ep))})
	}
	if len(rows) > 0 {
		out.line(out.strong("ALSO"))
		out.table("  ", rows)
	}
}

// printVerdict writes the headline, the evidence and what to do.
func (a *app) printVerdict(v monitor.Verdict) {
	out := a.out
	out.text("", out.sign(stateTone(v.State), out.strong(v.Headline)))
	for _, e := range v.Evidence {
		out.text("  ", e)
	}
	if len(v.Fixes) > 0 {
		var rows [][]string
		for _, f := range v.Fixes {
			rows = append(rows, []string{out.theme.Glyphs.Arrow + " " + f.Title, out.strong(f.Command)})
		}
		out.table("  ", rows)
	}
}

func endpointOfHop(s monitor.Snapshot, n int) *monitor.EndpointStatus {
	for i := range s.Endpoints {
		for _, h := range s.Endpoints[i].Hops {
			if h == n {
				return &s.Endpoints[i]
			}
		}
	}
	return nil
}

func healthWord(h monitor.Hop) string {
	if h.Kind == probe.KindOff {
		return "off"
	}
	return string(h.Health)
}

// latency is the time of the last probe, blank where it was lost.
func latency(out *printer, ep *monitor.EndpointStatus) string {
	if ep == nil || ep.Class.Failed() || ep.Phases.Total == 0 {
		return out.dash("")
	}
	return milliseconds(ep.Phases.Total)
}

func milliseconds(m wire.Millis) string {
	d := time.Duration(m)
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000)
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
}

// classDetail names what went wrong, or nothing.
func classDetail(c probe.Class, ep *monitor.EndpointStatus) string {
	if c == probe.OK || c == probe.ClassUnknown || c == "" {
		return ""
	}
	if ep != nil && ep.Detail != "" {
		return c.Words() + ": " + ep.Detail
	}
	return c.Words()
}

// actionWords says what the go command does at a hop.
func actionWords(out *printer, act probe.Action) string {
	switch act {
	case probe.Serve:
		return "go uses it"
	case probe.GoDirect:
		return "go uses version control"
	case probe.Next:
		return "go moves on"
	case probe.Stop:
		return out.bad("go stops here")
	case probe.Hang:
		return out.bad("go hangs here")
	case probe.GoOff:
		return "go stops here (off)"
	default:
		return out.dim("not known")
	}
}

func stateTone(s monitor.State) tone {
	switch s {
	case monitor.StateOK:
		return toneGood
	case monitor.StateDegraded, monitor.StateOffline:
		return toneWarn
	case monitor.StateOutage:
		return toneBad
	default:
		return toneIdle
	}
}

func healthTone(h monitor.Health) tone {
	switch h {
	case monitor.Up:
		return toneGood
	case monitor.Slow, monitor.Suspect:
		return toneWarn
	case monitor.Down:
		return toneBad
	default:
		return toneIdle
	}
}

func classTone(c probe.Class) tone {
	switch {
	case c == probe.OK:
		return toneGood
	case c == probe.ClassUnknown || c == "":
		return toneIdle
	case c.Failed():
		return toneBad
	default:
		return toneWarn
	}
}
