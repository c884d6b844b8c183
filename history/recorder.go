package history

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"os"
	"slices"
	"time"

	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe/monitor"
)

const (
	// flushEvery is how often what was seen is written; an incident that begins or
	// ends is written at once.
	flushEvery = 2 * time.Second
	// maxPending bounds what waits for a file that is busy.
	maxPending = 20000
	// tidyEvery is how often what is too old is removed.
	tidyEvery = time.Hour
)

// RecorderOptions configure [Store.Record].
type RecorderOptions struct {
	Settings func() incident.Settings // in force now; nil: none are noted
	Now      func() time.Time         // nil means the store's clock
	Tick     <-chan time.Time         // nil means every 2 s
	// Notes are events of another source, for the incident that goes on or the last
	// one. They are dropped while another process records.
	Notes <-chan incident.Event
	// Acts says that this process switches by itself, which only the one that records
	// may: one that does not act makes room for it. Nil means no.
	Acts func() bool

	flushed func([]seen) // for tests: what was committed
}

// Record writes down what snapshots show, until ctx ends or snaps is closed. Of
// several processes one records; the others wait to take over. It never holds up
// who sends.
//
// A file that takes no more is given up for a memory, which [Store.Notice] says.
func (s *Store) Record(ctx context.Context, snaps <-chan monitor.Snapshot, o RecorderOptions) error {
	if o.Now == nil {
		o.Now = s.now
	}
	r := &recorder{
		s: s, o: o, last: map[incident.Endpoint]monitor.Sample{},
		lease: lease{token: rand.Text(), pid: os.Getpid(), started: o.Now(), dies: leaseFor},
	}
	state := &recorderState{token: r.lease.token}
	s.recorder.Store(state)
	defer s.recorder.CompareAndSwap(state, nil)
	tick := o.Tick
	if tick == nil {
		t := time.NewTicker(flushEvery)
		defer t.Stop()
		tick = t.C
		// The lease is taken at once: what gpx does by itself waits for it.
		if err := r.flush(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return r.end(ctx)
		case snap, ok := <-snaps:
			if !ok {
				return r.end(ctx)
			}
			if r.take(snap) {
				err = r.flush(ctx)
			}
		case e := <-o.Notes:
			if r.note(e) {
				err = r.flush(ctx)
			}
		case <-tick:
			err = r.flush(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// A recorder is the state of [Store.Record].
type recorder struct {
	s     *Store
	o     RecorderOptions
	lease lease
	away  time.Time // it leaves the lease to one that acts until then

	tracker incident.Tracker
	holding bool
	floor   time.Time // samples until then were recorded by another
	seen    time.Time // snapshots until then were another's to judge
	last    map[incident.Endpoint]monitor.Sample
	essence [sha256.Size]byte // of the last frame
	latest  *monitor.Snapshot
	tidied  time.Time

	samples   []seen
	frames    []monitor.Snapshot
	incidents []*incident.Incident
	events    []eventOf
}

type eventOf struct {
	of    *incident.Incident
	event incident.Event
}

// take notes a snapshot; now says that it cannot wait to be written.
func (r *recorder) take(snap monitor.Snapshot) (now bool) {
	r.latest = &snap
	if !r.holding || !snap.At.After(r.seen) {
		return false
	}
	for i := range snap.Endpoints {
		r.collect(&snap.Endpoints[i])
	}
	if snap.Round > 0 {
		r.frame(snap)
	}
	if r.o.Settings != nil {
		r.tracker.Settings = r.o.Settings()
	}
	return r.keep(r.tracker.Observe(snap))
}

// note adds an event of another source.
func (r *recorder) note(e incident.Event) (now bool) {
	return r.holding && r.keep(r.tracker.Note(e))
}

// keep has what a step changed written; changed says that there is something.
func (r *recorder) keep(step incident.Step) (changed bool) {
	if step.Incident == nil {
		return false
	}
	if !slices.Contains(r.incidents, step.Incident) {
		r.incidents = append(r.incidents, step.Incident)
	}
	for _, e := range step.Events {
		r.events = append(r.events, eventOf{step.Incident, e})
	}
	return true
}

// collect notes the samples of an endpoint that are new: those behind the one that
// was the last at the snapshot before.
func (r *recorder) collect(e *monitor.EndpointStatus) {
	recent := e.Window.Recent
	if len(recent) == 0 {
		return
	}
	key := incident.Endpoint{URL: e.URL, Kind: e.Kind}
	fresh := e.Window.After(r.last[key])
	for i, s := range fresh {
		if !s.At.After(r.floor) {
			continue
		}
		n := seen{endpoint: key, at: s.At.Time, class: s.Class}
		n.phases.Total = s.Total
		// Of the latest probe there is more than its time.
		if i == len(fresh)-1 && s.Class == e.Class && e.At.Sub(s.At.Time).Abs() < 50*time.Millisecond {
			n.phases, n.status = e.Phases, e.HTTPStatus
			n.phases.Total = s.Total
		}
		r.samples = append(r.samples, n)
	}
	r.last[key] = recent[len(recent)-1]
}

// frame notes the snapshot if it differs from the last one in more than times.
func (r *recorder) frame(snap monitor.Snapshot) {
	snap.Endpoints = slices.Clone(snap.Endpoints)
	essence := snap
	essence.Endpoints = slices.Clone(snap.Endpoints)
	essence.At, essence.Round, essence.Gap = wire.Time{}, 0, nil
	for i := range snap.Endpoints {
		snap.Endpoints[i].Window = monitor.Window{Recent: []monitor.Sample{}}
		e := &essence.Endpoints[i]
		e.Window, e.At, e.RemoteAddr, e.RetryAfter = monitor.Window{}, wire.Time{}, "", 0
		e.Phases = snap.Endpoints[i].Phases
		e.Phases.DNS, e.Phases.TCP, e.Phases.TLS, e.Phases.TTFB, e.Phases.Total = 0, 0, 0, 0, 0
	}
	data, err := json.Marshal(essence)
	if err != nil {
		return
	}
	if sum := sha256.Sum256(data); sum != r.essence {
		r.essence = sum
		r.frames = append(r.frames, snap)
	}
}

// flush writes what waits, and keeps or takes the lease.
func (r *recorder) flush(ctx context.Context) error {
	rec, err := r.s.recordsOf(ctx)
	if err == nil {
		err = r.write(ctx, rec)
	}
	if err == nil || ctx.Err() != nil {
		return nil
	}
	if busy(err) && len(r.samples) < maxPending {
		return nil // the next flush writes it
	}
	if !cannotWrite(err) || rec != nil && rec.memory != nil {
		return err
	}
	if rec, err = r.s.forget(ctx, err); err != nil {
		return err
	}
	return r.write(ctx, rec)
}

// write is one flush.
func (r *recorder) write(ctx context.Context, rec *records) error {
	now := r.o.Now()
	var lease hold
	var taken bool
	ids := map[*incident.Incident]int64{}
	err := rec.within(ctx, func(tx *sql.Tx) (err error) {
		// What was seen before the lease was taken is not to be told by this process,
		// also when it had it once and was suspended for so long that another came.
		lease, err = r.claim(ctx, tx, now)
		taken = lease.held && (lease.others || !r.holding)
		if err != nil || !lease.held || taken {
			return err
		}
		if err := rec.add(ctx, tx, r.samples); err != nil {
			return err
		}
		for _, f := range r.frames {
			if err := addFrame(ctx, tx, f); err != nil {
				return err
			}
		}
		for _, i := range r.incidents {
			if ids[i], err = saveIncident(ctx, tx, i); err != nil {
				return err
			}
		}
		for _, e := range r.events {
			if err := addEvent(ctx, tx, ids[e.of], e.event); err != nil {
				return err
			}
		}
		return rec.roll(ctx, tx, now)
	})
	if err != nil {
		return err
	}
	for i, id := range ids {
		i.ID = id
	}
	if lease.held && !taken && r.o.flushed != nil {
		r.o.flushed(r.samples)
	}
	r.samples, r.frames, r.incidents, r.events = r.samples[:0], nil, nil, nil
	r.holding = lease.held
	switch {
	case taken:
		if err := r.takeOver(ctx, rec, lease.before); err != nil {
			return err
		}
	case lease.held && now.Sub(r.tidied) > tidyEvery:
		r.tidied = now
		return r.s.Tidy(ctx, now)
	}
	return nil
}

// takeOver goes on where the recorder before left off.
func (r *recorder) takeOver(ctx context.Context, rec *records, before time.Time) error {
	var newest sql.NullInt64
	if err := rec.db.QueryRowContext(ctx, `SELECT max(id) FROM samples`).Scan(&newest); err != nil {
		return err
	}
	if newest.Valid {
		r.floor = sampleAt(newest.Int64)
		if before.Before(r.floor) {
			before = r.floor
		}
	}
	r.tracker, r.essence = incident.Tracker{}, [sha256.Size]byte{}
	last, err := lastIncident(ctx, rec.db)
	if err != nil {
		return err
	}
	if last != nil {
		for _, at := range []wire.Time{last.Detected, last.Mitigated, last.Resolved} {
			if before.Before(at.Time) {
				before = at.Time
			}
		}
		r.tracker.Resume(*last, before)
	}
	// An outage that has ended meanwhile is not opened again by what was seen before
	// its end. A sign from the future is that of a clock that was set since.
	if r.seen = before; before.After(r.o.Now()) {
		r.seen = time.Time{}
	}
	if r.latest != nil && r.take(*r.latest) {
		return r.write(ctx, rec)
	}
	return nil
}

// end writes the rest and lets another process record.
func (r *recorder) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busyTimeout)
	defer cancel()
	switch {
	case r.holding:
	case r.acts():
		return r.giveUp(ctx)
	default:
		return nil
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	rec, err := r.s.recordsOf(ctx)
	if err != nil {
		return err
	}
	if err := r.lease.release(ctx, rec.db); err != nil && !busy(err) {
		r.s.say("the recorder could not be released: %s", redact.Text(err.Error()))
	}
	return nil
}
