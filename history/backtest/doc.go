// Package backtest tells how an incident would have gone with other settings.
//
// The judge is the monitor's own ([monitor.Track], [monitor.Walk]); only its samples
// are recorded ones:
//
//	samples ──those that a schedule with these settings would have taken──▶ lanes
//	lanes   ──healths as they turn──▶ does the chain in force work? ──▶ outages
//	outage  ──a person's recorded reaction, or a switch by itself──▶ another chain
//
// A recording cannot tell what nobody probed. A coarser interval takes the recorded
// samples at that spacing, a shorter timeout cuts them off; between two failures an
// overlapping probe is taken to fail as they did. What is beyond that, an [Outcome]
// says in CannotTell.
//
// The package reads no clock and no file.
package backtest
