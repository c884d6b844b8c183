package main

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"gpx/cachectl/relay"
	"gpx/probe"
)

// relayNews says what the relay did for the go command, and what it could not.
func relayNews(s relay.Stats) []string {
	var lines []string
	if s.Rescued > 0 {
		lines = append(lines, fmt.Sprintf("%d of %s were answered although an upstream failed%s", s.Rescued, count(s.Requests, "request", "requests"), blame(s)))
	}
	if s.Wrong > 0 {
		lines = append(lines, "WRONG BYTES were thrown away"+blameFor(s, probe.ChecksumMismatch)+": go.sum or the checksum database says otherwise, which is no outage; do not switch checks off")
	}
	if s.Stale > 0 {
		lines = append(lines, count(s.Stale, "list of versions", "lists of versions")+" came out of the module cache, and may be old")
	}
	if s.Failed > 0 {
		lines = append(lines, count(s.Failed, "request", "requests")+" could not be answered; the last: "+strings.ReplaceAll(s.LastFailure, "\n", "; "))
	}
	return lines
}

// blame names the upstreams that failed, and how.
func blame(s relay.Stats) string {
	var parts []string
	for _, u := range s.Upstreams {
		var how []string
		for class, n := range u.Classes {
			if class != probe.NotFound {
				how = append(how, fmt.Sprintf("%s %d", class, n))
			}
		}
		if len(how) > 0 {
			sort.Strings(how)
			parts = append(parts, u.Hop+" ("+strings.Join(how, ", ")+")")
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
}

// blameFor names the upstreams that failed like that.
func blameFor(s relay.Stats, class probe.Class) string {
	var hops []string
	for _, u := range s.Upstreams {
		if u.Classes[class] > 0 && !slices.Contains(hops, u.Hop) {
			hops = append(hops, u.Hop)
		}
	}
	if len(hops) == 0 {
		return ""
	}
	return ", from " + strings.Join(hops, ", ")
}
