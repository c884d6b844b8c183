package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/bundle"
	"gpx/cachectl/modcache"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/probe/reach"
	"gpx/tui/view"
)

// caches are what the screen can ask for and do about the two caches: what the
// commands below gpx cache do, without their output.
func (s *session) caches() view.Caches {
	return view.Caches{
		Scan: s.scanModules, ScanBuild: s.scanBuild, Needs: s.needs, Where: s.where,
		PlanPrune: s.planPrune, PlanPruneBuild: s.planPruneBuild, Verify: s.verify,
		Export: s.export, PlanImport: s.planImport,
	}
}

// quiet is an app for one question of the screen: it has the session's world, and
// prints nothing. What it wants to tell gathers in its notices.
func (s *session) quiet(ctx context.Context) (*app, *env.Env, error) {
	e, p, err := s.current(ctx)
	if err != nil {
		return nil, nil, err
	}
	q := newApp(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	q.flags, q.now, q.actor = s.app.flags, s.app.now, s.app.actor
	q.environ, q.folder, q.stateDir, q.roots = s.app.environ, s.app.folder, s.app.stateDir, s.app.roots
	q.store, q.journal, q.theChanger = s.app.store, s.app.journal, s.changer
	q.read, q.goEnv, q.goProject, q.noProject = &s.read, e, p, p == nil
	return q, e, nil
}

func (s *session) scanModules(ctx context.Context, report func(modcache.Progress)) (*modcache.Inventory, error) {
	q, e, err := s.quiet(ctx)
	if err != nil {
		return nil, err
	}
	c, err := q.modCache(ctx, "cache", e)
	if err != nil {
		return nil, err
	}
	return c.Scan(ctx, modcache.ScanOptions{IndexFile: q.stateFile("modcache", e.Get("GOMODCACHE")), Report: report})
}

func (s *session) scanBuild(ctx context.Context, kinds bool, report func(buildcache.Progress)) (buildcache.Location, *buildcache.Inventory, error) {
	q, e, err := s.quiet(ctx)
	if err != nil {
		return buildcache.Location{}, nil, err
	}
	at := buildcache.Locate(e)
	if at.Dir == "" {
		return at, nil, nil
	}
	c, err := buildcache.Open(at.Dir)
	if err != nil {
		return at, nil, err
	}
	inv, err := c.Scan(ctx, buildcache.ScanOptions{Kinds: kinds, Now: q.now, Report: report})
	return at, inv, err
}

func (s *session) needs(ctx context.Context) (view.Household, error) {
	q, e, err := s.quiet(ctx)
	if err != nil {
		return view.Household{}, err
	}
	h, err := q.household(ctx, e, nil)
	if err != nil {
		return view.Household{}, err
	}
	s.mu.Lock()
	s.asked = nil // it knows the user's modules, which may be others now
	s.mu.Unlock()
	return view.Household{Needs: h.needs, Running: []string{byRunning}, Problems: h.problems}, nil
}

// An asker asks the chain in force who can give module versions.
type asker struct {
	*reach.Reacher
	digest string // of the environment that it asks in
}

// glance are the bounds of asking for rows that are in sight: nobody has asked
// for the answer, so it costs little and is given up soon.
const (
	glanceFor   = 10 * time.Second
	glanceFresh = 30 * time.Second // the screen keeps the answers itself
	glanceVCS   = 2                // git processes, each up to 8 s
)

// where asks the hops of the chain: nothing else is asked unasked.
func (s *session) where(ctx context.Context, ms []module.Version, report func(reach.Answer)) error {
	q, e, err := s.quiet(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	a := s.asked
	s.mu.Unlock()
	if a == nil || a.digest != e.Digest() {
		h, err := q.household(ctx, e, nil)
		if err != nil {
			return err
		}
		o := q.reachOptions(e, h.own)
		o.PerCall, o.TTL, o.VCS = glanceFor, glanceFresh, glanceVCS
		a = &asker{reach.New(q.proberFor(s.read, e), o), e.Digest()}
		s.mu.Lock()
		s.asked = a
		s.mu.Unlock()
	}
	_, err = a.Where(ctx, ms, report)
	return err
}

func (s *session) planPrune(ctx context.Context, inv *modcache.Inventory, o modcache.PruneOptions, report func(view.Step)) (*change.Plan, []modcache.Kept, error) {
	q, e, err := s.quiet(ctx)
	if err != nil {
		return nil, nil, err
	}
	return q.planPrune(ctx, e, inv, o, nil, func(what string, done, total int64) {
		report(view.Step{Text: strings.TrimRight(what, ":…"), Done: done, Total: total})
	})
}

func (s *session) planPruneBuild(ctx context.Context, o buildcache.PruneOptions) (*change.Plan, error) {
	q, e, err := s.quiet(ctx)
	if err != nil {
		return nil, err
	}
	o.Now = q.now
	return planPruneBuild(ctx, e, o)
}

func (s *session) verify(ctx context.Context, v view.Verify, report func(modcache.VerifyProgress), bad func(modcache.Bad)) (modcache.VerifyResult, error) {
	q, e, err := s.quiet(ctx)
	if err != nil {
		return modcache.VerifyResult{}, err
	}
	c, err := q.modCache(ctx, "cache verify", e)
	if err != nil {
		return modcache.VerifyResult{}, err
	}
	o := modcache.VerifyOptions{Versions: v.Versions, Report: report, Bad: bad, Now: q.now}
	if v.All {
		o.ResumeFile = q.stateFile("modcache-verified", c.Dir())
	}
	if q.goProject != nil {
		o.Sums = q.goProject.Sums
	}
	lookup, end, err := q.sumLookup(ctx, e, v.Online)
	if err != nil {
		return modcache.VerifyResult{}, fmt.Errorf("GOSUMDB: %w", err)
	}
	defer end()
	o.Lookup = lookup
	return c.Verify(ctx, o)
}

// typed is a path as a person types it: below the project's folder, or with ~
// below the home folder.
func (q *app) typed(e *env.Env, path string) string {
	if rest, ok := strings.CutPrefix(path, "~"+string(filepath.Separator)); ok && view.Home(e) != "" {
		return filepath.Join(view.Home(e), rest)
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(q.dir(), path)
}

// stepOf is how far the work on a bundle is.
func stepOf(p bundle.Progress) view.Step {
	return view.Step{Text: string(p.Phase), Done: p.Done, Total: p.Total}
}

func (s *session) export(ctx context.Context, x view.Export, report func(view.Step)) (view.Outcome, error) {
	q, e, err := s.quiet(ctx)
	if err != nil {
		return view.Outcome{}, err
	}
	out := q.typed(e, x.Path)
	told := func(p bundle.Progress) { report(stepOf(p)) }
	if x.Build {
		return q.exportBuild(ctx, e, out, told)
	}
	if isForeign(out) {
		return view.Outcome{}, noBundle(out)
	}
	sel := selection{versions: x.Versions}
	if x.Project {
		if sel, err = q.selection(ctx, exportFlags{}, nil, e); err != nil {
			return view.Outcome{}, err
		}
	}
	o, err := q.exportOptions(sel, e)
	if err != nil {
		return view.Outcome{}, fmt.Errorf("GOSUMDB: %w", err)
	}
	o.Out, o.Sync, o.Report = out, !isArchive(out) && isFolder(out), told
	res, err := bundle.Export(ctx, o)
	if err != nil {
		return view.Outcome{}, err
	}
	done := view.Outcome{Text: count(int64(res.Modules), "module version", "module versions") + ", " + size(res.Bytes) + ": " + redact.Text(view.Tilde(e, res.Path))}
	for _, l := range res.LeftOut {
		done.Notes = append(done.Notes, "left out: "+l.Path+"@"+l.Version+": "+l.Why)
	}
	for _, m := range sel.essential {
		done.Notes = append(done.Notes, "left out: "+redact.Clean(m.String())+": "+notCached)
	}
	if n := len(res.Unverifiable); n > 0 {
		done.Notes = append(done.Notes, count(int64(n), "version", "versions")+" without a proof of the checksum database: the other side's go.sum has to know "+
			"them. gpx cache export --online asks the database for what is not cached of it.")
		done.Notes = append(done.Notes, res.Unverifiable...)
	}
	return done, nil
}

// exportBuild writes a bundle of the build cache for the screen.
func (q *app) exportBuild(ctx context.Context, e *env.Env, out string, report func(bundle.Progress)) (view.Outcome, error) {
	res, err := q.writeBuildBundle(ctx, e, out, report)
	if err != nil {
		return view.Outcome{}, err
	}
	done := view.Outcome{Text: count(int64(res.Entries), "entry", "entries") + " of the build cache, " + size(res.Bytes) + ": " + redact.Text(view.Tilde(e, res.Path))}
	if res.LeftOut > 0 {
		done.Notes = []string{count(int64(res.LeftOut), "output", "outputs") + " left out: damaged, or trimmed meanwhile"}
	}
	return done, nil
}

func (s *session) planImport(ctx context.Context, path string, report func(view.Step)) (view.Proposal, error) {
	q, e, err := s.quiet(ctx)
	if err != nil {
		return view.Proposal{}, err
	}
	in := q.typed(e, path)
	told := func(p bundle.Progress) { report(stepOf(p)) }
	build, err := bundle.IsBuildCache(ctx, in)
	if err != nil {
		return view.Proposal{}, err
	}
	if build {
		pre, err := q.planBuildImport(ctx, in, e, told)
		if err != nil {
			return view.Proposal{}, err
		}
		return view.Proposal{Plan: pre.Plan, Why: buildImportAbout(pre)}, nil
	}
	if e.Get("GOMODCACHE") == "" {
		return view.Proposal{}, errors.New("GOMODCACHE is not set")
	}
	o, err := importOptions(in, e, q.goProject)
	if err != nil {
		return view.Proposal{}, fmt.Errorf("GOSUMDB: %w", err)
	}
	o.Report = told
	pre, err := bundle.PlanImport(ctx, o)
	if err != nil {
		return view.Proposal{}, err
	}
	return view.Proposal{Plan: pre.Plan, Why: importAbout(pre)}, nil
}
