package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"gpx/probe/monitor"
)

func watchCommand(a *app) *cobra.Command {
	tell, auto := "", false
	cmd := &cobra.Command{
		Use: "watch", Short: "Watch and record without a screen",
		Long: `Probes what the screen probes, records it in the history, and ends what has run out,
such as a sumdb off --for. It prints a line whenever the verdict is another one; with
--json each snapshot is one. It goes on until ctrl+c.

With --auto it switches by itself in an outage that another chain mends, and goes
back when the chain that was left has been well for a while (switch.quiet in the
settings). Both are changes like any other: gpx changes lists them, gpx undo takes
one back, and GOPROXY is then left alone. It never shows a private module path to a
public proxy that would not have seen it, and says why where it does nothing. Of
several gpx processes the one that records acts. With --json what it does is told
on stderr.

With --metrics it tells Prometheus what it sees: http://HOST:PORT/metrics. Rules
and alerts for that are in gpx's docs/prometheus, a unit for systemd beside them.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings()
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("auto") {
				s.Switch.Automatic = auto
			}
			return runWatch(cmd.Context(), a, s, tell)
		},
	}
	cmd.Flags().StringVar(&tell, "metrics", "", "answer Prometheus on `HOST:PORT` of this machine; port 0 takes a free one")
	cmd.Flags().BoolVar(&auto, "auto", false, "switch by itself in an outage, and back")
	return cmd
}

func runWatch(ctx context.Context, a *app, s settings, tell string) error {
	metrics, err := listenMetrics(ctx, tell)
	if err != nil {
		return err
	}
	a.actor = "watch"
	ctx, cancel := context.WithCancel(ctx)
	live := a.session(ctx, s)
	deeds := live.auto.listen()
	defer func() { // when all has ended
		for len(deeds) > 0 {
			a.printDeed(<-deeds)
		}
	}()
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
		case text := <-deeds:
			a.printDeed(text)
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

// printDeed prints what gpx has done by itself, or why not. Where stdout holds one
// snapshot a line, that is told beside it.
func (a *app) printDeed(text string) {
	if a.flags.json {
		a.errs.text("", a.errs.dim("gpx watch: ")+text)
		return
	}
	a.out.line(a.out.dim(when(a.now())) + "  " + text)
}
