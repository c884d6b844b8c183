package main

import (
	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/catalog"
)

// endpointOf is the endpoint that a user names: a proxy URL as GOPROXY takes
// it, a file: tree, or "direct".
func endpointOf(raw string) (probe.Endpoint, error) {
	h, err := chain.ParseHop(raw)
	if err != nil {
		return probe.Endpoint{}, err
	}
	return probe.Endpoint{URL: h.URL, Kind: probe.Kind(h.Kind)}, nil
}

// catalogEndpoints are the catalog's living proxies.
func catalogEndpoints(entries []catalog.Entry) []probe.Endpoint {
	var eps []probe.Endpoint
	for _, e := range entries {
		if e.Kind != catalog.Proxy || e.Retired || e.OffByDefault {
			continue
		}
		if ep, err := endpointOf(e.URL); err == nil {
			eps = append(eps, ep)
		}
	}
	return eps
}
