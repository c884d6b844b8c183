package view

import (
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/monitor"
)

// CleanSnapshot returns s with every text in it made safe to draw. Snapshots
// are clean when the monitor makes them; recorded ones come from a file that
// anyone may have written, and the screen is the last place to look.
func CleanSnapshot(s monitor.Snapshot) monitor.Snapshot {
	text := redact.Text
	s.Verdict.State = monitor.State(text(string(s.Verdict.State)))
	s.Verdict.Headline = text(s.Verdict.Headline)
	s.Verdict.Evidence = each(s.Verdict.Evidence, text)
	s.Verdict.Fixes = each(s.Verdict.Fixes, func(f monitor.Fix) monitor.Fix {
		return monitor.Fix{Title: text(f.Title), Command: text(f.Command)}
	})
	s.Chain.Value = text(s.Chain.Value)
	s.Chain.Origin = text(s.Chain.Origin)
	s.Chain.Error = text(s.Chain.Error)
	s.Chain.Hops = each(s.Chain.Hops, func(h monitor.Hop) monitor.Hop {
		h.URL = text(h.URL)
		h.Separator = text(h.Separator)
		h.Kind = probe.Kind(text(string(h.Kind)))
		h.Class = probe.Class(text(string(h.Class)))
		h.Health = monitor.Health(text(string(h.Health)))
		h.GoWill = probe.Action(text(string(h.GoWill)))
		return h
	})
	s.SumDB.Value = text(s.SumDB.Value)
	s.SumDB.Route = text(s.SumDB.Route)
	s.SumDB.Class = probe.Class(text(string(s.SumDB.Class)))
	s.Endpoints = each(s.Endpoints, func(e monitor.EndpointStatus) monitor.EndpointStatus {
		e.Result = CleanResult(e.Result)
		e.Health = monitor.Health(text(string(e.Health)))
		return e
	})
	return s
}

// CleanResult is CleanSnapshot for one probe.
func CleanResult(r probe.Result) probe.Result {
	text := redact.Text
	r.URL = text(r.URL)
	r.Kind = probe.Kind(text(string(r.Kind)))
	r.Class = probe.Class(text(string(r.Class)))
	r.Layer = probe.Layer(text(string(r.Layer)))
	r.Detail = text(r.Detail)
	r.Module = text(r.Module)
	r.RemoteAddr = text(r.RemoteAddr)
	r.Checks = each(r.Checks, func(c probe.Check) probe.Check {
		c.File = probe.File(text(string(c.File)))
		c.Class = probe.Class(text(string(c.Class)))
		c.Detail = text(c.Detail)
		return c
	})
	if r.SumDB != nil {
		s := *r.SumDB
		s.Name, s.Class = text(s.Name), probe.Class(text(string(s.Class)))
		r.SumDB = &s
	}
	return r
}

// CleanStatus is CleanSnapshot for temporary states.
func CleanStatus(st Status) Status {
	text := redact.Text
	st.Offline, st.SumDBModules = text(st.Offline), text(st.SumDBModules)
	st.Unverifiable, st.Notices = each(st.Unverifiable, text), each(st.Notices, text)
	return st
}

func each[T any](in []T, f func(T) T) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
