package main

import (
	"context"

	"github.com/spf13/cobra"

	"gpx/envctl/profiles"
)

func offlineCommand(a *app) *cobra.Command {
	var c consent
	var o profiles.OfflineOptions
	cmd := &cobra.Command{
		Use: "offline on|off|status", Short: "Work from the module cache, with checksums still verified",
		Long: `on      makes the module cache the only proxy, so that nothing is dialled and
        go.sum and the cached part of the checksum database still verify;
        names the modules that cannot be verified like that
off     brings back what was there before
status  says which of the two is in force

--strict sets GOPROXY=off and GONOPROXY=none instead; --vendor adds -mod=vendor.`,
		Args: arguments(1, 1, "on, off or status"), ValidArgs: []string{"on", "off", "status"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "on" && (o.Strict || o.Vendor) {
				return usage("offline", "--strict and --vendor go with on")
			}
			switch args[0] {
			case "on":
				return offlineOn(cmd.Context(), a, o, c)
			case "off":
				return offlineOff(cmd.Context(), a, c)
			case "status":
				return offlineStatus(cmd.Context(), a)
			default:
				return usage("offline", "there is no %q", args[0]).hint("gpx offline on, off or status")
			}
		},
	}
	cmd.Flags().BoolVar(&o.Strict, "strict", false, "on: GOPROXY=off, GONOPROXY=none")
	cmd.Flags().BoolVar(&o.Vendor, "vendor", false, "on: build from the vendor directory")
	c.addFlags(cmd)
	return cmd
}

func offlineOn(ctx context.Context, a *app, o profiles.OfflineOptions, c consent) error {
	e, p, err := a.both(ctx)
	if err != nil {
		return failed("offline on", "", err)
	}
	a.progress("looking at what can be verified…")
	plan, err := profiles.Offline(ctx, e, p, o)
	a.progress("")
	if err != nil {
		return failed("offline on", "", err)
	}
	return a.carryOut(ctx, "offline on", plan, c)
}

func offlineOff(ctx context.Context, a *app, c consent) error {
	e, p, err := a.both(ctx)
	if err != nil {
		return failed("offline off", "", err)
	}
	ch := a.changer(ctx)
	s, err := profiles.Status(ctx, e, p, ch)
	if err != nil {
		return failed("offline off", "", err)
	}
	if !s.On {
		return &failure{Op: "offline off", Class: "not_offline", Message: "offline mode is not on", status: statusFailed}
	}
	if s.ChangeID == "" {
		return &failure{Op: "offline off", Class: "not_ours", Message: "gpx did not switch offline mode on, so it does not know what was there before",
			Hint: "gpx use default", status: statusFailed}
	}
	plan, err := ch.PlanUndo(ctx, s.ChangeID, false)
	if err != nil {
		return failed("offline off", s.ChangeID, err)
	}
	return a.carryOut(ctx, "offline off", plan, c)
}

func offlineStatus(ctx context.Context, a *app) error {
	e, p, err := a.both(ctx)
	if err != nil {
		return failed("offline status", "", err)
	}
	s, err := profiles.Status(ctx, e, p, a.changer(ctx))
	if err != nil {
		return failed("offline status", "", err)
	}
	if s.Unverifiable == nil {
		s.Unverifiable = []string{}
	}
	if a.flags.json {
		a.out.document(s)
		return a.out.err
	}
	if !s.On {
		a.out.line(a.out.sign(toneIdle, "offline mode is off"))
	} else {
		a.out.line(a.out.sign(toneGood, "offline mode is on") + a.out.dim(" ("+s.Mode+")"))
		if s.ChangeID != "" {
			a.out.line("  " + a.out.dim("since change "+s.ChangeID+"; back with: gpx offline off"))
		}
	}
	if len(s.Unverifiable) > 0 {
		a.out.line(a.out.sign(toneWarn, "cannot be verified without a network:"))
		a.out.list(s.Unverifiable)
	}
	return a.out.err
}
