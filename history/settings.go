package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"gpx/envctl/redact"
)

// Setting returns a stored setting and whether it is there. Settings hold what
// gpx was told once, such as a consent; they never hold a secret.
func (s *Store) Setting(ctx context.Context, key string) (string, bool, error) {
	if s.db == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		value, ok := s.settings[key]
		return value, ok, nil
	}
	var value string
	err := s.db.QueryRowContext(ctx, `SELECT value FROM settings WHERE key = ?`, key).Scan(&value)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("history: setting %s: %w", redact.Clean(key), err)
	}
	return redact.Clean(value), true, nil
}

// SetSetting stores a setting.
func (s *Store) SetSetting(ctx context.Context, key, value string) error {
	if s.db == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settings[key] = value
		return nil
	}
	_, err := s.db.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES (?, ?)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	if err != nil {
		return fmt.Errorf("history: setting %s: %w", redact.Clean(key), err)
	}
	return nil
}

// RememberProject adds the root of a module or workspace to the known
// projects, or makes it the last used. What is that already is written down once an
// hour: a command that changes nothing need not wait for the disk.
func (s *Store) RememberProject(ctx context.Context, root string) error {
	if s.db == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.projects = slices.DeleteFunc(s.projects, func(p string) bool { return p == root })
		s.projects = slices.Insert(s.projects, 0, root)
		return nil
	}
	now := micros(s.now())
	_, err := s.db.ExecContext(ctx, `INSERT INTO projects (root, first_seen, last_seen) VALUES (?, ?, ?)
		ON CONFLICT (root) DO UPDATE SET last_seen = excluded.last_seen
		WHERE excluded.last_seen NOT BETWEEN last_seen AND last_seen + ? OR root <> (SELECT root FROM projects ORDER BY last_seen DESC LIMIT 1)`,
		root, now, now, time.Hour.Microseconds())
	if err != nil {
		return fmt.Errorf("history: project %s: %w", redact.Clean(root), err)
	}
	return nil
}

// Projects lists the roots of the known projects, the last used first. They
// are as they were given: names of directories, to be cleaned where they are
// shown.
func (s *Store) Projects(ctx context.Context) ([]string, error) {
	if s.db == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return append([]string{}, s.projects...), nil
	}
	rows, err := s.db.QueryContext(ctx, `SELECT root FROM projects ORDER BY last_seen DESC, root`)
	if err != nil {
		return nil, fmt.Errorf("history: projects: %w", err)
	}
	defer rows.Close()
	roots := []string{}
	for rows.Next() {
		var root string
		if err := rows.Scan(&root); err != nil {
			return nil, fmt.Errorf("history: projects: %w", err)
		}
		roots = append(roots, root)
	}
	return roots, rows.Err()
}
