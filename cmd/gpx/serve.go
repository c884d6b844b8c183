package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/cachectl/relay"
	"gpx/cmd/gpx/internal/metrics"
	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/sumdb"
	"gpx/probe"
	"gpx/probe/catalog"
)

// A serveDocument is printed when the relay listens.
type serveDocument struct {
	GOPROXY string `json:"goproxy"`
}

func serveCommand(a *app) *cobra.Command {
	addr, verbose := "", false
	cmd := &cobra.Command{
		Use: "serve", Short: "A GOPROXY on this machine that goes on while the proxies behind it fail",
		Long: `Serves the GOPROXY protocol on loopback, checksum database included: first what
the module cache has, then the hops of the chain, each with the deadlines that
the go command lacks. One that hangs costs half a second, wrong bytes are thrown
away, and nobody public is told of a private module. It goes on until ctrl+c.

It prints the GOPROXY to use first. For one command there is "gpx run". The same
address answers /metrics for Prometheus, and /healthz.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runServe(cmd.Context(), a, addr, verbose)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:0", "listen on `HOST:PORT` of this machine; port 0 takes a free one")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "print a line for each request")
	return cmd
}

func runServe(ctx context.Context, a *app, addr string, verbose bool) error {
	const op = "serve"
	l, err := relay.Listen(ctx, addr)
	switch {
	case errors.Is(err, relay.ErrNotLoopback):
		return usage(op, "%v", err).hint("name a loopback address, as in --addr 127.0.0.1:3000")
	case err != nil:
		return failed(op, addr, err)
	}
	defer l.Close()
	told := metrics.NewRelay(readVersion().Version)
	log := told.Observe
	if verbose && !a.flags.json {
		line := a.logServed()
		log = func(s relay.Served) { told.Observe(s); line(s) }
	}
	r, err := a.newRelay(ctx, op, false, log, told.Handler())
	if err != nil {
		return err
	}
	defer r.close()
	told.Follow(r.Stats)
	if a.flags.json {
		a.out.document(serveDocument{r.url(l)})
	} else {
		a.out.line("export GOPROXY='" + r.childChain(l) + "'")
	}
	if a.out.err != nil {
		return a.out.err
	}
	if err := r.Serve(ctx, l); err != nil {
		return failed(op, l.Addr().String(), err)
	}
	if !a.flags.json {
		s := r.Stats()
		a.errs.line(a.errs.dim("gpx serve: " + count(s.Requests, "request", "requests") + ", " + size(s.Bytes)))
		for _, line := range relayNews(s) {
			a.errs.text("", "gpx serve: "+line)
		}
	}
	return nil
}

// logServed prints requests, one at a time.
func (a *app) logServed() func(relay.Served) {
	lines := make(chan struct{}, 1)
	return func(s relay.Served) {
		lines <- struct{}{}
		defer func() { <-lines }()
		a.errs.line(fmt.Sprintf("%d %s %s  %s %s  %s", s.Status, s.Method, s.Path, size(s.Bytes), s.Took.Round(time.Millisecond), s.From))
	}
}

// A relayRun is a relay with what it needs and what is its own.
type relayRun struct {
	*relay.Relay
	e   *env.Env
	c   chain.Chain
	end func()
}

func (r *relayRun) close() { r.end() }

func (r *relayRun) url(l net.Listener) string { return "http://" + l.Addr().String() }

// childChain is the GOPROXY of who is behind the relay.
func (r *relayRun) childChain(l net.Listener) string { return relay.Chain(r.url(l), r.c) }

// newRelay builds a relay for the project at hand. Without sums the checksum
// database is not asked, whatever GOSUMDB says. told answers for /metrics, nil where
// nobody wants any.
func (a *app) newRelay(ctx context.Context, op string, noSums bool, log func(relay.Served), told http.Handler) (*relayRun, error) {
	e, p, err := a.both(ctx)
	if err != nil {
		return nil, failed(op, "", err)
	}
	c, err := e.Chain()
	if err != nil {
		return nil, failed(op, "GOPROXY", err)
	}
	o, err := a.relayOptions(ctx, e, p, c, noSums)
	if err != nil {
		return nil, failed(op, "", err)
	}
	base := a.stateFile("relay", e.Get("GOMODCACHE"))
	if base == "" {
		return nil, failed(op, "", errors.New("there is no folder for files of its own")).hint("set HOME or XDG_STATE_HOME")
	}
	dir, remove, err := relay.Folder(base)
	if err != nil {
		return nil, failed(op, "", err)
	}
	o.Dir, o.Log, o.Metrics = dir, log, told
	r, err := relay.New(o)
	if err != nil {
		remove()
		return nil, failed(op, "", err)
	}
	return &relayRun{Relay: r, e: e, c: c, end: func() { r.Close(); remove() }}, nil
}

func (a *app) relayOptions(ctx context.Context, e *env.Env, p *project.Project, c chain.Chain, noSums bool) (relay.Options, error) {
	var own []string
	o := relay.Options{
		Chain:  c,
		Public: func(ep probe.Endpoint) bool { return ep.Kind == probe.KindProxy && catalog.Public(e, ep.URL) },
		Hidden: func(path string) bool { return module.MatchPrefixPatterns(e.NoProxy(), path) },
		Skip:   func(path string) bool { return noSums || !sumdb.Verifies(e, path) },
	}
	if p != nil {
		own, o.Sums = p.Modules, p.Sums
	}
	if dir := e.Get("GOMODCACHE"); dir != "" {
		o.Cache = filepath.Join(dir, "cache", "download")
	}
	r, err := a.reacher(ctx, e, own)
	if err != nil {
		return o, err
	}
	o.Sources = r.Sources
	if o.Prober, err = a.prober(ctx); err != nil {
		return o, err
	}
	if noSums {
		return o, nil
	}
	db, err := sumdb.Of(e)
	switch {
	case errors.Is(err, sumdb.ErrOff):
		return o, nil
	case err != nil:
		return o, err
	}
	o.SumDB, o.Routes = &db, sumRoutes(c, db.DB)
	return o, nil
}

// sumRoutes are the ways to the checksum database: by each hop of the chain, and
// to the database itself where anybody may be asked on the network.
func sumRoutes(c chain.Chain, db chain.SumDB) []chain.Chain {
	if db.URL != "" { // it bypasses every hop
		return []chain.Chain{c}
	}
	var routes []chain.Chain
	network := false
	for _, h := range c.Hops {
		network = network || h.Kind == chain.Proxy || h.Kind == chain.Direct
		if h.Kind == chain.Proxy || h.Kind == chain.File {
			h.Separator = chain.Last
			routes = append(routes, chain.Chain{Hops: []chain.Hop{h}})
		}
	}
	if direct, err := chain.Parse("direct"); err == nil && network {
		routes = append(routes, direct)
	}
	return routes
}

// relayNews says what the relay did for the go command, and what it could not.
func relayNews(s relay.Stats) []string {
	var lines []string
	if s.Rescued > 0 {
		lines = append(lines, fmt.Sprintf("%d of %s were answered although an upstream failed%s", s.Rescued, count(s.Requests, "request", "requests"), blame(s)))
	}
	if s.Wrong > 0 {
		lines = append(lines, "WRONG BYTES were thrown away"+blameFor(s, probe.ChecksumMismatch))
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
