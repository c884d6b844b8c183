package history

import (
	"context"
	"database/sql"
	"time"
)

// leaseFor is how long a recorder that gives no sign is believed to live.
const leaseFor = 10 * time.Second

// A lease makes one process the recorder. Its row is read and written in the same
// transaction as what is recorded, so that a process which has lost it, suspended
// perhaps, writes nothing more.
type lease struct {
	token   string
	pid     int
	started time.Time
	dies    time.Duration // without a sign of life
}

// A hold is what came of [lease.hold].
type hold struct {
	held   bool
	others bool      // until now
	before time.Time // when that other one gave its last sign
}

// hold takes the lease, or keeps it.
func (l lease) hold(ctx context.Context, tx *sql.Tx, now time.Time) (hold, error) {
	var h hold
	var token string
	var heartbeat sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT token, heartbeat FROM lease`).Scan(&token, &heartbeat)
	if err != nil && err != sql.ErrNoRows {
		return h, err
	}
	if h.others = token != l.token && token != ""; h.others {
		h.before = instant(heartbeat)
		// A sign from the future is that of a clock that was set since.
		if now.Sub(h.before).Abs() < l.dies {
			return h, nil
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO lease (id, token, pid, started, heartbeat) VALUES (1, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET token = excluded.token, pid = excluded.pid, started = excluded.started, heartbeat = excluded.heartbeat`,
		l.token, l.pid, l.started.UnixMicro(), now.UnixMicro())
	h.held = err == nil
	return h, err
}

// release lets another process record at once.
func (l lease) release(ctx context.Context, q query) error {
	_, err := q.ExecContext(ctx, `UPDATE lease SET heartbeat = 0 WHERE token = ?`, l.token)
	return err
}
