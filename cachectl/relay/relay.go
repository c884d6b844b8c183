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
// It is for the machine that it runs on, unless it is told otherwise and has a
// token: requests with another host's name are refused, it stores nothing in the
// module cache, and shows a path to nobody who would not be asked without it.
package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"gpx/envctl/redact"
	"gpx/probe"
)

// Options say what a relay does.
type Options struct {
	Behind
	// Dir is a folder of the relay's own, which exists. What is in it afterwards
	// is worth nothing.
	Dir string
	// Most is how much of Dir is kept, in bytes; 0 means DefaultMost.
	Most int64

	Patience probe.Patience // zero means probe.DefaultPatience
	// Longer is what those have that were late, when nobody else gives a file; zero
	// means DefaultLonger.
	Longer probe.Patience
	Hedge  time.Duration // 0 means fetch.DefaultHedge
	Rest   time.Duration // how long who failed twice is asked last; 0 means DefaultRest

	// Token is the first element of every path, when it is not "": who does not
	// know it is told nothing at all.
	Token string
	// Network lets other machines ask, by the address that they reach this one at.
	Network bool

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
	zips   zips
	smalls smalls
	slots  chan struct{}
	counts counters
	ctx    context.Context // of all work
	cancel context.CancelFunc

	mu       sync.Mutex
	core     *core
	cores    int            // that there were
	retiring sync.WaitGroup // those that are still used

	headerTime, writeStall time.Duration // what slow clients have
}

// New returns a relay. The caller closes it.
func New(o Options) (*Relay, error) {
	o.Rest, o.Most = cmp.Or(o.Rest, DefaultRest), cmp.Or(o.Most, DefaultMost)
	o.Patience, o.Longer = cmp.Or(o.Patience, probe.DefaultPatience), cmp.Or(o.Longer, DefaultLonger)
	r := &Relay{o: o, slots: make(chan struct{}, atOnce), headerTime: headerTime, writeStall: writeStall}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.zips.flights.base = r.ctx
	if err := r.Change(o.Behind); err != nil {
		r.cancel()
		return nil, err
	}
	return r, nil
}

// Change puts something else behind the relay for the requests that come from now
// on. Those under way end with what they began with. After an error nothing is
// changed.
func (r *Relay) Change(b Behind) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := r.newCore(b, filepath.Join(r.o.Dir, strconv.Itoa(r.cores)))
	if err != nil {
		return err
	}
	old := r.core
	r.core = next
	r.cores++
	if old != nil {
		r.retiring.Go(func() {
			old.users.Wait()
			old.close()
			os.RemoveAll(old.stage.Dir)
		})
	}
	return nil
}

// use is the core for one request, which calls Done on its users.
func (r *Relay) use() *core {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.core.users.Add(1)
	return r.core
}

// Close ends what is under way. No request may come any more.
func (r *Relay) Close() {
	r.cancel()
	r.retiring.Wait()
	r.core.close()
	r.zips.flights.wait()
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
	out.probe, out.bare = req.Header.Get(probe.MarkHeader) != "", req.Method == http.MethodHead
	path, err := r.admit(out, req)
	from := ""
	if err == nil {
		from, err = r.serve(out, req, path)
	}
	if err != nil {
		r.fail(out, req, err)
	}
	out.end()
	if path == healthPath || path == metricsPath && r.o.Metrics != nil || out.probe {
		return
	}
	r.count(out, func(s *Stats) {
		s.Requests++
		s.Bytes += out.n
	})
	if r.o.Log != nil {
		r.o.Log(Served{redact.Clean(req.Method), redact.Clean(path), out.status, out.n, from, time.Since(start)})
	}
}

// count counts what was done for a request, unless that is a probe: gpx watches a
// relay as it watches every hop, and nobody's build waits for that.
func (r *Relay) count(w *writer, f func(*Stats)) {
	if !w.probe {
		r.counts.count(f)
	}
}

// What is no module's: no path of the protocol is like these.
const (
	healthPath  = "/healthz"
	metricsPath = "/metrics"
)

// serve answers a request for path that was admitted.
func (r *Relay) serve(w *writer, req *http.Request, path string) (from string, err error) {
	switch {
	case path == healthPath:
		w.text(http.StatusOK, "ok")
		return "", nil
	case path == metricsPath && r.o.Metrics != nil:
		r.o.Metrics.ServeHTTP(w, req)
		return "", nil
	}
	t, err := parse(path)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "%s: %v", path, err)
	}
	c := r.use()
	defer c.users.Done()
	switch {
	case t.file == "":
		return "", c.serveSum(w, req, t.sum)
	case c.Withheld != nil && c.Withheld(t.m.Path):
		return "", refuse(http.StatusNotFound, "%s is private (GOPRIVATE, GONOPROXY), and is given to nobody else", t.m.Path)
	case t.constant():
		return c.serveFile(w, req, t)
	}
	return c.serveAnswer(w, req, t)
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
	default: // also when a file of its own is gone: 404 is a word about the module
		no = refuse(http.StatusInternalServerError, "gpx: %v", err)
	}
	if no.status >= 500 {
		r.count(w, func(s *Stats) { s.Failed++; s.LastFailure = no.text })
	}
	w.text(no.status, no.text)
}
