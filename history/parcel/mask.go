package parcel

import (
	"fmt"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
)

// publicDatabases keep their names: everybody has them, and whether the checksum
// database was asked at its own host is half of many stories.
var publicDatabases = set("sum.golang.org", "sum.golang.google.cn")

// Mask is a copy of r that tells what happened and not to whom: hosts are
// host-1.example and so on, the same host the same everywhere; paths are /path-1;
// modules of which private says so, and those at a host that is masked, are
// private-1.example/module. Addresses, hashes and the expiry of certificates go.
// A nil private takes every module but gpx's own canary for private.
//
// A name is masked wherever it looks like one. What people wrote in other words, a
// team's name in a note, stays: whoever sends the file reads it first.
func Mask(r *incident.Recording, private func(modulePath string) bool) *incident.Recording {
	c, err := clone(r)
	if err != nil { // a time of which there is no JSON: not even Encode takes that
		return &incident.Recording{}
	}
	normalize(c)
	tidy(c) // what is redacted is no host
	if private == nil {
		private = func(path string) bool { return path != probe.Canary.Path }
	}
	m := newMask(private)
	for _, e := range c.Endpoints { // numbered in the order in which a reader meets them
		m.learn(e.URL)
	}
	for n := range c.Frames {
		for e := range c.Frames[n].Snapshot.Endpoints {
			// Public logs know whose certificate expires at which second.
			c.Frames[n].Snapshot.Endpoints[e].TLSExpires = wire.Time{}
		}
	}
	for _, pass := range []func(field, s string) string{m.learnField, m.learnModule, m.maskField} {
		eachText(c, once(pass))
	}
	return c
}

// A mask is what stands for what.
type mask struct {
	private func(string) bool
	hosts   map[string]string // by the host in lower case, without a port
	paths   map[string]string // by "host/path", the host empty for files
	modules map[string]string // by module path; public ones stand for themselves
	digests map[string]string

	named map[string]bool // names as headlines have them, which may be cut there
}

func newMask(private func(string) bool) *mask {
	return &mask{
		private: private,
		hosts:   map[string]string{}, paths: map[string]string{}, modules: map[string]string{}, digests: map[string]string{},
		named: map[string]bool{},
	}
}

// learnField notes the names that stand where names belong.
func (m *mask) learnField(field, s string) string {
	if field == "sumdb.name" || field == "sumdb.value" {
		m.learnDatabase(s)
	}
	m.learn(s)
	return s
}

// learnModule notes a module, when all hosts are known.
func (m *mask) learnModule(field, s string) string {
	if field == "endpoints.module" {
		m.module(s)
	}
	return s
}

// maskField masks one text.
func (m *mask) maskField(field, s string) string {
	switch field {
	case "endpoints.remote_addr", "endpoints.sum", "checks.sum":
		return ""
	case "snapshot.env_digest":
		return alias(m.digests, s, "env-%d")
	case "hops.separator":
		return s
	}
	return m.text(s)
}

// alias is what stands for name, the next of its kind when it is new.
func alias(known map[string]string, name, format string) string {
	if name == "" {
		return ""
	}
	a, ok := known[name]
	if !ok {
		a = fmt.Sprintf(format, len(known)+1)
		known[name] = a
	}
	return a
}
