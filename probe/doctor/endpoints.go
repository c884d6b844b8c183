package doctor

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/monitor"
)

// soon is how early a certificate that runs out is told: renewals fail quietly.
const soon = 14 * 24 * time.Hour

// remote are the endpoints that were asked over a network.
func remote(f Facts) []monitor.EndpointStatus {
	return slices.DeleteFunc(slices.Clone(f.Snapshot.Endpoints), func(e monitor.EndpointStatus) bool {
		return e.Kind == probe.KindFile || e.Kind == probe.KindOff || e.Class == probe.ClassUnknown || e.Class == probe.ConfigInvalid
	})
}

// layers in the order in which a probe passes them.
var layers = []probe.Layer{
	probe.LayerConfig, probe.LayerDNS, probe.LayerTCP, probe.LayerTLS,
	probe.LayerHTTP, probe.LayerProtocol, probe.LayerContent, probe.LayerSumDB,
}

// failedAt reports whether a result failed in that layer.
func failedAt(r probe.Result, l probe.Layer) bool {
	at := r.Layer
	if at == "" {
		at = r.Class.Info().Layer
	}
	return r.Class.Failed() && at == l
}

// counted says how many of the endpoints that came to a layer passed it.
func counted(name string, all []monitor.EndpointStatus, l probe.Layer, verb, hint string) []Step {
	var bad []string
	for _, e := range all {
		if failedAt(e.Result, l) {
			bad = append(bad, e.URL)
		}
	}
	switch {
	case len(all) == 0:
		return []Step{{name, Skip, "nothing to ask", ""}}
	case len(bad) == 0:
		return []Step{{name, OK, fmt.Sprintf("%d of %d %s", len(all), len(all), verb), ""}}
	case len(bad) == len(all):
		return []Step{{name, Fail, fmt.Sprintf("none of %d %s", len(all), verb), hint}}
	default:
		return []Step{{name, Warn, fmt.Sprintf("%d of %d %s, not %s", len(all)-len(bad), len(all), verb, strings.Join(bad, ", ")), "see the endpoint below"}}
	}
}

// nameSteps ask whether names can be resolved, by the endpoints that have one.
func nameSteps(f Facts) []Step {
	named := slices.DeleteFunc(remote(f), func(e monitor.EndpointStatus) bool {
		u, err := url.Parse(e.URL)
		return e.Kind != probe.KindDirect && (err != nil || u.Hostname() == "" || net.ParseIP(u.Hostname()) != nil)
	})
	return counted("DNS", named, probe.LayerDNS, "names are resolved", "check /etc/resolv.conf, the VPN and the network connection")
}

// networkSteps ask whether connections can be made, where a name was resolved.
func networkSteps(f Facts) []Step {
	reached := slices.DeleteFunc(remote(f), func(e monitor.EndpointStatus) bool { return failedAt(e.Result, probe.LayerDNS) })
	return counted("network", reached, probe.LayerTCP, "hosts accept a connection", "check the network connection, the VPN and the firewall")
}

func forwardSteps(f Facts) []Step {
	for _, e := range f.Snapshot.Endpoints {
		if e.Kind == probe.KindForward {
			s := endpointStep("HTTPS_PROXY "+e.URL, e)
			if s.State == Fail {
				s.Hint += " Without it: unset HTTPS_PROXY https_proxy"
			}
			return []Step{s}
		}
	}
	return []Step{{"HTTPS_PROXY", Skip, "not set: hosts are dialled directly", ""}}
}

func hopSteps(f Facts) []Step {
	var steps []Step
	for _, h := range f.Snapshot.Chain.Hops {
		name := fmt.Sprintf("hop %d %s", h.N, h.URL)
		i := slices.IndexFunc(f.Snapshot.Endpoints, func(e monitor.EndpointStatus) bool { return slices.Contains(e.Hops, h.N) })
		if i < 0 {
			steps = append(steps, Step{name, Skip, "there is nothing to ask", ""})
			continue
		}
		s := endpointStep(name, f.Snapshot.Endpoints[i])
		passed := passedBy(f.Snapshot.Chain.Hops, h.N)
		switch {
		case s.State == Fail && passed != "":
			s.State = Warn
			s.Detail += "; " + passed
		case h.GoWill == probe.Hang:
			s.Detail += "; the go command has no deadline and waits as long as it takes"
		case h.GoWill == probe.Stop:
			s.Detail += "; the go command stops here"
		}
		steps = append(steps, s)
	}
	return steps
}

// passedBy says why the nth hop does not decide what the go command gets now:
// the walk ends before it, or goes on behind it. It is "" for the hop that does.
func passedBy(hops []monitor.Hop, n int) string {
	for _, h := range hops {
		switch {
		case h.N == n && h.GoWill == probe.Next:
			return "the go command moves on"
		case h.N == n || h.GoWill == probe.ActionUnknown:
			return ""
		case h.GoWill != probe.Next:
			return fmt.Sprintf("the go command does not come to it, because it ends at hop %d", h.N)
		}
	}
	return ""
}

// harmless reports whether the go command gets what it wants whatever is wrong
// with an endpoint of the chain.
func harmless(f Facts, e monitor.EndpointStatus) bool {
	decides := func(n int) bool { return passedBy(f.Snapshot.Chain.Hops, n) == "" }
	return len(e.Hops) > 0 && !slices.ContainsFunc(e.Hops, decides)
}

// endpointStep says what a probe of an endpoint came to.
func endpointStep(name string, e monitor.EndpointStatus) Step {
	info := e.Class.Info()
	switch {
	case e.Class == probe.ClassUnknown || e.Class == "":
		return Step{name, Warn, "no answer yet", "gpx probe " + e.URL}
	case e.Class == probe.OK:
		d := "works"
		if e.Phases.Total > 0 {
			d = fmt.Sprintf("works, answers in %d ms", time.Duration(e.Phases.Total).Milliseconds())
		}
		if e.Health == monitor.Slow {
			return Step{name, Warn, d + ", but is slow", "gpx use --best"}
		}
		return Step{name, OK, d, ""}
	}
	d := e.Class.Words() + ": " + meaning(e.Result)
	if e.Class.Failed() {
		return Step{name, Fail, d, info.Advice}
	}
	return Step{name, OK, d, ""}
}

// meaning says what the class of a result means and what was seen, without a full
// stop: more follows.
func meaning(r probe.Result) string {
	s := strings.TrimSuffix(r.Class.Info().Meaning, ".")
	if r.Detail != "" {
		s += " (" + r.Detail + ")"
	}
	return s
}

// certificateSteps look at the certificates that were shown.
func certificateSteps(f Facts) []Step {
	const name = "certificates"
	shown := 0
	var steps []Step
	for _, e := range remote(f) {
		switch {
		case failedAt(e.Result, probe.LayerTLS):
			s := Step{name, Fail, e.URL + ": " + e.Class.Info().Meaning, e.Class.Info().Advice}
			if harmless(f, e) {
				s.State = Warn
			}
			steps = append(steps, s)
		case e.TLSExpires.IsZero():
		default:
			shown++
			if left := e.TLSExpires.Sub(f.Now); left < soon {
				steps = append(steps, Step{name, Warn, fmt.Sprintf("%s: runs out in %d days", e.URL, int(left.Hours()/24)), "tell its operator"})
			}
		}
	}
	switch {
	case len(steps) > 0:
		return steps
	case shown == 0:
		return []Step{{name, Skip, "no certificate was shown", ""}}
	default:
		return []Step{{name, OK, fmt.Sprintf("%d of %d are trusted and in date", shown, shown), ""}}
	}
}

// clockSteps compare the clock with what it cannot be behind.
func clockSteps(f Facts) []Step {
	const name = "clock"
	shows := f.Now.UTC().Format("2006-01-02 15:04 MST")
	expired := slices.ContainsFunc(f.Snapshot.Endpoints, func(e monitor.EndpointStatus) bool { return e.Class == probe.TLSExpired })
	switch {
	case !f.Machine.GoBuilt.IsZero() && f.Now.Before(f.Machine.GoBuilt):
		return []Step{{name, Fail, "it shows " + shows + ", and this toolchain was released on " + f.Machine.GoBuilt.UTC().Format("2006-01-02"), "set the clock: certificates are judged by it"}}
	case expired:
		return []Step{{name, Warn, "it shows " + shows + "; a certificate looks expired to it", "compare it with a real clock"}}
	default:
		return []Step{{name, OK, shows, ""}}
	}
}

func sumSteps(f Facts) []Step {
	const name = "checksum database"
	s := f.Snapshot.SumDB
	for _, e := range f.Snapshot.Endpoints {
		if e.Kind != probe.KindSumDB {
			continue
		}
		st := endpointStep(name, e)
		switch {
		case s.Via > 0:
			st.Detail += fmt.Sprintf(", through hop %d", s.Via)
		case s.Route != "":
			st.Detail += ", at " + redact.URL(s.Route)
		}
		return []Step{st}
	}
	return []Step{{name, Skip, "not asked", ""}}
}

// Layers tells of one endpoint how far its probe came, and of a deep probe what
// each request came to.
func Layers(r probe.Result) []Step {
	var steps []Step
	last := slices.Index(layers, r.Layer)
	for i, l := range layers {
		if l == probe.LayerSumDB && r.Layer != l {
			continue // its requests are told below
		}
		s := Step{Name: string(l), State: OK}
		switch {
		case r.Class == probe.ClassUnknown:
			s.State, s.Detail = Skip, "not probed"
		case i > last && r.Class != probe.OK:
			s.State, s.Detail = Skip, "not reached"
		case i == last && r.Class != probe.OK:
			s.Detail = meaning(r)
			if r.Class.Failed() {
				s.State, s.Hint = Fail, r.Class.Info().Advice
			}
		case l == probe.LayerTLS && strings.HasPrefix(r.URL, "http://"):
			s.State, s.Detail = Skip, "plain http"
		default:
			s.Detail = phase(l, r)
		}
		steps = append(steps, s)
	}
	for _, c := range r.Checks {
		s := Step{Name: "request " + string(c.File), State: OK, Detail: c.Class.Words()}
		if c.Detail != "" {
			s.Detail += ": " + c.Detail
		}
		if c.Class.Failed() {
			s.State, s.Hint = Fail, c.Class.Info().Advice
		}
		steps = append(steps, s)
	}
	return steps
}

// phase is what a layer that was passed took.
func phase(l probe.Layer, r probe.Result) string {
	ms := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	switch l {
	case probe.LayerDNS:
		return ms(time.Duration(r.Phases.DNS))
	case probe.LayerTCP:
		return strings.TrimSpace(ms(time.Duration(r.Phases.TCP)) + " " + r.RemoteAddr)
	case probe.LayerTLS:
		d := ms(time.Duration(r.Phases.TLS))
		if !r.TLSExpires.IsZero() {
			d += ", certificate until " + r.TLSExpires.UTC().Format("2006-01-02")
		}
		return strings.TrimPrefix(d, ", ")
	case probe.LayerHTTP:
		return ms(time.Duration(r.Phases.TTFB))
	}
	return ""
}
