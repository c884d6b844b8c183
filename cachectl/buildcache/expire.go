package buildcache

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// ExpireTests is the kind of action that makes test results count as expired.
const ExpireTests = "expire_tests"

// An expiry is the payload of expire_tests.
type expiry struct {
	Dir     string `json:"dir"`
	Planned int64  `json:"planned"` // Unix nanoseconds; what is written is at least as late
}

func init() {
	change.Register(change.Kind{
		Name: ExpireTests, Check: checkExpiry, Do: doExpiry, Done: expiryDone,
		// When the change fails this was its last step and did not happen.
		Revert: func(context.Context, string, []change.Step) error { return nil },
		Undo: func(context.Context, *env.Env, string, []change.Step, bool) (*change.Plan, error) {
			return nil, fmt.Errorf("test results that were expired %w, and need not: the tests run again", change.ErrForGood)
		},
	})
}

func (c *Cache) expiryFile() string { return filepath.Join(c.dir, "testexpire.txt") }

// planExpiry adds to p that every test result up to the moment it is applied
// shall count no more.
func (c *Cache) planExpiry(p *change.Plan, now time.Time) error {
	payload, err := json.Marshal(expiry{Dir: c.dir, Planned: now.UnixNano()})
	if err != nil {
		return err
	}
	old := "no test result is expired"
	if t := parseExpiry(c.readStamp("testexpire.txt")); t > 0 {
		old = "results before " + time.Unix(0, t).UTC().Format("2006-01-02 15:04:05 UTC") + " are expired"
	}
	p.Add(change.Step{
		Action:  change.Action{Kind: ExpireTests, Target: redact.Clean(c.expiryFile()), Old: old, New: "results until now are expired; tests run again"},
		Payload: payload,
	})
	return nil
}

// parseExpiry reads testexpire.txt, 0 when it says nothing.
func parseExpiry(text string) int64 {
	t, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0
	}
	return t
}

func expiries(steps []change.Step) ([]expiry, error) {
	var es []expiry
	for _, s := range steps {
		var e expiry
		if err := json.Unmarshal(s.Payload, &e); err != nil {
			return nil, fmt.Errorf("%s %s: %w", s.Action.Kind, s.Action.Target, err)
		}
		es = append(es, e)
	}
	return es, nil
}

func checkExpiry(_ context.Context, steps []change.Step) error {
	es, err := expiries(steps)
	for _, e := range es {
		if err == nil {
			err = checkDir(e.Dir)
		}
	}
	return err
}

// checkDir fails when the cache that a plan was made for is gone.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: fs.ErrInvalid}
	}
	if err != nil {
		return fmt.Errorf("the build cache %w: %w", change.ErrStale, err)
	}
	return nil
}

// doExpiry does what go clean -testcache does (cmd/go/internal/clean), under
// the same lock and with the same bytes, except that it writes the new number
// before it cuts the file, so that it holds one of the two at every instant.
func doExpiry(_ context.Context, _ string, steps []change.Step) error {
	es, err := expiries(steps)
	if err != nil {
		return err
	}
	for _, e := range es {
		c := Cache{e.Dir}
		if err := lockedfile.Transform(c.expiryFile(), func(old []byte) ([]byte, error) {
			now := time.Now().UnixNano()
			if now <= parseExpiry(string(old)) {
				return old, nil
			}
			return fmt.Appendf(nil, "%d\n", now), nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func expiryDone(_ context.Context, _ string, steps []change.Step) (bool, error) {
	es, err := expiries(steps)
	done := err == nil
	for _, e := range es {
		c := Cache{e.Dir}
		done = done && parseExpiry(c.readStamp("testexpire.txt")) >= e.Planned
	}
	return done, err
}
