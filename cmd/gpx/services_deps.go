package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/cachectl/bundle"
	"gpx/cachectl/deps"
	"gpx/cachectl/fetch"
	"gpx/cachectl/salvage"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/probe/monitor"
	"gpx/tui/view"
)

// deps are what the screen can ask for and do about the project's modules: what
// gpx deps, fetch and salvage do, without their output.
func (s *session) deps() view.Deps {
	return view.Deps{
		ReadDeps: s.readDeps, LastDeps: s.lastDeps, FetchFrom: s.fetchFrom, Fetch: s.fetch, Salvage: s.salvage, Vendor: s.vendor, Prove: s.prove,
	}
}

// readDeps reads what the project needs, and tells the monitor.
func (s *session) readDeps(ctx context.Context) (*deps.Report, error) {
	e, p, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	if p == nil {
		s.mu.Lock()
		s.report = nil
		s.mu.Unlock()
		s.monitor.SetReadiness(monitor.Readiness{State: string(deps.StateUnknown)})
		return nil, nil
	}
	r, err := deps.Read(ctx, deps.Options{Env: e, Project: p, Memo: s.memoOf(e)})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.report = r
	s.mu.Unlock()
	s.monitor.SetReadiness(readinessOf(r))
	return r, nil
}

// lastDeps is what was read last, by the view or by watchReadiness.
func (s *session) lastDeps() *deps.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

// memoOf is what is remembered of the module cache in use.
func (s *session) memoOf(e *env.Env) *deps.Memo {
	s.mu.Lock()
	defer s.mu.Unlock()
	if file := s.app.stateFile("deps", e.Get("GOMODCACHE")); s.memo == nil || s.memoFile != file {
		s.memo, s.memoFile = deps.OpenMemo(file), file
	}
	return s.memo
}

// endDeps writes what is remembered for the next session, and removes what was
// found and not taken in. What cannot be written is read anew then.
func (s *session) endDeps() {
	s.mu.Lock()
	memo, file, stage := s.memo, s.memoFile, s.stage
	s.mu.Unlock()
	if stage != "" {
		os.RemoveAll(stage)
	}
	if memo != nil {
		_ = memo.Save(file)
	}
}

// inProject is an app for work on the project, which there must be.
func (s *session) inProject(ctx context.Context) (*app, *env.Env, error) {
	q, e, err := s.quiet(ctx)
	if err == nil && q.goProject == nil {
		err = errors.New("this folder is in no Go project")
	}
	return q, e, err
}

func (s *session) fetchFrom(ctx context.Context, ms []module.Version) ([][]string, error) {
	q, e, err := s.inProject(ctx)
	if err != nil {
		return nil, err
	}
	r, err := q.reacher(ctx, e, q.goProject.Modules)
	if err != nil {
		return nil, err
	}
	names := make([][]string, len(ms))
	for i, m := range ms {
		for _, ep := range r.Sources(m) {
			names[i] = append(names[i], redact.URL(ep.URL))
		}
	}
	return names, nil
}

func (s *session) fetch(ctx context.Context, report func(view.Step)) (view.Outcome, error) {
	q, e, err := s.inProject(ctx)
	if err != nil {
		return view.Outcome{}, err
	}
	f, err := q.newFetcher(ctx, e, q.goProject)
	if err != nil {
		return view.Outcome{}, err
	}
	defer f.close()
	f.o.Report = func(p fetch.Progress) {
		report(view.Step{Text: p.Last, Done: int64(p.Done), Total: int64(p.Total)})
	}
	wants, err := f.lacking(ctx)
	if err != nil {
		return view.Outcome{}, err
	}
	var doc fetchDocument
	if err := f.run(ctx, wants, true, &doc); err != nil {
		return view.Outcome{}, err
	}
	var bytes int64
	for _, x := range doc.Fetched {
		bytes += x.Bytes
	}
	out := view.Outcome{Text: "fetched " + count(int64(len(doc.Fetched)), "module version", "module versions") + ", " + size(bytes)}
	if n := len(doc.Failed); n > 0 {
		out.Text += fmt.Sprintf("; %d could not be had", n)
	}
	for _, x := range doc.Failed {
		out.Notes = append(out.Notes, x.Path+"@"+x.Version+": "+x.Why)
	}
	for _, x := range doc.Wrong {
		out.Notes = append(out.Notes, "wrong bytes from "+x.Hop+", thrown away: "+x.Detail)
	}
	return out, nil
}

func (s *session) salvage(ctx context.Context, roots []string, report func(view.Step)) (view.Salvaged, error) {
	q, e, err := s.inProject(ctx)
	if err != nil {
		return view.Salvaged{}, err
	}
	f := salvageFlags{}
	for _, root := range roots {
		dir := q.typed(e, root)
		if !isFolder(dir) {
			return view.Salvaged{}, fmt.Errorf("%s is no folder", redact.Clean(root))
		}
		real, err := filepath.EvalSymlinks(dir) // below it no link is followed
		if err != nil {
			return view.Salvaged{}, err
		}
		f.roots = append(f.roots, real)
	}
	wants, err := q.salvageable(ctx, e, q.goProject)
	if err != nil {
		return view.Salvaged{}, err
	}
	o, err := q.salvageOptions(ctx, e, q.goProject, wants, f)
	if err != nil {
		return view.Salvaged{}, err
	}
	s.mu.Lock()
	s.stage = o.Stage
	s.mu.Unlock()
	o.Report = func(text string) { report(view.Step{Text: text}) }
	res, err := salvage.Find(ctx, o)
	if err != nil {
		os.RemoveAll(o.Stage)
		return view.Salvaged{}, err
	}
	out := view.Salvaged{Found: len(res.Found)}
	doc := salvageDocumentOf(e, res)
	line := func(good bool, format string, args ...any) {
		out.Lines = append(out.Lines, view.Line{Good: good, Text: fmt.Sprintf(format, args...)})
	}
	for _, x := range doc.Found {
		line(true, "%s@%s: %s %s, proven by %s", x.Path, x.Version, x.Kind, x.Source, x.Proof)
	}
	for _, x := range doc.Refused {
		line(false, "%s@%s: %s %s refused: %s", x.Path, x.Version, x.Kind, x.Source, x.Why)
	}
	for _, x := range doc.Vendored {
		line(false, "%s@%s: vendor folder %s, usable with -mod=vendor only", x.Path, x.Version, x.Dir)
	}
	for _, x := range doc.Missing {
		line(false, "%s@%s is nowhere", x.Path, x.Version)
	}
	for _, x := range doc.Problems {
		line(false, "%s", x)
	}
	if len(res.Found) == 0 {
		return out, os.RemoveAll(o.Stage)
	}
	if err := salvage.Seal(o.Stage); err != nil {
		return out, err
	}
	imp, err := importOptions(o.Stage, e, q.goProject)
	if err != nil {
		return out, err
	}
	pre, err := bundle.PlanImport(ctx, imp)
	if err != nil {
		return out, err
	}
	pre.Plan.Title = "salvage " + count(int64(len(pre.New)), "module version", "module versions")
	out.Proposal = view.Proposal{Plan: pre.Plan}
	return out, nil
}

// vendor writes the vendor folder with the go command, without a network.
func (s *session) vendor(ctx context.Context, report func(view.Step)) (view.Outcome, error) {
	q, e, err := s.inProject(ctx)
	if err != nil {
		return view.Outcome{}, err
	}
	verb := "mod"
	if q.goProject.GoWork != "" {
		verb = "work"
	}
	cmd := e.Command(ctx, q.goProject.Root, verb, "vendor")
	cmd.Env = append(cmd.Env, "GOPROXY=off", "GONOPROXY=none", "GOVCS=*:off", "GOFLAGS="+withoutMod(e.Get("GOFLAGS")))
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &errs
	report(view.Step{Text: "go " + verb + " vendor"})
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return view.Outcome{}, ctx.Err()
		}
		return view.Outcome{}, fmt.Errorf("go %s vendor: %w: %s", verb, err, redact.Text(errs.String()))
	}
	return view.Outcome{Text: "vendored: go " + verb + " vendor"}, nil
}

// withoutMod is GOFLAGS without -mod: with -mod=vendor the go command refuses to
// vendor, and with -mod=mod it would write go.mod too.
func withoutMod(flags string) string {
	kept := slices.DeleteFunc(strings.Fields(flags), func(f string) bool {
		return strings.HasPrefix(strings.TrimLeft(f, "-"), "mod=")
	})
	return strings.Join(kept, " ")
}

func (s *session) prove(ctx context.Context, report func(view.Step)) (deps.Proof, error) {
	q, e, err := s.inProject(ctx)
	if err != nil {
		return deps.Proof{}, err
	}
	return deps.Prove(ctx, deps.Options{Env: e, Project: q.goProject}, func(line string) { report(view.Step{Text: line}) })
}
