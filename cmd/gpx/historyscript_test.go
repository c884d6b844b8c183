package main

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gpx/history"
	"gpx/history/incident"
	"gpx/probe/monitor"
)

// cmdRecorded fills the script's history with an outage of an hour ago, as the
// recorder writes it that sees one snapshot a second.
func cmdRecorded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: recorded")
	}
	reel := incident.NewReel(monitor.DefaultConfig(), incident.Synthetic(time.Now().Add(-time.Hour)))
	path := filepath.Join(ts.Getenv("XDG_STATE_HOME"), "gpx", "history.db")
	var shown atomic.Int64 // what the clock shows, in milliseconds
	now := reel.From.Time
	shown.Store(now.UnixMilli())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	store, err := history.Open(ctx, path, history.Options{Now: func() time.Time { return time.UnixMilli(shown.Load()) }})
	ts.Check(err)
	snaps, tick, done := make(chan monitor.Snapshot), make(chan time.Time), make(chan error, 1)
	go func() { done <- store.Record(ctx, snaps, history.RecorderOptions{Tick: tick}) }()
	tick <- now
	for ; now.Before(reel.To.Time); now = now.Add(time.Second) {
		shown.Store(now.UnixMilli())
		snaps <- reel.At(now)
	}
	tick <- now
	cancel()
	ts.Check(<-done)
	ts.Check(store.Close())
}
