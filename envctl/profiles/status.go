package profiles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/project"
)

// An OfflineStatus says whether the environment is set for offline work.
type OfflineStatus struct {
	On           bool     `json:"on"`
	Mode         string   `json:"mode"`         // as OfflineOptions.Mode; "" when off
	ChangeID     string   `json:"change_id"`    // the change to take back; "" when gpx did not make it
	Unverifiable []string `json:"unverifiable"` // path@version
}

// MarshalJSON implements [json.Marshaler]: the list is never null.
func (s OfflineStatus) MarshalJSON() ([]byte, error) {
	type plain OfflineStatus
	q := plain(s)
	if q.Unverifiable == nil {
		q.Unverifiable = []string{}
	}
	return json.Marshal(q)
}

// Status looks at the effective environment and, when ch is not nil, in the
// journal for the change that made it so. p may be nil.
func Status(ctx context.Context, e *env.Env, p *project.Project, ch *change.Changer) (OfflineStatus, error) {
	s := OfflineStatus{Unverifiable: []string{}}
	vendor := e.Flag("mod") == "vendor"
	switch e.Get("GOPROXY") {
	case fileURL(downloadDir(e)):
		s.On, s.Mode = true, OfflineOptions{Vendor: vendor}.Mode()
	case "off":
		// GOPROXY=off alone lets private modules go to version control.
		s.On = e.NoProxy() == "none" || e.NoProxy() == ""
		s.Mode = OfflineOptions{Strict: true, Vendor: vendor}.Mode()
	}
	if !s.On {
		return OfflineStatus{Unverifiable: []string{}}, nil
	}
	if ch != nil {
		changes, err := ch.Changes(ctx)
		if err != nil {
			return s, fmt.Errorf("offline status: %w", err)
		}
		for _, c := range changes {
			if !c.Undone && (c.Title == offlineTitle || strings.HasPrefix(c.Title, offlineTitle+" ")) {
				s.ChangeID = c.ID
				break
			}
		}
	}
	unverifiable, err := Unverifiable(ctx, e, p)
	if err != nil {
		return s, fmt.Errorf("offline status: %w", err)
	}
	for _, m := range unverifiable {
		s.Unverifiable = append(s.Unverifiable, m.Path+"@"+m.Version)
	}
	return s, nil
}

// SumDBOn plans to switch verification on again. When gpx switched it off, that
// change is taken back, so that the database that the user had chosen returns;
// else it is as [SumDB] says for "on". ch and p may be nil.
func SumDBOn(ctx context.Context, e *env.Env, p *project.Project, ch *change.Changer) (*change.Plan, error) {
	if ch != nil && e.UserFileValues["GOSUMDB"] == "off" {
		changes, err := ch.Changes(ctx)
		if err != nil {
			return nil, fmt.Errorf("sumdb on: %w", err)
		}
		if id := lastOff(changes); id != "" {
			if plan, err := ch.PlanUndo(ctx, id, false); err == nil {
				warnSkipped(plan, e)
				return plan, nil
			} // what was there before cannot be told any more
		}
	}
	return SumDB(ctx, e, p, SumDBOptions{Value: "on"})
}

// lastOff is the change that set GOSUMDB last, when it set it to off.
func lastOff(newestFirst []change.Change) string {
	for _, c := range newestFirst {
		if c.Undone {
			continue
		}
		for _, a := range c.Actions {
			if a.Target != "GOSUMDB" {
				continue
			}
			if a.New == "off" && a.Old != "off" {
				return c.ID
			}
			return ""
		}
	}
	return ""
}

// clockSlack is how far a clock may be corrected backwards before a period that
// began after it is not believed any more.
const clockSlack = 5 * time.Minute

// Expired plans to take back the newest change whose time has run out. It is
// at most one plan, since the next one has to be made on what this one leaves:
// apply it and call again. A change that somebody has overwritten meanwhile is
// closed without a plan; but module patterns that it made unverified and that
// still stand under a later change are taken out.
//
// Time is the clock's, so a period goes on while the machine is off. A clock
// that has been put back to before the period began says nothing about its
// end: the period is over then, because what is at stake is verification.
func Expired(ctx context.Context, ch *change.Changer, now time.Time) ([]*change.Plan, error) {
	changes, err := ch.Changes(ctx)
	if err != nil {
		return nil, fmt.Errorf("expiry: %w", err)
	}
	var errs []error
	for _, c := range changes {
		if c.Undone || c.Expires.IsZero() || c.Expires.After(now) && c.At.Add(-clockSlack).Before(now) {
			continue
		}
		p, err := ch.PlanUndo(ctx, c.ID, false)
		if errors.Is(err, change.ErrChangedSince) {
			if rest, failed := planRest(ctx, ch, c); failed != nil || rest != nil {
				p, err = rest, failed
			}
		}
		switch {
		case errors.Is(err, change.ErrChangedSince), err == nil && p.Empty():
			errs = append(errs, ch.Close(ctx, c.ID))
		case err != nil:
			errs = append(errs, err)
		default:
			return []*change.Plan{p}, errors.Join(errs...)
		}
	}
	return nil, errors.Join(errs...)
}

// planRest plans to take what c switched off out of a GONOSUMDB that has
// changed since. It is nil where nothing of it is left.
func planRest(ctx context.Context, ch *change.Changer, c change.Change) (*change.Plan, error) {
	e, err := ch.Env(ctx)
	if err != nil {
		return nil, err
	}
	now := splitPatterns(e.UserFileValues["GONOSUMDB"])
	rest := slices.Clone(now)
	for _, a := range c.Actions {
		if a.Target != "GONOSUMDB" {
			continue
		}
		// What GOPRIVATE says was never the period's own.
		kept := append(splitPatterns(a.Old), splitPatterns(e.Get("GOPRIVATE"))...)
		rest = slices.DeleteFunc(rest, func(s string) bool {
			return slices.Contains(splitPatterns(a.New), s) && !slices.Contains(kept, s)
		})
	}
	if len(rest) == len(now) {
		return nil, nil
	}
	p, err := change.PlanEnv(e, "undo: "+c.Title, []change.Assignment{skipping(e, rest)})
	if err != nil {
		return nil, err
	}
	p.Undoes = c.ID
	return p, nil
}
