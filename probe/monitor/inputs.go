package monitor

import (
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/catalog"
)

// A role says why an endpoint is watched.
type role int

const (
	roleHop      role = iota // a hop of the chain in force
	roleOriginal             // a hop of the chain that gpx switched away from
	roleSumDB
	roleForward
	roleExtra
	roleThrough // the checksum database as a hop passes it on: no endpoint of its own
)

// A spec is one endpoint to watch.
type spec struct {
	ep   probe.Endpoint
	role role
	hops []int // 1-based, of the chain in force

	// Of roleThrough: what kind of hop it is, and whether it is none that the go
	// command uses.
	hop      probe.Kind
	stranger bool
}

// A plan is what Inputs come to.
type plan struct {
	chain    chain.Chain
	chainErr error
	origin   string
	original *chain.Chain

	db    chain.SumDB
	dbErr error

	forward  string // raw URL of HTTPS_PROXY, "" without one
	through  func(raw string) bool
	canary   module.Version
	needed   bool
	known    bool // the world knows the canary
	complete bool
	vendored bool
	bypassed bool
	noProxy  string // effective GONOPROXY
	// projectErr is what is broken in the project's files, buildErr what of them keeps
	// builds alone from going ahead.
	projectErr, buildErr string
	toolchainErr         string
	// settingErr is why the go command refuses the variable settingName,
	// buildSettingErr why builds refuse buildSettingName.
	settingErr, settingName           string
	buildSettingErr, buildSettingName string
	keepErr                           string // why GOMODCACHE takes no new module

	cacheURL string // path of GOMODCACHE/cache/download
	shadows  []Shadow

	specs []spec
}

// plan reads the inputs once; the schedule and the snapshots work from it.
func (in Inputs) plan() plan {
	p := plan{through: func(string) bool { return false }, original: in.Original}
	e := in.Env
	if e == nil {
		e = &env.Env{}
	}
	p.chain, p.chainErr = e.Chain()
	v, _ := e.Lookup("GOPROXY")
	p.origin = string(v.Origin)
	p.db, p.dbErr = e.SumDB()
	p.forward, p.through = forwardProxy(e.Environ)
	p.cacheURL = filepath.ToSlash(filepath.Join(e.Get("GOMODCACHE"), "cache", "download"))
	p.shadows = shadows(e)
	p.canary, p.needed = p.chooseCanary(in)
	p.known = !p.needed || catalog.Known(p.canary.Path, in.Project.Modules)
	p.complete = SumsComplete(in.Project, e)
	p.vendored = vendoring(in.Project, e)
	p.noProxy = redact.Clean(e.NoProxy())
	p.bypassed = bypassed(in.Project, e)
	p.projectErr = refusedFile(in.Project, in.Project.Refusal())
	p.buildErr = refusedFile(in.Project, in.Project.BuildRefusal())
	if err := project.ChooseToolchain(e, in.Project).Refusal(e); err != nil {
		p.toolchainErr = redact.Text(err.Error())
	}
	p.settingErr, p.settingName = refusedSetting(e.Refusal(), e.CacheRefusal())
	p.buildSettingErr, p.buildSettingName = refusedSetting(e.BuildRefusal())
	p.keepErr, _ = refusedSetting(e.KeepRefusal())
	p.specs = p.endpoints(in)
	return p
}

// refusedFile is what is wrong in the files of p, "" for nothing. Without the folder,
// which is known, the line stays within a headline.
func refusedFile(p *project.Project, err error) string {
	if err == nil {
		return ""
	}
	return redact.Text(strings.ReplaceAll(err.Error(), p.Root+string(filepath.Separator), ""))
}

// refusedSetting is the first refused setting of those, with its variable.
func refusedSetting(errs ...error) (why, name string) {
	for _, err := range errs {
		if refused := (*env.SettingError)(nil); errors.As(err, &refused) {
			return redact.Text(refused.Text), refused.Name
		}
	}
	return "", ""
}

// endpoints lists what is probed, each once: the chain's hops, the database, the
// forward proxy, the original chain's hops, then what the user added; and last
// the ways to the database, which are not shown.
func (p *plan) endpoints(in Inputs) []spec {
	var specs []spec
	index := map[string]int{}
	add := func(s spec) {
		key := s.ep.Key()
		if i, ok := index[key]; ok {
			specs[i].hops = append(specs[i].hops, s.hops...)
			return
		}
		index[key] = len(specs)
		specs = append(specs, s)
	}
	vcs := vcsPaths(in.Project, in.Env, p.canary)
	hops := func(c chain.Chain, r role) {
		for i, h := range c.Hops {
			if h.Kind == chain.Off {
				continue
			}
			s := spec{ep: probe.Endpoint{URL: h.URL, Kind: probe.Kind(h.Kind), Module: p.canary}, role: r}
			if h.Kind == chain.Direct {
				s.ep.VCS = vcs
			}
			if r == roleHop {
				s.hops = []int{i + 1}
			}
			add(s)
		}
	}
	if p.chainErr == nil {
		hops(p.chain, roleHop)
	}
	if p.dbErr == nil && !p.db.Off && p.db.Name != "" {
		add(spec{ep: probe.Endpoint{Kind: probe.KindSumDB, SumDB: p.db}, role: roleSumDB})
	}
	if p.forward != "" {
		add(spec{ep: probe.Endpoint{URL: p.forward, Kind: probe.KindForward}, role: roleForward})
	}
	if p.original != nil {
		hops(*p.original, roleOriginal)
	}
	for _, ep := range in.Extra {
		// Hosts that the go command does not use learn nothing of the project.
		ep.Module, ep.VCS = module.Version{}, nil
		add(spec{ep: ep, role: roleExtra})
	}
	return append(specs, p.throughSpecs(specs)...)
}

// chooseCanary picks the module that the chain's hops are asked for, and says
// whether the project needs it. A private module is never asked for, and one
// that the world may not know only where no public proxy is asked: behind "," the
// go command would not have shown it the path, and the probe asks every hop.
func (p *plan) chooseCanary(in Inputs) (module.Version, bool) {
	if in.Project == nil {
		return probe.Canary, false
	}
	asksPublic := p.asksPublic(in.Env)
	if m, ok := in.Project.Canary(func(path string) bool {
		return private(in.Env, path) || asksPublic && !catalog.Known(path, in.Project.Modules)
	}); ok {
		return m, true
	}
	return probe.Canary, false
}

// asksPublic reports whether a hop that is probed with the canary is a public
// proxy.
func (p *plan) asksPublic(e *env.Env) bool {
	public := func(h chain.Hop) bool { return h.Kind == chain.Proxy && catalog.Public(e, h.URL) }
	return slices.ContainsFunc(p.chain.Hops, public) || p.original != nil && slices.ContainsFunc(p.original.Hops, public)
}

func private(e *env.Env, path string) bool {
	return module.MatchPrefixPatterns(e.NoProxy(), path) ||
		module.MatchPrefixPatterns(e.NoSumDB(), path) ||
		module.MatchPrefixPatterns(e.Get("GOPRIVATE"), path)
}

// vcsLimit bounds the hosts that one probe of "direct" asks.
const vcsLimit = 3

// vcsPaths picks a module path for each of the first hosts that "direct" would
// ask for this project's modules, the canary's host first. Modules that match
// GONOPROXY do not come to "direct": they have left before the chain.
func vcsPaths(p *project.Project, e *env.Env, first module.Version) []string {
	paths := []string{first.Path}
	hosts := []string{hostOf(first.Path)}
	if p == nil {
		return paths
	}
	for _, r := range p.Requires {
		host := hostOf(r.Path)
		if len(paths) == vcsLimit || !strings.Contains(host, ".") || slices.Contains(hosts, host) || private(e, r.Path) {
			continue
		}
		paths, hosts = append(paths, r.Path), append(hosts, host)
	}
	return paths
}

func hostOf(modulePath string) string {
	host, _, _ := strings.Cut(modulePath, "/")
	return host
}

// SumsComplete reports whether go.sum has what the build of p verifies, so that
// it asks no checksum database.
func SumsComplete(p *project.Project, e *env.Env) bool {
	if p == nil || p.Problem != nil {
		return false
	}
	for _, r := range p.Requires {
		switch {
		case module.MatchPrefixPatterns(e.NoSumDB(), r.Path), replaced(p, r.Version):
		case !p.Sums.HasGoMod(r.Version):
			return false
		case !r.Indirect && !p.Sums.Has(r.Version):
			return false
		}
	}
	return true
}

// bypassed reports whether everything that p requires goes past the chain.
func bypassed(p *project.Project, e *env.Env) bool {
	return p != nil && len(p.Requires) > 0 && !slices.ContainsFunc(p.Requires, func(r project.Require) bool {
		return !module.MatchPrefixPatterns(e.NoProxy(), r.Path)
	})
}

func replaced(p *project.Project, m module.Version) bool {
	return slices.ContainsFunc(p.Replaces, func(r project.Replace) bool {
		return r.Old.Path == m.Path && (r.Old.Version == "" || r.Old.Version == m.Version)
	})
}

// vendoring reports whether builds of p use its vendor directory.
func vendoring(p *project.Project, e *env.Env) bool {
	if mode := e.Flag("mod"); mode != "" {
		return mode == "vendor"
	}
	return p != nil && p.Vendored
}

// shadowable are the variables whose being hidden explains a broken chain.
var shadowable = []string{"GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB"}

// shadows lists the variables of the OS environment that hide another value of
// the user's file: a go env -w has no effect on them.
func shadows(e *env.Env) []Shadow {
	var all []Shadow
	for _, name := range shadowable {
		v, ok := e.Lookup(name)
		if !ok || v.Origin != env.OS {
			continue
		}
		for _, s := range v.Shadowed {
			if s.Origin == env.User && s.Value != v.Value {
				all = append(all, Shadow{Name: name, Value: redact.Value(name, v.Value), Hidden: redact.Value(name, s.Value)})
			}
		}
	}
	return all
}

// fromCache reports whether a chain is nothing but the module cache.
func (p *plan) fromCache() bool {
	if p.chainErr != nil || len(p.chain.Hops) == 0 || p.chain.Hops[0].Kind != chain.File {
		return false
	}
	for _, h := range p.chain.Hops[1:] {
		if h.Kind != chain.Off {
			return false
		}
	}
	u, err := url.Parse(p.chain.Hops[0].URL)
	return err == nil && strings.TrimRight(u.Path, "/") == p.cacheURL
}
