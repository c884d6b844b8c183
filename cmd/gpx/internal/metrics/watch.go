package metrics

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gpx/probe"
	"gpx/probe/monitor"
)

// A Watch holds the metrics of what is watched: of the last snapshot, and of the
// probes of all snapshots.
type Watch struct {
	registry *prometheus.Registry
	record   func(context.Context) Record

	probes, failures *prometheus.CounterVec
	took             *prometheus.HistogramVec

	mu        sync.Mutex
	last      monitor.Snapshot
	endpoints []endpoint // of the chain in last, and what else the go command needs
	samples   map[endpoint]monitor.Sample
}

// An endpoint is one of those that there are series of, by its labels.
type endpoint struct {
	name string // clean
	kind probe.Kind
}

func (e endpoint) labels(more ...string) []string {
	return append([]string{e.name, string(e.kind)}, more...)
}

// A Role says what a process does for the history.
type Role string

// The roles. Of several processes that watch, one records.
const (
	Recording Role = "recording"
	Observing Role = "observing"
	None      Role = "none" // there is no history
)

// A Record is what the history says at the moment.
type Record struct {
	Role   Role
	Opened time.Time // of the incident that goes on; zero without one
}

// recordTime is what the history has to answer a scrape.
const recordTime = time.Second

// NewWatch returns the metrics of a monitor that has shown nothing yet. record is
// asked at every scrape.
func NewWatch(version string, record func(context.Context) Record) *Watch {
	w := &Watch{
		registry: newRegistry(version), record: record, samples: map[endpoint]monitor.Sample{},
		probes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gpx_probes_total", Help: "Probes of an endpoint that have ended.",
		}, []string{"endpoint", "kind"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gpx_probe_failures_total", Help: "Probes of an endpoint that failed: it did not do its job.",
		}, []string{"endpoint", "kind"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gpx_probe_duration_seconds", Help: "Time of the probes of an endpoint that were answered.",
			// From loopback to the longest that version control has.
			Buckets: []float64{.005, .01, .025, .05, .1, .2, .4, .8, 1.5, 2, 4, 8},
		}, []string{"endpoint", "kind"}),
	}
	w.registry.MustRegister(w)
	return w
}

// Handler answers scrapes. It checks neither method nor host.
func (w *Watch) Handler() http.Handler { return handler(w.registry) }

// Observe takes a snapshot.
func (w *Watch) Observe(s monitor.Snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.endpoints = s, needed(s)
	for e := range w.samples {
		if !slices.Contains(w.endpoints, e) {
			delete(w.samples, e)
			w.probes.DeleteLabelValues(e.labels()...)
			w.failures.DeleteLabelValues(e.labels()...)
			w.took.DeleteLabelValues(e.labels()...)
		}
	}
	for _, e := range s.Endpoints {
		if who := endpointOf(e.URL, e.Kind); slices.Contains(w.endpoints, who) {
			w.count(who, e.Window)
		}
	}
}

// count counts the probes of an endpoint that have ended since the snapshot before.
func (w *Watch) count(e endpoint, window monitor.Window) {
	probes, failures, took := w.probes.WithLabelValues(e.labels()...), w.failures.WithLabelValues(e.labels()...), w.took.WithLabelValues(e.labels()...)
	for _, s := range window.After(w.samples[e]) {
		probes.Inc()
		if s.Class.Failed() {
			failures.Inc()
		} else {
			took.Observe(time.Duration(s.Total).Seconds())
		}
	}
	if n := len(window.Recent); n > 0 {
		w.samples[e] = window.Recent[n-1]
	} else if _, ok := w.samples[e]; !ok {
		w.samples[e] = monitor.Sample{}
	}
}

// needed are the endpoints that the go command needs: the hops of the chain in
// force, those of the chain that was in force before a switch, the checksum
// database and the forward proxy.
func needed(s monitor.Snapshot) []endpoint {
	var list []endpoint
	add := func(url string, kind probe.Kind) {
		if e := endpointOf(url, kind); len(list) < maxEndpoints && !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	hops := s.Chain.Hops
	if s.Original != nil {
		hops = slices.Concat(hops, s.Original.Hops)
	}
	for _, h := range hops {
		add(h.URL, h.Kind)
	}
	for _, e := range s.Endpoints {
		if e.Kind == probe.KindSumDB || e.Kind == probe.KindForward {
			add(e.URL, e.Kind)
		}
	}
	return list
}

func endpointOf(url string, kind probe.Kind) endpoint { return endpoint{clean(url), kind} }

// A SumState says whether new modules are verified.
type SumState string

// The states of the checksum database.
const (
	SumOn          SumState = "on"
	SumOff         SumState = "off"         // GOSUMDB=off
	SumUnavailable SumState = "unavailable" // it is wanted, and cannot be asked or believed
	SumUnknown     SumState = "unknown"
)

func sumState(s monitor.SumDBStatus) SumState {
	switch {
	case s.Route == "off":
		return SumOff
	case s.Class.Failed():
		return SumUnavailable
	case s.Class == probe.ClassUnknown || s.Class == "":
		return SumUnknown
	}
	return SumOn
}

var (
	allHealth    = []monitor.Health{monitor.Up, monitor.Slow, monitor.Suspect, monitor.Down, monitor.Unknown}
	allStates    = []monitor.State{monitor.StateOK, monitor.StateDegraded, monitor.StateOutage, monitor.StateOffline, monitor.StateUnknown}
	allScopes    = []monitor.Scope{monitor.ScopeNone, monitor.ScopeLocal, monitor.ScopeConfig, monitor.ScopeChain, monitor.ScopeSumDB}
	allSumStates = []SumState{SumOn, SumOff, SumUnavailable, SumUnknown}
	allRoles     = []Role{Recording, Observing, None}

	endpointHealth = desc("endpoint_health", "Health of an endpoint: 1 for the one that it has.", "endpoint", "kind", "health")
	endpointClass  = desc("endpoint_class_info", "Class of the last probe of an endpoint; always 1.", "endpoint", "kind", "class")
	chainInfo      = desc("chain_info", "GOPROXY in force, redacted, and where it is set; always 1.", "chain", "origin")
	chainWorks     = desc("chain_works", "Whether the go command gets modules through the chain in force.")
	chainHop       = desc("chain_hop_info", "A hop of the chain in force, and what the go command will do there; always 1.", "hop", "endpoint", "kind", "separator", "go_will")
	chainSwitched  = desc("chain_switched", "Whether the chain in force is another than the one that was left because it failed.")
	sumdbState     = desc("sumdb_state", "Whether new modules are verified by the checksum database: 1 for what is so.", "state")
	verdictState   = desc("verdict_state", "Whether modules can be downloaded: 1 for the state that there is.", "state")
	verdictScope   = desc("verdict_scope", "Where the trouble is: 1 for the scope of the verdict.", "scope")
	snapshotTime   = desc("snapshot_timestamp_seconds", "When the last snapshot was made; 0 before the first.")
	recorderRole   = desc("recorder_role", "What this process does for the history: 1 for what it does.", "role")
	incidentOpen   = desc("incident_open", "Whether an incident goes on.")
	incidentOpened = desc("incident_opened_timestamp_seconds", "When the incident that goes on began; 0 without one.")
)

// Describe implements [prometheus.Collector].
func (w *Watch) Describe(ch chan<- *prometheus.Desc) {
	w.probes.Describe(ch)
	w.failures.Describe(ch)
	w.took.Describe(ch)
	for _, d := range []*prometheus.Desc{
		endpointHealth, endpointClass, chainInfo, chainWorks, chainHop, chainSwitched, sumdbState,
		verdictState, verdictScope, snapshotTime, recorderRole, incidentOpen, incidentOpened,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. What it tells belongs to one snapshot.
func (w *Watch) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), recordTime)
	defer cancel()
	r := w.record(ctx) // may wait for a file
	states(ch, recorderRole, allRoles, r.Role)
	gauge(ch, incidentOpen, truth(!r.Opened.IsZero()))
	gauge(ch, incidentOpened, seconds(r.Opened))

	w.mu.Lock()
	defer w.mu.Unlock()
	w.probes.Collect(ch)
	w.failures.Collect(ch)
	w.took.Collect(ch)
	s := w.last
	gauge(ch, snapshotTime, seconds(s.At.Time))
	states(ch, verdictState, allStates, cmp.Or(s.Verdict.State, monitor.StateUnknown))
	states(ch, verdictScope, allScopes, cmp.Or(s.Verdict.Scope, monitor.ScopeNone))
	states(ch, sumdbState, allSumStates, sumState(s.SumDB))
	gauge(ch, chainWorks, truth(s.Chain.Works))
	gauge(ch, chainSwitched, truth(s.Original != nil))
	if s.At.IsZero() {
		return
	}
	gauge(ch, chainInfo, 1, clean(s.Chain.Value), clean(s.Chain.Origin))
	for i, h := range s.Chain.Hops {
		if i == maxEndpoints {
			break
		}
		gauge(ch, chainHop, 1, number(h.N), clean(h.URL), string(h.Kind), clean(h.Separator), string(h.GoWill))
	}
	w.collectEndpoints(ch)
}

// collectEndpoints tells how the endpoints are. Two that are one when they are
// clean are told of once, for a series there is only once.
func (w *Watch) collectEndpoints(ch chan<- prometheus.Metric) {
	told := map[endpoint]bool{}
	for _, e := range w.last.Endpoints {
		who := endpointOf(e.URL, e.Kind)
		if told[who] || !slices.Contains(w.endpoints, who) {
			continue
		}
		told[who] = true
		states(ch, endpointHealth, allHealth, cmp.Or(e.Health, monitor.Unknown), who.labels()...)
		gauge(ch, endpointClass, 1, who.labels(string(cmp.Or(e.Class, probe.ClassUnknown)))...)
	}
}

// seconds is a time as Prometheus writes it; 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
