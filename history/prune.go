package history

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Pruned is what a prune removes, or has removed.
type Pruned struct {
	Incidents int64 `json:"incidents"`
	Samples   int64 `json:"samples"`
	Frames    int64 `json:"frames"`
	Minutes   int64 `json:"minutes"`
	Hours     int64 `json:"hours"`
	Days      int64 `json:"days"`
}

// Empty reports whether there is nothing to remove.
func (p Pruned) Empty() bool { return p == Pruned{} }

// Prune removes what was seen before an instant: samples, rollups, and incidents
// that ended before it. An incident that goes on keeps its samples; changes stay
// for ever, since they can be undone. With dry it only counts.
func (s *Store) Prune(ctx context.Context, before time.Time, dry bool) (Pruned, error) {
	r, err := s.recordsOf(ctx)
	if err != nil {
		return Pruned{}, err
	}
	p, err := r.prune(ctx, before, dry)
	if err != nil {
		return Pruned{}, fmt.Errorf("history: prune: %w", err)
	}
	if !dry && !p.Empty() {
		// Without the room that another process may be using the file stays large;
		// nothing is lost by that.
		_, _ = r.db.ExecContext(ctx, `VACUUM`)
	}
	return p, nil
}

func (r *records) prune(ctx context.Context, before time.Time, dry bool) (p Pruned, err error) {
	err = r.within(ctx, func(tx *sql.Tx) error {
		samples := before
		var open sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT min(opened) FROM incidents WHERE recording IS NULL AND (resolved IS NULL OR resolved >= ?)`, before.UnixMicro()).Scan(&open); err != nil {
			return err
		}
		if open.Valid {
			samples = earliest(samples, instant(open).Add(-recordBefore))
		}
		for _, d := range []struct {
			table, where string
			than         int64
			n            *int64
		}{
			{"incidents", "resolved < ?", before.UnixMicro(), &p.Incidents},
			{"samples", "id < ?", sampleFloor(samples), &p.Samples},
			{"frames", "id < coalesce((SELECT max(id) FROM frames WHERE id <= ?), 0)", samples.UnixMicro(), &p.Frames},
			{"minutes", "id < ?", rollupID(before, time.Minute, 0), &p.Minutes},
			{"hours", "id < ?", rollupID(before, time.Hour, 0), &p.Hours},
			{"days", "id < ?", rollupID(before, 24*time.Hour, 0), &p.Days},
		} {
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM `+d.table+` WHERE `+d.where, d.than).Scan(d.n); err != nil {
				return err
			}
			if dry || *d.n == 0 {
				continue
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+d.table+` WHERE `+d.where, d.than); err != nil {
				return err
			}
		}
		return nil
	})
	return p, err
}
