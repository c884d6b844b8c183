package history

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gpx/history/incident"
)

// How long what was seen is kept. Hours, incidents and changes stay for ever.
const (
	keepSamples = 7 * 24 * time.Hour
	keepMinutes = 90 * 24 * time.Hour
)

// Tidy removes what is too old to be kept, as of now. The samples of an incident
// are packed into it before they go.
func (s *Store) Tidy(ctx context.Context, now time.Time) error {
	r, err := s.recordsOf(ctx)
	if err != nil {
		return err
	}
	if err := s.tidy(ctx, r, now); err != nil {
		return fmt.Errorf("history: what is too old: %w", err)
	}
	return nil
}

func (s *Store) tidy(ctx context.Context, r *records, now time.Time) error {
	limit := now.Add(-keepSamples)
	var list []incident.Incident
	err := each(ctx, r.db, `SELECT `+incidentColumns+` FROM incidents WHERE recording IS NULL AND opened < ?`, []any{limit.Add(recordBefore).UnixMicro()}, func(scan func(...any) error) error {
		i, err := scanIncident(scan)
		list = append(list, i)
		return err
	})
	if err != nil {
		return err
	}
	for _, i := range list {
		if i.Open() {
			if from := i.Opened.Add(-recordBefore); from.Before(limit) {
				limit = from // what goes on is kept whole
			}
			continue
		}
		rec, err := s.recordingOf(ctx, i.ID)
		if err != nil {
			return err
		}
		data, err := pack(rec)
		if err != nil {
			return err
		}
		if _, err := r.db.ExecContext(ctx, `UPDATE incidents SET recording = ? WHERE id = ?`, data, i.ID); err != nil {
			return err
		}
	}
	return r.within(ctx, func(tx *sql.Tx) error {
		if rolled, err := r.mark(ctx, tx, "minutes"); err != nil {
			return err
		} else if limit.After(rolled) {
			limit = rolled // nothing goes before it was rolled up
		}
		for _, d := range []struct {
			text string
			than int64
		}{
			{`DELETE FROM samples WHERE id < ?`, sampleFloor(limit)},
			{`DELETE FROM frames WHERE id < coalesce((SELECT max(id) FROM frames WHERE id <= ?), 0)`, limit.UnixMicro()},
			{`DELETE FROM minutes WHERE id < ?`, rollupID(now.Add(-keepMinutes), time.Minute, 0)},
		} {
			if _, err := tx.ExecContext(ctx, d.text, d.than); err != nil {
				return err
			}
		}
		return nil
	})
}
