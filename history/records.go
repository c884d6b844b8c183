package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"gpx/envctl/redact"
	"gpx/history/incident"
	"gpx/probe"
)

// records are the tables of what was seen. They have a connection of their own:
// what a probe said may be lost with the power, what gpx changed may not, so that
// only the latter waits for the disk. A killed process loses neither.
//
// Where the file cannot be used they are in memory, and end with the process.
type records struct {
	db        *sql.DB
	many, one *sql.Stmt // insert samples
	// memory is a connection that does nothing: a database in memory ends with its
	// last one, and a cancelled statement ends the one that it ran on. Nil for a
	// file.
	memory *sql.Conn

	mu        sync.Mutex
	endpoints map[incident.Endpoint]int64
	classes   map[probe.Class]int64
	rolled    time.Time // how far the minutes have come, as this process knows it
}

// recordsOf opens the tables on first use.
func (s *Store) recordsOf(ctx context.Context) (*records, error) {
	s.recordsMu.Lock()
	defer s.recordsMu.Unlock()
	if s.records != nil {
		return s.records, nil
	}
	name := memoryDSN()
	if s.db != nil {
		name = dsn(s.path, s.busy, "NORMAL")
	}
	r, err := openRecords(ctx, name, s.db == nil)
	if err != nil {
		return nil, fmt.Errorf("history: %s: %w", redact.Clean(s.path), err)
	}
	s.records = r
	return r, nil
}

// forget makes the records a memory from here on, because the file takes no more.
func (s *Store) forget(ctx context.Context, why error) (*records, error) {
	s.say("what is seen is kept in memory only: %s: %s", redact.Clean(s.path), redact.Text(why.Error()))
	r, err := openRecords(ctx, memoryDSN(), true)
	if err != nil {
		return nil, err
	}
	s.recordsMu.Lock()
	defer s.recordsMu.Unlock()
	if s.records != nil {
		s.records.close()
	}
	s.records = r
	return r, nil
}

var memories atomic.Int64

func memoryDSN() string {
	q := url.Values{"mode": {"memory"}, "cache": {"shared"}, "_txlock": {"immediate"}, "_foreign_keys": {"on"}}
	return fmt.Sprintf("file:gpx-%d?%s", memories.Add(1), q.Encode())
}

func openRecords(ctx context.Context, name string, fresh bool) (*records, error) {
	db, err := sql.Open("sqlite3", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	r := &records{db: db, endpoints: map[incident.Endpoint]int64{}, classes: map[probe.Class]int64{}}
	if fresh {
		db.SetMaxOpenConns(2)
		if r.memory, err = db.Conn(ctx); err == nil {
			err = migrate(ctx, db, "MEMORY")
		}
	}
	if err == nil {
		r.many, err = db.PrepareContext(ctx, insertInto(rowsAtOnce))
	}
	if err == nil {
		r.one, err = db.PrepareContext(ctx, insertInto(1))
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *records) close() error {
	if r.memory != nil {
		r.memory.Close()
	}
	return r.db.Close()
}

// query is a connection or a transaction.
type query interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// endpoint is the number of an endpoint, given when it is new. What is remembered
// of a transaction that failed is harmless only if it is forgotten: see reset.
func (r *records) endpoint(ctx context.Context, q query, e incident.Endpoint) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id, ok := r.endpoints[e]; ok {
		return id, nil
	}
	var id int64
	err := q.QueryRowContext(ctx, `INSERT INTO endpoints (url, kind) VALUES (?, ?)
		ON CONFLICT (url, kind) DO UPDATE SET kind = excluded.kind RETURNING id`, redact.Text(e.URL), string(e.Kind)).Scan(&id)
	if err == nil {
		r.endpoints[e] = id
	}
	return id, err
}

func (r *records) class(ctx context.Context, q query, c probe.Class) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id, ok := r.classes[c]; ok {
		return id, nil
	}
	var id int64
	err := q.QueryRowContext(ctx, `INSERT INTO classes (name) VALUES (?)
		ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id`, string(c)).Scan(&id)
	if err == nil {
		r.classes[c] = id
	}
	return id, err
}

// reset forgets what a failed transaction seemed to have done.
func (r *records) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.endpoints)
	clear(r.classes)
	r.rolled = time.Time{}
}

// namesOf reads the numbers of endpoints and classes the other way round.
func namesOf(ctx context.Context, q query) (map[int64]incident.Endpoint, map[int64]probe.Class, error) {
	endpoints, classes := map[int64]incident.Endpoint{}, map[int64]probe.Class{}
	err := each(ctx, q, `SELECT id, url, kind FROM endpoints`, nil, func(scan func(...any) error) error {
		var id int64
		var url, kind string
		err := scan(&id, &url, &kind)
		endpoints[id] = incident.Endpoint{URL: redact.Text(url), Kind: probe.Kind(redact.Clean(kind))}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = each(ctx, q, `SELECT id, name FROM classes`, nil, func(scan func(...any) error) error {
		var id int64
		var name string
		err := scan(&id, &name)
		classes[id] = probe.Class(redact.Clean(name))
		return err
	})
	return endpoints, classes, err
}

// each calls fn with every row of a query.
func each(ctx context.Context, q query, text string, args []any, fn func(scan func(...any) error) error) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// within runs fn in a transaction.
func (r *records) within(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err = fn(tx); err == nil {
		err = tx.Commit()
	}
	if err != nil {
		r.reset()
	}
	return err
}

// maxPacked bounds what a packed value may unfold to, in bytes: the file may hold
// anything.
const maxPacked = 64 << 20

var (
	packer   = sync.OnceValue(func() *zstd.Encoder { e, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); return e })
	unpacker = sync.OnceValue(func() *zstd.Decoder {
		d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPacked))
		return d
	})
)

// pack is a value as the file keeps it.
func pack(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return packer().EncodeAll(data, nil), nil
}

func unpack(data []byte, v any) error {
	text, err := unpacker().DecodeAll(data, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
