// Package history is the memory of gpx: one SQLite file.
package history

import (
	"context"
	"errors"
	"time"

	"gpx/envctl/change"
)

// Options configure a [Store].
type Options struct{ Now func() time.Time }

// A Store is the open database, or, when that cannot be used, a memory that
// ends with the process.
type Store struct{}

// Open opens or creates the database at path.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	return nil, errors.New("history: not there yet")
}

// DefaultPath is $XDG_STATE_HOME/gpx/history.db.
func DefaultPath() string { return "" }

// Journal is where changes are written down.
func (s *Store) Journal() change.Journal { return nil }

// Setting returns a stored setting and whether it is there.
func (s *Store) Setting(ctx context.Context, key string) (string, bool, error) { return "", false, nil }

// SetSetting stores a setting.
func (s *Store) SetSetting(ctx context.Context, key, value string) error { return nil }

// RememberProject adds a module root to the known projects.
func (s *Store) RememberProject(ctx context.Context, root string) error { return nil }

// Projects lists the known projects, the last used first.
func (s *Store) Projects(ctx context.Context) ([]string, error) { return nil, nil }

// Notice says what was wrong with the file; empty when nothing was.
func (s *Store) Notice() string { return "" }

// Close closes the database.
func (s *Store) Close() error { return nil }
