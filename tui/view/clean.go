package view

import (
	"gpx/envctl/redact"
	"gpx/history/incident"
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

// CleanIncident is CleanSnapshot for an incident.
func CleanIncident(i incident.Incident) incident.Incident {
	text := redact.Text
	i.Headline, i.Chain, i.Note = text(i.Headline), text(i.Chain), text(i.Note)
	i.Scope = monitor.Scope(text(string(i.Scope)))
	i.Causes = each(i.Causes, func(c probe.Class) probe.Class { return probe.Class(text(string(c))) })
	i.Endpoints = each(i.Endpoints, text)
	i.Settings.Strategy = text(i.Settings.Strategy)
	i.Events = each(i.Events, func(e incident.Event) incident.Event {
		e.Kind, e.Text, e.Endpoint = incident.EventKind(text(string(e.Kind))), text(e.Text), text(e.Endpoint)
		e.Health, e.Class, e.Change = monitor.Health(text(string(e.Health))), probe.Class(text(string(e.Class))), text(e.Change)
		return e
	})
	return i
}

// CleanRecording is CleanSnapshot for all that was seen around an incident.
func CleanRecording(r *incident.Recording) *incident.Recording {
	c := *r
	c.Incident = CleanIncident(r.Incident)
	c.Endpoints = each(r.Endpoints, func(e incident.Endpoint) incident.Endpoint {
		return incident.Endpoint{URL: redact.Text(e.URL), Kind: probe.Kind(redact.Text(string(e.Kind)))}
	})
	classes := map[probe.Class]probe.Class{} // there are few of them, and many samples
	c.Samples = each(r.Samples, func(s incident.Sample) incident.Sample {
		clean, ok := classes[s.Class]
		if !ok {
			clean = probe.Class(redact.Text(string(s.Class)))
			classes[s.Class] = clean
		}
		s.Class = clean
		return s
	})
	c.Frames = each(r.Frames, func(f incident.Frame) incident.Frame { return incident.Frame{Snapshot: CleanSnapshot(f.Snapshot)} })
	return &c
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
