package buildcache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"gpx/envctl/change"
	"gpx/envctl/redact"
)

// PruneOptions say what to take out of a build cache. OlderThan, MaxSize and
// All are limits that hold afterwards, each on its own; what was used within
// the last hour, or since a go command that still runs was started, is beyond
// all of them.
type PruneOptions struct {
	OlderThan time.Duration // 0: no limit
	MaxSize   int64         // bytes of the whole folder, as find counts; 0: no limit
	// All takes everything. Unlike go clean -cache, which is for when nothing
	// builds, it leaves what was used within the last hour.
	All bool
	// Tests makes every test result count as expired, as go clean -testcache
	// does.
	Tests bool
	Now   func() time.Time // nil means time.Now
	// Started says when the oldest go command was started that uses the cache
	// now, the zero time when there is none. Nil looks at the running processes,
	// where the system shows them.
	Started func(ctx context.Context) time.Time
}

// ErrNothingAsked: the options name nothing to prune.
var ErrNothingAsked = errors.New("nothing was asked for; choose from: --older-than 120h, --max-size 2GB, --tests, --all")

// A bound says what a prune takes: the pairs that come first when they are
// ordered by their last use, up to an instant and an ID, and whatever is garbage.
// It is a few bytes, however many files it means; it means the same when the
// plan is shown and when it is applied; and what is used in between falls out
// of it by itself.
type bound struct {
	Dir   string `json:"dir"`
	Used  int64  `json:"used"`  // Unix nanoseconds: what was last used before,
	Last  string `json:"last"`  // and at that instant up to this ID; "" for none
	Spare int64  `json:"spare"` // Unix nanoseconds: nothing last used since then
}

// takes reports whether p is within the bound.
func (b *bound) takes(p *pair) bool {
	used := p.used.UnixNano()
	switch {
	case used >= b.Spare:
		return false
	case p.garbage() || used < b.Used:
		return true
	case used > b.Used || b.Last == "":
		return false
	}
	var last ID
	return parseHex(&last, b.Last) && bytes.Compare(p.id[:], last[:]) <= 0
}

// widen moves the bound so far that it takes p, and all that was used before.
func (b *bound) widen(p *pair) {
	if !b.takes(p) {
		b.Used, b.Last = p.used.UnixNano(), p.id.String()
	}
}

func (o *PruneOptions) started(ctx context.Context, dir string, now time.Time) time.Time {
	if o.Started != nil {
		return o.Started(ctx)
	}
	return oldestGo(ctx, dir, now)
}

// spareWords says which uses are spared.
func spareWords(now, started time.Time) string {
	if spareFor(now, started).Before(spareFor(now, time.Time{})) {
		return fmt.Sprintf("since a go command was started that has been running for %s", now.Sub(started).Round(time.Minute))
	}
	return "within the last hour or two"
}

// newBound makes the bound for o: everything but the size, which depends on
// what is there. The hour that a use may be younger than its mtime says is
// added on, as DiskCache.Trim does.
func newBound(dir string, o PruneOptions, now, started time.Time) bound {
	b := bound{Dir: dir, Spare: spareFor(now, started).UnixNano()}
	switch {
	case o.All:
		b.Used = b.Spare
	case o.OlderThan > 0:
		b.Used = min(b.Spare, now.Add(-o.OlderThan-mtimeInterval).UnixNano())
	}
	return b
}

// shrink widens b until what stays of k has at most max bytes, or only what
// must be spared is left.
func (b *bound) shrink(k *contents, max int64) {
	left := k.bytes
	var stay []pair
	for p := range k.pairs() {
		switch {
		case b.takes(&p):
			left -= p.bytes
		case p.used.UnixNano() < b.Spare:
			stay = append(stay, p)
		}
	}
	slices.SortFunc(stay, func(p, q pair) int { return p.compare(&q) })
	for i := 0; i < len(stay) && left > max; i++ {
		b.widen(&stay[i])
		left -= stay[i].bytes
	}
}

// PlanPrune plans what o asks for. Nothing of it can be taken back, and nothing
// is lost by it but time: what a build needs again is made again. It reads the
// cache anew; ErrNothingAsked when o names nothing.
func (c *Cache) PlanPrune(ctx context.Context, o PruneOptions) (*change.Plan, error) {
	if o.OlderThan <= 0 && o.MaxSize <= 0 && !o.All && !o.Tests {
		return nil, ErrNothingAsked
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &change.Plan{Title: "prune the build cache"}
	if o.OlderThan > 0 || o.MaxSize > 0 || o.All {
		if err := c.planRemoval(ctx, p, o); err != nil {
			return nil, failed(c.dir, err)
		}
	} else {
		p.Title = "expire test results"
	}
	if o.Tests {
		if err := c.planExpiry(p, o.Now()); err != nil {
			return nil, failed(c.dir, err)
		}
	}
	return p, nil
}

// planRemoval adds to p what o takes out of the cache.
func (c *Cache) planRemoval(ctx context.Context, p *change.Plan, o PruneOptions) error {
	k, err := c.read(ctx)
	if err != nil {
		return err
	}
	now := o.Now()
	started := o.started(ctx, c.dir, now)
	b := newBound(c.dir, o, now, started)
	if o.MaxSize > 0 {
		b.shrink(k, o.MaxSize)
	}
	t := b.total(k)
	if asked := o.All || o.MaxSize > 0 && k.bytes-t.bytes > o.MaxSize; asked && t.spared > 0 {
		p.Warn(fmt.Sprintf("%s used %s stays, because a running build may need it; when nothing builds, this takes it too: go clean -cache",
			humanize.IBytes(uint64(t.spared)), spareWords(now, started)))
	}
	if o.MaxSize > 0 && k.bytes-t.bytes-t.spared > o.MaxSize {
		p.Warn(fmt.Sprintf("%s are no build results but fuzz corpora and files of others, and stay",
			humanize.IBytes(uint64(k.bytes-t.bytes-t.spared))))
	}
	if t.files == 0 {
		return nil
	}
	payload, err := json.Marshal(b)
	if err != nil {
		return err
	}
	p.FreedBytes += t.bytes
	p.Add(change.Step{
		Action: change.Action{
			Kind: RemoveEntries, Target: redact.Clean(c.dir), Old: t.words(), New: "made again when a build needs it", Bytes: t.bytes,
		},
		Payload: payload,
	})
	return nil
}

// A total is what a bound takes of a cache, and what it leaves only because
// that was used just now.
type total struct {
	bytes, files, outputs int64
	youngest              time.Time
	spared                int64 // bytes
}

func (b *bound) total(k *contents) total {
	var t total
	for p := range k.pairs() {
		if !b.takes(&p) {
			if p.used.UnixNano() >= b.Spare {
				t.spared += p.bytes
			}
			continue
		}
		t.bytes += p.bytes
		t.files += int64(p.files())
		if p.output != nil {
			t.outputs++
		}
		if p.used.After(t.youngest) {
			t.youngest = p.used
		}
	}
	return t
}

// files is the number of names that p has.
func (p *pair) files() int {
	n := len(p.actions)
	if p.output != nil || p.stray != nil {
		n++
	}
	return n
}

func (t *total) words() string {
	return fmt.Sprintf("%s files, %s of them outputs, none used since %s", humanize.Comma(t.files), humanize.Comma(t.outputs),
		t.youngest.Add(mtimeInterval).UTC().Format("2006-01-02 15:04 UTC"))
}
