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

// hold takes the lease, or keeps it. before is when another holder gave its last
// sign, zero where none had it.
func (l lease) hold(ctx context.Context, tx *sql.Tx, now time.Time) (held bool, before time.Time, err error) {
	var token string
	var heartbeat sql.NullInt64
	err = tx.QueryRowContext(ctx, `SELECT token, heartbeat FROM lease`).Scan(&token, &heartbeat)
	if err != nil && err != sql.ErrNoRows {
		return false, time.Time{}, err
	}
	if token != l.token && token != "" {
		before = instant(heartbeat)
		// A sign from the future is that of a clock that was set since.
		if now.Sub(before).Abs() < l.dies {
			return false, before, nil
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO lease (id, token, pid, started, heartbeat) VALUES (1, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET token = excluded.token, pid = excluded.pid, started = excluded.started, heartbeat = excluded.heartbeat`,
		l.token, l.pid, l.started.UnixMicro(), now.UnixMicro())
	return err == nil, before, err
}

// release lets another process record at once.
func (l lease) release(ctx context.Context, q query) error {
	_, err := q.ExecContext(ctx, `UPDATE lease SET heartbeat = 0 WHERE token = ?`, l.token)
	return err
}
