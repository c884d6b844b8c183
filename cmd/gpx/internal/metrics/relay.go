package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"gpx/cachectl/relay"
	"gpx/probe"
)

// A Relay holds the metrics of a relay.
type Relay struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by result
	took     *prometheus.HistogramVec // by source
}

// The results of requests.
const (
	resultOK       = "ok"
	resultNotFound = "not_found" // every upstream said so
	resultRefused  = "refused"   // no go command asks like that
	resultFailed   = "failed"    // nobody could answer
	resultGone     = "gone"      // the client went away
)

var results = []string{resultOK, resultNotFound, resultRefused, resultFailed, resultGone}

// The sources of answers.
const (
	sourceCache    = "cache"    // what the go command had
	sourceStage    = "stage"    // what the relay had fetched before
	sourceUpstream = "upstream" // what was fetched now
	sourceNone     = "none"     // the checksum database, and what is no file
)

var sources = []string{sourceCache, sourceStage, sourceUpstream, sourceNone}

// NewRelay returns the metrics of a relay that has not been asked for anything.
func NewRelay(version string) *Relay {
	m := &Relay{
		registry: newRegistry(version),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gpx_relay_requests_total", Help: "Requests that were answered, by result: ok, not_found, refused, failed, or gone when the client did not wait.",
		}, []string{"result"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gpx_relay_request_duration_seconds", Help: "Time to answer a request, by where the answer came from.",
			// From a file of the cache to the relay's longest patience.
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"source"}),
	}
	for _, r := range results { // a rate needs the zero before the first
		m.requests.WithLabelValues(r)
	}
	for _, s := range sources {
		m.took.WithLabelValues(s)
	}
	m.registry.MustRegister(m.requests, m.took)
	return m
}

// Observe counts a request that was answered. It is what [relay.Options].Log wants.
func (m *Relay) Observe(s relay.Served) {
	m.requests.WithLabelValues(resultOf(s.Status)).Inc()
	m.took.WithLabelValues(sourceOf(s.From)).Observe(s.Took.Seconds())
}

// Follow adds what the relay counts by itself. It is called once.
func (m *Relay) Follow(stats func() relay.Stats) { m.registry.MustRegister(relayStats{stats}) }

// Handler answers scrapes. It checks neither method nor host.
func (m *Relay) Handler() http.Handler { return handler(m.registry) }

func resultOf(status int) string {
	switch {
	case status == 0:
		return resultGone
	case status == http.StatusNotFound:
		return resultNotFound
	case status >= 500:
		return resultFailed
	case status >= 400:
		return resultRefused
	}
	return resultOK
}

func sourceOf(from string) string {
	switch from {
	case "":
		return sourceNone
	case sourceCache, sourceStage:
		return from
	}
	return sourceUpstream
}

var (
	relayRescued = desc("relay_rescued_total", "Requests that were answered although an upstream failed, was late, or sent wrong bytes.")
	relayCached  = desc("relay_cache_hits_total", "Requests that were answered with what the go command's own cache had.")
	relayStale   = desc("relay_stale_total", "Lists and latest versions that came out of the cache, since no upstream answered.")
	relayFailed  = desc("relay_failures_total", "Requests that were answered with a server error, since nobody gave the file.")
	relayBytes   = desc("relay_sent_bytes_total", "Bytes of bodies that were sent.")
	relayWrong   = desc("relay_wrong_answers_total", "Answers of upstreams with wrong bytes, by go.sum or the checksum database, that were thrown away.")
	relayAnswers = desc("relay_upstream_answers_total", "What upstreams answered: ok for a file, else the class of the failure.", "upstream", "class")
)

// relayStats are what a relay counts, as a collector.
type relayStats struct{ stats func() relay.Stats }

// Describe implements [prometheus.Collector].
func (relayStats) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{relayRescued, relayCached, relayStale, relayFailed, relayBytes, relayWrong, relayAnswers} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c relayStats) Collect(ch chan<- prometheus.Metric) {
	s := c.stats()
	counter(ch, relayRescued, s.Rescued)
	counter(ch, relayCached, s.FromCache)
	counter(ch, relayStale, s.Stale)
	counter(ch, relayFailed, s.Failed)
	counter(ch, relayBytes, s.Bytes)
	counter(ch, relayWrong, s.Wrong)
	for who, n := range answersOf(s.Upstreams) {
		counter(ch, relayAnswers, n, who.upstream, string(who.class))
	}
}

type answerer struct {
	upstream string
	class    probe.Class
}

// answersOf counts by upstream and class; upstreams that are one when they are
// clean, or that are too many, are one.
func answersOf(list []relay.Upstream) map[answerer]int64 {
	n := map[answerer]int64{}
	names := map[string]bool{}
	for _, u := range list {
		name := clean(u.Hop)
		if names[name] = true; len(names) > maxEndpoints {
			delete(names, name)
			name = other
		}
		n[answerer{name, probe.OK}] += u.Served
		for class, times := range u.Classes {
			n[answerer{name, class}] += times
		}
	}
	return n
}
