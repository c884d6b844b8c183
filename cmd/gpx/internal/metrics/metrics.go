// Package metrics is what gpx tells Prometheus: of what it watches, and of its
// relay.
//
//	snapshots ─▶ Watch ─┐
//	                    ├─▶ a registry of their own ─▶ Handler ─▶ /metrics
//	requests  ─▶ Relay ─┘
//
// Names and units follow Prometheus' conventions: seconds, bytes, _total for what
// only grows, _info for what is words, and one series for each state where a
// thing has states, of which one is 1.
//
// No label holds a secret: every value is redacted and clean. And there are few of
// them: endpoints are those of the chain, classes those of gpx's one table, so
// that nothing from outside makes series.
package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gpx/envctl/redact"
)

const (
	// maxEndpoints bounds the endpoints that there are series of. Nobody's chain
	// has so many hops.
	maxEndpoints = 64
	// maxLabel bounds a label's value, in bytes: an address, not a document.
	maxLabel = 256
	// scrapes bounds who is answered at a time, and scrapeTime how long one answer
	// may be prepared.
	scrapes    = 4
	scrapeTime = 5 * time.Second
)

// other stands for the endpoints beyond [maxEndpoints].
const other = "other"

// newRegistry has what every program tells: of itself, its runtime and its build.
// The global registry is nobody's, and is not used.
func newRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gpx_build_info", Help: "What this gpx was built from; always 1.",
		ConstLabels: prometheus.Labels{"version": clean(version), "goversion": runtime.Version()},
	})
	build.Set(1)
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// handler answers with what r has.
func handler(r *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		Registry: r, MaxRequestsInFlight: scrapes, Timeout: scrapeTime,
		// One collector that fails is no reason to say nothing of the others.
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// clean makes a label's value of text from anywhere.
func clean(s string) string {
	s = redact.Text(s)
	if len(s) <= maxLabel {
		return s
	}
	end := maxLabel
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// desc describes a metric of gpx.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("gpx_"+name, help, labels, nil)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func counter(ch chan<- prometheus.Metric, d *prometheus.Desc, value int64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
}

// states tells which of all states there is: one series for each, so that a state
// that has gone is 0 rather than what it was. The state is the last label.
func states[T ~string](ch chan<- prometheus.Metric, d *prometheus.Desc, all []T, now T, labels ...string) {
	for _, s := range all {
		gauge(ch, d, truth(s == now), append(labels[:len(labels):len(labels)], string(s))...)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func number(n int) string { return strconv.Itoa(n) }
