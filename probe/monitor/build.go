package monitor

import (
	"net/url"
	"path"
	"strings"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/route"
)

// snapshot is everything that p and s know, as of now.
func snapshot(p *plan, s *schedule, in Inputs, now time.Time) Snapshot {
	snap := Snapshot{
		At:        wire.At(now),
		Round:     s.round,
		Gap:       s.gap,
		Endpoints: make([]EndpointStatus, 0, len(s.targets)),
	}
	if in.Env != nil {
		snap.EnvDigest = in.Env.Digest()
	}
	for _, t := range s.targets {
		if t.role == roleThrough {
			continue
		}
		st := t.status(s.cfg, now)
		if sum := s.through(t); sum != nil {
			st.SumDB = sum
		}
		snap.Endpoints = append(snap.Endpoints, st)
	}
	f := facts(p, s, in, now)
	snap.Chain = ChainStatus{
		Value:  p.chain.Redacted(),
		Origin: p.origin,
		Hops:   hopStatus(p.chain, s),
	}
	if p.chainErr != nil {
		snap.Chain.Value, snap.Chain.Error = redact.Value("GOPROXY", in.Env.Get("GOPROXY")), f.ChainErr
	} else {
		snap.Chain.Works = Works(walkChain(f.Hops).end)
	}
	if p.original != nil {
		snap.Original = &ChainStatus{
			Value: p.original.Redacted(), Hops: hopStatus(*p.original, s),
			Works: Works(walkChain(hopFacts(p, *p.original, s, in, now)).end),
		}
	}
	snap.SumDB = p.sumStatus(s)
	snap.Verdict = Judge(f)
	return snap
}

// status is a target as a snapshot shows it.
func (t *target) status(cfg Config, now time.Time) EndpointStatus {
	r := t.last
	r.URL, r.Kind = t.url(), t.ep.Kind
	if !t.probed {
		r.Class, r.Layer = probe.ClassUnknown, probe.LayerConfig
	}
	hops := append([]int{}, t.hops...)
	return EndpointStatus{Result: r, Health: t.cond.Health, Since: wire.At(t.cond.Since), Window: t.past.window(cfg, now), Hops: hops}
}

// url is what identifies t together with its kind: for the checksum database
// its own host, whichever hop answers for it, so that its past has one name.
func (t *target) url() string {
	if t.ep.URL == "" && t.ep.Kind == probe.KindSumDB {
		if t.ep.SumDB.URL != "" {
			return redact.URL(t.ep.SumDB.URL)
		}
		return redact.URL(t.ep.SumDB.Direct())
	}
	return redact.URL(t.ep.URL)
}

// hopStatus shows each hop of c as its latest probe found it.
func hopStatus(c chain.Chain, s *schedule) []Hop {
	hops := make([]Hop, 0, len(c.Hops))
	classes := make([]probe.Class, len(c.Hops))
	for i, h := range c.Hops {
		hop := Hop{N: i + 1, URL: h.Redacted(), Kind: probe.Kind(h.Kind), Separator: string(h.Separator),
			Health: Unknown, Class: probe.ClassUnknown}
		if t := s.find(hopKey(h)); t != nil {
			hop.Health = t.cond.Health
			if t.probed {
				hop.Class = t.last.Class
			}
		}
		classes[i] = hop.Class
		hops = append(hops, hop)
	}
	for i, a := range route.GoWill(c, classes) {
		hops[i].GoWill = a
	}
	return hops
}

func hopKey(h chain.Hop) string {
	return probe.Endpoint{URL: h.URL, Kind: probe.Kind(h.Kind)}.Key()
}

// facts is what the verdict is made of.
func facts(p *plan, s *schedule, in Inputs, now time.Time) Facts {
	f := Facts{
		Now: now, Round: s.round, ChainOrigin: p.origin,
		Shadows: p.shadows, FromCache: p.fromCache(), Vendored: p.vendored, SumsComplete: p.complete,
		Canary: redact.Clean(p.canary.String()), Needed: p.needed,
		NoProxy: p.noProxy, ProjectErr: p.projectErr, ToolchainErr: p.toolchainErr, Bypassed: p.bypassed,
		SettingErr: p.settingErr, SettingName: p.settingName,
		BuildErr: p.buildErr, BuildSettingErr: p.buildSettingErr, BuildSettingName: p.buildSettingName, KeepErr: p.keepErr,
	}
	if p.chainErr != nil {
		f.ChainErr = redact.Text(p.chainErr.Error())
	} else {
		f.Hops = hopFacts(p, p.chain, s, in, now)
	}
	f.SumDB = SumFact{Off: p.db.Off, ByURL: p.db.URL != ""}
	if p.dbErr != nil {
		f.SumDB.Err = redact.Text(p.dbErr.Error())
	}
	for _, t := range s.targets {
		switch t.role {
		case roleSumDB:
			f.SumDB.EndpointFact, f.SumDB.Via = s.fact(p, t, now), t.via
			f.SumDB.Name = redact.Clean(p.db.Name)
		case roleForward:
			e := s.fact(p, t, now)
			f.Forward = &e
		case roleOriginal, roleExtra:
			f.Others = append(f.Others, s.fact(p, t, now))
		}
	}
	return f
}

func hopFacts(p *plan, c chain.Chain, s *schedule, in Inputs, now time.Time) []HopFact {
	facts := make([]HopFact, 0, len(c.Hops))
	classes := make([]probe.Class, len(c.Hops))
	for i, h := range c.Hops {
		hf := HopFact{N: i + 1, Separator: h.Separator, Private: h.Kind == chain.File || !catalog.Public(in.Env, h.URL)}
		hf.EndpointFact = EndpointFact{Name: nameOf(h.Redacted(), probe.Kind(h.Kind)), URL: h.Redacted(), Kind: probe.Kind(h.Kind),
			Health: Unknown, Class: probe.ClassUnknown, Last: probe.ClassUnknown}
		if t := s.find(hopKey(h)); t != nil {
			hf.EndpointFact = s.fact(p, t, now)
		}
		classes[i] = hf.Class
		facts = append(facts, hf)
	}
	for i, a := range route.GoWill(c, classes) {
		facts[i].Action = a
	}
	return facts
}

func (s *schedule) fact(p *plan, t *target, now time.Time) EndpointFact {
	last := probe.ClassUnknown
	if t.probed {
		last = t.last.Class
	}
	w := t.past.window(s.cfg, now)
	return EndpointFact{
		Name: nameOf(t.url(), t.ep.Kind), URL: t.url(), Kind: t.ep.Kind,
		Health: t.cond.Health, Class: t.cond.Settled(), Last: last,
		Layer: t.last.Layer, Status: t.last.HTTPStatus, Detail: t.last.Detail,
		P99: time.Duration(w.P99), Forwarded: p.through(t.rawURL()), Unverified: s.unverified(t),
	}
}

func (t *target) rawURL() string {
	switch {
	case t.route != "":
		return t.route
	case t.ep.URL == "" && t.ep.Kind == probe.KindSumDB:
		return t.url()
	default:
		return t.ep.URL
	}
}

func (p *plan) sumStatus(s *schedule) SumDBStatus {
	st := SumDBStatus{Value: redact.Value("GOSUMDB", p.db.Value), Class: probe.ClassUnknown, Health: Unknown, Direct: s.direct()}
	switch {
	case p.dbErr != nil:
		st.Class = probe.ConfigInvalid
	case p.db.Off:
		st.Route = "off"
	}
	for _, t := range s.targets {
		if t.role != roleSumDB {
			continue
		}
		st.Health, st.Via = t.cond.Health, t.via
		if t.probed {
			st.Class, st.Route = t.last.Class, redact.URL(t.route)
		}
	}
	return st
}

// nameOf is what a person calls an endpoint: the host, and the path where it
// tells hosts apart from their parts.
func nameOf(redacted string, kind probe.Kind) string {
	switch kind {
	case probe.KindDirect:
		return "version control"
	case probe.KindOff:
		return "off"
	}
	u, err := url.Parse(redacted)
	if err != nil {
		return redacted
	}
	if kind == probe.KindFile {
		return "the file tree " + path.Clean(u.Path)
	}
	if u.Host == "" {
		return redacted
	}
	return strings.TrimRight(u.Host+u.Path, "/")
}
