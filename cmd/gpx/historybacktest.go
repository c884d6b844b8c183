package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpx/envctl/wire"
	"gpx/history/backtest"
	"gpx/history/incident"
	"gpx/tui/widget"
)

type backtestFlags struct {
	backtest.Options
	auto string
}

func historyBacktestCommand(a *app) *cobra.Command {
	var f backtestFlags
	cmd := &cobra.Command{
		Use: "backtest N", Short: "Say how an incident would have gone with other settings",
		Long: `Plays the samples of an incident through other settings: when would it have been
detected, and when would builds have worked again? Without flags a table of
alternatives is tried and the best is named. What a recording cannot tell, such as what
an endpoint would have answered that nobody asked, is said.`,
		Args: arguments(1, 1, "the number of an incident"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "history backtest"
			switch f.auto {
			case "on", "off":
				on := f.auto == "on"
				f.Automatic = &on
			case "":
			default:
				return usage(op, "--auto %q is neither on nor off", f.auto)
			}
			given := cmd.Flags().Changed
			for flag, value := range map[string]int64{"interval": int64(f.Interval), "timeout": int64(f.Timeout), "threshold": int64(f.Threshold)} {
				if given(flag) && value <= 0 {
					return usage(op, "--%s %s is not above 0", flag, cmd.Flags().Lookup(flag).Value)
				}
			}
			store, id, err := a.incident(cmd.Context(), op, args[0])
			if err != nil {
				return err
			}
			rec, err := store.Recording(cmd.Context(), id)
			if err != nil {
				return failed(op, args[0], err)
			}
			var table backtest.Table
			if slices.ContainsFunc([]string{"interval", "timeout", "threshold", "strategy", "chain", "auto"}, given) {
				table.Alternatives = []backtest.Outcome{backtest.Run(rec, backtest.Options{}), backtest.Run(rec, f.Options)}
				table.Best = -1
			} else {
				table = backtest.Alternatives(rec)
			}
			if a.flags.json {
				a.out.document(table)
				return a.out.err
			}
			rows, remarks := backtestTable(table)
			for i := range rows[0] {
				rows[0][i] = a.out.dim(rows[0][i])
			}
			a.out.table("", rows)
			a.out.list(remarks)
			return a.out.err
		},
	}
	cmd.Flags().DurationVar(&f.Interval, "interval", 0, "between two probes of a hop")
	cmd.Flags().DurationVar(&f.Timeout, "timeout", 0, "of one probe")
	cmd.Flags().IntVar(&f.Threshold, "threshold", 0, "failures in a row that are down")
	cmd.Flags().StringVar(&f.Strategy, "strategy", "", "by which gpx chooses a chain: latency, availability, region or manual")
	cmd.Flags().StringVar(&f.Chain, "chain", "", "a GOPROXY `CHAIN` in the place of the one that it opened with")
	cmd.Flags().StringVar(&f.auto, "auto", "", "whether gpx switches by itself: `on` or off")
	return cmd
}

// backtestTable is a table with its heads, and what has to be said about it.
func backtestTable(t backtest.Table) (rows [][]string, remarks []string) {
	rows = [][]string{{"", "SETTINGS", "DETECTED", "WORKS AGAIN", "ALARMS"}}
	for i, o := range t.Alternatives {
		mark := ""
		if i == t.Best {
			mark = "best"
		}
		what := "as it was"
		if i > 0 {
			what = differs(&t.Alternatives[0], &o)
		}
		rows = append(rows, []string{mark, what, afterOf(o.TimeToDetect), afterOf(o.RTO), fmt.Sprint(o.Flaps)})
	}
	if t.Why != "" {
		remarks = append(remarks, t.Why)
	}
	seen := map[string]bool{}
	for i, o := range t.Alternatives {
		for _, text := range o.CannotTell {
			if about := rows[i+1][1]; !seen[text] {
				seen[text] = true
				remarks = append(remarks, "the recording cannot tell, "+about+": "+text)
			}
		}
	}
	return rows, remarks
}

// afterOf is how long after the first failure something was.
func afterOf(d *wire.Millis) string {
	if d == nil {
		return "never"
	}
	return time.Duration(*d).Round(100 * time.Millisecond).String()
}

// differs says in what b is not a.
func differs(a, b *backtest.Outcome) string {
	var words []string
	say := func(is bool, format string, args ...any) {
		if is {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	x, y := a.Settings, b.Settings
	say(x.Interval != y.Interval, "interval %v", time.Duration(y.Interval))
	say(x.Timeout != y.Timeout, "timeout %v", time.Duration(y.Timeout))
	say(x.Threshold != y.Threshold, "threshold %d", y.Threshold)
	say(x.Strategy != y.Strategy, "strategy %s", y.Strategy)
	say(!x.Automatic && y.Automatic, "automatic switching")
	say(x.Automatic && !y.Automatic, "no automatic switching")
	switch piped := strings.ReplaceAll(a.Chain, ",", "|"); {
	case a.Chain == b.Chain:
	case b.Chain == piped:
		say(true, "%q for %q in the chain", "|", ",")
	default:
		say(true, "chain %s", b.Chain)
	}
	if len(words) == 0 {
		return "the same"
	}
	return strings.Join(words, ", ")
}

// backtestLines is the table as the screen shows it.
func backtestLines(rec *incident.Recording) []string {
	rows, remarks := backtestTable(backtest.Alternatives(rec))
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], widget.Width(cell))
		}
	}
	var lines []string
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(widget.Pad(cell, widths[i], false) + "  ")
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return append(append(lines, ""), remarks...)
}
