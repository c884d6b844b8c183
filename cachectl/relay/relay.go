// Package relay is one loopback hop that has what the go command lacks:
// deadlines, a second source, and a memory of who is down.
//
//	go command ─▶ relay ─▶ GOMODCACHE/cache/download, a zip checked once
//	                    ─▶ what came before in this run
//	                    ─▶ upstreams: first byte late? the next is asked too
//	                         │ wrong bytes, by go.sum or the checksum database: the next
//	                         ▼
//	                       a folder of the relay's own ─▶ the client, and others who asked
//
// It never passes on a byte that go.sum or the checksum database contradicts.
// What neither can vouch for it does pass on: the go command behind it verifies
// by itself, and is told nothing that would keep it from doing so. What it says
// of the checksum database it has verified as a client of it. A file is whole
// before the first byte of it is sent.
//
// 404 means that everybody who may be asked said so, or that the go command
// would have come to version control (see Chain). Any other failure is 502 with a
// text that the go command prints: each upstream with what it did.
//
// It is for the machine that it runs on: requests with another host's name are
// refused, it stores nothing in the module cache, and shows a path to nobody who
// would not be asked without it.
package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/fetch"
	"gpx/cachectl/internal/stage"
	"gpx/envctl/chain"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/sumdb"
	"gpx/probe"
)

// Options say where files come from.
type Options struct {
	Cache string // GOMODCACHE/cache/download; "" for none
	// Dir is a folder of the relay's own, which exists. What is in it afterwards
	// is worth nothing.
	Dir string
	// Most is how much of Dir is kept, in bytes; 0 means DefaultMost.
	Most int64

	// Sources are the endpoints that may be asked about a module, the best first;
	// a list or @latest has no version. One of kind direct is not asked: the
	// client does that.
	Sources func(m module.Version) []probe.Endpoint
	// Public reports whether a source is anybody's: it is asked when those of Sources
	// before it that are not have failed, not when they are late. Nil: none is.
	Public func(ep probe.Endpoint) bool
	// Chain is what stands in GOPROXY without the relay.
	Chain chain.Chain
	// Hidden reports whether a module is none of the upstreams' business: it goes
	// to version control. Nil: none is.
	Hidden func(path string) bool
	Prober *probe.Prober

	Sums project.Sums           // go.sum of the project, if there is one
	Skip func(path string) bool // what is not verified; see stage.Proofs
	// SumDB is the checksum database, nil when it is off. Its Remote is not used:
	// Routes are ways to ask, the best first.
	SumDB  *sumdb.Options
	Routes []chain.Chain

	Patience probe.Patience // zero means probe.DefaultPatience
	// Longer is what those have that were late, when nobody else gives a file; zero
	// means DefaultLonger.
	Longer probe.Patience
	Hedge  time.Duration // 0 means fetch.DefaultHedge
	Rest   time.Duration // how long who failed twice is asked last; 0 means DefaultRest

	Log func(Served) // called for each request when it was answered; may be nil
	// Metrics answers for /metrics; nil: there is no such path.
	Metrics http.Handler
}

const (
	// DefaultMost is enough for what one build of a large project fetches, and
	// for the largest zip there can be, several times.
	DefaultMost = 4 << 30
	// DefaultRest is how long an upstream that failed twice is left alone while
	// others answer: long against a hedge, short against an outage.
	DefaultRest = 10 * time.Second
	// vainRest is how long nobody has longer, when longer was not long enough.
	vainRest = time.Minute
	// atOnce bounds the files that are fetched at a time. A go command asks for
	// some ten.
	atOnce = 32
)

// DefaultLonger is for proxies that fetch a version when they are first asked for
// it.
var DefaultLonger = probe.Patience{FirstByte: 10 * time.Second, Stall: 5 * time.Second}

// Served is a request that was answered.
type Served struct {
	Method, Path string // clean
	Status       int
	Bytes        int64
	From         string // "cache", "stage", an upstream, redacted, or ""
	Took         time.Duration
}

// A Relay is the [http.Handler].
type Relay struct {
	o      Options
	stage  *stage.Stage
	kept   *kept
	zips   zips
	racer  *fetch.Racer
	vain   rest  // of patience
	sums   *sums // nil: off
	slots  chan struct{}
	counts counters

	files   flights[fetched]
	answers flights[answer]
	cancel  context.CancelFunc

	headerTime, writeStall time.Duration // what slow clients have
}

// New returns a relay. The caller closes it.
func New(o Options) (*Relay, error) {
	o.Rest, o.Most = cmp.Or(o.Rest, DefaultRest), cmp.Or(o.Most, DefaultMost)
	o.Patience, o.Longer = cmp.Or(o.Patience, probe.DefaultPatience), cmp.Or(o.Longer, DefaultLonger)
	ctx, cancel := context.WithCancel(context.Background())
	r := &Relay{o: o, kept: &kept{most: o.Most}, slots: make(chan struct{}, atOnce), cancel: cancel, headerTime: headerTime, writeStall: writeStall}
	r.files.base, r.answers.base, r.zips.flights.base = ctx, ctx, ctx
	proofs := &stage.Proofs{Sums: o.Sums, Skip: o.Skip, Pass: true}
	if o.SumDB != nil {
		s, err := newSums(ctx, o)
		if err != nil {
			cancel()
			return nil, err
		}
		r.sums, s.untrusted = s, r.counts.untrusted
		proofs.Lookup = s.proof
	}
	var err error
	if r.stage, err = stage.Open(o.Dir, proofs); err != nil {
		cancel()
		return nil, err
	}
	r.racer = &fetch.Racer{Prober: o.Prober, Patience: o.Patience, Hedge: o.Hedge, Rest: o.Rest, Public: o.Public, Temp: r.stage.Temp}
	return r, nil
}

// Close ends what is under way. No request may come any more.
func (r *Relay) Close() {
	r.cancel()
	r.files.wait()
	r.answers.wait()
	r.zips.flights.wait()
	r.racer.Close()
	if r.sums != nil {
		r.sums.close()
	}
}

// Stats says what it did so far.
func (r *Relay) Stats() Stats { return r.counts.stats() }

// A refusal is an answer that is no file.
type refusal struct {
	status int
	text   string // clean
}

func (e *refusal) Error() string { return e.text }

func refuse(status int, format string, args ...any) *refusal {
	lines := strings.Split(fmt.Sprintf(format, args...), "\n")
	for i, line := range lines {
		lines[i] = redact.Text(line)
	}
	return &refusal{status, strings.Join(lines, "\n")}
}

// ServeHTTP implements [http.Handler].
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	start := time.Now()
	out := newWriter(w, r.writeStall)
	from, err := r.serve(out, req)
	if err != nil {
		r.fail(out, req, err)
	}
	out.end()
	if req.URL.Path == healthPath || req.URL.Path == metricsPath && r.o.Metrics != nil {
		return
	}
	r.counts.count(func(s *Stats) {
		s.Requests++
		s.Bytes += out.n
	})
	if r.o.Log != nil {
		r.o.Log(Served{redact.Clean(req.Method), redact.Clean(req.URL.Path), out.status, out.n, from, time.Since(start)})
	}
}

// What is no module's: no path of the protocol is like these.
const (
	healthPath  = "/healthz"
	metricsPath = "/metrics"
)

func (r *Relay) serve(w *writer, req *http.Request) (from string, err error) {
	if no := admit(w, req); no != nil {
		return "", no
	}
	switch {
	case req.URL.Path == healthPath:
		w.text(http.StatusOK, "ok")
		return "", nil
	case req.URL.Path == metricsPath && r.o.Metrics != nil:
		r.o.Metrics.ServeHTTP(w, req)
		return "", nil
	}
	t, err := parse(req.URL.Path)
	switch {
	case err != nil:
		return "", refuse(http.StatusBadRequest, "%s: %v", req.URL.Path, err)
	case t.file == "":
		return "", r.serveSum(w, req, t.sum)
	case t.constant():
		return r.serveFile(w, req, t)
	}
	return r.serveAnswer(w, req, t)
}

// admit refuses what no go command sends. A web page that a browser shows could
// send requests here, by a name of its own that leads to this machine; its name
// is then in the Host header.
func admit(w *writer, req *http.Request) *refusal {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.shut()
		return refuse(http.StatusMethodNotAllowed, "%s: a module proxy is only read", req.Method)
	}
	if req.ContentLength != 0 {
		w.shut()
		return refuse(http.StatusBadRequest, "a request with a body")
	}
	if !loopback(req.Host) {
		return refuse(http.StatusMisdirectedRequest, "%s is not this machine; ask for localhost or 127.0.0.1", req.Host)
	}
	return nil
}

// loopback reports whether a Host header names this machine, with any port: a
// tunnel may have another than the listener.
func loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return ip != nil && ip.IsLoopback()
}

// fail answers with what went wrong, when nothing was sent yet.
func (r *Relay) fail(w *writer, req *http.Request, err error) {
	if req.Context().Err() != nil { // nobody listens any more
		return
	}
	var no *refusal
	switch {
	case errors.As(err, &no):
	case errors.Is(err, context.Canceled):
		no = refuse(http.StatusServiceUnavailable, "the relay is stopping")
	case errors.Is(err, fs.ErrNotExist):
		no = refuse(http.StatusNotFound, "not found")
	default:
		no = refuse(http.StatusInternalServerError, "gpx: %v", err)
	}
	if no.status >= 500 {
		r.counts.count(func(s *Stats) { s.Failed++; s.LastFailure = no.text })
	}
	w.text(no.status, no.text)
}
