package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gpx/cachectl/relay"
	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/profiles"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/monitor"
	"gpx/tui/view"
)

// The screen's relay: GOPROXY is RELAY|CHAIN while it is in use, CHAIN being what
// was there before.
//
//	S ─▶ hold the file, serve, plan ─▶ y ─▶ GOPROXY=RELAY|CHAIN, journaled
//	S, q, a signal ─▶ take the change back ─▶ stop serving, release the file
//	SIGKILL ─▶ the next gpx finds the file with nobody who holds it, takes the change back
//
// The bar before CHAIN is what makes a relay that was killed harmless: its port
// refuses at once, and the go command asks CHAIN as ever. It also means that what
// the relay refuses is asked for along CHAIN, as it would be without a relay: there
// a hop that hangs holds up a question that the relay has answered with "nobody has
// it". So public hops that hang when the relay starts are left out of CHAIN until it
// ends; one that begins to hang later is not, and a hop that may be private never is,
// since those behind it would be asked in its place. gpx run, whose relay cannot be
// left behind, has no such limit.

// relayTitle is the change in the journal.
const relayTitle = "GOPROXY through a relay in this gpx"

// relayEnd is what putting GOPROXY back has when gpx quits.
const relayEnd = 10 * time.Second

// An ownRelay is the relay that lives in this process, if there is one.
type ownRelay struct {
	mu   sync.Mutex // what starts and stops it
	over bool       // the session ends: no more is started
	hold *relay.Hold
	stop func()                   // waits until nothing is served any more
	run  atomic.Pointer[relayRun] // nil: none
}

// relayServices are those of the Proxies view.
func (s *session) relayServices() view.Relay {
	return view.Relay{
		StartRelay:   s.startRelay,
		PlanRelayOff: func(ctx context.Context) (*change.Plan, error) { return s.planRelayOff(ctx) },
		StopRelay: func(context.Context) error {
			s.relay.mu.Lock()
			defer s.relay.mu.Unlock()
			return s.relay.close()
		},
		RelayNow: s.relayNow,
	}
}

// startRelay starts the relay and plans to lead GOPROXY through it.
func (s *session) startRelay(ctx context.Context) (*change.Plan, error) {
	e, p, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	c, err := e.Chain()
	if err != nil {
		return nil, err
	}
	own := &s.relay
	own.mu.Lock()
	defer own.mu.Unlock()
	switch {
	case own.over:
		return nil, context.Canceled
	case own.run.Load() != nil:
		return nil, errors.New("the relay runs already")
	}
	if own.hold, err = s.app.holdRelay(ctx); err != nil {
		return nil, err
	}
	plan, err := s.serveRelay(ctx, e, p, c)
	if err != nil {
		own.close()
		return nil, err
	}
	return plan, nil
}

// serveRelay starts serving, and plans. The relay's lock is held.
func (s *session) serveRelay(ctx context.Context, e *env.Env, p *project.Project, c chain.Chain) (*change.Plan, error) {
	l, err := relay.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r, err := s.app.apart(e, p).newRelay(ctx, l, relayNeeds{op: "relay"})
	if err != nil {
		l.Close()
		return nil, err
	}
	own := &s.relay
	// It outlives the session's context: GOPROXY is put back first.
	serving, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	var all sync.WaitGroup
	all.Go(func() {
		if err := r.Serve(serving, l); err != nil && serving.Err() == nil {
			s.note("the relay ended early: " + err.Error())
		}
	})
	all.Go(func() { r.follow(serving, func(string) {}) })
	own.stop = func() { cancel(); all.Wait(); r.close() }
	own.run.Store(r)
	if err := own.hold.Set(r.url()); err != nil {
		return nil, err
	}
	behind, without := behindRelay(c, hangs(e, c, s.monitor.Snapshot()))
	through, err := chain.Parse(r.url() + "|" + behind.String())
	if err != nil {
		return nil, err
	}
	plan, err := profiles.Use(e, p, through)
	if err != nil {
		return nil, err
	}
	plan.Title = relayTitle
	if len(without) > 0 {
		plan.Warn("left out until the relay ends, since go would hang there on what the relay does not find: " + strings.Join(without, ", "))
	}
	return plan, nil
}

// behindRelay is the chain behind the relay: c without the hops that hang, whose
// names are without. A chain of nothing else stays whole.
func behindRelay(c chain.Chain, hangs func(i int) bool) (rest chain.Chain, without []string) {
	rest = c
	for i := len(c.Hops) - 1; i >= 0; i-- {
		if !hangs(i) {
			continue
		}
		less, err := rest.Remove(i)
		if err != nil {
			return c, nil
		}
		rest, without = less, append([]string{c.Hops[i].Redacted()}, without...)
	}
	return rest, without
}

// hangs reports of a chain's hops whether they are public and the go command would
// hang there, as the latest snapshot has it.
func hangs(e *env.Env, c chain.Chain, snap monitor.Snapshot) func(i int) bool {
	return func(i int) bool {
		return snap.Chain.Value == c.Redacted() && i < len(snap.Chain.Hops) && snap.Chain.Hops[i].GoWill == probe.Hang && catalog.Public(e, c.Hops[i].URL)
	}
}

// close ends the relay, if there is one. The lock is held.
func (r *ownRelay) close() error {
	if r.stop != nil {
		r.stop()
	}
	var err error
	if r.hold != nil {
		err = r.hold.Release()
	}
	r.run.Store(nil)
	r.stop, r.hold = nil, nil
	return err
}

// planRelayOff plans to take the relay out of GOPROXY; nil where it is not in it.
func (s *session) planRelayOff(ctx context.Context) (*change.Plan, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	r := s.relay.run.Load()
	if r == nil {
		return nil, nil
	}
	return s.app.planWithoutRelay(ctx, s.changer, r.url())
}

// relayNow says what the relay did so far.
func (s *session) relayNow() (view.RelayState, bool) {
	r := s.relay.run.Load()
	if r == nil {
		return view.RelayState{}, false
	}
	st := r.Stats()
	now := view.RelayState{
		URL: r.url(), Requests: st.Requests, Rescued: st.Rescued, FromCache: st.FromCache, Failed: st.Failed, Wrong: st.Wrong, Bytes: st.Bytes,
	}
	s.mu.Lock()
	e := s.env
	s.mu.Unlock()
	if e != nil {
		c, err := e.Chain()
		now.InForce = err == nil && r.isIn(c)
	}
	return now, true
}

// endRelay puts GOPROXY back and ends the relay, when gpx quits.
func (s *session) endRelay() {
	own := &s.relay
	own.mu.Lock()
	defer own.mu.Unlock()
	own.over = true
	r := own.run.Load()
	if r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), relayEnd)
	defer cancel()
	if took, err := s.app.leaveRelay(ctx, s.changer, r.url()); err != nil {
		// The next gpx finds the file, and tries again.
		own.hold.Leave()
		own.hold = nil
		s.app.errs.text("", "gpx: GOPROXY still leads through the relay that has ended: "+err.Error())
	} else if took {
		s.app.errs.line(s.app.errs.dim("gpx: the relay has ended, and GOPROXY is what it was before"))
	}
	own.close()
}

// apart is an app for work beside the session: it shares the history, and nothing
// that changes.
func (a *app) apart(e *env.Env, p *project.Project) *app {
	return &app{
		std: a.std, flags: a.flags, now: a.now, out: a.out, errs: a.errs, actor: a.actor,
		environ: a.environ, folder: a.folder, stateDir: a.stateDir, roots: a.roots,
		settingsFile: a.settingsFile, settingsFound: a.settingsFound, read: a.read,
		goEnv: e, goProject: p, noProject: p == nil,
		store: a.store, journal: a.journal, theChanger: a.theChanger,
		cleaning: &cleaning{}, // the session has begun one
	}
}

// relayFile is where the relay that GOPROXY leads through is named; "" where there
// is no place for it.
func (a *app) relayFile() string {
	dir := a.stateDir
	if dir == "" {
		var err error
		if dir, err = change.DefaultStateDir(); err != nil {
			return ""
		}
	}
	return filepath.Join(dir, "relay-in-use")
}

// holdRelay takes the file for a relay of this process, after what a killed one has
// left was put right.
func (a *app) holdRelay(ctx context.Context) (*relay.Hold, error) {
	path := a.relayFile()
	if path == "" {
		return nil, errors.New("there is no folder for the relay's files: set HOME or XDG_STATE_HOME")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	h, left, err := relay.TakeHold(ctx, path)
	if err != nil || left == "" {
		return h, err
	}
	if _, err := a.leaveRelay(ctx, a.changer(ctx), left); err != nil {
		h.Leave()
		return nil, fmt.Errorf("GOPROXY still leads through a relay that was killed: %w", err)
	}
	return h, nil
}

// takeBackRelay takes GOPROXY back from a relay whose gpx was killed, or which an undo
// has brought back after its end, and says so; "" where there is none. goproxy is what
// the user's go env file has.
func (a *app) takeBackRelay(ctx context.Context, ch *change.Changer, goproxy func() string) (said string, err error) {
	path := a.relayFile()
	info, err := os.Stat(path)
	if path == "" || err != nil {
		return "", nil // there was never a relay
	}
	past := ""
	if info.Size() == 0 { // nothing leads through one that is known of, as nearly always
		if past, err = pastRelay(ctx, ch, goproxy()); past == "" || err != nil {
			return "", err
		}
	}
	h, left, err := relay.TakeHold(ctx, path)
	if errors.Is(err, relay.ErrInUse) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	took, err := a.leaveRelay(ctx, ch, cmp.Or(left, past))
	if err != nil {
		h.Leave()
		return "", fmt.Errorf("GOPROXY still leads through a relay that has ended: %w", err)
	}
	if err := h.Release(); err != nil || !took {
		return "", err
	}
	if left == "" {
		return "GOPROXY led through a relay that has ended: it is what it was before", nil
	}
	return "the gpx was killed whose relay GOPROXY led through: GOPROXY is what it was before", nil
}

// pastRelay is the relay that a GOPROXY leads through, by what the journal tells; ""
// for none.
func pastRelay(ctx context.Context, ch *change.Changer, goproxy string) (url string, err error) {
	url, _, ok := strings.Cut(goproxy, "|")
	if !ok || !strings.HasPrefix(url, "http://127.0.0.1:") {
		return "", nil
	}
	changes, err := ch.Changes(ctx)
	if err != nil || !slices.ContainsFunc(changes, func(c change.Change) bool { return leadsThrough(c, url) }) {
		return "", err
	}
	return url, nil
}

// leadsThrough reports whether a change has put the relay at url before a chain. The
// undo of another, which has brought that back, has not.
func leadsThrough(c change.Change, url string) bool {
	return c.Title == relayTitle && slices.ContainsFunc(c.Actions, func(a change.Action) bool {
		return a.Target == "GOPROXY" && strings.HasPrefix(a.New, url+"|")
	})
}

// leaveRelay takes the relay at url out of GOPROXY; took says that it was in it.
func (a *app) leaveRelay(ctx context.Context, ch *change.Changer, url string) (took bool, err error) {
	p, err := a.planWithoutRelay(ctx, ch, url)
	if err != nil || p == nil {
		return false, err
	}
	if !p.Empty() {
		if _, err := ch.Apply(ctx, p); err != nil {
			return false, err
		}
	}
	return true, a.handoff(p)
}

// planWithoutRelay plans to take back the change that led GOPROXY through the relay
// at url. Where GOPROXY was changed since, only the relay is taken out. It is nil
// where nothing leads through it.
func (a *app) planWithoutRelay(ctx context.Context, ch *change.Changer, url string) (*change.Plan, error) {
	e, err := a.freshEnv(ctx)
	if err != nil {
		return nil, err
	}
	value := e.UserFileValues["GOPROXY"]
	if !strings.Contains(value, url) {
		return nil, nil
	}
	changes, err := ch.Changes(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range changes { // newest first
		if !c.Undone && leadsThrough(c, url) {
			p, err := ch.PlanUndo(ctx, c.ID, false)
			if err == nil || !errors.Is(err, change.ErrChangedSince) {
				return p, err
			}
			break
		}
	}
	c, err := chain.Parse(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", redact.Value("GOPROXY", value), err)
	}
	i := slices.IndexFunc(c.Hops, func(h chain.Hop) bool { return strings.TrimRight(h.URL, "/") == url })
	if i < 0 { // its address is part of another
		return nil, nil
	}
	without := change.Assignment{Name: "GOPROXY", Unset: true}
	if len(c.Hops) > 1 {
		if c, err = c.Remove(i); err != nil {
			return nil, err
		}
		without = change.Assignment{Name: "GOPROXY", Value: c.String()}
	}
	return change.PlanEnv(e, "undo: "+relayTitle, []change.Assignment{without})
}
