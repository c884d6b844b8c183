package history

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gpx/envctl/change"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

// ErrNoIncident says that there is no incident of that number.
var ErrNoIncident = errors.New("there is no such incident; gpx history ls lists them")

const (
	// recordBefore and recordAfter are what is kept around an incident: what an
	// endpoint was like when it worked tells what another threshold would have
	// made of it.
	recordBefore = time.Hour
	recordAfter  = 2 * time.Minute
	// maxSamples bounds the samples of one recording, so that it can be packed and
	// sent: a day of ten endpoints.
	maxSamples = 200_000
	maxFrames  = 20_000
)

const incidentColumns = `id, opened, detected, mitigated, resolved, headline, scope, causes, endpoints, chain, note, unobserved, settings, synthetic, digest`

func scanIncident(scan func(...any) error) (incident.Incident, error) {
	var i incident.Incident
	var opened, detected, mitigated, resolved sql.NullInt64
	var unobserved int64
	var causes, endpoints, settings, scope string
	var digest sql.NullString
	err := scan(&i.ID, &opened, &detected, &mitigated, &resolved, &i.Headline, &scope, &causes, &endpoints, &i.Chain, &i.Note, &unobserved, &settings, &i.Synthetic, &digest)
	if err != nil {
		return i, err
	}
	i.Opened, i.Detected, i.Mitigated, i.Resolved = wire.At(instant(opened)), wire.At(instant(detected)), wire.At(instant(mitigated)), wire.At(instant(resolved))
	i.Scope, i.Unobserved, i.Imported = monitor.Scope(redact.Clean(scope)), wire.Millis(time.Duration(unobserved)*time.Microsecond), digest.Valid && !i.Synthetic
	if mitigated.Valid {
		rto := wire.Millis(i.Mitigated.Sub(i.Opened.Time))
		i.RTO = &rto
	}
	if err := errors.Join(json.Unmarshal([]byte(causes), &i.Causes), json.Unmarshal([]byte(endpoints), &i.Endpoints), json.Unmarshal([]byte(settings), &i.Settings)); err != nil {
		return i, fmt.Errorf("incident %d cannot be read: %w", i.ID, err)
	}
	// Anything may have written to the file.
	i.Headline, i.Chain, i.Note = redact.Text(i.Headline), redact.Text(i.Chain), redact.Text(i.Note)
	for n, e := range i.Endpoints {
		i.Endpoints[n] = redact.Text(e)
	}
	for n, c := range i.Causes {
		i.Causes[n] = probe.Class(redact.Clean(string(c)))
	}
	return i, nil
}

// saveIncident inserts an incident or brings it up to date, and returns its
// number.
func saveIncident(ctx context.Context, tx *sql.Tx, i *incident.Incident) (int64, error) {
	causes, _ := json.Marshal(i.Causes)
	endpoints, _ := json.Marshal(i.Endpoints)
	settings, err := json.Marshal(i.Settings)
	if err != nil {
		return 0, err
	}
	var id int64
	err = tx.QueryRowContext(ctx, `INSERT INTO incidents (id, opened, detected, mitigated, resolved, headline, scope, causes, endpoints, chain, unobserved, settings, synthetic)
		VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET mitigated = excluded.mitigated, resolved = excluded.resolved, causes = excluded.causes,
			endpoints = excluded.endpoints, unobserved = excluded.unobserved
		RETURNING id`,
		i.ID, whole(i.Opened), whole(i.Detected), whole(i.Mitigated), whole(i.Resolved), redact.Text(i.Headline), string(i.Scope),
		string(causes), string(endpoints), redact.Text(i.Chain), time.Duration(i.Unobserved).Microseconds(), string(settings), i.Synthetic).Scan(&id)
	return id, err
}

// whole is an instant as events have it, in milliseconds: the two are compared.
func whole(t wire.Time) sql.NullInt64 { return micros(t.Truncate(time.Millisecond)) }

func addEvent(ctx context.Context, tx *sql.Tx, id int64, e incident.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO incident_events (incident, n, event)
		VALUES (?, (SELECT coalesce(max(n), 0) + 1 FROM incident_events WHERE incident = ?), ?)`, id, id, string(data))
	return err
}

// lastIncident is the incident that goes on or, without one, the newest that was
// recorded here; nil if there is none.
func lastIncident(ctx context.Context, q query) (*incident.Incident, error) {
	i, err := scanIncident(q.QueryRowContext(ctx, `SELECT `+incidentColumns+` FROM incidents WHERE digest IS NULL AND NOT synthetic ORDER BY resolved IS NULL DESC, id DESC LIMIT 1`).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	i.Events, err = storedEvents(ctx, q, i.ID)
	return &i, err
}

func storedEvents(ctx context.Context, q query, id int64) ([]incident.Event, error) {
	events := []incident.Event{}
	err := each(ctx, q, `SELECT event FROM incident_events WHERE incident = ? ORDER BY n`, []any{id}, func(scan func(...any) error) error {
		var data string
		var e incident.Event
		if err := scan(&data); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("an event of incident %d cannot be read: %w", id, err)
		}
		e.Text, e.Endpoint, e.Change = redact.Text(e.Text), redact.Text(e.Endpoint), redact.Text(e.Change)
		events = append(events, e)
		return nil
	})
	return events, err
}

// Incidents lists the incidents, the newest first. Of their events they have the
// actions alone.
func (s *Store) Incidents(ctx context.Context) ([]incident.Incident, error) {
	r, err := s.recordsOf(ctx)
	if err != nil {
		return nil, err
	}
	list := []incident.Incident{}
	err = each(ctx, r.db, `SELECT `+incidentColumns+` FROM incidents ORDER BY opened DESC, id DESC`, nil, func(scan func(...any) error) error {
		i, err := scanIncident(scan)
		list = append(list, i)
		return err
	})
	if err == nil {
		err = s.addActions(ctx, r, list)
	}
	if err != nil {
		return nil, fmt.Errorf("history: incidents: %w", err)
	}
	return list, nil
}

func (s *Store) addActions(ctx context.Context, r *records, list []incident.Incident) error {
	done, err := s.journal.List(ctx)
	if err != nil {
		return err
	}
	for n := range list {
		i := &list[n]
		if !i.Imported && !i.Synthetic {
			i.Events = actions(done, i.Opened.Time, i.Resolved.Time)
			continue
		}
		events, err := storedEvents(ctx, r.db, i.ID)
		if err != nil {
			return err
		}
		i.Events = slices.DeleteFunc(events, func(e incident.Event) bool { return e.Kind != incident.Action })
	}
	return nil
}

// Incident returns one incident with its events, those of the journal among them.
func (s *Store) Incident(ctx context.Context, id int64) (incident.Incident, error) {
	i, err := s.incident(ctx, id)
	if err != nil {
		return i, fmt.Errorf("history: incident %d: %w", id, err)
	}
	return i, nil
}

func (s *Store) incident(ctx context.Context, id int64) (incident.Incident, error) {
	r, err := s.recordsOf(ctx)
	if err != nil {
		return incident.Incident{}, err
	}
	i, err := scanIncident(r.db.QueryRowContext(ctx, `SELECT `+incidentColumns+` FROM incidents WHERE id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return i, ErrNoIncident
	}
	if err != nil {
		return i, err
	}
	if i.Events, err = storedEvents(ctx, r.db, id); err != nil || i.Imported || i.Synthetic {
		return i, err
	}
	done, err := s.journal.List(ctx)
	if err != nil {
		return i, err
	}
	i.Events = append(i.Events, actions(done, i.Opened.Time, i.Resolved.Time)...)
	slices.SortStableFunc(i.Events, func(a, b incident.Event) int { return a.At.Compare(b.At.Time) })
	return i, nil
}

// actions are the changes of the journal in an incident; to is zero while it goes
// on. What gpx has changed by itself it takes back after the end, when the chain has
// been well for a while.
func actions(records []change.Record, from, to time.Time) []incident.Event {
	var events []incident.Event
	in := map[string]bool{}
	for _, r := range records { // the oldest first
		own := r.Actor == change.ByItself
		switch {
		case r.DoneAt.IsZero() || r.DoneAt.Before(from):
			continue
		case !to.IsZero() && r.DoneAt.After(to) && !(own && in[r.Undoes]):
			continue
		}
		in[r.ID] = true
		text := redact.Text(r.Title)
		if own {
			text = "gpx by itself: " + text
		}
		events = append(events, incident.Event{At: wire.At(r.DoneAt), Kind: incident.Action, Text: text, Change: r.ID})
	}
	return events
}

// SetNote keeps what a person says of an incident.
func (s *Store) SetNote(ctx context.Context, id int64, text string) error {
	r, err := s.recordsOf(ctx)
	if err != nil {
		return err
	}
	res, err := r.db.ExecContext(ctx, `UPDATE incidents SET note = ? WHERE id = ?`, redact.Text(text), id)
	if err == nil {
		if n, _ := res.RowsAffected(); n == 0 {
			err = ErrNoIncident
		}
	}
	if err != nil {
		return fmt.Errorf("history: note of incident %d: %w", id, err)
	}
	return nil
}

// Recording returns an incident with what was seen around it.
func (s *Store) Recording(ctx context.Context, id int64) (*incident.Recording, error) {
	rec, err := s.recordingOf(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("history: incident %d: %w", id, err)
	}
	return rec, nil
}

func (s *Store) recordingOf(ctx context.Context, id int64) (*incident.Recording, error) {
	i, err := s.incident(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := s.recordsOf(ctx)
	if err != nil {
		return nil, err
	}
	var data []byte
	if err := r.db.QueryRowContext(ctx, `SELECT recording FROM incidents WHERE id = ?`, id).Scan(&data); err != nil {
		return nil, err
	}
	if data != nil {
		var rec incident.Recording
		if err := unpack(data, &rec); err != nil {
			return nil, fmt.Errorf("its recording cannot be read: %w", err)
		}
		rec.Incident = i
		return &rec, nil
	}
	to := s.now()
	if !i.Open() {
		to = earliest(i.Resolved.Add(recordAfter), to)
	}
	rec := &incident.Recording{Incident: i, From: wire.At(i.Opened.Add(-recordBefore)), To: wire.At(to),
		Endpoints: []incident.Endpoint{}, Samples: []incident.Sample{}, Frames: []incident.Frame{}}
	index := map[incident.Endpoint]int{}
	err = r.samples(ctx, rec.From.Time, to, maxSamples, func(e incident.Endpoint, sample incident.Sample) {
		n, ok := index[e]
		if !ok {
			n = len(rec.Endpoints)
			index[e] = n
			rec.Endpoints = append(rec.Endpoints, e)
		}
		sample.Endpoint = n
		rec.Samples = append(rec.Samples, sample)
	})
	if err != nil {
		return nil, err
	}
	if len(rec.Samples) == maxSamples { // the rest of a very long one is told by its events
		to = rec.Samples[maxSamples-1].At.Time
		rec.To = wire.At(to)
	}
	rec.Frames, err = r.frames(ctx, rec.From.Time, to)
	if len(rec.Samples) > 0 && rec.Samples[0].At.After(rec.From.Time) {
		rec.From = rec.Samples[0].At
	}
	return rec, err
}

// AddRecording keeps an incident that was seen elsewhere and returns its number
// here. What is here already is not kept twice.
func (s *Store) AddRecording(ctx context.Context, rec *incident.Recording) (int64, error) {
	r, err := s.recordsOf(ctx)
	if err != nil {
		return 0, err
	}
	copied := *rec
	copied.Incident.ID = 0
	data, err := json.Marshal(&copied)
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	var id int64
	err = r.within(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT id FROM incidents WHERE digest = ?`, digest).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if id, err = saveIncident(ctx, tx, &copied.Incident); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE incidents SET digest = ?, note = ?, recording = ? WHERE id = ?`,
			digest, redact.Text(copied.Incident.Note), packer().EncodeAll(data, nil), id)
		for _, e := range copied.Incident.Events {
			if err == nil {
				err = addEvent(ctx, tx, id, e)
			}
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("history: import: %w", err)
	}
	return id, nil
}

func addFrame(ctx context.Context, tx *sql.Tx, f monitor.Snapshot) error {
	data, err := pack(f)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO frames (id, data) VALUES (?, ?)`, f.At.UnixMicro(), data)
	return err
}

// frames are those of [from, to), and the one that was in force at from.
func (r *records) frames(ctx context.Context, from, to time.Time) ([]incident.Frame, error) {
	frames := []incident.Frame{}
	err := each(ctx, r.db, `SELECT data FROM frames WHERE id >= coalesce((SELECT max(id) FROM frames WHERE id <= ?), 0) AND id < ? ORDER BY id LIMIT ?`,
		[]any{from.UnixMicro(), to.UnixMicro(), maxFrames}, func(scan func(...any) error) error {
			var data sql.RawBytes
			var f incident.Frame
			if err := scan(&data); err != nil {
				return err
			}
			if err := unpack(data, &f.Snapshot); err != nil {
				return fmt.Errorf("a frame cannot be read: %w", err)
			}
			frames = append(frames, f)
			return nil
		})
	return frames, err
}
