package parcel

import (
	"fmt"
	"net/netip"
	"path"
	"reflect"
	"regexp"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
)

// publicDatabases keep their names: everybody has them, and whether the checksum
// database was asked by its own host is half of many stories.
var publicDatabases = set("sum.golang.org", "sum.golang.google.cn")

// Mask is a copy of r that tells what happened and not to whom: hosts are
// host-1.example and so on, the same host everywhere the same; paths are /path-1;
// modules of which private says so, and those of a host that is masked, are
// private-1.example/module. Addresses, hashes and the expiry of certificates go.
// A nil private takes every module but gpx's own canary for private.
//
// A name in a text is masked wherever it looks like one. What people wrote in
// other words, a team's name in a note, stays: whoever sends the file reads it.
func Mask(r *incident.Recording, private func(modulePath string) bool) *incident.Recording {
	c, err := clone(r)
	if err != nil { // only what cannot be written as JSON, such as a year of five digits
		return &incident.Recording{}
	}
	normalize(c)
	if private == nil {
		private = func(path string) bool { return path != probe.Canary.Path }
	}
	// The texts before anything else: what redaction hides is no host.
	if err := tidy(c); err != nil {
		return &incident.Recording{}
	}
	m := &mask{private: private, hosts: map[string]string{}, paths: map[string]string{}, modules: map[string]string{}, digests: map[string]string{}}
	for _, e := range c.Endpoints { // in the order in which the reader meets them
		m.learn(e.URL)
	}
	c.each(m.learnField)
	c.each(m.maskField)
	return c.Recording
}
