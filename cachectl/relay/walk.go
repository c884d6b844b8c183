package relay

import (
	"slices"

	"gpx/cachectl/fetch"
	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe"
)

// Chain is the GOPROXY that puts a relay at url in the place of the proxies and
// trees of c. Version control stays where it is, behind the same conditions: where
// c has one comma, the relay answers 404 when the go command would have come to
// the end of c, and the client goes on; where c has only pipes the client goes on
// whatever happens, also when the relay is no more.
func Chain(url string, c chain.Chain) string {
	sep := "|"
	for i, h := range c.Hops {
		switch {
		case h.Kind == chain.Direct && i == 0: // there is nobody else to be asked
			return url + ",direct"
		case h.Kind == chain.Direct:
			return url + sep + "direct"
		case h.Separator != chain.Pipe:
			sep = ","
		}
	}
	return url
}

// toDirect reports whether a go command that meets these failures along the chain
// comes to version control (cmd/go/internal/modfetch/proxy.go, TryProxies); one
// that waits for ever is taken for one that fails. A hop that was not asked, since
// it may not be told, is taken for one that has no such module.
func toDirect(c chain.Chain, failed []fetch.Tried) bool {
	for _, h := range c.Hops {
		if h.Kind == chain.Direct {
			return true
		}
		if t, ok := at(h, failed); ok && !goesOn(t.Class, h.Separator) || h.Kind == chain.Off {
			return false
		}
	}
	return false
}

// rescued reports whether a go command would have failed, or waited longer than
// for any answer, at a hop of the chain before it came to the one that answered.
func rescued(c chain.Chain, race fetch.Race) bool {
	for _, h := range c.Hops {
		t, bad := at(h, race.Passed)
		switch info := t.Class.Info(); {
		case bad && (info.Hangs || info.GoWaits > 0 || !goesOn(t.Class, h.Separator)):
			return true
		case bad:
		case h.Kind == chain.Direct || h.Kind == chain.Off || redact.URL(h.URL) == race.Source:
			return false
		default:
			if _, asked := at(h, race.Tried); !asked { // it is well, and another is faster
				return false
			}
		}
	}
	return len(race.Passed) > 0 // somebody beyond the chain gave it
}

func at(h chain.Hop, tried []fetch.Tried) (fetch.Tried, bool) {
	if h.Kind != chain.Proxy && h.Kind != chain.File {
		return fetch.Tried{}, false
	}
	name := redact.URL(h.URL)
	i := slices.IndexFunc(tried, func(t fetch.Tried) bool { return t.Hop == name })
	if i < 0 {
		return fetch.Tried{}, false
	}
	return tried[i], true
}

// goesOn reports whether the next hop is asked after a failure.
func goesOn(class probe.Class, sep chain.Separator) bool {
	return class == probe.NotFound || class == probe.MissingFile || sep == chain.Pipe
}
