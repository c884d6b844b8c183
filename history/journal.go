package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"

	"gpx/envctl/advice"
	"gpx/envctl/change"
	"gpx/envctl/redact"
)

// Journal is where changes are written down.
func (s *Store) Journal() change.Journal { return s.journal }

// A journal keeps the changes in the database. A record that the database
// cannot take (full disk, locked) goes to a memory, so that a developer whose
// proxy died can switch all the same; the store's Notice says so.
type journal struct {
	s      *Store
	memory change.Journal

	mu       sync.Mutex
	inMemory map[string]bool // IDs
}

func (j *journal) Begin(ctx context.Context, r change.Record) error {
	r = cleaned(r)
	if j.s.db != nil {
		err := j.insert(ctx, r)
		if !cannotWrite(err) {
			return err
		}
		j.s.say("changes are kept in memory only: %s: %s", redact.Clean(j.s.path), redact.Text(err.Error()))
	}
	if !r.Expires.IsZero() {
		return advice.Add(errors.New("the history file cannot be written, so nothing would remember when this ends"), "mend that, or make the change without an end")
	}
	j.mu.Lock()
	j.inMemory[r.ID] = true
	j.mu.Unlock()
	return j.memory.Begin(ctx, r)
}

// cleaned is r fit for a file that must hold no secret and for a terminal. It
// is applied on the way in, and on the way out, since anything may have
// written to the file.
func cleaned(r change.Record) change.Record {
	for _, text := range []*string{&r.ID, &r.Actor, &r.Title, &r.Undoes, &r.UndoneBy, &r.Why} {
		*text = redact.Text(*text)
	}
	r.Actions = slices.Clone(r.Actions)
	for i := range r.Actions {
		a := &r.Actions[i]
		for _, text := range []*string{&a.Kind, &a.Target, &a.Old, &a.New} {
			*text = redact.Text(*text)
		}
	}
	return r
}

// cannotWrite reports whether err is about the file and its place, not about
// the record.
func cannotWrite(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case sqlite3.ErrFull, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrReadonly, sqlite3.ErrIoErr,
		sqlite3.ErrCantOpen, sqlite3.ErrPerm, sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return true
	}
	return false
}

// busy reports whether err says that another process is at the file.
func busy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked)
}

func (j *journal) insert(ctx context.Context, r change.Record) error {
	tx, err := j.s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	res, err := tx.ExecContext(ctx, `INSERT INTO changes (id, at, actor, title, state, undoes, expires) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		r.ID, micros(r.At), r.Actor, r.Title, change.Begun, r.Undoes, micros(r.Expires))
	if err != nil {
		return err
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return err
	}
	for n, a := range r.Actions {
		hash := ""
		if n < len(r.Hashes) {
			hash = r.Hashes[n]
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO change_actions (change, n, kind, target, old, new, bytes, undoable, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			seq, n, a.Kind, a.Target, a.Old, a.New, a.Bytes, a.Undoable, hash)
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (j *journal) Commit(ctx context.Context, id string, at time.Time) error {
	if j.remembered(id) {
		return j.memory.Commit(ctx, id, at)
	}
	return j.update(ctx, id, `UPDATE changes SET state = 'applied', done_at = ? WHERE id = ?`, micros(at), id)
}

func (j *journal) Abort(ctx context.Context, id, why string) error {
	if j.remembered(id) {
		return j.memory.Abort(ctx, id, why)
	}
	return j.update(ctx, id, `UPDATE changes SET state = 'aborted', why = ? WHERE id = ?`, redact.Text(why), id)
}

func (j *journal) MarkUndone(ctx context.Context, id, by string, at time.Time) error {
	if j.remembered(id) {
		return j.memory.MarkUndone(ctx, id, by, at)
	}
	return j.update(ctx, id, `UPDATE changes SET state = 'undone', undone_by = ?, undone_at = ? WHERE id = ?`, by, micros(at), id)
}

func (j *journal) remembered(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.inMemory[id] || j.s.db == nil
}

func (j *journal) update(ctx context.Context, id, query string, args ...any) error {
	res, err := j.s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 {
		return fmt.Errorf("change %s is not in the journal", redact.Clean(id))
	}
	return nil
}

// List returns every record, oldest first; those in memory are the newest.
func (j *journal) List(ctx context.Context) ([]change.Record, error) {
	var rs []change.Record
	if j.s.db != nil {
		var err error
		if rs, err = j.stored(ctx); err != nil {
			return nil, err
		}
	}
	more, err := j.memory.List(ctx)
	return append(rs, more...), err
}

func (j *journal) stored(ctx context.Context) ([]change.Record, error) {
	// One statement, so that the actions are those of the records.
	rows, err := j.s.db.QueryContext(ctx, `
		SELECT c.id, c.at, c.actor, c.title, c.state, c.undoes, c.expires, c.done_at, c.undone_at, c.undone_by, c.why,
		       a.n, coalesce(a.kind, ''), coalesce(a.target, ''), coalesce(a.old, ''), coalesce(a.new, ''),
		       coalesce(a.bytes, 0), coalesce(a.undoable, 0), coalesce(a.hash, '')
		FROM changes c LEFT JOIN change_actions a ON a.change = c.seq
		ORDER BY c.seq, a.n`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var rs []change.Record
	for rows.Next() {
		var r change.Record
		var a change.Action
		var hash string
		var at, expires, done, undone, n sql.NullInt64
		err := rows.Scan(&r.ID, &at, &r.Actor, &r.Title, &r.State, &r.Undoes, &expires, &done, &undone, &r.UndoneBy, &r.Why,
			&n, &a.Kind, &a.Target, &a.Old, &a.New, &a.Bytes, &a.Undoable, &hash)
		if err != nil {
			return nil, err
		}
		if len(rs) == 0 || rs[len(rs)-1].ID != r.ID {
			r.At, r.Expires, r.DoneAt, r.UndoneAt = instant(at), instant(expires), instant(done), instant(undone)
			rs = append(rs, r)
		}
		if n.Valid {
			last := &rs[len(rs)-1]
			last.Actions = append(last.Actions, a)
			last.Hashes = append(last.Hashes, hash)
		}
	}
	for i := range rs {
		rs[i] = cleaned(rs[i])
	}
	return rs, rows.Err()
}

// micros is how the database holds an instant; the zero one is NULL.
func micros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func instant(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
