package monitor

import (
	"fmt"
	"net"
	"net/url"
	"slices"

	"gpx/probe"
)

// localCause explains failures that have one cause on this machine or its
// network. It is asked only when the chain does not serve.
func localCause(f Facts, w walk) (Verdict, bool) {
	if v, ok := forwardCause(f, w); ok {
		return v, true
	}
	seen := networkFacts(f)
	if !slices.ContainsFunc(seen, func(e EndpointFact) bool { return e.URL == w.hop(f).URL }) {
		return Verdict{}, false // where the go command ends is no matter of the network
	}
	failing := 0
	for _, e := range seen {
		if e.Last.Failed() {
			failing++
		}
	}
	if failing == 0 || failing < len(seen) {
		return Verdict{}, false
	}
	v := Verdict{State: StateOutage, Scope: ScopeLocal}
	for _, e := range seen {
		line := fmt.Sprintf("%s: %s", e.Name, e.Last.Words())
		if e.Detail != "" {
			line += ": " + e.Detail
		}
		v.Evidence = append(v.Evidence, line)
	}
	switch {
	case all(seen, byClass(probe.CaptivePortal)) && len(seen) > 1:
		v.Headline = "OUTAGE: a log-in page answers in place of every host: captive portal"
		v.Fixes = []Fix{{Title: "Open a browser and log in to the network"}, offlineFix()}
	case all(seen, byClass(probe.TLSExpired)) && len(seen) > 1:
		v.Headline = "OUTAGE: every certificate looks expired: check this machine's clock"
		v.Evidence = append(v.Evidence, "this machine says that it is "+f.Now.UTC().Format("2006-01-02 15:04 MST"))
		v.Fixes = []Fix{{Title: "Compare the clock with a real one, and set it", Command: "date -u"}, offlineFix()}
	case all(seen, byClass(probe.TLSUntrusted, probe.TLSHostname, probe.TLSExpired)) && len(seen) > 1:
		v.Headline = "OUTAGE: every certificate is untrusted: something intercepts TLS"
		v.Fixes = []Fix{
			{Title: "If that is your company's proxy, trust its authority", Command: "export SSL_CERT_FILE=/path/to/authority.pem"},
			offlineFix(),
		}
	case all(seen, byLayer(probe.LayerDNS)) && (len(seen) > 1 || !all(seen, byClass(probe.DNSNotFound))):
		v.Headline = "OUTAGE: no name can be resolved: the resolver or the network is down"
		v.Fixes = []Fix{{Title: "Look at the resolver", Command: "cat /etc/resolv.conf"}, offlineFix()}
	case all(seen, byLayer(probe.LayerTCP)) && (len(seen) > 1 || all(seen, byClass(probe.Unreachable))),
		all(seen, byClass(probe.Unreachable, probe.ConnectTimeout, probe.DNSFailure, probe.DNSTimeout)) && len(seen) > 1:
		// A resolver that says "no such name" beside a host that refuses would
		// mean that both are reached.
		v.Headline = "OUTAGE: no host can be reached: this machine's network is down"
		v.Fixes = []Fix{{Title: "Check network, VPN and firewall"}, offlineFix()}
	default:
		return Verdict{}, false
	}
	return v, true
}

// forwardCause blames the forward proxy of HTTPS_PROXY: it fails, and so does
// everything that goes through it, and nothing else.
func forwardCause(f Facts, w walk) (Verdict, bool) {
	if f.Forward == nil || !w.hop(f).Forwarded {
		return Verdict{}, false
	}
	blamed := w.hop(f).Last == probe.ForwardProxyDown
	if !f.Forward.Last.Failed() && !blamed {
		return Verdict{}, false
	}
	for _, e := range networkFacts(f) {
		if e.Forwarded && !e.Last.Failed() {
			return Verdict{}, false
		}
	}
	v := Verdict{State: StateOutage, Scope: ScopeLocal, Evidence: evidence(f)}
	switch {
	case f.Forward.Last == probe.AuthRequired:
		v.Headline = headline("OUTAGE: the forward proxy %s of HTTPS_PROXY wants credentials", f.Forward.Name)
	case f.Forward.Last.Failed() && byLayer(probe.LayerDNS, probe.LayerTCP)(*f.Forward):
		v.Headline = headline("OUTAGE: HTTPS_PROXY names %s, which cannot be reached", f.Forward.Name)
	default:
		v.Headline = headline("OUTAGE: the forward proxy %s of HTTPS_PROXY fails", f.Forward.Name)
	}
	v.Fixes = []Fix{
		{Title: "Go around it in this shell", Command: "unset HTTPS_PROXY https_proxy"},
		offlineFix(),
	}
	return v, true
}

// networkFacts are the endpoints that tell about the network, each once, as
// their latest probes found them. What was not probed, what needs no network,
// and a database that is cut off by the hop in front of it tell nothing; nor
// does this machine itself, where other hosts are asked too.
func networkFacts(f Facts) []EndpointFact {
	var all []EndpointFact
	add := func(e EndpointFact) {
		if e.Last == "" || e.Last == probe.ClassUnknown || e.Kind == probe.KindFile || e.Kind == probe.KindOff {
			return
		}
		if !slices.ContainsFunc(all, func(o EndpointFact) bool { return o.URL == e.URL && o.Kind == e.Kind }) {
			all = append(all, e)
		}
	}
	for _, h := range f.Hops {
		add(h.EndpointFact)
	}
	if !f.SumDB.Off && f.SumDB.Err == "" && (f.SumDB.Via == 0 || !f.SumDB.Last.Failed()) && layerOf(f.SumDB.EndpointFact) != probe.LayerSumDB {
		add(f.SumDB.EndpointFact)
	}
	for _, e := range f.Others {
		add(e)
	}
	far := slices.DeleteFunc(slices.Clone(all), func(e EndpointFact) bool { return loopback(e.URL) })
	if len(far) > 0 {
		return far
	}
	return all
}

// loopback reports whether a URL names this machine.
func loopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// layerOf is the layer at which the latest probe ended.
func layerOf(e EndpointFact) probe.Layer {
	if e.Layer != "" {
		return e.Layer
	}
	return e.Last.Info().Layer
}

func all(facts []EndpointFact, is func(EndpointFact) bool) bool {
	for _, e := range facts {
		if !is(e) {
			return false
		}
	}
	return true
}

func byClass(classes ...probe.Class) func(EndpointFact) bool {
	return func(e EndpointFact) bool { return slices.Contains(classes, e.Last) }
}

func byLayer(layers ...probe.Layer) func(EndpointFact) bool {
	return func(e EndpointFact) bool { return slices.Contains(layers, layerOf(e)) }
}
