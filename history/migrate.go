package history

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID marks the file as gpx's ("gpx1" in ASCII), so that another
// program's database is never migrated (sqlite.org/pragma.html#pragma_application_id).
const applicationID = 0x67707831

// A migration takes the schema from version-1 to version.
type migration struct {
	version int
	name    string
	sql     string
}

// migrations lists the embedded files NNNN_what.sql in the order of their
// numbers.
func migrations() ([]migration, error) {
	files, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var ms []migration
	for _, f := range files {
		number, _, _ := strings.Cut(f.Name(), "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("migration %s: its name does not begin with a number", f.Name())
		}
		text, err := migrationFiles.ReadFile("migrations/" + f.Name())
		if err != nil {
			return nil, err
		}
		ms = append(ms, migration{version, f.Name(), string(text)})
	}
	slices.SortFunc(ms, func(a, b migration) int { return a.version - b.version })
	for i, m := range ms {
		if m.version != i+1 {
			return nil, fmt.Errorf("migration %s: number %d is missing", m.name, i+1)
		}
	}
	return ms, nil
}

// migrate brings the schema up to date and then sets the journal mode, so that
// a file that is not ours keeps every byte. When nothing is to be done that
// costs two queries.
func migrate(ctx context.Context, db *sql.DB, journalMode string) error {
	ms, err := migrations()
	if err != nil {
		return err
	}
	current, err := schemaVersion(ctx, db, len(ms))
	if err != nil {
		return err
	}
	if err := setJournalMode(ctx, db, journalMode); err != nil {
		return err
	}
	if current == len(ms) {
		return nil
	}
	// The transaction is immediate: another process that does the same waits,
	// and then finds nothing left to do.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if current, err = schemaVersion(ctx, tx, len(ms)); err != nil {
		return err
	}
	for _, m := range ms[current:] {
		if _, err := tx.ExecContext(ctx, m.sql); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	// Pragmas take no parameters. Both are part of the transaction.
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version=%d; PRAGMA application_id=%d", len(ms), applicationID)); err != nil {
		return err
	}
	return tx.Commit()
}

// setJournalMode switches a new file to mode. SQLite does not wait for other
// processes here, whatever the busy timeout: several that start at once on a
// new file would fail, so the wait is made here.
func setJournalMode(ctx context.Context, db *sql.DB, mode string) error {
	deadline := time.Now().Add(busyTimeout)
	for {
		_, err := db.ExecContext(ctx, "PRAGMA journal_mode="+mode)
		var e sqlite3.Error
		if !errors.As(err, &e) || e.Code != sqlite3.ErrBusy || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// schemaVersion reads how far the file has come, and refuses one that this gpx
// must not touch.
func schemaVersion(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, known int) (int, error) {
	var version, id, tables int
	err := db.QueryRowContext(ctx, `SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_user_version, pragma_application_id`).Scan(&version, &id, &tables)
	switch {
	case err != nil:
		return 0, err
	case version > known:
		return 0, fmt.Errorf("a newer gpx wrote it (schema %d, this one knows %d); update gpx", version, known)
	case tables > 0 && id != applicationID:
		return 0, errors.New("it is the database of another program; name another file with --db")
	}
	return version, nil
}
