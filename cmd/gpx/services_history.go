package main

import (
	"context"
	"strings"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/history"
	"gpx/history/incident"
)

// record writes down what the monitor sees, while this is the process that does.
func (s *session) record(ctx context.Context) {
	store := s.app.store
	if store == nil {
		return
	}
	snaps, end := s.monitor.Subscribe()
	defer end()
	settings := incidentSettings(s.read)
	o := history.RecorderOptions{Settings: func() incident.Settings { return settings }}
	if err := store.Record(ctx, snaps, o); err != nil && ctx.Err() == nil {
		s.note("nothing is recorded any more: " + err.Error())
	}
}

// incidentSettings are what decides when an outage is detected, as it is noted with
// each.
func incidentSettings(s settings) incident.Settings {
	c := s.monitorConfig()
	return incident.Settings{
		Interval: wire.Millis(c.HopEvery), Timeout: wire.Millis(s.Probe.Attempt),
		Threshold: c.DownAfter, Lossy: c.LossyDownAfter, Strategy: s.Switch.Strategy,
	}
}

// unfinished is the chain of an incident whose end an earlier gpx has not seen: it
// goes on being watched beside the one in force, so that the incident can end. A
// chain that had to be redacted cannot be asked.
func (s *session) unfinished(ctx context.Context, e *env.Env) *chain.Chain {
	if s.app.store == nil {
		return nil
	}
	list, err := s.app.store.Incidents(ctx)
	if err != nil {
		s.note(err.Error())
		return nil
	}
	now, _ := e.Chain()
	for _, i := range list {
		if !i.Open() || i.Imported || i.Synthetic || i.Chain == now.Redacted() || strings.Contains(i.Chain, redact.Mark) {
			continue
		}
		if c, err := chain.Parse(i.Chain); err == nil {
			return &c
		}
	}
	return nil
}
