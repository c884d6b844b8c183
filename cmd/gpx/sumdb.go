package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"gpx/envctl/change"
	"gpx/envctl/profiles"
)

func sumdbCommand(a *app) *cobra.Command {
	var c consent
	var period time.Duration
	var modules string
	cmd := &cobra.Command{
		Use: "sumdb on|off|VALUE", Short: "Switch the checksum database on, off or to another one",
		Long: `on      takes "off" back: what GOSUMDB was before, or the toolchain's default
off     stops verification; whatever a proxy sends is then believed. --for ends
        it again: at the next start of gpx, the next prompt of a shell with the
        hook, or in a gpx that runs. --modules limits it to module patterns
        (GONOSUMDB); on --modules takes them out again.
VALUE   a database name, "KEY URL", or sum.golang.google.cn`,
		Args: arguments(1, 1, "on, off or a value"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case args[0] != "off" && cmd.Flags().Changed("for"):
				return usage("sumdb", "--for goes with off")
			case args[0] != "off" && args[0] != "on" && cmd.Flags().Changed("modules"):
				return usage("sumdb", "--modules goes with on and off")
			}
			if period < 0 {
				return usage("sumdb", "--for %v is not a time to come", period)
			}
			ctx, op := cmd.Context(), "sumdb"
			if args[0] == "on" || args[0] == "off" {
				op += " " + args[0]
			}
			e, p, err := a.both(ctx)
			if err != nil {
				return failed(op, "", err)
			}
			var plan *change.Plan
			if args[0] == "on" && !cmd.Flags().Changed("modules") {
				plan, err = profiles.SumDBOn(ctx, e, p, a.changer(ctx))
			} else {
				plan, err = profiles.SumDB(ctx, e, p, profiles.SumDBOptions{Value: args[0], For: period, Modules: modules, Now: a.now()})
			}
			if err != nil {
				f := failed(op, args[0], err)
				if errors.Is(err, profiles.ErrInvalid) {
					f.Class, f.status = "usage", statusUsage
				}
				return f
			}
			return a.carryOut(ctx, op, plan, c)
		},
	}
	cmd.Flags().DurationVar(&period, "for", 0, "off: switch on again after `TIME`, such as 1h")
	cmd.Flags().StringVar(&modules, "modules", "", "off, on: only for the module `PATTERNS`")
	c.addFlags(cmd)
	return cmd
}
