package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"gpx/probe/monitor"
)

func watchCommand(a *app) *cobra.Command {
	tell := ""
	cmd := &cobra.Command{
		Use: "watch", Short: "Watch and record without a screen",
		Long: `Probes what the screen probes, records it in the history, and ends what has run out,
such as a sumdb off --for. It prints a line whenever the verdict is another one; with
--json each snapshot is one. It goes on until ctrl+c.

With --metrics it tells Prometheus what it sees: http://HOST:PORT/metrics. Rules
and alerts for that are in gpx's docs/prometheus, a unit for systemd beside them.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runWatch(cmd.Context(), a, tell) },
	}
	cmd.Flags().StringVar(&tell, "metrics", "", "answer Prometheus on `HOST:PORT` of this machine; port 0 takes a free one")
	return cmd
}

func runWatch(ctx context.Context, a *app, tell string) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	metrics, err := listenMetrics(ctx, tell)
	if err != nil {
		return err
	}
	a.actor = "watch"
	ctx, cancel := context.WithCancel(ctx)
	live := a.session(ctx, s)
	defer live.work.Wait()
	defer cancel()
	live.work.Go(live.start)
	live.serveMetrics(metrics)

	snaps, end := live.Subscribe()
	defer end()
	said := ""
	for {
		select {
		case <-ctx.Done(): // that is how it ends
			return a.out.err
		case snap, ok := <-snaps:
			if !ok {
				if live.failed != nil {
					return failed("watch", "", live.failed)
				}
				return a.out.err
			}
			a.printWatched(snap, &said)
			if a.out.err != nil {
				return a.out.err
			}
		}
	}
}

// printWatched prints a snapshot, or the verdict if that is another one than was
// said last.
func (a *app) printWatched(snap monitor.Snapshot, said *string) {
	if a.flags.json {
		a.out.document(snap)
		return
	}
	if snap.Round == 0 || snap.Verdict.Headline == *said {
		return
	}
	*said = snap.Verdict.Headline
	a.out.line(fmt.Sprintf("%s  %s", a.out.dim(when(snap.At.Time)), snap.Verdict.Headline))
}
