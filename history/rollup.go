package history

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"gpx/probe"
)

// Rollups are made of the samples again and again until their minute is complete,
// and only then stored: a process that is killed loses nothing that the next one
// does not make anew.
//
//	samples ──a minute is complete──▶ minutes ──an hour──▶ hours ──a day──▶ days
//	7 days                            90 days              for ever

// settleAfter is when a minute is complete: a probe that began in it has ended.
const settleAfter = 30 * time.Second

// rollEvery is how often the recorder does it: what is not rolled up yet is summed up
// by its samples.
const rollEvery = 10 * time.Minute

// rollAtOnce bounds what one transaction rolls up, and what that holds in memory.
const rollAtOnce = 6 * time.Hour

// accuracy is the relative error of a quantile out of a sketch.
const accuracy = 0.01

var indexes = func() mapping.IndexMapping {
	m, err := mapping.NewLogarithmicMapping(accuracy)
	if err != nil {
		panic(err)
	}
	return m
}()

// A rollup is what a span of time came to for one endpoint.
type rollup struct {
	samples, lost int64
	classes       []int64 // by the number of the class
	sketch        *ddsketch.DDSketch
	data          []byte // scratch
}

func newRollup() *rollup {
	return &rollup{sketch: ddsketch.NewDDSketch(indexes, store.NewDenseStore(), store.NewSparseStore())}
}

// answered reports what a class number says of its samples.
type answered func(class int64) bool

// take adds one sample.
func (r *rollup) take(class, total int64, ok bool) error {
	r.count(class, 1)
	r.samples++
	if !ok {
		r.lost++
		return nil
	}
	return r.sketch.Add(max(float64(total)/1000, 0.001))
}

func (r *rollup) count(class, n int64) {
	if class < 0 || class > 1000 { // a damaged file
		return
	}
	if grow := int(class) + 1 - len(r.classes); grow > 0 {
		r.classes = append(r.classes, make([]int64, grow)...)
	}
	r.classes[class] += n
}

// merge adds a stored rollup.
func (r *rollup) merge(samples, lost int64, classes, sketch []byte) error {
	r.samples += samples
	r.lost += lost
	for len(classes) > 0 {
		class, n := binary.Uvarint(classes)
		count, m := binary.Uvarint(classes[max(n, 0):])
		if n <= 0 || m <= 0 {
			return fmt.Errorf("a rollup has classes that cannot be read")
		}
		r.count(int64(class), int64(count))
		classes = classes[n+m:]
	}
	if len(sketch) == 0 {
		return nil
	}
	return r.sketch.DecodeAndMergeWith(sketch)
}

// reset makes r empty and keeps its room.
func (r *rollup) reset() {
	r.samples, r.lost, r.classes = 0, 0, r.classes[:0]
	r.sketch.Clear()
}

// packed are the columns of r.
func (r *rollup) packed() (classes, sketch []byte) {
	for class, n := range r.classes {
		if n > 0 {
			classes = binary.AppendUvarint(binary.AppendUvarint(classes, uint64(class)), uint64(n))
		}
	}
	if r.samples > r.lost {
		r.data = r.data[:0]
		r.sketch.Encode(&r.data, true)
		sketch = slices.Clone(r.data)
	}
	return classes, sketch
}

// rollupBits is the room for the endpoint in the number of a rollup.
const rollupBits = 20

func rollupID(t time.Time, span time.Duration, endpoint int64) int64 {
	return t.UnixMicro()/span.Microseconds()<<rollupBits | endpoint&(1<<rollupBits-1)
}

func rollupAt(id int64, span time.Duration) time.Time {
	return time.UnixMicro(id >> rollupBits * span.Microseconds()).UTC()
}

// roll stores the rollups of all that is complete as of now.
func (r *records) roll(ctx context.Context, tx *sql.Tx, now time.Time) error {
	if !r.rolled.IsZero() && now.Before(r.rolled.Add(rollEvery+settleAfter)) {
		return nil
	}
	from, err := r.mark(ctx, tx, "minutes")
	if err != nil {
		return err
	}
	if from.IsZero() {
		var first sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT min(id) FROM samples`).Scan(&first); err != nil || !first.Valid {
			return err
		}
		from = sampleAt(first.Int64).Truncate(time.Minute)
	}
	to := now.Add(-settleAfter).Truncate(time.Minute)
	if most := from.Add(rollAtOnce); to.After(most) {
		to = most // the next call goes on
	}
	if !from.Before(to) {
		return nil
	}
	if err := r.rollMinutes(ctx, tx, from, to); err != nil {
		return err
	}
	if err := r.setMark(ctx, tx, "minutes", to); err != nil {
		return err
	}
	r.rolled = to
	if err := r.rollUp(ctx, tx, minutes, hours, to); err != nil {
		return err
	}
	return r.rollUp(ctx, tx, hours, days, to)
}

// A level is a table of rollups.
type level struct {
	table string
	span  time.Duration
}

var (
	minutes = level{"minutes", time.Minute}
	hours   = level{"hours", time.Hour}
	days    = level{"days", 24 * time.Hour}
)

// rollUp makes what is complete of the wider level of the finer one, as of now.
func (r *records) rollUp(ctx context.Context, tx *sql.Tx, fine, wide level, now time.Time) error {
	from, err := r.mark(ctx, tx, wide.table)
	if err != nil {
		return err
	}
	if from.IsZero() {
		var first sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT min(id) FROM `+fine.table).Scan(&first); err != nil || !first.Valid {
			return err
		}
		from = rollupAt(first.Int64, fine.span).Truncate(wide.span)
	}
	to := now.Truncate(wide.span)
	if !from.Before(to) {
		return nil
	}
	if err := r.merge(ctx, tx, fine, wide, from, to); err != nil {
		return err
	}
	return r.setMark(ctx, tx, wide.table, to)
}

func (r *records) mark(ctx context.Context, q query, name string) (time.Time, error) {
	var at sql.NullInt64
	err := q.QueryRowContext(ctx, `SELECT (SELECT value FROM marks WHERE name = ?)`, name).Scan(&at)
	return instant(at), err
}

func (r *records) setMark(ctx context.Context, tx *sql.Tx, name string, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, at.UnixMicro())
	return err
}

// rollMinutes makes the minutes of [from, to) of their samples.
func (r *records) rollMinutes(ctx context.Context, tx *sql.Tx, from, to time.Time) error {
	ok, err := r.answered(ctx, tx)
	if err != nil {
		return err
	}
	b := builder{ctx: ctx, tx: tx, level: minutes}
	err = each(ctx, tx, `SELECT id, endpoint, class, total FROM samples WHERE id >= ? AND id < ? ORDER BY id`,
		[]any{sampleFloor(from), sampleFloor(to)}, func(scan func(...any) error) error {
			var id, endpoint, class, total int64
			if err := scan(&id, &endpoint, &class, &total); err != nil {
				return err
			}
			return b.at(sampleAt(id), endpoint).take(class, total, ok(class))
		})
	if err != nil {
		return err
	}
	return b.flush()
}

// merge makes the rollups of [from, to) of the finer ones.
func (r *records) merge(ctx context.Context, tx *sql.Tx, fine, wide level, from, to time.Time) error {
	b := builder{ctx: ctx, tx: tx, level: wide}
	err := each(ctx, tx, `SELECT id, samples, lost, classes, sketch FROM `+fine.table+` WHERE id >= ? AND id < ? ORDER BY id`,
		[]any{rollupID(from, fine.span, 0), rollupID(to, fine.span, 0)}, func(scan func(...any) error) error {
			var id, samples, lost int64
			var classes, sketch sql.RawBytes
			if err := scan(&id, &samples, &lost, &classes, &sketch); err != nil {
				return err
			}
			return b.at(rollupAt(id, fine.span), id&(1<<rollupBits-1)).merge(samples, lost, classes, sketch)
		})
	if err != nil {
		return err
	}
	return b.flush()
}

// answered tells lost classes from others by their numbers.
func (r *records) answered(ctx context.Context, q query) (answered, error) {
	failed := map[int64]bool{}
	err := each(ctx, q, `SELECT id, name FROM classes`, nil, func(scan func(...any) error) error {
		var id int64
		var name string
		err := scan(&id, &name)
		failed[id] = probe.Class(name).Failed()
		return err
	})
	return func(class int64) bool { return !failed[class] }, err
}

// A builder collects the rollups of one span after the other: what it is given is
// in the order of time.
type builder struct {
	ctx   context.Context
	tx    *sql.Tx
	level level

	start time.Time
	by    map[int64]*rollup
	order []int64 // endpoints of this span
	rows  []any   // what is to be inserted when no query is open any more
}

func (b *builder) at(t time.Time, endpoint int64) *rollup {
	if start := t.Truncate(b.level.span); !start.Equal(b.start) {
		b.close()
		b.start = start
	}
	if b.by == nil {
		b.by = map[int64]*rollup{}
	}
	u := b.by[endpoint]
	if u == nil {
		u = newRollup()
		b.by[endpoint] = u
	}
	if u.samples == 0 && !slices.Contains(b.order, endpoint) {
		b.order = append(b.order, endpoint)
	}
	return u
}

// close packs the span that ends.
func (b *builder) close() {
	slices.Sort(b.order)
	for _, endpoint := range b.order {
		u := b.by[endpoint]
		classes, sketch := u.packed()
		b.rows = append(b.rows, rollupID(b.start, b.level.span, endpoint), u.samples, u.lost, classes, sketch)
		u.reset()
	}
	b.order = b.order[:0]
}

func (b *builder) flush() error {
	b.close()
	stmt, err := b.tx.PrepareContext(b.ctx, `INSERT OR REPLACE INTO `+b.level.table+` (id, samples, lost, classes, sketch) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for row := range slices.Chunk(b.rows, 5) {
		if _, err := stmt.ExecContext(b.ctx, row...); err != nil {
			return err
		}
	}
	return nil
}
