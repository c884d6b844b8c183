package history

import (
	"context"
	"database/sql"
	"encoding/binary"
	"strings"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
)

// A sample's number is the millisecond in which it began, and its endpoint's: so
// the table is in the order of time, and the same sample comes into it once.
const endpointBits = 12

func sampleID(at time.Time, endpoint int64) int64 {
	return at.UnixMilli()<<endpointBits | endpoint&(1<<endpointBits-1)
}

// sampleFloor is the least number of a sample that began at t or later.
func sampleFloor(t time.Time) int64 { return sampleID(t, 0) }

func sampleAt(id int64) time.Time { return time.UnixMilli(id >> endpointBits).UTC() }

// A seen is one sample to be stored.
type seen struct {
	endpoint incident.Endpoint
	at       time.Time
	class    probe.Class
	status   int
	phases   probe.Phases
}

const (
	rowsAtOnce = 50 // samples that one statement inserts
	columns    = 6  // values of a sample
)

const insertSamples = `INSERT INTO samples (id, endpoint, class, total, status, phases) VALUES `

// insertInto is the statement that inserts n samples.
func insertInto(n int) string {
	return insertSamples + strings.Repeat("(?,?,?,?,?,?),", n-1) + "(?,?,?,?,?,?) ON CONFLICT DO NOTHING"
}

// add stores samples. One that is there already is left as it is.
func (r *records) add(ctx context.Context, tx *sql.Tx, samples []seen) error {
	args := make([]any, 0, rowsAtOnce*columns)
	for _, s := range samples {
		endpoint, err := r.endpoint(ctx, tx, s.endpoint)
		if err != nil {
			return err
		}
		class, err := r.class(ctx, tx, s.class)
		if err != nil {
			return err
		}
		args = append(args, sampleID(s.at, endpoint), endpoint, class, time.Duration(s.phases.Total).Microseconds(), status(s.status), packPhases(s.phases))
		if len(args) == cap(args) {
			if _, err := tx.StmtContext(ctx, r.many).ExecContext(ctx, args...); err != nil {
				return err
			}
			args = args[:0]
		}
	}
	for ; len(args) > 0; args = args[columns:] {
		if _, err := tx.StmtContext(ctx, r.one).ExecContext(ctx, args[:columns]...); err != nil {
			return err
		}
	}
	return nil
}

func status(code int) any {
	if code == 0 {
		return nil
	}
	return code
}

// packPhases are the phases but the total, nil when none was measured.
func packPhases(p probe.Phases) []byte {
	if p.DNS == 0 && p.TCP == 0 && p.TLS == 0 && p.TTFB == 0 {
		return nil
	}
	var b []byte
	for _, m := range []wire.Millis{p.DNS, p.TCP, p.TLS, p.TTFB} {
		b = binary.AppendUvarint(b, uint64(max(time.Duration(m).Microseconds(), 0)))
	}
	return b
}

func unpackPhases(b []byte, total int64) probe.Phases {
	p := probe.Phases{Total: wire.Millis(time.Duration(total) * time.Microsecond)}
	for _, m := range []*wire.Millis{&p.DNS, &p.TCP, &p.TLS, &p.TTFB} {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			break
		}
		*m, b = wire.Millis(time.Duration(v)*time.Microsecond), b[n:]
	}
	return p
}

// samples reads what began in [from, to), in the order of time.
func (r *records) samples(ctx context.Context, from, to time.Time, limit int, fn func(incident.Endpoint, incident.Sample)) error {
	endpoints, classes, err := namesOf(ctx, r.db)
	if err != nil {
		return err
	}
	return each(ctx, r.db, `SELECT id, endpoint, class, total, coalesce(status, 0), phases FROM samples WHERE id >= ? AND id < ? ORDER BY id LIMIT ?`,
		[]any{sampleFloor(from), sampleFloor(to), limit}, func(scan func(...any) error) error {
			var id, endpoint, class, total int64
			var status int
			var phases sql.RawBytes
			if err := scan(&id, &endpoint, &class, &total, &status, &phases); err != nil {
				return err
			}
			fn(endpoints[endpoint], incident.Sample{At: wire.At(sampleAt(id)), Class: classes[class], Status: status, Phases: unpackPhases(phases, total)})
			return nil
		})
}
