package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"gpx/cachectl/modcache"
	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/history"
	"gpx/history/incident"
	"gpx/tui/view"
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
	o := history.RecorderOptions{Notes: s.auto.notes, Acts: s.auto.acts, Settings: func() incident.Settings {
		settings.Automatic = s.auto.acts()
		return settings
	}}
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

// history are the services of the History view.
func (s *session) history() view.History {
	return view.History{
		Incidents: func(ctx context.Context) ([]incident.Incident, error) {
			return ofStore(s, ctx, func(h *history.Store) ([]incident.Incident, error) { return h.Incidents(ctx) })
		},
		Incident: func(ctx context.Context, id int64) (incident.Incident, error) {
			return ofStore(s, ctx, func(h *history.Store) (incident.Incident, error) { return h.Incident(ctx, id) })
		},
		Recording: func(ctx context.Context, id int64) (*incident.Recording, error) {
			return ofStore(s, ctx, func(h *history.Store) (*incident.Recording, error) { return h.Recording(ctx, id) })
		},
		SetNote: func(ctx context.Context, id int64, text string) error {
			_, err := ofStore(s, ctx, func(h *history.Store) (bool, error) { return true, h.SetNote(ctx, id, text) })
			return err
		},
		Stats: func(ctx context.Context, o history.StatsOptions) ([]history.EndpointStats, error) {
			return ofStore(s, ctx, func(h *history.Store) ([]history.EndpointStats, error) { return h.Stats(ctx, o) })
		},
		Backtest: func(ctx context.Context, id int64) ([]string, error) {
			rec, err := ofStore(s, ctx, func(h *history.Store) (*incident.Recording, error) { return h.Recording(ctx, id) })
			if err != nil {
				return nil, err
			}
			return backtestLines(rec), nil
		},
		Report: func(ctx context.Context, id int64, path string) error {
			format, err := reportFormat(path)
			if err != nil {
				return err
			}
			_, err = ofStore(s, ctx, func(h *history.Store) (int64, error) { return writeReport(ctx, h, id, path, format, s.app.now()) })
			return err
		},
		ExportIncident: func(ctx context.Context, id int64, path string, mask bool) error {
			e, p, err := s.current(ctx)
			if err != nil {
				return err
			}
			_, err = ofStore(s, ctx, func(h *history.Store) (int64, error) { return exportIncident(ctx, h, e, p, id, path, mask) })
			return err
		},
		ImportIncident: func(ctx context.Context, path string) (int64, error) {
			return ofStore(s, ctx, func(h *history.Store) (int64, error) {
				id, _, err := importIncident(ctx, h, path)
				return id, err
			})
		},
	}
}

// ofStore asks the history once it is open.
func ofStore[T any](s *session, ctx context.Context, ask func(*history.Store) (T, error)) (T, error) {
	var none T
	if err := s.wait(ctx); err != nil {
		return none, err
	}
	if s.app.store == nil {
		return none, errors.New("there is no history")
	}
	return ask(s.app.store)
}

// watchAudit counts what arrived while checksums were off and was not audited, at
// most one per cent of the time.
func (s *session) watchAudit(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		n, err := s.countUnaudited(ctx)
		if err != nil && ctx.Err() == nil {
			s.note("what arrived unverified cannot be counted: " + err.Error())
		}
		s.mu.Lock()
		s.unaudited = n
		s.mu.Unlock()
		again := time.NewTimer(max(lookAfter, 100*time.Since(began)))
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
	}
}

func (s *session) countUnaudited(ctx context.Context) (int, error) {
	e, _, err := s.current(ctx)
	if err != nil {
		return 0, err
	}
	o, err := s.app.auditOptions(ctx, e)
	if err != nil || len(o.Windows) == 0 {
		return 0, err
	}
	cache, err := modcache.Open(e.Get("GOMODCACHE"))
	if err != nil {
		return 0, err
	}
	return cache.Pending(ctx, o)
}
