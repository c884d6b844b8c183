package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gpx/cachectl/deps"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/profiles"
	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui"
)

// pollEvery is how often the screen looks whether somebody else changed the
// user's go settings or the project's files, and whether a change's time has
// run out. It costs a few stat calls.
const pollEvery = 2 * time.Second

// A session is the live world behind the screen. The screen starts at once;
// what takes longer than a frame (the database, go env, the first probes)
// happens behind it, and everything that needs it waits for ready.
type session struct {
	app  *app
	ctx  context.Context
	read settings

	ready   chan struct{} // closed when changer and monitor stand, or failed is set
	failed  error
	changer *change.Changer
	monitor *monitor.Monitor
	auto    *autopilot
	relay   ownRelay

	mu      sync.Mutex
	env     *env.Env
	project *project.Project
	in      monitor.Inputs
	stamps  []stamp
	notices []string
	asked   *asker        // who can give module versions; nil until that is asked for
	look    chan struct{} // what the project needs may have changed
	report  *deps.Report  // what the project needs, as it was seen last; nil before that

	unaudited int // versions that arrived while checksums were off, as last counted

	memo     *deps.Memo // what is remembered of the module cache; nil until it is read
	memoFile string
	stage    string // where salvage keeps what it found; "" before that

	work sync.WaitGroup // everything that the session started
}

// session is a live world that ends with ctx, once its start is run.
func (a *app) session(ctx context.Context, s settings) *session {
	live := &session{app: a, ctx: ctx, read: s, ready: make(chan struct{}), look: make(chan struct{}, 1)}
	live.auto = newAutopilot(live)
	return live
}

// A replay is what the screen starts with; the zero value is what is now.
type replay struct {
	incident int64
	speed    float64 // 0 is the usual one
}

// runScreen shows the screen until the user quits.
func runScreen(ctx context.Context, a *app, mode tui.Mode, r replay) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	a.actor = "tui"
	ctx, cancel := context.WithCancel(ctx)
	live := a.session(ctx, s)
	live.work.Go(live.start)

	theme := s.Screen.Theme
	if theme == "auto" {
		theme = ""
	}
	services := live.services()
	if mode == tui.Demo { // it promises to dial nothing but loopback, and to read nothing of the user's
		services.Catalog, services.Consent, services.SetConsent = nil, nil, nil
		services.Salvage = nil // it would read this machine's module caches
	}
	err = tui.Run(ctx, tui.Config{
		Source:   live,
		Services: services,
		Mode:     mode,
		Incident: r.incident,
		Speed:    r.speed,
		Project:  shortened(a.dir()),
		Theme:    theme,
		NoColor:  a.flags.noColor || !s.Screen.Color || os.Getenv("NO_COLOR") != "",
		ASCII:    a.flags.ascii || s.Screen.ASCII,
		NoMouse:  !s.Screen.Mouse,
		Environ:  os.Environ(),
		Now:      a.now,
		Input:    a.std.in,
		Output:   a.std.out,
	})
	interruptedBySignal := ctx.Err() != nil
	live.endRelay()
	cancel()
	live.work.Wait()
	if err != nil && !errors.Is(err, context.Canceled) {
		return failed("gpx", "screen", err)
	}
	if interruptedBySignal {
		return interrupted(failed("gpx", "screen", context.Canceled))
	}
	return nil
}

// start builds the world and keeps it up to date until the session ends.
func (s *session) start() {
	ctx := s.ctx
	s.app.recover(ctx)
	s.changer = s.app.changer(ctx)
	s.notices = s.app.notices
	in, err := s.inputs(ctx)
	if err != nil {
		s.failed = err
		close(s.ready)
		return
	}
	in.Original = s.unfinished(ctx, in.Env)
	s.in.Original = in.Original
	s.monitor = monitor.New(s.read.monitorConfig(), in.Prober, in)
	s.app.remember(ctx, in.Project)
	close(s.ready)
	s.work.Go(func() {
		if err := s.monitor.Run(ctx); err != nil && ctx.Err() == nil {
			s.note("the monitor stopped: " + err.Error())
		}
	})
	s.work.Go(func() { s.watchReadiness(ctx) })
	s.work.Go(func() { s.record(ctx) })
	s.work.Go(func() { s.auto.run(ctx) })
	s.work.Go(func() { s.watchAudit(ctx) })
	if c := clean(ctx, in.Env, s.app.now()); c != nil {
		s.work.Go(func() {
			<-c.ended
			c.cancel()
			for _, text := range c.did {
				s.note(text)
			}
		})
	}

	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.poll(ctx)
		}
	}
}

// inputs reads environment and project, and says what to watch.
func (s *session) inputs(ctx context.Context) (monitor.Inputs, error) {
	e, err := s.app.freshEnv(ctx)
	if err != nil {
		return monitor.Inputs{}, err
	}
	p, err := project.Find(s.app.dir(), e)
	if err != nil && !errors.Is(err, project.ErrNone) {
		return monitor.Inputs{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.env == nil
	if first {
		for _, raw := range s.read.Endpoints {
			if ep, err := endpointOf(raw); err == nil {
				s.in.Extra = append(s.in.Extra, ep)
			}
		}
	}
	if !first && s.monitor != nil && s.monitor.Snapshot().Verdict.State == monitor.StateOutage {
		s.in.Original = original(s.in.Original, s.env, e) // somebody else switched
	}
	s.env, s.project = e, p
	s.in.Env, s.in.Project = e, p
	s.in.Prober = s.app.proberFor(s.read, e, probe.WithMark())
	s.stamps = stampsOf(e, p)
	select { // the project may need other modules now
	case s.look <- struct{}{}:
	default:
	}
	return s.in, nil
}

// lookAfter is how often the module cache is looked at for the project's modules
// though nothing else has changed: go commands fill it.
const lookAfter = 15 * time.Second

// watchReadiness tells the monitor whether the project builds with no network.
func (s *session) watchReadiness(ctx context.Context) {
	for {
		began := time.Now()
		_, _ = s.readDeps(ctx) // a project that cannot be read says so in its report
		// A large project on a slow disk is looked at less often: it costs one
		// per cent of the time at most.
		again := time.NewTimer(max(lookAfter, 100*time.Since(began)))
		select {
		case <-ctx.Done():
		case <-s.look:
		case <-again.C:
		}
		again.Stop()
		if ctx.Err() != nil {
			s.endDeps()
			return
		}
	}
}

// refresh reads everything anew and tells the monitor.
func (s *session) refresh(ctx context.Context) error {
	in, err := s.inputs(ctx)
	if err != nil {
		return err
	}
	s.monitor.SetInputs(in)
	return nil
}

// poll notices what others changed, and ends what has run out.
func (s *session) poll(ctx context.Context) {
	plans, err := profiles.Expired(ctx, s.changer, s.app.now())
	if err != nil && ctx.Err() == nil {
		s.note(err.Error())
	}
	changed := false
	if s.relay.run.Load() == nil {
		goproxy := func() string {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.env == nil {
				return ""
			}
			return s.env.UserFileValues["GOPROXY"]
		}
		switch said, err := s.app.takeBackRelay(ctx, s.changer, goproxy); {
		case err != nil && ctx.Err() == nil:
			s.note(err.Error())
		case said != "":
			s.note(said)
			changed = true
		}
	}
	for _, p := range plans {
		if _, err := s.changer.Apply(ctx, p); err != nil {
			s.note(err.Error())
			continue
		}
		if err := s.app.handoff(p); err != nil {
			s.note(err.Error())
		}
		s.note("the time has run out: " + p.Title)
		changed = true
	}
	s.mu.Lock()
	before := s.stamps
	e, p := s.env, s.project
	s.mu.Unlock()
	if changed || !sameStamps(before, stampsOf(e, p)) {
		if err := s.refresh(ctx); err != nil && ctx.Err() == nil {
			s.note(err.Error())
		}
	}
}

// note adds something that the user should know.
func (s *session) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.notices {
		if n == text {
			return
		}
	}
	s.notices = append(s.notices, text)
}

// wait blocks until the world stands.
func (s *session) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return s.ctx.Err()
	case <-s.ready:
		return s.failed
	}
}

// current returns environment and project as they were last read.
func (s *session) current(ctx context.Context) (*env.Env, *project.Project, error) {
	if err := s.wait(ctx); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.env, s.project, nil
}

// Subscribe implements [tui.Source]: the monitor's snapshots, once there is a
// monitor.
func (s *session) Subscribe() (<-chan monitor.Snapshot, func()) {
	out := make(chan monitor.Snapshot, 1)
	ctx, cancel := context.WithCancel(s.ctx)
	s.work.Go(func() {
		defer close(out)
		if s.wait(ctx) != nil {
			return
		}
		in, unsubscribe := s.monitor.Subscribe()
		defer unsubscribe()
		for {
			select {
			case <-ctx.Done():
				return
			case snapshot, ok := <-in:
				if !ok {
					return
				}
				select { // what was not fetched yet is out of date
				case <-out:
				default:
				}
				out <- snapshot
			}
		}
	})
	return out, cancel
}

// A stamp tells whether a file was changed.
type stamp struct {
	path string
	at   time.Time
	size int64
}

func stampsOf(e *env.Env, p *project.Project) []stamp {
	var paths []string
	if e != nil {
		paths = append(paths, e.UserFile, filepath.Join(e.GOROOT, "go.env"))
	}
	if p != nil {
		paths = append(paths, p.GoMod, p.GoWork, filepath.Join(filepath.Dir(p.GoMod), "go.sum"))
	}
	stamps := make([]stamp, 0, len(paths))
	for _, path := range paths {
		st := stamp{path: path}
		if info, err := os.Stat(path); err == nil {
			st.at, st.size = info.ModTime(), info.Size()
		}
		stamps = append(stamps, st)
	}
	return stamps
}

func sameStamps(a, b []stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].path != b[i].path || !a[i].at.Equal(b[i].at) || a[i].size != b[i].size {
			return false
		}
	}
	return true
}

// shortened is a path as people write it: below the home folder with a tilde.
func shortened(path string) string {
	home, err := os.UserHomeDir()
	if err != nil || home == "" {
		return path
	}
	if path == home {
		return "~"
	}
	if rest, ok := strings.CutPrefix(path, home+string(filepath.Separator)); ok {
		return "~" + string(filepath.Separator) + rest
	}
	return path
}
