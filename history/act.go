package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Of several gpx processes one may act by itself: the one that records. One that
// would act and finds another at it asks for the lease by a setting:
//
//	acts, does not hold ── recorder.wanted = now ──▶ holds, does not act
//	                    ◀──── lets it go, for a while ────

// wanted is the setting by which a process that acts asks for the lease: the instant
// at which it asked, in microseconds.
const wanted = "recorder.wanted"

// A recorderState is what others than the recorder may know of it.
type recorderState struct{ token string }

// MayAct reports whether this process may act by itself: it records, and its lease
// has not run out. Only the file can tell, because a process that was suspended has
// lost it without a word. Without a file there is no telling, and none may.
func (s *Store) MayAct(ctx context.Context) (bool, error) {
	state := s.recorder.Load()
	if state == nil {
		return false, nil
	}
	if r, err := s.recordsOf(ctx); err != nil || r.memory != nil {
		return false, err
	}
	token, _, at, err := s.holder(ctx)
	return err == nil && token == state.token && s.now().Sub(at).Abs() < leaseFor, err
}

// Recorder returns the process id of the gpx that records, 0 where none does.
func (s *Store) Recorder(ctx context.Context) (pid int, err error) {
	_, pid, at, err := s.holder(ctx)
	if err != nil || s.now().Sub(at).Abs() >= leaseFor {
		return 0, err
	}
	return pid, nil
}

// holder reads the lease; the zero values where nobody has ever recorded.
func (s *Store) holder(ctx context.Context) (token string, pid int, at time.Time, err error) {
	r, err := s.recordsOf(ctx)
	if err != nil {
		return "", 0, time.Time{}, err
	}
	var heartbeat sql.NullInt64
	err = r.db.QueryRowContext(ctx, `SELECT token, pid, heartbeat FROM lease`).Scan(&token, &pid, &heartbeat)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", 0, time.Time{}, fmt.Errorf("history: who records: %w", err)
	}
	return token, pid, instant(heartbeat), nil
}

// claim takes or keeps the lease, asks for it, or leaves it to a process that acts.
// What is left is written once more before.
func (r *recorder) claim(ctx context.Context, tx *sql.Tx, now time.Time) (hold, error) {
	acts := r.acts()
	if !acts && now.Before(r.away) {
		if r.holding {
			return hold{}, r.lease.release(ctx, tx)
		}
		return hold{}, nil
	}
	h, err := r.lease.hold(ctx, tx, now)
	switch {
	case err != nil:
	case acts && !h.held:
		_, err = tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES (?, ?)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, wanted, strconv.FormatInt(now.UnixMicro(), 10))
	case acts && !r.holding:
		err = unask(ctx, tx)
	case !acts && h.held:
		var asked bool
		if asked, err = r.asked(ctx, tx, now); asked {
			r.away = now.Add(leaseFor)
		}
	}
	return h, err
}

func (r *recorder) acts() bool { return r.o.Acts != nil && r.o.Acts() }

// unask takes back what was asked. Another that waits asks again with its next flush.
func unask(ctx context.Context, q query) error {
	_, err := q.ExecContext(ctx, `DELETE FROM settings WHERE key = ?`, wanted)
	return err
}

// giveUp takes back what a process asked that has waited in vain: nobody would record
// while one that does not act made room for it.
func (r *recorder) giveUp(ctx context.Context) error {
	rec, err := r.s.recordsOf(ctx)
	if err == nil {
		err = unask(ctx, rec.db)
	}
	if busy(err) {
		return nil // it is forgotten soon
	}
	return err
}

// asked reports whether a process that acts has asked for the lease of late. Anything
// may have written to the file.
func (r *recorder) asked(ctx context.Context, tx *sql.Tx, now time.Time) (bool, error) {
	var value string
	err := tx.QueryRowContext(ctx, `SELECT value FROM settings WHERE key = ?`, wanted).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	at, bad := strconv.ParseInt(value, 10, 64)
	return bad == nil && now.Sub(time.UnixMicro(at)).Abs() < r.lease.dies, err
}
