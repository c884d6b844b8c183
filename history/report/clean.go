package report

import (
	"slices"

	"gpx/envctl/redact"
	"gpx/history/incident"
	"gpx/probe"
)

// cleaned is r with every text that a report shows redacted, and free of what
// drives a terminal. Names that should be known are texts as well: whoever wrote
// the recording may have made them up.
func cleaned(r *incident.Recording) *incident.Recording {
	c := *r
	i := &c.Incident
	i.Headline, i.Note, i.Chain, i.Settings.Strategy = redact.Text(i.Headline), redact.Text(i.Note), urls(i.Chain), redact.Text(i.Settings.Strategy)
	i.Scope = name(i.Scope)
	i.Causes, i.Endpoints, i.Events = slices.Clone(i.Causes), slices.Clone(i.Endpoints), slices.Clone(i.Events)
	for n := range i.Causes {
		i.Causes[n] = name(i.Causes[n])
	}
	for n := range i.Endpoints {
		i.Endpoints[n] = urls(i.Endpoints[n])
	}
	for n := range i.Events {
		e := &i.Events[n]
		e.Text, e.Endpoint, e.Change = redact.Text(e.Text), urls(e.Endpoint), redact.Text(e.Change)
		e.Kind, e.Health, e.Class = name(e.Kind), name(e.Health), name(e.Class)
	}
	c.Endpoints = slices.Clone(c.Endpoints)
	for n := range c.Endpoints {
		c.Endpoints[n] = incident.Endpoint{URL: urls(c.Endpoints[n].URL), Kind: name(c.Endpoints[n].Kind)}
	}
	// Most recordings have known classes only, and a million samples.
	if slices.ContainsFunc(c.Samples, func(s incident.Sample) bool { return s.Class.Info().Class != s.Class }) {
		c.Samples = slices.Clone(c.Samples)
		for n := range c.Samples {
			c.Samples[n].Class = name(c.Samples[n].Class)
		}
	}
	return &c
}

// urls redacts a URL or a chain of them.
func urls(s string) string { return redact.Text(redact.Value("GOPROXY", s)) }

func name[T ~string](s T) T { return T(redact.Text(string(s))) }

// class is what a sample counts as; without a name nothing is known of it.
func class(c probe.Class) probe.Class {
	if c == "" {
		return probe.ClassUnknown
	}
	return c
}
