// Package changetest is for tests of kinds of change: a journal that outlives
// the process that is killed in the middle of one.
package changetest

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"gpx/envctl/change"
)

// FileJournal is a journal in one JSON file at path, which is old or new at
// every instant, and never torn. It need not exist.
func FileJournal(path string) change.Journal { return journal(path) }

type journal string

func (j journal) List(context.Context) ([]change.Record, error) {
	data, err := os.ReadFile(string(j))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var rs []change.Record
	return rs, json.Unmarshal(data, &rs)
}

func (j journal) write(rs []change.Record) error {
	data, err := json.Marshal(rs)
	if err != nil {
		return err
	}
	if err := os.WriteFile(string(j)+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(string(j)+".new", string(j))
}

func (j journal) update(ctx context.Context, id string, f func(*change.Record)) error {
	rs, err := j.List(ctx)
	if err != nil {
		return err
	}
	for i := range rs {
		if rs[i].ID == id {
			f(&rs[i])
		}
	}
	return j.write(rs)
}

func (j journal) Begin(ctx context.Context, r change.Record) error {
	rs, err := j.List(ctx)
	if err != nil {
		return err
	}
	r.State = change.Begun
	return j.write(append(rs, r))
}

func (j journal) Commit(ctx context.Context, id string, at time.Time) error {
	return j.update(ctx, id, func(r *change.Record) { r.State, r.DoneAt = change.Applied, at })
}

func (j journal) Abort(ctx context.Context, id, why string) error {
	return j.update(ctx, id, func(r *change.Record) { r.State, r.Why = change.Aborted, why })
}

func (j journal) MarkUndone(ctx context.Context, id, by string, at time.Time) error {
	return j.update(ctx, id, func(r *change.Record) { r.State, r.UndoneBy, r.UndoneAt = change.Undone, by, at })
}
