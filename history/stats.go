package history

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
)

// DefaultSLO is the availability that an error budget is counted against.
const DefaultSLO = 0.999

// trendBuckets is how many parts a period is drawn in.
const trendBuckets = 48

// StatsOptions choose a period.
type StatsOptions struct {
	Since, Until time.Time // zero: from the beginning, until now
	SLO          float64   // 0 means [DefaultSLO]
}

// EndpointStats is how reliable an endpoint was. What nobody watched counts for
// nothing.
type EndpointStats struct {
	URL          string                `json:"url"`
	Kind         probe.Kind            `json:"kind"`
	Availability float64               `json:"availability"` // share of the probes that were answered well
	P50          wire.Millis           `json:"p50_ms"`
	P95          wire.Millis           `json:"p95_ms"`
	P99          wire.Millis           `json:"p99_ms"`
	Samples      int64                 `json:"samples"`
	Lost         int64                 `json:"lost"`
	Classes      map[probe.Class]int64 `json:"classes"`
	// WorstHour is the hour with the least availability; null where every probe
	// was answered.
	WorstHour *Hour `json:"worst_hour"`
	// BudgetLeft is the share of the error budget that is left: 1 is untouched,
	// below 0 overspent.
	BudgetLeft float64 `json:"budget_left"`
	// Trend is the availability of equal parts of the period, -1 where there was
	// no sample.
	Trend []float64 `json:"trend"`
}

// An Hour is one hour of an endpoint.
type Hour struct {
	At           wire.Time `json:"at"`
	Availability float64   `json:"availability"`
}

// Stats sums up a period: its whole hours by the hours' rollups, the rest by those
// of minutes, and what is not rolled up yet by the samples. So a period is as exact
// as a minute. The endpoint with the least availability comes first.
func (s *Store) Stats(ctx context.Context, o StatsOptions) ([]EndpointStats, error) {
	r, err := s.recordsOf(ctx)
	if err == nil {
		var list []EndpointStats
		if list, err = r.stats(ctx, o, s.now()); err == nil {
			return list, nil
		}
	}
	return nil, fmt.Errorf("history: stats: %w", err)
}

func (r *records) stats(ctx context.Context, o StatsOptions, now time.Time) ([]EndpointStats, error) {
	if o.SLO == 0 {
		o.SLO = DefaultSLO
	}
	if o.Until.IsZero() {
		o.Until = now
	}
	endpoints, classes, err := namesOf(ctx, r.db)
	if err != nil {
		return nil, err
	}
	sum := &summary{by: map[int64]*total{}, from: o.Since, to: o.Until}
	if sum.from.IsZero() {
		if sum.from, err = r.beginning(ctx, o.Until); err != nil {
			return nil, err
		}
	}
	if err := r.sumUp(ctx, sum, classes); err != nil {
		return nil, err
	}
	list := []EndpointStats{}
	for id, t := range sum.by {
		list = append(list, t.stats(endpoints[id], classes, o.SLO))
	}
	slices.SortFunc(list, func(a, b EndpointStats) int {
		return cmp.Or(cmp.Compare(a.Availability, b.Availability), cmp.Compare(a.URL, b.URL), cmp.Compare(a.Kind, b.Kind))
	})
	return list, nil
}

// beginning is when the oldest of what is kept was seen.
func (r *records) beginning(ctx context.Context, otherwise time.Time) (time.Time, error) {
	var hour, minute, sample sql.NullInt64
	err := r.db.QueryRowContext(ctx, `SELECT (SELECT min(id) FROM hours), (SELECT min(id) FROM minutes), (SELECT min(id) FROM samples)`).Scan(&hour, &minute, &sample)
	first := otherwise
	if hour.Valid {
		first = earliest(first, rollupAt(hour.Int64, time.Hour))
	}
	if minute.Valid {
		first = earliest(first, rollupAt(minute.Int64, time.Minute))
	}
	if sample.Valid {
		first = earliest(first, sampleAt(sample.Int64))
	}
	return first.Truncate(time.Hour), err
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// A summary is a period, cut where its rollups change.
type summary struct {
	from, to time.Time
	by       map[int64]*total
}

// A total is what a period came to for one endpoint.
type total struct {
	rollup
	hours map[int64][2]int64 // samples and lost by the hour since 1970
	trend [trendBuckets][2]int64
}

func (s *summary) at(endpoint int64) *total {
	t := s.by[endpoint]
	if t == nil {
		t = &total{rollup: *newRollup(), hours: map[int64][2]int64{}}
		s.by[endpoint] = t
	}
	return t
}

// note counts samples of an instant for what is told by the hour and the part.
func (s *summary) note(t *total, at time.Time, samples, lost int64) {
	hour := at.Unix() / 3600
	h := t.hours[hour]
	t.hours[hour] = [2]int64{h[0] + samples, h[1] + lost}
	if span := s.to.Sub(s.from); span > 0 {
		i := min(max(int(int64(at.Sub(s.from))/max(int64(span)/trendBuckets, 1)), 0), trendBuckets-1)
		t.trend[i][0] += samples
		t.trend[i][1] += lost
	}
}

// sumUp reads
//
//	from ├ minutes ┤ hours ┤ days … ┤ hours ┤ minutes ┤ samples ┤ to
func (r *records) sumUp(ctx context.Context, s *summary, classes map[int64]probe.Class) error {
	done, err := r.mark(ctx, r.db, minutes.table)
	if err != nil {
		return err
	}
	samplesFrom := earliest(later(done, s.from), s.to)
	if err := r.cover(ctx, s, []level{days, hours, minutes}, s.from, samplesFrom); err != nil {
		return err
	}
	if !samplesFrom.Before(s.to) {
		return nil
	}
	return each(ctx, r.db, `SELECT id, endpoint, class, total FROM samples WHERE id >= ? AND id < ?`,
		[]any{sampleFloor(samplesFrom), sampleFloor(s.to)}, func(scan func(...any) error) error {
			var id, endpoint, class, took int64
			if err := scan(&id, &endpoint, &class, &took); err != nil {
				return err
			}
			t, ok, lost := s.at(endpoint), !classes[class].Failed(), int64(0)
			if !ok {
				lost = 1
			}
			s.note(t, sampleAt(id), 1, lost)
			return t.take(class, took, ok)
		})
}

// cover sums up [from, to) by the widest level that has whole spans in it, and what is
// left at both ends by the finer ones.
func (r *records) cover(ctx context.Context, s *summary, levels []level, from, to time.Time) error {
	if !from.Before(to) || len(levels) == 0 {
		return nil
	}
	wide, finer := levels[0], levels[1:]
	done, err := r.mark(ctx, r.db, wide.table)
	if err != nil {
		return err
	}
	first, last := up(from, wide.span), earliest(done, to).Truncate(wide.span)
	if wide == minutes { // a period is as exact as a minute
		last = earliest(done, up(to, wide.span))
	}
	if !first.Before(last) {
		return r.cover(ctx, s, finer, from, to)
	}
	if err := r.cover(ctx, s, finer, from, first); err != nil {
		return err
	}
	if err := r.sumRollups(ctx, s, wide, first, last); err != nil {
		return err
	}
	return r.cover(ctx, s, finer, last, to)
}

// sumRollups adds the rollups of [from, to). Which hour was the worst only those of
// hours tell: of days they are read beside, without their sketches.
func (r *records) sumRollups(ctx context.Context, s *summary, l level, from, to time.Time) error {
	if l == days {
		err := each(ctx, r.db, `SELECT id, samples, lost FROM hours WHERE id >= ? AND id < ?`,
			[]any{rollupID(from, time.Hour, 0), rollupID(to, time.Hour, 0)}, func(scan func(...any) error) error {
				var id, samples, lost int64
				if err := scan(&id, &samples, &lost); err != nil {
					return err
				}
				s.note(s.at(id&(1<<rollupBits-1)), rollupAt(id, time.Hour), samples, lost)
				return nil
			})
		if err != nil {
			return err
		}
	}
	return each(ctx, r.db, `SELECT id, samples, lost, classes, sketch FROM `+l.table+` WHERE id >= ? AND id < ?`,
		[]any{rollupID(from, l.span, 0), rollupID(to, l.span, 0)}, func(scan func(...any) error) error {
			var id, samples, lost int64
			var classes, sketch sql.RawBytes
			if err := scan(&id, &samples, &lost, &classes, &sketch); err != nil {
				return err
			}
			t := s.at(id & (1<<rollupBits - 1))
			if l != days {
				s.note(t, rollupAt(id, l.span), samples, lost)
			}
			return t.merge(samples, lost, classes, sketch)
		})
}

// up is t, or the next whole span after it.
func up(t time.Time, span time.Duration) time.Time {
	if whole := t.Truncate(span); !whole.Equal(t) {
		return whole.Add(span)
	}
	return t
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (t *total) stats(e incident.Endpoint, classes map[int64]probe.Class, slo float64) EndpointStats {
	out := EndpointStats{
		URL: e.URL, Kind: e.Kind, Samples: t.samples, Lost: t.lost, Availability: share(t.samples, t.lost),
		Classes: map[probe.Class]int64{}, Trend: make([]float64, trendBuckets), BudgetLeft: 1,
	}
	for id, n := range t.classes {
		if n > 0 {
			out.Classes[classes[int64(id)]] += n
		}
	}
	if q, err := t.sketch.GetValuesAtQuantiles([]float64{0.5, 0.95, 0.99}); err == nil {
		out.P50, out.P95, out.P99 = millis(q[0]), millis(q[1]), millis(q[2])
	}
	for hour, n := range t.hours {
		a, at := share(n[0], n[1]), wire.At(time.Unix(hour*3600, 0).UTC())
		if w := out.WorstHour; n[1] > 0 && (w == nil || a < w.Availability || a == w.Availability && at.Before(w.At.Time)) {
			out.WorstHour = &Hour{at, a}
		}
	}
	for i, n := range t.trend {
		out.Trend[i] = -1
		if n[0] > 0 {
			out.Trend[i] = share(n[0], n[1])
		}
	}
	if slo < 1 {
		out.BudgetLeft = 1 - (1-out.Availability)/(1-slo)
	} else if t.lost > 0 {
		out.BudgetLeft = -1
	}
	return out
}

// share is the part of the samples that was not lost.
func share(samples, lost int64) float64 {
	if samples == 0 {
		return 0
	}
	return float64(samples-lost) / float64(samples)
}

func millis(ms float64) wire.Millis { return wire.Millis(ms * float64(time.Millisecond)) }
