package main

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpx/cachectl/deps"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/profiles"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/shell"
	"gpx/history"
	"gpx/probe"
	"gpx/probe/monitor"
)

// An app builds what commands need, each part when it is first asked for: a
// switch must not wait for a prober, nor a version for a database.
type app struct {
	std   streams
	flags globals
	now   func() time.Time

	out, errs *printer // for the answer; for everything else

	// What a demo puts in place of the user's machine; zero values mean that.
	environ  []string
	folder   string // instead of the current directory
	stateDir string
	roots    *x509.CertPool

	settingsFile  string
	settingsFound bool
	read          *settings

	soon       func() (ahead, error) // what is read ahead; nil when nothing is
	rest       settlement            // what this command may leave to others
	atEnd      func()                // of a command that reads ahead; nil otherwise
	goEnv      *env.Env
	goProject  *project.Project
	noProject  bool         // it was looked for
	report     *deps.Report // of goProject, when it was read ahead
	store      *history.Store
	journal    change.Journal
	theChanger *change.Changer
	cleaning   *cleaning // of the trash, while it runs
	notices    []string
	busy       bool   // progress is shown
	actor      string // who makes changes: "cli", or "tui" for the screen

	keepInterrupts func() bool // from then on a second ctrl+c does not kill gpx; may be nil
}

func newApp(std streams) *app {
	return &app{
		std: std, now: time.Now, actor: "cli",
		out: newPrinter(std.out, false, false), errs: newPrinter(std.err, false, false),
	}
}

// close ends what was opened.
func (a *app) close() {
	a.forgetEnv()
	a.stopCleaning()
	if a.store != nil && a.store.Close() == nil {
		a.settle()
	}
	if a.atEnd != nil {
		a.atEnd()
	}
}

// begin runs before every command, when the flags are known.
func (a *app) begin(cmd *cobra.Command) error {
	color := !a.flags.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	ascii := a.flags.ascii
	silent := cmd.Annotations["quiet"] != "" || strings.HasPrefix(cmd.Name(), cobra.ShellCompRequestCmd)
	if !silent {
		s, err := a.settings()
		if err != nil {
			return err
		}
		color = color && s.Screen.Color
		ascii = ascii || s.Screen.ASCII
	}
	a.out = newPrinter(a.std.out, color && a.std.outTTY && !a.flags.json, ascii)
	a.errs = newPrinter(a.std.err, color && a.std.errTTY, ascii)
	if silent {
		return nil
	}
	if err := a.checkFolders(commandName(cmd)); err != nil {
		return err
	}
	if cmd.Annotations["soon"] != "" {
		a.readAhead(cmd.Context())
	}
	// The screen does it behind its first frame, and lines for eval, which come
	// with every prompt, leave it to the next command.
	screen := !cmd.HasParent() && a.interactive()
	if !screen && !cmd.Flags().Changed("export") && !(cmd.Annotations["soon"] != "" && a.settled()) {
		a.rest.calm = a.recover(cmd.Context()) && len(a.notices) == 0
		a.printNotices()
	}
	return nil
}

// checkFolders refuses folders that cannot be worked in, before anything is
// made of them.
func (a *app) checkFolders(op string) error {
	if dir := a.flags.project; dir != "" {
		if !isFolder(dir) {
			return usage(op, "--project %s is not a directory", dir)
		}
	} else if _, err := os.Getwd(); err != nil {
		return failed(op, "", errors.New("the current directory is gone")).hint("cd to one that exists, or pass --project DIR")
	}
	if file := a.flags.db; file != "" && !isFolder(filepath.Dir(file)) {
		return usage(op, "--db %s: there is no directory %s", file, filepath.Dir(file))
	}
	return nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// printNotices says what the user should know, one line each, once.
func (a *app) printNotices() {
	for _, n := range a.notices {
		a.errs.text("", a.errs.dim("gpx: note: ")+n)
	}
	a.notices = nil
}

// progress shows what is going on, on a terminal only; "" takes it away.
func (a *app) progress(text string) {
	if !a.std.errTTY || a.flags.json || text == "" && !a.busy {
		return
	}
	a.busy = text != ""
	a.errs.write("\r\x1b[K" + a.errs.dim(text))
}

// interactive reports whether there is a terminal for the screen.
func (a *app) interactive() bool {
	return a.std.outTTY && a.std.inTTY && !a.flags.json && os.Getenv("TERM") != "dumb"
}

// recover puts right what a killed process left behind, takes back changes
// whose time has run out, and gathers what the user should know. It is true where
// there was nothing of all that.
func (a *app) recover(ctx context.Context) (calm bool) {
	ch := a.changer(ctx)
	done, err := ch.Recover(ctx)
	calm = err == nil && len(done) == 0 && a.store != nil && !a.store.InMemory()
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		// A folder that cannot be written takes the history with it: said once.
		a.notice("nothing can be changed or kept: " + err.Error())
	case a.store != nil:
		a.notice(a.store.Notice())
	}
	for _, c := range done {
		a.notice("change " + c.ID + " (" + c.Title + "): " + c.Note)
	}
	if len(done) > 0 {
		a.forgetEnv()
	}
	goproxy := func() string {
		e, err := a.env(ctx)
		if err != nil {
			return "" // which is said elsewhere
		}
		return e.UserFileValues["GOPROXY"]
	}
	said, err := a.takeBackRelay(ctx, ch, goproxy)
	calm = calm && err == nil && said == ""
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		a.notice(err.Error())
	case said != "":
		a.forgetEnv()
		a.notice(said)
	}
	plans, err := profiles.Expired(ctx, ch, a.now())
	calm = calm && err == nil && len(plans) == 0
	if err != nil && !errors.Is(err, context.Canceled) {
		a.notice("could not take back a change whose time has run out: " + err.Error())
	}
	for _, p := range plans {
		if _, err := ch.Apply(ctx, p); err != nil {
			a.notice("could not take back a change whose time has run out: " + err.Error())
			continue
		}
		a.forgetEnv()
		if err := a.handoff(p); err != nil {
			a.notice(err.Error())
		}
		a.notice("the time has run out: " + p.Title)
	}
	return calm
}

// handoff tells the calling shell, when its hook is active, what a plan that
// was applied means for variables that it has exported. A demo has no shell.
func (a *app) handoff(p *change.Plan) error {
	if a.environ != nil {
		return nil
	}
	return shell.Handoff(p.Shell())
}

func (a *app) notice(text string) {
	if text != "" {
		a.notices = append(a.notices, redact.Text(text))
	}
}

// settings reads the configuration once.
func (a *app) settings() (settings, error) {
	if a.read != nil {
		return *a.read, nil
	}
	a.settingsFile = a.flags.config
	if a.settingsFile == "" {
		a.settingsFile = defaultSettingsFile()
	}
	s, found, err := readSettings(a.settingsFile)
	if err == nil && !found && a.flags.config != "" {
		err = &failure{Op: "config", Target: redact.Text(a.flags.config), Class: "usage", Message: "there is no such file", Hint: "name one that exists, or leave --config out", status: statusUsage}
	}
	if err != nil {
		f := failed("config", "", err)
		f.Class, f.status = "usage", statusUsage
		if f.Hint == "" {
			f.Hint = "correct the file; gpx config prints every setting"
		}
		return s, f
	}
	a.settingsFound, a.read = found, &s
	return s, nil
}

// dir is the folder that gpx works for.
func (a *app) dir() string {
	if a.folder != "" {
		return a.folder
	}
	if a.flags.project != "" {
		if dir, err := filepath.Abs(a.flags.project); err == nil {
			return dir
		}
		return a.flags.project
	}
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	return dir
}

// freshEnv reads the go environment anew.
func (a *app) freshEnv(ctx context.Context) (*env.Env, error) {
	return env.Read(ctx, env.Options{Dir: a.dir(), Environ: a.environ})
}

// An ahead is what a command needs first. Project and report are nil when they
// could not be read: who asks for them is told why.
type ahead struct {
	env     *env.Env
	project *project.Project
	report  *deps.Report
}

// readAhead reads environment, project and what it needs while the database is
// opened: both take some milliseconds, and neither waits for the other.
func (a *app) readAhead(ctx context.Context) {
	// It is done before there is garbage that matters: collecting less of it saves a
	// tenth of the time where nothing is known yet. It stays so for the command: what
	// the report leaves would be collected while it is printed.
	percent := debug.SetGCPercent(400)
	a.atEnd = func() { debug.SetGCPercent(percent) }
	var got ahead
	var err error
	read := make(chan struct{})
	early := deps.ReadEarly(ctx, a.reports(), a.dir())
	go func() {
		defer close(read)
		defer early.Wait()
		if got.env, err = env.Read(ctx, env.Options{Dir: a.dir(), Environ: a.environ, Memo: a.stateFile("goenv", "")}); err != nil {
			return
		}
		if r, err := deps.Read(ctx, a.depsOptions(got.env, nil, early)); err == nil {
			got.project, got.report = r.Project, r
		}
	}()
	a.soon = func() (ahead, error) { <-read; return got, err }
}

// forgetEnv has the go environment, and what was read ahead in it, read anew when
// it is asked for.
func (a *app) forgetEnv() {
	if a.soon != nil {
		a.soon() // it ends with the command's context at the latest
		a.soon = nil
	}
	if a.report != nil {
		a.goProject, a.report = nil, nil
	}
	a.goEnv = nil
}

// env reads the go environment once.
func (a *app) env(ctx context.Context) (*env.Env, error) {
	if a.goEnv != nil {
		return a.goEnv, nil
	}
	read := func() (ahead, error) { e, err := a.freshEnv(ctx); return ahead{env: e}, err }
	if a.soon != nil {
		read, a.soon = a.soon, nil
	}
	got, err := read()
	if err != nil {
		return nil, err
	}
	a.goEnv = got.env
	if got.project != nil {
		a.goProject, a.report = got.project, got.report
	}
	if a.cleaning == nil {
		a.cleaning = clean(ctx, a.goEnv, a.now())
	}
	return a.goEnv, nil
}

// project reads go.mod and go.work once; nil without an error means that the
// folder is in no module.
func (a *app) project(ctx context.Context) (*project.Project, error) {
	if a.goProject != nil || a.noProject {
		return a.goProject, nil
	}
	e, err := a.env(ctx)
	if err != nil {
		return nil, err
	}
	p, err := project.Find(a.dir(), e)
	if errors.Is(err, project.ErrNone) {
		a.noProject = true
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a.goProject = p
	return p, nil
}

// both reads environment and project.
func (a *app) both(ctx context.Context) (*env.Env, *project.Project, error) {
	e, err := a.env(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := a.project(ctx)
	return e, p, err
}

// history opens the database; nil when it cannot be, and the notices say why.
func (a *app) history(ctx context.Context) *history.Store {
	if a.journal != nil {
		return a.store
	}
	store, err := history.Open(ctx, a.database(), history.Options{Now: a.now, Named: a.flags.db != ""})
	if err != nil {
		a.notice(err.Error())
		a.journal = change.NewMemoryJournal()
		return nil
	}
	a.store, a.journal = store, store.Journal()
	return store
}

// database is the file of the history, "" where there is no place for one.
func (a *app) database() string {
	switch {
	case a.stateDir != "":
		return filepath.Join(a.stateDir, "history.db")
	case a.flags.db != "":
		return a.flags.db
	}
	return history.DefaultPath()
}

// changer is the one way to change the machine.
func (a *app) changer(ctx context.Context) *change.Changer {
	if a.theChanger == nil {
		a.history(ctx)
		a.theChanger = change.New(change.Options{
			Journal: a.journal, StateDir: a.stateDir, Env: a.freshEnv, Now: a.now, Actor: a.actor,
		})
	}
	return a.theChanger
}

// remember adds the project to the known ones, which keep their modules when
// caches are pruned.
func (a *app) remember(ctx context.Context, p *project.Project) {
	if p == nil || a.rest.root == p.Root {
		return
	}
	if store := a.history(ctx); store != nil {
		switch err := store.RememberProject(ctx, p.Root); {
		case err == nil:
			a.rest.root = p.Root
		case ctx.Err() == nil:
			a.notice(err.Error())
		}
	}
}

// prober probes as the go command would here.
func (a *app) prober(ctx context.Context) (*probe.Prober, error) {
	e, err := a.env(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	return a.proberFor(s, e), nil
}

func (a *app) proberFor(s settings, e *env.Env, opts ...probe.Option) *probe.Prober {
	if a.roots != nil {
		opts = append(opts, probe.WithRootCAs(a.roots))
	}
	return probe.New(s.probeConfig(), e, opts...)
}

// monitor watches the chain in force, and extra endpoints besides the user's own.
func (a *app) monitor(ctx context.Context, extra ...probe.Endpoint) (*monitor.Monitor, monitor.Inputs, error) {
	e, p, err := a.both(ctx)
	if err != nil {
		return nil, monitor.Inputs{}, err
	}
	s, err := a.settings()
	if err != nil {
		return nil, monitor.Inputs{}, err
	}
	prober, err := a.prober(ctx)
	if err != nil {
		return nil, monitor.Inputs{}, err
	}
	for _, raw := range s.Endpoints {
		if ep, err := endpointOf(raw); err == nil { // check() has refused the rest
			extra = append(extra, ep)
		}
	}
	in := monitor.Inputs{Env: e, Project: p, Extra: extra}
	return monitor.New(s.monitorConfig(), prober, in), in, nil
}
