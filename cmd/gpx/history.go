package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpx/history"
	"gpx/history/incident"
	"gpx/probe/monitor"
	"gpx/tui"
	"gpx/tui/widget"
)

type incidentsDocument struct {
	Incidents []incident.Incident `json:"incidents"`
}

type statsDocument struct {
	Since     string                  `json:"since"` // as it was asked for; "" from the beginning
	SLO       float64                 `json:"slo"`
	Endpoints []history.EndpointStats `json:"endpoints"`
}

func historyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "history", Short: "Look at past outages: what was seen, what was done, how long it took",
		Long: `While the screen is open, or gpx watch runs, gpx records what its probes see. An
incident begins with the first answer that makes the go command fail, is mitigated when
builds work again, and ends when the chain works that was in force when it began.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runHistoryList(cmd.Context(), a) },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "ls", Short: "List the incidents, newest first", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runHistoryList(cmd.Context(), a) },
	}, historyShowCommand(a), historyNoteCommand(a), historyStatsCommand(a), historyReplayCommand(a), historyBacktestCommand(a),
		historyReportCommand(a), historyExportCommand(a), historyImportCommand(a), historyPruneCommand(a))
	return cmd
}

// records is the history, or why there is none.
func (a *app) records(ctx context.Context, op string) (*history.Store, error) {
	store := a.history(ctx)
	if store == nil {
		return nil, failed(op, "", fmt.Errorf("there is no history")).hint("see the line above")
	}
	return store, nil
}

// incident reads the argument N of a command, and opens the history that it is in.
func (a *app) incident(ctx context.Context, op, arg string) (*history.Store, int64, error) {
	id, err := incidentNumber(op, arg)
	if err != nil {
		return nil, 0, err
	}
	store, err := a.records(ctx, op)
	return store, id, err
}

// incidentNumber reads the argument N.
func incidentNumber(op, arg string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(arg, "#"), 10, 64)
	if err != nil || n <= 0 {
		return 0, usage(op, "%q is no number of an incident", arg).hint("gpx history ls lists them")
	}
	return n, nil
}

func runHistoryList(ctx context.Context, a *app) error {
	const op = "history ls"
	store, err := a.records(ctx, op)
	if err != nil {
		return err
	}
	list, err := store.Incidents(ctx)
	if err != nil {
		return failed(op, "", err)
	}
	if a.flags.json {
		for n := range list {
			list[n].Events = nil // gpx history show has them all
		}
		a.out.document(incidentsDocument{list})
		return a.out.err
	}
	if len(list) == 0 {
		a.out.line("no incident was recorded yet: gpx records while its screen is open, or gpx watch runs")
		return a.out.err
	}
	rows := [][]string{{a.out.dim("#"), a.out.dim("OPENED"), a.out.dim("LENGTH"), a.out.dim("RTO"), a.out.dim("CAUSE"), a.out.dim("ENDPOINTS")}}
	for _, i := range list {
		rows = append(rows, []string{a.out.strong(fmt.Sprint(i.ID)), when(i.Opened.Time), lengthOf(a, &i), rtoOf(&i), causesOf(&i), strings.Join(i.Endpoints, " ") + marksOf(&i)})
	}
	a.out.table("", rows)
	return a.out.err
}

// when is an instant as a person reads it.
func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func lengthOf(a *app, i *incident.Incident) string {
	length := widget.Age(i.Length(a.now()))
	if i.Open() {
		return a.out.bad(length + ", goes on")
	}
	return length
}

func rtoOf(i *incident.Incident) string {
	if i.RTO == nil {
		return "-"
	}
	return widget.Age(time.Duration(*i.RTO))
}

func causesOf(i *incident.Incident) string {
	words := make([]string, len(i.Causes))
	for n, c := range i.Causes {
		words[n] = string(c)
	}
	return cmp.Or(strings.Join(words, ", "), string(i.Scope))
}

func marksOf(i *incident.Incident) string {
	switch {
	case i.Synthetic:
		return " (synthetic)"
	case i.Imported:
		return " (imported)"
	}
	return ""
}

func historyShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show N", Short: "Show one incident with its timeline", Args: arguments(1, 1, "the number of an incident"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "history show"
			ctx := cmd.Context()
			store, id, err := a.incident(ctx, op, args[0])
			if err != nil {
				return err
			}
			i, err := store.Incident(ctx, id)
			if err != nil {
				return failed(op, args[0], err)
			}
			if a.flags.json {
				a.out.document(i)
				return a.out.err
			}
			a.printIncident(&i)
			return a.out.err
		},
	}
}

func (a *app) printIncident(i *incident.Incident) {
	out := a.out
	out.line(out.strong(fmt.Sprintf("Incident %d", i.ID)) + marksOf(i) + "  " + i.Headline)
	row := func(name string, at time.Time, remark string) []string {
		if at.IsZero() {
			return []string{name, out.dim("not yet"), ""}
		}
		return []string{name, when(at), remark}
	}
	since := func(at time.Time) string { return out.dim("after " + widget.Age(at.Sub(i.Opened.Time))) }
	rows := [][]string{
		row("opened", i.Opened.Time, ""),
		row("detected", i.Detected.Time, since(i.Detected.Time)),
		row("mitigated", i.Mitigated.Time, since(i.Mitigated.Time)),
		row("resolved", i.Resolved.Time, since(i.Resolved.Time)),
		{"cause", causesOf(i), ""},
		{"chain", i.Chain, ""},
	}
	if i.Unobserved > 0 {
		rows = append(rows, []string{"unobserved", widget.Age(time.Duration(i.Unobserved)), ""})
	}
	if i.Note != "" {
		rows = append(rows, []string{"note", i.Note, ""})
	}
	out.table("  ", rows)
	out.line("")
	rows = nil
	for _, e := range i.Events {
		rows = append(rows, []string{e.At.Local().Format("15:04:05.000"), out.dim(string(e.Kind)), e.Text})
	}
	out.table("  ", rows)
}

func historyNoteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "note N TEXT", Short: "Keep a note with an incident", Args: arguments(2, -1, "the number of an incident, and the note"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "history note"
			ctx := cmd.Context()
			store, id, err := a.incident(ctx, op, args[0])
			if err != nil {
				return err
			}
			text := strings.Join(args[1:], " ")
			if err := store.SetNote(ctx, id, text); err != nil {
				return failed(op, args[0], err)
			}
			i, err := store.Incident(ctx, id)
			if err != nil {
				return failed(op, args[0], err)
			}
			if a.flags.json {
				a.out.document(i)
			} else {
				a.out.line(fmt.Sprintf("incident %d: %s", i.ID, i.Note))
			}
			return a.out.err
		},
	}
}

func historyStatsCommand(a *app) *cobra.Command {
	var since string
	slo := history.DefaultSLO * 100
	cmd := &cobra.Command{
		Use: "stats", Short: "Say how reliable each endpoint was",
		Long: `Availability is the share of probes that were answered well, the times are those of
the answered ones. The error budget is what an SLO leaves: 100 % is untouched, below
0 it is overspent. Times in which nobody watched count for nothing.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			const op = "history stats"
			ctx := cmd.Context()
			o := history.StatsOptions{SLO: slo / 100}
			if slo <= 0 || slo > 100 {
				return usage(op, "--slo %v is not between 0 and 100", slo)
			}
			if since != "" {
				d, err := parsePeriod(since)
				if err != nil {
					return usage(op, "--since: %v", err)
				}
				o.Since = a.now().Add(-d)
			}
			store, err := a.records(ctx, op)
			if err != nil {
				return err
			}
			list, err := store.Stats(ctx, o)
			if err != nil {
				return failed(op, "", err)
			}
			if a.flags.json {
				a.out.document(statsDocument{since, o.SLO, list})
				return a.out.err
			}
			a.printStats(list)
			return a.out.err
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "the last `D` only, such as 24h or 7d (default: all that is kept)")
	cmd.Flags().Float64Var(&slo, "slo", slo, "the availability that the error budget is counted against, in `PERCENT`")
	return cmd
}

func (a *app) printStats(list []history.EndpointStats) {
	if len(list) == 0 {
		a.out.line("nothing was recorded in this time: gpx records while its screen is open, or gpx watch runs")
		return
	}
	rows := [][]string{{}}
	for _, h := range []string{"ENDPOINT", "AVAILABLE", "P50", "P95", "P99", "PROBES", "WORST HOUR", "BUDGET LEFT"} {
		rows[0] = append(rows[0], a.out.dim(h))
	}
	for _, e := range list {
		worst := "-"
		if e.WorstHour != nil {
			worst = fmt.Sprintf("%s %s", e.WorstHour.At.Local().Format("Jan 02 15:04"), percent(e.WorstHour.Availability))
		}
		left := percent(e.BudgetLeft)
		if e.BudgetLeft < 0 {
			left = a.out.bad(fmt.Sprintf("overspent %.1fx", 1-e.BudgetLeft))
		}
		rows = append(rows, []string{e.URL, percent(e.Availability), msOf(time.Duration(e.P50)), msOf(time.Duration(e.P95)), msOf(time.Duration(e.P99)), fmt.Sprint(e.Samples), worst, left})
	}
	a.out.table("", rows)
}

func percent(share float64) string {
	// Rounded down: 99.999 % is not 100 %.
	return strconv.FormatFloat(float64(int64(share*100_000))/1000, 'f', -1, 64) + "%"
}

func msOf(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return d.Round(100 * time.Microsecond).String()
}

func historyPruneCommand(a *app) *cobra.Command {
	var age string
	var c consent
	cmd := &cobra.Command{
		Use: "prune", Short: "Remove what was recorded long ago",
		Long: `Samples are kept for 7 days, those of incidents with the incident; minutes for 90
days; hours, incidents and changes for ever. That is done by itself; this command does
it now. --older-than also removes incidents and hours, for good; changes stay, since
they can be undone.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			const op = "history prune"
			ctx := cmd.Context()
			store, err := a.records(ctx, op)
			if err != nil {
				return err
			}
			if age == "" {
				if err := store.Tidy(ctx, a.now()); err != nil {
					return failed(op, "", err)
				}
				if a.flags.json {
					a.out.document(prunedDocument{Applied: true})
				} else {
					a.out.line(a.out.sign(toneGood, "nothing is kept longer than it should be"))
				}
				return a.out.err
			}
			d, err := parsePeriod(age)
			if err != nil {
				return usage(op, "--older-than: %v", err)
			}
			return a.pruneHistory(ctx, op, store, a.now().Add(-d), c)
		},
	}
	cmd.Flags().StringVar(&age, "older-than", "", "remove all that is older than `D`, such as 90d")
	c.addFlags(cmd)
	return cmd
}

type prunedDocument struct {
	Applied bool `json:"applied"`
	DryRun  bool `json:"dry_run"`
	history.Pruned
}

// pruneHistory says what goes, asks, and removes it. It cannot be undone, so that it
// is no change of the journal.
func (a *app) pruneHistory(ctx context.Context, op string, store *history.Store, before time.Time, c consent) error {
	plan, err := store.Prune(ctx, before, true)
	if err != nil {
		return failed(op, "", err)
	}
	doc := prunedDocument{Pruned: plan, DryRun: c.dryRun}
	say := fmt.Sprintf("removes for good what was seen before %s: %s, %s, %s", when(before),
		count(plan.Incidents, "incident", "incidents"), count(plan.Samples, "sample", "samples"), count(plan.Minutes+plan.Hours+plan.Days, "rollup", "rollups"))
	switch {
	case plan.Empty() || c.dryRun:
		if a.flags.json {
			a.out.document(doc)
		} else {
			a.out.line(say)
		}
		return a.out.err
	case !c.yes && !a.interactive():
		return usage(op, "it asks before it removes anything, and this is no terminal").hint("pass --yes, or look with --dry-run")
	case !c.yes:
		a.out.line(say)
		if !a.ask(ctx, "Remove it?") {
			return a.out.err
		}
	}
	if doc.Pruned, err = store.Prune(ctx, before, false); err != nil {
		return failed(op, "", err)
	}
	doc.Applied = true
	if a.flags.json {
		a.out.document(doc)
	} else {
		a.out.line(a.out.sign(toneGood, "removed"))
	}
	return a.out.err
}

func historyReplayCommand(a *app) *cobra.Command {
	var text bool
	var speed float64
	cmd := &cobra.Command{
		Use: "replay N", Short: "Replay an incident in the screen, or as text",
		Long: `Opens the screen over what was recorded: REPLAY stands in every frame, nothing can be
changed, and L goes to what is now.

--text, or no terminal, prints the same as lines: each event, and what the go command
would have done with each hop whenever that became another thing. --json prints
snapshots, one a line; with --speed they come as they did, that many times faster.`,
		Args: arguments(1, 1, "the number of an incident"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "history replay"
			ctx := cmd.Context()
			if speed < 0 {
				return usage(op, "--speed %v is below 0", speed)
			}
			store, id, err := a.incident(ctx, op, args[0])
			if err != nil {
				return err
			}
			rec, err := store.Recording(ctx, id)
			if err != nil {
				return failed(op, args[0], err)
			}
			s, err := a.settings()
			if err != nil {
				return err
			}
			if !text && !a.flags.json && a.interactive() {
				return runScreen(ctx, a, tui.Live, replay{id, speed})
			}
			return a.replayText(ctx, incident.NewReel(s.monitorConfig(), rec), speed)
		},
	}
	cmd.Flags().BoolVar(&text, "text", false, "print it as lines")
	cmd.Flags().Float64Var(&speed, "speed", 0, "`X` times faster than it was: 1 to 600 in the screen (default: 8, and lines all at once)")
	return cmd
}

// replayText prints an incident instant by instant.
func (a *app) replayText(ctx context.Context, reel *incident.Reel, speed float64) error {
	instants := reel.Instants()
	said, events := "", reel.Incident.Events
	for n, at := range instants {
		if n > 0 && speed > 0 {
			pause := time.NewTimer(time.Duration(float64(at.Sub(instants[n-1])) / speed))
			select {
			case <-ctx.Done():
				pause.Stop()
				return interrupted(failed("history replay", "", ctx.Err()))
			case <-pause.C:
			}
		}
		snap := reel.At(at)
		if a.flags.json {
			a.out.document(snap)
			continue
		}
		for len(events) > 0 && !events[0].At.After(at) {
			a.out.line(fmt.Sprintf("%s  %s", events[0].At.Local().Format("15:04:05.000"), a.out.strong(string(events[0].Kind)+": ")+events[0].Text))
			events = events[1:]
		}
		if state := stateLine(snap); state != said {
			said = state
			a.out.line(fmt.Sprintf("%s  %s", a.out.dim(at.Local().Format("15:04:05.000")), state))
		}
	}
	return a.out.err
}

// stateLine is what the go command would have done, in one line.
func stateLine(s monitor.Snapshot) string {
	var hops []string
	for _, h := range s.Chain.Hops {
		hops = append(hops, fmt.Sprintf("%s %s %s: go will %s %s", h.URL, h.Health, h.Class, h.GoWill, h.Separator))
	}
	line := string(s.Verdict.State) + "  " + strings.TrimSpace(strings.Join(hops, " "))
	if s.SumDB.Route == "off" {
		line += "  checksums off"
	}
	if s.Gap != nil {
		line += "  (nobody watched)"
	}
	return line
}
