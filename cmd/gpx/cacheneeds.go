package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"gpx/cachectl/needs"
	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/probe/catalog"
	"gpx/probe/reach"
)

// A household is what the projects on this machine need, as far as gpx knows
// them: those that it was started in, those below folders that were named, and
// those that go commands work in right now.
type household struct {
	needs    needs.Needs
	since    time.Time // when the oldest running go command was started; zero: none runs
	roots    []string  // of the known projects
	own      []string  // module paths of theirs
	problems []string  // what could not be found out, one clean line each
}

// household reads the known projects, and those below dirs.
func (a *app) household(ctx context.Context, e *env.Env, dirs []string) (household, error) {
	h := household{}
	h.roots, h.problems = a.knownRoots(ctx)
	for _, dir := range dirs {
		roots, problems := needs.Below(ctx, dir, e.Get("GOMODCACHE"))
		h.blame(problems)
		for _, root := range roots {
			if !slices.Contains(h.roots, root) {
				h.roots = append(h.roots, root)
			}
		}
	}
	run := needs.Running(ctx, e.Get("GOMODCACHE"))
	for _, root := range run.Editors {
		if !slices.Contains(h.roots, root) {
			h.roots = append(h.roots, root)
		}
	}
	h.since = run.Since
	var problems []needs.Problem
	h.needs, problems = needs.Of(ctx, h.roots, e)
	h.blame(problems)
	for _, root := range h.roots {
		if p, err := project.Find(root, nil); err == nil {
			h.own = append(h.own, p.Modules...)
		}
	}
	if run.Unseen != "" {
		h.problems = append(h.problems, run.Unseen)
	}
	running, problems := needs.Of(ctx, run.Roots, e)
	h.blame(problems)
	for m := range running {
		h.needs.Merge(needs.Needs{m: {byRunning}})
	}
	for _, m := range run.In(e.Get("GOMODCACHE")) {
		h.needs.Add(m, byRunning)
	}
	return h, ctx.Err()
}

// byRunning stands among the roots that need a version for a go command that runs
// now.
const byRunning = "a running go command"

// knownRoots are the roots of the known projects, this one included, and what
// could not be found out about them.
func (a *app) knownRoots(ctx context.Context) (roots, problems []string) {
	store := a.history(ctx)
	if store == nil || store.InMemory() {
		problems = append(problems, "the history cannot be read, so the projects that gpx was started in are not known")
	}
	if store != nil {
		known, err := store.Projects(ctx)
		if err != nil {
			problems = append(problems, redact.Text(err.Error()))
		}
		roots = known
	}
	p, err := a.project(ctx)
	if err != nil {
		problems = append(problems, redact.Text(err.Error()))
	}
	if p != nil && !slices.Contains(roots, p.Root) {
		roots = append(roots, p.Root)
	}
	return roots, problems
}

func (h *household) blame(problems []needs.Problem) {
	for _, p := range problems {
		h.problems = append(h.problems, p.String())
	}
}

// reacher asks who can give module versions now: the hops of the chain, the
// user's own endpoints, and the catalog where the user has agreed to that.
func (a *app) reacher(ctx context.Context, e *env.Env, own []string) (*reach.Reacher, error) {
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	prober, err := a.prober(ctx)
	if err != nil {
		return nil, err
	}
	o := a.reachOptions(e, own)
	o.Consent = true
	o.PerCall = 2 * time.Minute // a person watches the progress, and can stop it
	for _, raw := range s.Endpoints {
		if ep, err := endpointOf(raw); err == nil { // check() has refused the rest
			o.Extra = append(o.Extra, ep)
		}
	}
	if a.catalogConsent(ctx, s) {
		o.Extra = append(o.Extra, catalogEndpoints(catalog.Entries(e))...)
	}
	return reach.New(prober, o), nil
}

// reachOptions are those of asking the hops of the chain, and nobody else.
func (a *app) reachOptions(e *env.Env, own []string) reach.Options {
	o := reach.DefaultOptions()
	if c, err := e.Chain(); err == nil { // else it has nobody to ask, as the go command has not
		o.Chain = c
	} else {
		o.Chain = chain.Chain{}
	}
	o.NoProxy, o.Private, o.Own = e.NoProxy(), strings.Join([]string{e.Get("GOPRIVATE"), e.NoSumDB()}, ","), own
	o.Public = func(raw string) bool { return catalog.Public(e, raw) }
	o.Cache, o.Now = e.Get("GOMODCACHE"), a.now
	return o
}
