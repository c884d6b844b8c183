package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"gpx/cachectl/relay"
	"gpx/cmd/gpx/internal/metrics"
)

// listenMetrics opens the address of --metrics; nil for none.
func listenMetrics(ctx context.Context, addr string) (net.Listener, error) {
	const op = "watch"
	if addr == "" {
		return nil, nil
	}
	l, err := relay.Listen(ctx, addr)
	switch {
	case errors.Is(err, relay.ErrNotLoopback):
		return nil, usage(op, "--metrics %s is an address that other machines reach, and metrics name the proxies of the chain", addr).
			hint("name a loopback address, as in --metrics 127.0.0.1:9118")
	case err != nil:
		return nil, failed(op, addr, err)
	}
	return l, nil
}

// serveMetrics answers on l until the session ends, if there is l.
func (s *session) serveMetrics(l net.Listener) {
	if l == nil {
		return
	}
	told := metrics.NewWatch(readVersion().Version, s.recordNow)
	snaps, end := s.Subscribe()
	s.work.Go(func() {
		defer end()
		for snap := range snaps {
			told.Observe(snap)
		}
	})
	mux := http.NewServeMux()
	mux.Handle("/metrics", told.Handler())
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	s.work.Go(func() {
		if err := relay.ServeLocal(s.ctx, l, mux); err != nil && s.ctx.Err() == nil {
			s.note("nobody is told metrics any more: " + err.Error())
		}
	})
	s.app.errs.line(s.app.errs.dim("gpx watch: metrics on http://" + l.Addr().String() + "/metrics"))
}

// recordNow says what the history says at the moment. What cannot be asked now, a
// file that is busy, is none.
func (s *session) recordNow(ctx context.Context) metrics.Record {
	none := metrics.Record{Role: metrics.None}
	select {
	case <-s.ready:
	default:
		return none
	}
	store := s.app.store
	if store == nil {
		return none
	}
	pid, err := store.Recorder(ctx)
	if err != nil {
		return none
	}
	now := metrics.Record{Role: metrics.Observing}
	if pid == os.Getpid() {
		now.Role = metrics.Recording
	}
	if i, err := store.GoesOn(ctx); err == nil && i != nil {
		now.Opened = i.Opened.Time
	}
	return now
}
