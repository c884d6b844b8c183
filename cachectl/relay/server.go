package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"gpx/cachectl/internal/overlap"
)

const (
	// headerTime is for a request's header, which a go command writes at once.
	headerTime = 5 * time.Second
	// idleTime is as long as the go command's transport keeps a connection.
	idleTime = 90 * time.Second
	// maxHeader is in bytes; the go command sends some 200.
	maxHeader = 16 << 10
	// maxConns is several times what a go command opens.
	maxConns = 512
	// graceTime is what transfers under way have when the relay stops.
	graceTime = 3 * time.Second
)

// Listen opens addr, which must be of this machine alone.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s is an address that other machines reach: %w", addr, ErrNotLoopback)
	}
	return ListenNetwork(ctx, addr)
}

// ListenNetwork opens addr, which other machines may reach: without a host, all
// addresses of this one.
func ListenNetwork(ctx context.Context, addr string) (net.Listener, error) {
	if port, ok := strings.CutPrefix(addr, "localhost:"); ok {
		addr = "127.0.0.1:" + port
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

// ErrNotLoopback says that an address is not one of this machine alone.
var ErrNotLoopback = errors.New("the relay is for this machine only")

// Serve answers on l until ctx ends; then what is under way has a moment. It
// closes l, not the relay.
func (r *Relay) Serve(ctx context.Context, l net.Listener) error {
	// Most of an answer is system calls. On two cores under 64 connections, the last of a
	// hundred answers came after 2.1 times what nginx takes, and so after 1.6 times.
	defer overlap.Calls()()
	return serve(ctx, l, r, r.headerTime)
}

// ServeLocal answers on l with h, for what else this machine alone may read: it
// refuses what a relay refuses, and has its patience with slow clients.
func ServeLocal(ctx context.Context, l net.Listener, h http.Handler) error {
	return serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		out := newWriter(w, writeStall)
		defer out.end()
		if no := admit(out, req, false); no != nil {
			out.text(no.status, no.text)
			return
		}
		h.ServeHTTP(out, req)
	}), headerTime)
}

// A connKey is under which a request's context has its connection.
type connKey struct{}

func serve(ctx context.Context, l net.Listener, h http.Handler, headerTime time.Duration) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		DisableGeneralOptionsHandler: true, // it would answer "OPTIONS *" to whom the token is not known
		// What clients do wrong is none of the user's business.
		ErrorLog:    log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Serve(limit(l, maxConns)) }()
	select {
	case err := <-stopped:
		srv.Close()
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		srv.Close()
	}
	<-stopped
	return nil
}
