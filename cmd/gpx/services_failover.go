package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/profiles"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/failover"
	"gpx/probe/monitor"
	"gpx/tui/view"
)

// An autopilot does what a [failover.Pilot] decides: it switches by itself in an
// outage, as a plan like any other, and takes that back. It acts while it is on and
// this is the process that records; else it looks on.
//
//	snapshot ─▶ may it act? ─▶ Pilot.Next ─▶ GOPROXY still so? ─▶ plan ─▶ apply ─▶ Pilot.Done
type autopilot struct {
	s       *session
	changer *change.Changer
	say     func(text string) // tells the user; one line
	notes   chan incident.Event

	// Of the goroutine that runs.
	pilot    *failover.Pilot // nil while it does not act
	flight   []string        // the changes of the flight, the oldest first
	projects knownProjects
	lent     []probe.Endpoint // of the catalog, watched for the outage's sake

	mu    sync.Mutex
	on    bool
	state view.Automatic
}

func newAutopilot(s *session) *autopilot {
	return &autopilot{s: s, on: s.read.Switch.Automatic, say: s.note, notes: make(chan incident.Event, 16)}
}

// acts reports whether it is on: then this process would record before one whose
// autopilot is not.
func (a *autopilot) acts() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.on
}

// listen has what is said come to a channel, in the place of the session's notices.
// It comes before the session's start. What nobody reads is dropped: output that is
// stuck must not keep the autopilot from acting.
func (a *autopilot) listen() <-chan string {
	said := make(chan string, 64)
	a.say = func(text string) {
		select {
		case said <- text:
		default:
		}
	}
	return said
}

// turn switches it on or off. Off leaves the chain in force as it is.
func (a *autopilot) turn(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.on = on
	a.state = view.Automatic{On: on}
}

// status is how it stands, for the screen.
func (a *autopilot) status() view.Automatic {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state.On = a.on
	return a.state
}

// run looks at every snapshot until ctx ends.
func (a *autopilot) run(ctx context.Context) {
	snaps, end := a.s.monitor.Subscribe()
	defer end()
	a.changer = change.New(change.Options{Journal: a.s.app.journal, StateDir: a.s.app.stateDir, Env: a.s.app.freshEnv, Now: a.s.app.now, Actor: change.ByItself})
	for {
		select {
		case <-ctx.Done():
			return
		case snap, ok := <-snaps:
			if !ok {
				return
			}
			if err := a.look(ctx, snap); err != nil && ctx.Err() == nil {
				a.tell("automatic switching: " + err.Error())
			}
		}
	}
}

// tell says something once, until something else is said.
func (a *autopilot) tell(text string) {
	text = redact.Text(text)
	a.mu.Lock()
	news := a.state.Said != text
	a.state.Said = text
	a.mu.Unlock()
	if news {
		a.say(text)
	}
}

// look is one snapshot.
func (a *autopilot) look(ctx context.Context, snap monitor.Snapshot) error {
	if !a.acts() {
		a.pilot = nil
		a.giveBack(ctx)
		return nil
	}
	if may, err := a.may(ctx); err != nil || !may {
		a.pilot = nil
		return err
	}
	if a.pilot == nil {
		if err := a.takeOff(ctx); err != nil {
			a.pilot = nil
			return err
		}
	}
	s := a.s
	s.mu.Lock()
	in := s.in
	s.mu.Unlock()
	calm := snap.Verdict.State != monitor.StateOutage
	if calm {
		a.giveBack(ctx)
	}
	if calm || a.projects.at.IsZero() { // in an outage there is better to do
		if err := a.projects.read(ctx, s.app, in.Env); err != nil {
			return err
		}
	}
	r := failover.RequestFor(snap, in, failover.Strategy(s.read.Switch.Strategy), s.read.Switch.Region)
	a.projects.addTo(&r)
	step := a.pilot.Next(snap, r, in.Env.OSEnv("GOPROXY") != "")
	switch step.Deed {
	case failover.Switch, failover.Return:
		a.act(ctx, step, in.Env)
	case failover.StandDown:
		a.flight = nil
		a.note(step.Why)
		a.tell("automatic switching stands down: " + step.Why)
	case failover.Stay:
		if step.NoChain {
			a.lend(ctx)
		}
		if step.News {
			a.tell("not switched: " + step.Why)
		}
	}
	a.show()
	return nil
}

// may reports whether this process may act, and says who does where it may not.
func (a *autopilot) may(ctx context.Context) (bool, error) {
	store := a.s.app.store
	switch {
	case store == nil || store.InMemory():
		a.wait("the history cannot be written, so that nobody could take a change back later")
		return false, nil
	}
	may, err := store.MayAct(ctx)
	if may || err != nil {
		return may, err
	}
	if pid, err := store.Recorder(ctx); err != nil || pid == 0 || pid == os.Getpid() {
		return false, err // this one is about to
	} else {
		a.wait(fmt.Sprintf("another gpx, process %d, records; this one acts when that one makes room or ends", pid))
	}
	return false, nil
}

func (a *autopilot) wait(why string) {
	a.mu.Lock()
	a.state = view.Automatic{On: a.on, Waits: why, Said: a.state.Said}
	a.mu.Unlock()
	a.tell("automatic switching waits: " + why)
}

// show keeps what the screen asks for.
func (a *autopilot) show() {
	f, flying := a.pilot.Flight()
	st := view.Automatic{On: true, Quiet: time.Duration(a.s.read.Switch.Quiet), StandsDown: a.pilot.StandsDown()}
	if flying {
		st.Own, st.Now, st.Since, st.Well, st.Quiet = f.Own.Redacted(), f.Now.Redacted(), f.Since, f.Well, f.Quiet
	}
	a.mu.Lock()
	st.Said, st.On = a.state.Said, a.on
	a.state = st
	a.mu.Unlock()
}

// takeOff begins to act: with the flight of an earlier process, if the journal tells
// of one and GOPROXY is still what that has made it.
func (a *autopilot) takeOff(ctx context.Context) error {
	cfg := failover.DefaultPilotConfig()
	cfg.Quiet = time.Duration(a.s.read.Switch.Quiet)
	a.pilot, a.flight = failover.NewPilot(cfg), nil
	records, err := a.s.app.journal.List(ctx)
	if err != nil {
		return err
	}
	l := failover.ReadLogbook(records)
	a.pilot.Recall(l)
	// The process before may have changed it in this moment.
	e, err := a.s.app.freshEnv(ctx)
	if err == nil {
		err = a.s.refresh(ctx)
	}
	if err != nil {
		return err
	}
	value, set := e.UserFileValues["GOPROXY"]
	if !l.InForce(value, set) {
		return nil
	}
	own, err := a.replaced(ctx, l.Open[0].ID, e)
	if err != nil {
		a.tell("an earlier gpx has switched by itself, and what was there before is not known: " + err.Error())
		return nil
	}
	now, err := e.Chain()
	if err != nil || now.String() == own.String() {
		return nil
	}
	for _, r := range l.Open {
		a.flight = append(a.flight, r.ID)
	}
	a.pilot.Resume(own, now, l.Open[0].DoneAt, a.s.app.now())
	a.tell(fmt.Sprintf("automatic switching goes on: an earlier gpx has put %s in the place of %s", now.Redacted(), own.Redacted()))
	a.s.mu.Lock()
	a.s.in.Original = &own
	in := a.s.in
	a.s.mu.Unlock()
	a.s.monitor.SetInputs(in)
	return nil
}

// replaced is the chain that change id has replaced.
func (a *autopilot) replaced(ctx context.Context, id string, e *env.Env) (chain.Chain, error) {
	before, err := a.changer.Replaced(ctx, id, "GOPROXY")
	if err != nil {
		return chain.Chain{}, err
	}
	if before.Unset || before.Value == "" {
		v, _ := e.Lookup("GOPROXY")
		before.Value = v.Below()
	}
	return chain.Parse(before.Value)
}

// errMoved says that GOPROXY is not what the step was decided for.
var errMoved = errors.New("GOPROXY was changed in this moment")

// act does a step. was is the environment that it was decided for: what somebody has
// changed since is not touched.
func (a *autopilot) act(ctx context.Context, step failover.Step, was *env.Env) {
	var done change.Change
	var did string
	var err error
	if step.Deed == failover.Switch {
		did = "switched to "
		done, err = a.switchTo(ctx, step.Chain, was)
	} else {
		did = "went back to "
		done, err = a.goBack(ctx, step.Chain, was)
	}
	switch {
	case err == nil, ctx.Err() != nil && done.ID != "": // it was done, and then the session ended
		a.pilot.Done(step, a.s.app.now())
		a.tell(fmt.Sprintf("by itself gpx %s%s (change %s): %s", did, step.Chain.Redacted(), done.ID, step.Why))
	case errors.Is(err, errMoved), ctx.Err() != nil:
		// The next snapshot is of what somebody has made it.
	default:
		a.pilot.Failed(step, a.s.app.now())
		a.tell(fmt.Sprintf("could not switch by itself to %s: %v", step.Chain.Redacted(), err))
	}
}

// fresh reads the environment, and fails where GOPROXY is another one than in was.
func (a *autopilot) fresh(ctx context.Context, was *env.Env) (*env.Env, error) {
	e, err := a.s.app.freshEnv(ctx)
	if err != nil {
		return nil, err
	}
	if e.Get("GOPROXY") != was.Get("GOPROXY") {
		return nil, errors.Join(errMoved, a.s.refresh(ctx))
	}
	return e, nil
}

// switchTo puts c in force, and has the chain watched that it leaves.
func (a *autopilot) switchTo(ctx context.Context, c chain.Chain, was *env.Env) (change.Change, error) {
	e, err := a.fresh(ctx, was)
	if err != nil {
		return change.Change{}, err
	}
	_, p, err := a.s.current(ctx)
	if err != nil {
		return change.Change{}, err
	}
	plan, err := profiles.Use(e, p, c)
	if err != nil {
		return change.Change{}, err
	}
	own, err := e.Chain()
	if f, flying := a.pilot.Flight(); flying {
		own = f.Own
	}
	if err != nil {
		return change.Change{}, err
	}
	done, err := a.s.applyBy(ctx, a.changer, plan, &own)
	if err == nil {
		a.flight = append(a.flight, done.ID)
	}
	return done, err
}

// goBack takes back the changes of the flight. Where that cannot be, because what
// they replaced is kept no longer, own is set anew.
func (a *autopilot) goBack(ctx context.Context, own chain.Chain, was *env.Env) (done change.Change, err error) {
	for len(a.flight) > 0 {
		if _, err := a.fresh(ctx, was); err != nil {
			return done, err
		}
		plan, err := a.changer.PlanUndo(ctx, a.flight[len(a.flight)-1], false)
		if err != nil {
			break
		}
		if !plan.Empty() {
			if done, err = a.s.applyBy(ctx, a.changer, plan, nil); err != nil {
				return done, err
			}
		}
		a.flight = a.flight[:len(a.flight)-1]
		if was, _, err = a.s.current(ctx); err != nil {
			return done, err
		}
	}
	a.flight = nil
	e, err := a.fresh(ctx, was)
	if err != nil {
		return done, err
	}
	if now, err := e.Chain(); err == nil && now.String() == own.String() {
		return done, nil
	}
	_, p, err := a.s.current(ctx)
	if err != nil {
		return done, err
	}
	plan, err := profiles.Use(e, p, own)
	if err != nil {
		return done, err
	}
	return a.s.applyBy(ctx, a.changer, plan, nil)
}

// note has the recorder write down what no change in the journal tells.
func (a *autopilot) note(text string) {
	select {
	case a.notes <- incident.Event{At: wire.At(a.s.app.now()), Kind: incident.StoodDown, Text: text}:
	default: // nobody records
	}
}

// lend has the catalog watched while nothing else is known to help, where the user
// has agreed to that.
func (a *autopilot) lend(ctx context.Context) {
	if granted, _, err := a.s.consent(ctx); len(a.lent) > 0 || err != nil || !granted || a.s.app.environ != nil {
		return
	}
	e, _, err := a.s.current(ctx)
	if err != nil {
		return
	}
	_ = a.s.watch(ctx, func(have []probe.Endpoint) []probe.Endpoint {
		a.lent = slices.DeleteFunc(catalogEndpoints(catalog.Entries(e)), func(ep probe.Endpoint) bool {
			return slices.ContainsFunc(have, func(h probe.Endpoint) bool { return h.Key() == ep.Key() })
		})
		return append(have, a.lent...)
	})
}

// giveBack ends that: strangers are not asked for ever.
func (a *autopilot) giveBack(ctx context.Context) {
	if len(a.lent) == 0 {
		return
	}
	lent := a.lent
	a.lent = nil
	_ = a.s.watch(ctx, func(have []probe.Endpoint) []probe.Endpoint {
		return slices.DeleteFunc(have, func(h probe.Endpoint) bool {
			return slices.ContainsFunc(lent, func(ep probe.Endpoint) bool { return h.Key() == ep.Key() })
		})
	})
}

// A knownProjects is what the projects require that gpx knows: GOPROXY is one for all
// of them, and so are the paths that it must not show.
type knownProjects struct {
	at           time.Time
	modules, own []string
}

const (
	// readProjectsEvery is how often they are looked at again: paths that a new
	// project requires are shown to the chain in force long before.
	readProjectsEvery = 10 * time.Minute
	// mostProjects bounds them; the last used come first.
	mostProjects = 50
)

// read reads their go.mod files, where that is due.
func (k *knownProjects) read(ctx context.Context, a *app, e *env.Env) error {
	now := a.now()
	if now.Sub(k.at) < readProjectsEvery {
		return nil
	}
	roots, err := a.store.Projects(ctx)
	if err != nil {
		return err
	}
	k.at, k.modules, k.own = now, nil, nil
	for _, root := range roots[:min(len(roots), mostProjects)] {
		p, err := project.Find(root, e)
		if err != nil || p.Root != root {
			continue // it is gone
		}
		k.own = append(k.own, p.Modules...)
		for _, r := range p.Requires {
			k.modules = append(k.modules, r.Path)
		}
	}
	slices.Sort(k.modules)
	k.modules = slices.Compact(k.modules)
	return nil
}

// addTo adds what they require to what the project at hand does.
func (k *knownProjects) addTo(r *failover.Request) {
	r.Modules = append(slices.Clone(r.Modules), k.modules...)
	r.Own = append(slices.Clone(r.Own), k.own...)
}
