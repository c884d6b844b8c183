package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/fetch"
	"gpx/cachectl/relay"
	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/sumdb"
	"gpx/probe"
	"gpx/probe/catalog"
)

const (
	// relayGarbage is the GC percentage of a process that is a relay and little else:
	// it keeps some megabytes, and every collection makes answers wait.
	relayGarbage = 400
	// relayMemory is where it collects more often instead of growing, in bytes.
	relayMemory = 48 << 20
)

// rareGarbage lets this process collect its garbage as a relay does, until restore.
func rareGarbage() (restore func()) {
	percent, limit := debug.SetGCPercent(relayGarbage), debug.SetMemoryLimit(relayMemory)
	return func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }
}

// relayNeeds say what a relay is for.
type relayNeeds struct {
	op            string // the command, for its errors
	noSums        bool   // the checksum database is not asked, whatever GOSUMDB says
	lan           bool   // it is for other machines
	secret        bool   // they get private modules too
	relay.Options        // Behind and Dir are filled in
}

// A relayRun is a relay for the project at hand, with what it needs and what is its
// own.
type relayRun struct {
	*relay.Relay
	a    *app
	o    relayNeeds
	l    net.Listener
	e    *env.Env
	c    chain.Chain // what is behind the relay
	seen []stamp     // of the files that the settings were read from
	end  func()
}

func (r *relayRun) close() { r.end() }

// url is what a client asks, with the token.
func (r *relayRun) url() string {
	base := "http://" + reachedAt(r.l.Addr().(*net.TCPAddr))
	if r.o.Token != "" {
		base += "/" + r.o.Token
	}
	return base
}

// childChain is the GOPROXY of who is behind the relay.
func (r *relayRun) childChain() string { return relay.Chain(r.url(), r.c) }

// reachedAt is how other machines name an address that the relay listens at; one
// that is all addresses is that of the way out, or of the first network there is.
func reachedAt(a *net.TCPAddr) string {
	at := *a
	if at.IP.IsUnspecified() {
		at.IP, at.Zone = net.IPv4(127, 0, 0, 1), ""
		if out := wayOut(); out != nil {
			at.IP = out
		}
	}
	return at.String()
}

// wayOut is this machine's address in its network, nil where it is in none.
func wayOut() net.IP {
	// Nothing is sent: to connect a datagram socket asks the routing table. The
	// address is nobody's (RFC 5737).
	if conn, err := net.Dial("udp4", "192.0.2.1:9"); err == nil {
		defer conn.Close()
		return conn.LocalAddr().(*net.UDPAddr).IP
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP
		}
	}
	return nil
}

// newRelay builds a relay that is to answer on l.
func (a *app) newRelay(ctx context.Context, l net.Listener, o relayNeeds) (*relayRun, error) {
	r := &relayRun{a: a, o: o, l: l}
	behind, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	dir, remove, err := relayFolder(a.stateFile("relay", r.e.Get("GOMODCACHE")))
	if err != nil {
		return nil, failed(o.op, "", err).hint("set HOME or XDG_STATE_HOME, or TMPDIR, to a folder that can be written")
	}
	o.Behind, o.Dir = behind, dir
	if r.Relay, err = relay.New(o.Options); err != nil {
		remove()
		return nil, failed(o.op, "", err)
	}
	r.end = func() { r.Close(); remove() }
	return r, nil
}

// relayFolder makes a folder for the files of a relay, below base: or, where there is
// no such place and none can be made, as in a container whose disk is only read, among
// the temporary ones. A build needs no more than that.
func relayFolder(base string) (dir string, remove func(), err error) {
	err = errors.New("there is no folder for files of its own")
	if base != "" {
		if dir, remove, err = relay.Folder(base); err == nil {
			return dir, remove, nil
		}
	}
	dir, tmpErr := os.MkdirTemp("", "gpx-relay-")
	if tmpErr != nil {
		return "", nil, fmt.Errorf("%w; %w", err, tmpErr)
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

// read reads the settings and the project, and says what is behind the relay.
func (r *relayRun) read(ctx context.Context) (relay.Behind, error) {
	a, op := r.a, r.o.op
	e, p, err := a.both(ctx)
	if err != nil {
		return relay.Behind{}, failed(op, "", err)
	}
	r.seen = stampsOf(e, p)
	c, err := e.Chain()
	if err != nil {
		return relay.Behind{}, failed(op, "GOPROXY", err)
	}
	switch {
	case !r.isIn(c):
	case r.Relay == nil:
		return relay.Behind{}, failed(op, "GOPROXY", errItself).hint("start it with the chain that is to be behind it: GOPROXY=CHAIN gpx %s", op)
	default: // the user did as it says; the chain behind it stays what it was
		c = r.c
		if e, err = env.Read(ctx, env.Options{Dir: a.dir(), Environ: e.With("GOPROXY=" + c.String())}); err != nil {
			return relay.Behind{}, failed(op, "", err)
		}
		a.goEnv = e
	}
	behind, err := r.behind(ctx, e, p, c)
	if err != nil {
		return relay.Behind{}, failed(op, "", err)
	}
	r.e, r.c = e, c
	return behind, nil
}

var errItself = errors.New("it names this relay, which would ask itself")

// isIn reports whether a chain has the relay as a hop.
func (r *relayRun) isIn(c chain.Chain) bool {
	port := portOf(r.l.Addr().String())
	return slices.ContainsFunc(c.Hops, func(h chain.Hop) bool {
		rest, ok := strings.CutPrefix(h.URL, "http://")
		at, _, _ := strings.Cut(rest, "/")
		host, hopPort, err := net.SplitHostPort(at)
		return ok && err == nil && hopPort == port && r.isHere(host)
	})
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// isHere reports whether a name is of an address that the relay listens at.
func (r *relayRun) isHere(host string) bool {
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, at := net.ParseIP(host), r.l.Addr().(*net.TCPAddr).IP
	if ip == nil {
		return false
	}
	if !at.IsUnspecified() {
		return at.Equal(ip)
	}
	own, err := net.InterfaceAddrs()
	return ip.IsLoopback() || err == nil && slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

func (r *relayRun) behind(ctx context.Context, e *env.Env, p *project.Project, c chain.Chain) (relay.Behind, error) {
	a := r.a
	var own []string
	b := relay.Behind{
		Chain:  c,
		Circle: circles(e, c),
		Hidden: func(path string) bool { return module.MatchPrefixPatterns(e.NoProxy(), path) },
		Skip:   func(path string) bool { return r.o.noSums || !sumdb.Verifies(e, path) },
	}
	if r.o.lan && !r.o.secret {
		private := e.Get("GOPRIVATE")
		b.Withheld = func(path string) bool { return module.MatchPrefixPatterns(private, path) || b.Hidden(path) }
	}
	if p != nil {
		own, b.Sums = p.Modules, p.Sums
	}
	if dir := e.Get("GOMODCACHE"); dir != "" {
		b.Cache = filepath.Join(dir, "cache", "download")
	}
	reacher, err := a.reacher(ctx, e, own)
	if err != nil {
		return b, err
	}
	b.Sources = reacher.Sources
	s, err := a.settings()
	if err != nil {
		return b, err
	}
	if r.o.lan {
		b.Prober = a.proberFor(s, e, probe.WithGuardedRedirects())
	} else {
		b.Prober = a.proberFor(s, e)
	}
	if r.o.noSums {
		return b, nil
	}
	db, err := sumdb.Of(e)
	switch {
	case errors.Is(err, sumdb.ErrOff):
		return b, nil
	case err != nil:
		return b, err
	}
	b.SumDB, b.Routes = &db, sumRoutes(c, db.DB)
	return b, nil
}

// follow looks at the user's settings and the project's files until ctx ends, and
// puts behind the relay what they say. What cannot be read is said, and leaves all
// as it is.
func (r *relayRun) follow(ctx context.Context, say func(string)) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		e, p := r.e, r.a.goProject
		if sameStamps(r.seen, stampsOf(e, p)) {
			continue
		}
		r.seen = stampsOf(e, p)
		r.a.forgetEnv()
		r.a.goProject, r.a.noProject = nil, false
		behind, err := r.read(ctx)
		if err == nil {
			err = r.Change(behind)
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			say("gpx " + err.Error() + "; all stays as it was")
		default:
			say("gpx " + r.o.op + ": the settings or the project were changed; that holds from now on")
		}
	}
}

// circles says of endpoints how far from the user they are.
func circles(e *env.Env, c chain.Chain) func(ep probe.Endpoint) fetch.Circle {
	return func(ep probe.Endpoint) fetch.Circle {
		switch {
		case ep.Kind == probe.KindFile:
			return fetch.Own
		case !slices.ContainsFunc(c.Hops, func(h chain.Hop) bool { return h.URL == ep.URL }):
			return fetch.Beyond
		case catalog.Public(e, ep.URL):
			return fetch.Public
		}
		return fetch.Own
	}
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
