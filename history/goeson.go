package history

import (
	"context"

	"gpx/history/incident"
)

// GoesOn returns the incident that goes on here; nil without one.
func (s *Store) GoesOn(ctx context.Context) (*incident.Incident, error) {
	r, err := s.recordsOf(ctx)
	if err != nil {
		return nil, err
	}
	last, err := lastIncident(ctx, r.db)
	if err != nil || last == nil || !last.Open() {
		return nil, err
	}
	return last, nil
}
