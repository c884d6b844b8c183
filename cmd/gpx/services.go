package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/profiles"
	"gpx/envctl/redact"
	"gpx/history"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/failover"
	"gpx/probe/monitor"
	"gpx/tui"
)

// services are what the screen can ask for and do.
func (s *session) services() tui.Services {
	return tui.Services{
		History:     s.history(),
		Env:         s.readEnv,
		Status:      s.status,
		Recommend:   s.recommend,
		PlanUse:     s.planUse,
		PlanEnv:     s.planEnv,
		Profiles:    s.profiles,
		PlanProfile: s.planProfile,
		PlanUndo: func(ctx context.Context, id string, force bool) (*change.Plan, error) {
			if err := s.wait(ctx); err != nil {
				return nil, err
			}
			return s.changer.PlanUndo(ctx, id, force)
		},
		Apply: s.apply,
		Changes: func(ctx context.Context) ([]change.Change, error) {
			if err := s.wait(ctx); err != nil {
				return nil, err
			}
			return s.changer.Changes(ctx)
		},
		Automatic:    s.auto.status,
		SetAutomatic: s.auto.turn,
		ProbeNow: func(keys ...string) {
			select {
			case <-s.ready:
				if s.monitor != nil {
					s.monitor.ProbeNow(keys...)
				}
			default: // the first round is about to begin anyway
			}
		},
		Deep: func(ctx context.Context, key string) (probe.Result, error) {
			if err := s.wait(ctx); err != nil {
				return probe.Result{}, err
			}
			return s.monitor.Deep(ctx, key), nil
		},
		Catalog:        s.catalog,
		AddEndpoint:    s.addEndpoint,
		RemoveEndpoint: s.removeEndpoint,
		Consent:        s.consent,
		SetConsent:     s.setConsent,
		Relay:          s.relayServices(),
		Caches:         s.caches(),
		Deps:           s.deps(),
		Crash:          s.crash,
	}
}

// readEnv reads the environment anew; when something changed, the monitor
// follows.
func (s *session) readEnv(ctx context.Context) (*env.Env, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	before := s.env
	s.mu.Unlock()
	e, err := s.app.freshEnv(ctx)
	if err != nil {
		return nil, err
	}
	if before == nil || before.Digest() != e.Digest() {
		return e, s.refresh(ctx)
	}
	return e, nil
}

func (s *session) status(ctx context.Context) (tui.Status, error) {
	e, p, err := s.current(ctx)
	if err != nil {
		return tui.Status{}, err
	}
	s.mu.Lock()
	st := tui.Status{Notices: slices.Clone(s.notices), Unaudited: s.unaudited}
	s.mu.Unlock()
	off, err := profiles.Status(ctx, e, p, s.changer)
	if err != nil {
		return st, err
	}
	if off.On {
		st.Offline = strings.TrimSpace("offline " + strings.TrimPrefix(off.Mode, "normal"))
		st.Unverifiable = off.Unverifiable
	}
	db, err := s.unverified(ctx, e)
	if err != nil {
		return st, err
	}
	st.SumDBOff, st.SumDBUntil, st.SumDBModules = db.off, db.until, db.modules
	return st, nil
}

// An unverified says whether checksums are off.
type unverified struct {
	off     bool
	modules string    // GONOSUMDB's patterns; "" is every module
	until   time.Time // zero: no end
	change  string    // what began it for modules
}

// unverified asks the journal until when checksums are off; whether they are,
// only the environment knows: somebody may have written the user file since.
func (s *session) unverified(ctx context.Context, e *env.Env) (u unverified, err error) {
	if db, err := e.SumDB(); err == nil && db.Off {
		u.off = true
	}
	changes, err := s.changer.Changes(ctx)
	if err != nil {
		return u, err
	}
	for _, c := range changes { // newest first
		if c.Undone || c.Expires.IsZero() {
			continue
		}
		for _, a := range c.Actions {
			switch {
			case a.Target == "GOSUMDB" && u.off:
				u.until = c.Expires.Time
			case a.Target == "GONOSUMDB" && !u.off && a.New != "" && a.New == e.Get("GONOSUMDB"):
				u = unverified{true, a.New, c.Expires.Time, c.ID}
			}
		}
		break
	}
	return u, nil
}

func (s *session) recommend(ctx context.Context, snapshot monitor.Snapshot) (failover.Recommendation, error) {
	if err := s.wait(ctx); err != nil {
		return failover.Recommendation{}, err
	}
	s.mu.Lock()
	in := s.in
	s.mu.Unlock()
	return failover.Recommend(failover.RequestFor(snapshot, in, failover.Strategy(s.read.Switch.Strategy), s.read.Switch.Region)), nil
}

func (s *session) planUse(ctx context.Context, c chain.Chain) (*change.Plan, error) {
	e, p, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return profiles.Use(e, p, c)
}

func (s *session) planEnv(ctx context.Context, title string, as []change.Assignment) (*change.Plan, error) {
	e, _, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return change.PlanEnv(e, title, as)
}

// apply does what a plan says, tells the calling shell, and lets the monitor
// follow. The chain that a switch left goes on being watched until it is back.
func (s *session) apply(ctx context.Context, p *change.Plan) (change.Change, error) {
	if err := s.wait(ctx); err != nil {
		return change.Change{}, err
	}
	return s.applyBy(ctx, s.changer, p, nil)
}

// applyBy is apply in the name of another. leaves is the chain to go on watching; nil
// is the one that was in force before the first switch.
func (s *session) applyBy(ctx context.Context, by *change.Changer, p *change.Plan, leaves *chain.Chain) (change.Change, error) {
	before, _, err := s.current(ctx)
	if err != nil {
		return change.Change{}, err
	}
	var done change.Change
	if !p.Empty() { // else it is for the calling shell alone
		if done, err = by.Apply(ctx, p); err != nil {
			return done, err
		}
	}
	if err := s.app.handoff(p); err != nil {
		s.note(err.Error())
	}
	after, err := s.app.freshEnv(ctx)
	if err != nil {
		return done, err
	}
	s.mu.Lock()
	if s.in.Original = original(s.in.Original, before, after); leaves != nil {
		s.in.Original = leaves
	}
	s.env = after // so that refresh sees no other's change in it
	s.mu.Unlock()
	return done, s.refresh(ctx)
}

// original is the chain to go on watching after a change from before to after.
func original(now *chain.Chain, before, after *env.Env) *chain.Chain {
	was, errBefore := before.Chain()
	is, errAfter := after.Chain()
	if errBefore != nil || errAfter != nil {
		return now
	}
	switch {
	case was.String() == is.String():
		return now
	case now == nil:
		return &was
	case now.String() == is.String():
		return nil
	default:
		return now
	}
}

func (s *session) catalog() []catalog.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(catalog.Entries(s.env), func(e catalog.Entry) bool { return e.Kind != catalog.Proxy })
}

// watch changes what is watched besides the chain.
func (s *session) watch(ctx context.Context, change func([]probe.Endpoint) []probe.Endpoint) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.in.Extra = unique(change(slices.Clone(s.in.Extra)))
	in := s.in
	s.mu.Unlock()
	s.monitor.SetInputs(in)
	return nil
}

func (s *session) addEndpoint(ctx context.Context, raw string) error {
	ep, err := endpointOf(raw)
	if err != nil {
		return err
	}
	return s.watch(ctx, func(eps []probe.Endpoint) []probe.Endpoint { return append(eps, ep) })
}

func (s *session) removeEndpoint(ctx context.Context, key string) error {
	found := false
	err := s.watch(ctx, func(eps []probe.Endpoint) []probe.Endpoint {
		return slices.DeleteFunc(eps, func(ep probe.Endpoint) bool {
			match := ep.Key() == key
			found = found || match
			return match
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("%s stands in the chain or is what the go command uses: take it out of the chain instead", redact.Text(key))
	}
	return err
}

func (s *session) consent(ctx context.Context) (granted, asked bool, err error) {
	switch s.read.Catalog.Probe {
	case "always":
		return true, true, nil
	case "never":
		return false, true, nil
	}
	store, err := s.database(ctx)
	if err != nil || store == nil {
		return false, false, err
	}
	value, ok, err := store.Setting(ctx, settingConsent)
	return ok && value == "yes", ok, err
}

func (s *session) setConsent(ctx context.Context, granted bool) error {
	answer := "no"
	if granted {
		answer = "yes"
	}
	store, err := s.database(ctx)
	if err != nil {
		return err
	}
	if store != nil {
		if err := store.SetSetting(ctx, settingConsent, answer); err != nil {
			return err
		}
	}
	if !granted {
		return nil
	}
	s.mu.Lock()
	eps := catalogEndpoints(catalog.Entries(s.env))
	s.mu.Unlock()
	return s.watch(ctx, func(have []probe.Endpoint) []probe.Endpoint { return append(have, eps...) })
}

func (s *session) database(ctx context.Context) (*history.Store, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.app.store, nil
}

// crash writes what a panic left to a private file.
func (s *session) crash(value any, stack []byte) string {
	dir := s.app.stateDir
	if dir == "" {
		var err error
		if dir, err = change.DefaultStateDir(); err != nil {
			return ""
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ""
	}
	path := filepath.Join(dir, "crash-"+time.Now().UTC().Format("20060102T150405.000")+".txt")
	var text strings.Builder
	fmt.Fprintf(&text, "gpx %s\n%s\n\n", readVersion().Version, redact.Text(fmt.Sprint(value)))
	for line := range strings.Lines(string(stack)) {
		text.WriteString(redact.Text(strings.TrimRight(line, "\n")) + "\n")
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return ""
	}
	return path
}

// The profiles of the screen, each the twin of a command.
const (
	profileOffline = "offline"
	profileSumDB   = "sumdb-off"
)

func (s *session) profiles(ctx context.Context) ([]tui.Profile, error) {
	e, p, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	off, err := profiles.Status(ctx, e, p, s.changer)
	if err != nil {
		return nil, err
	}
	db, err := s.unverified(ctx, e)
	if err != nil {
		return nil, err
	}
	offline := tui.Profile{ID: profileOffline, Title: "Offline", On: off.On,
		Detail: "The module cache is the only proxy; nothing is dialled, go.sum and cached checksums still verify.",
		Choices: []tui.Choice{
			{Title: "from the module cache", Arg: "on"},
			{Title: "strict: GOPROXY=off", Arg: "strict"},
			{Title: "from the vendor directory", Arg: "vendor"},
		}}
	if off.On {
		offline.Title = "Offline: back online"
		offline.Choices = nil
		if off.ChangeID == "" {
			offline.Disabled = "gpx did not switch it on; edit GOPROXY instead"
		}
	} else if p == nil || !p.Vendored {
		offline.Choices = offline.Choices[:2]
	}
	sumdb := tui.Profile{ID: profileSumDB, Title: "Checksums off", Loud: true, On: db.off,
		Detail: "New modules are believed unverified. For a broken checksum database only, and only for a while.",
		Choices: []tui.Choice{
			{Title: "for 1 hour", Arg: "1h"},
			{Title: "for 1 day", Arg: "24h"},
			{Title: "until switched on again", Arg: "0"},
		}}
	if sumdb.On {
		sumdb.Title, sumdb.Loud, sumdb.Choices = "Checksums: on again", false, nil
		sumdb.Detail = "New modules are verified as before."
	}
	return []tui.Profile{offline, sumdb}, nil
}

func (s *session) planProfile(ctx context.Context, id, choice string) (*change.Plan, error) {
	e, p, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	switch id {
	case profileOffline:
		off, err := profiles.Status(ctx, e, p, s.changer)
		if err != nil {
			return nil, err
		}
		if off.On {
			if off.ChangeID == "" {
				return nil, errors.New("gpx did not switch offline mode on, so it does not know what was there before; edit GOPROXY")
			}
			return s.changer.PlanUndo(ctx, off.ChangeID, false)
		}
		return profiles.Offline(ctx, e, p, profiles.OfflineOptions{Strict: choice == "strict", Vendor: choice == "vendor"})
	case profileSumDB:
		switch db, err := s.unverified(ctx, e); {
		case err != nil:
			return nil, err
		case db.change != "":
			return s.changer.PlanUndo(ctx, db.change, false)
		case db.off:
			return profiles.SumDBOn(ctx, e, p, s.changer)
		}
		period, err := time.ParseDuration(choice)
		if err != nil {
			return nil, fmt.Errorf("checksums off: %w", err)
		}
		return profiles.SumDB(ctx, e, p, profiles.SumDBOptions{Value: "off", For: period, Now: s.app.now()})
	}
	return nil, fmt.Errorf("there is no profile %q", id)
}
