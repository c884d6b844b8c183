package probe

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"net/url"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
)

// probeForward checks the proxy of HTTPS_PROXY or HTTP_PROXY: does its port
// listen, and does it let a connection through to a host that the chain needs?
// Nothing is sent into the tunnel.
func (p *Prober) probeForward(ctx context.Context, ep Endpoint) Result {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Attempt)
	defer cancel()
	s := p.newSession()
	defer s.close()
	forward, err := parseForward(ep.URL)
	if err != nil {
		x := &exchange{finding: finding{ConfigInvalid, LayerConfig, message(err)}}
		return p.result(ep, module.Version{}, x)
	}
	s.forward = func(*url.URL) (*url.URL, error) { return forward, nil }
	target := p.forwardTarget(ep)
	if target == nil {
		return p.result(ep, module.Version{}, s.dialOnly(ctx, forward))
	}
	s.tunnelOnly = true
	x := &exchange{}
	res, _, done := s.send(ctx, target, x)
	defer done()
	if res != nil { // cannot be: the tunnel ends it
		res.Body.Close()
		x.finding = finding{class: OK}
	}
	if x.class == OK {
		x.finding = finding{OK, LayerHTTP, "lets connections through to " + target.Host}
	}
	return p.result(ep, module.Version{}, x)
}

// parseForward reads a forward proxy's URL as net/http does: without a scheme it
// is http.
func parseForward(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err == nil && u.Host != "" {
		switch u.Scheme {
		case "http", "https", "socks5", "socks5h":
			return u, nil
		}
	}
	if !strings.Contains(raw, "://") {
		return url.Parse("http://" + raw)
	}
	if err == nil {
		err = errors.New("no URL of a forward proxy (http, https, socks5)")
	}
	return nil, err
}

// forwardTarget is a host that the go command would reach through the forward
// proxy: of the first https hop, or of the checksum database. Nil when all go
// around it.
func (p *Prober) forwardTarget(ep Endpoint) *url.URL {
	var raws []string
	if c, err := p.env.Chain(); err == nil {
		for _, hop := range c.Hops {
			if hop.Kind == chain.Proxy {
				raws = append(raws, hop.URL)
			}
		}
	}
	db := ep.SumDB
	if db.Name == "" {
		db, _ = p.env.SumDB()
	}
	if db.Name != "" {
		raws = append(raws, db.Direct())
	}
	for _, raw := range raws {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" {
			continue
		}
		if via, err := p.forward(u); err == nil && via != nil {
			return &url.URL{Scheme: "https", Host: u.Host, Path: "/"}
		}
	}
	return nil
}

// dialOnly finds out whether the forward proxy's port listens.
func (s *session) dialOnly(ctx context.Context, forward *url.URL) *exchange {
	t := newTracker()
	x := &exchange{}
	x.addSecret(userinfoSecrets(forward.User)...)
	port := forward.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[forward.Scheme]
	}
	if port == "" {
		port = "80"
	}
	conn, err := s.dial(httptrace.WithClientTrace(ctx, t.hooks()), "tcp", net.JoinHostPort(forward.Hostname(), port))
	x.copy(t.now())
	if err != nil {
		x.finding = classify(ctx, err, t.now(), forward)
		return x
	}
	conn.Close()
	x.finding = finding{OK, LayerTCP, "its port is listening; nothing in the chain goes through it"}
	return x
}
