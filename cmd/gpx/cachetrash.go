package main

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/modcache"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// A cleaning deletes what has lain in the module cache's trash for its time, and
// what a killed process left of deleting, in either cache. It runs beside the command, which does
// not wait for it: what is cut short goes on at the next start.
type cleaning struct {
	cancel context.CancelFunc
	ended  chan struct{}
	did    []string // what to tell; set before ended is closed
}

// clean begins a cleaning of e's caches; where there is nothing to delete that is
// one call of the system, and reading the topmost folder of the build cache.
func clean(ctx context.Context, e *env.Env, now time.Time) *cleaning {
	dir := e.Get("GOMODCACHE")
	if dir == "" {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &cleaning{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		var err error
		c.did, err = modcache.PurgeTrash(ctx, dir, now)
		if err == nil {
			err = finishPrune(ctx, e)
		}
		// A cache that may not be read, or is no folder, is none to clean; who needs it
		// says so.
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ENOTDIR) {
			c.did = append(c.did, redact.Text(err.Error()))
		}
	}()
	return c
}

// finishPrune frees what a killed prune of the build cache left of its work.
func finishPrune(ctx context.Context, e *env.Env) error {
	at := buildcache.Locate(e)
	if at.Dir == "" {
		return nil
	}
	c, err := buildcache.Open(at.Dir)
	if err != nil {
		return nil // who asks about the build cache is told
	}
	return c.Finish(ctx)
}

// finishCleaning waits for the cleaning, because the command is about the cache.
func (a *app) finishCleaning(ctx context.Context) {
	if a.cleaning == nil {
		return
	}
	select {
	case <-a.cleaning.ended:
	default:
		a.progress("emptying the trash of the module cache…")
		select {
		case <-a.cleaning.ended:
		case <-ctx.Done():
		}
		a.progress("")
	}
	a.stopCleaning()
}

// stopCleaning ends the cleaning, and says what it did.
func (a *app) stopCleaning() {
	if a.cleaning == nil {
		return
	}
	a.cleaning.cancel()
	<-a.cleaning.ended
	for _, text := range a.cleaning.did {
		a.notice(text)
	}
	a.cleaning = nil
	a.printNotices()
}
