package probe_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/probe"
	"gpx/probe/lab"
)

// raw answers every connection with the same bytes and closes it.
func raw(t testing.TB, answer string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	data := []byte(answer)
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			c.Read(buf)
			c.Write(data)
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return "http://" + ln.Addr().String()
}

// serve is a server of our own for what the lab has no mode for.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// An outcome is one way for an endpoint to be, and what a probe must call it.
type outcome struct {
	name   string
	make   func(t *testing.T, l *lab.Lab) probe.Endpoint
	setup  func(t *testing.T, l *lab.Lab) setup
	class  probe.Class
	layer  probe.Layer
	detail string // part of the detail
	hasTLS bool   // the certificate's end is known
}

// proxy is an outcome of a lab proxy with a fault.
func proxy(f lab.Fault, opts ...lab.ProxyOption) func(*testing.T, *lab.Lab) probe.Endpoint {
	return func(t *testing.T, l *lab.Lab) probe.Endpoint {
		return at(l, l.Proxy(t.Name(), lab.Always(f), opts...).URL())
	}
}

func url(raw string) func(*testing.T, *lab.Lab) probe.Endpoint {
	return func(_ *testing.T, l *lab.Lab) probe.Endpoint { return at(l, raw) }
}

func short(*testing.T, *lab.Lab) setup { return setup{attempt: brief} }

// dns makes probes resolve with a name server of the lab.
func dns(mode lab.DNSMode, attempt time.Duration) func(*testing.T, *lab.Lab) setup {
	return func(t *testing.T, l *lab.Lab) setup {
		d, err := l.DNS(mode)
		if err != nil {
			t.Fatal(err)
		}
		return setup{attempt: attempt, options: []probe.Option{probe.WithResolver(d.Resolver())}}
	}
}

// tree is a file tree of the lab's modules.
func tree(change func(t *testing.T, dir string)) func(*testing.T, *lab.Lab) probe.Endpoint {
	return func(t *testing.T, l *lab.Lab) probe.Endpoint {
		dir := t.TempDir()
		if err := l.WriteTree(dir, true); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(t, dir)
		}
		ep := at(l, "file://"+filepath.ToSlash(dir))
		ep.Kind = probe.KindFile
		return ep
	}
}

func infoFile(dir string) string {
	return filepath.Join(dir, "lab.example.com", "alpha", "@v", "v1.0.0.info")
}

// through is a hop that is reached through a forward proxy of the lab. The hop
// has a name, because nothing sends a loopback address through a proxy.
func through(f lab.Fault, userinfo string) (func(*testing.T, *lab.Lab) probe.Endpoint, func(*testing.T, *lab.Lab) setup) {
	return func(t *testing.T, l *lab.Lab) probe.Endpoint {
			l.Proxy("target", nil, lab.TLS())
			return at(l, "https://target.lab.example.com")
		}, func(t *testing.T, l *lab.Lab) setup {
			p := l.ForwardProxy(t.Name(), lab.Always(f))
			s := setup{environ: []string{"HTTPS_PROXY=http://" + userinfo + p.Addr()}}
			if f.Mode == lab.ModeHang || f.Mode == lab.ModeBlackhole {
				s.attempt = brief
			}
			return s
		}
}

func outcomes() []outcome {
	list := []outcome{
		{name: "healthy http", make: proxy(lab.OK()), class: probe.OK, layer: probe.LayerContent},
		{name: "healthy https", make: proxy(lab.OK(), lab.TLS()), class: probe.OK, layer: probe.LayerContent, hasTLS: true},
		{name: "late", make: proxy(lab.Slow(50 * time.Millisecond)), class: probe.OK, layer: probe.LayerContent},

		{name: "no scheme that is known", make: url("ftp://proxy.example.com"), class: probe.ConfigInvalid, layer: probe.LayerConfig, detail: "scheme"},
		{name: "a word", make: url("nonsense"), class: probe.ConfigInvalid, layer: probe.LayerConfig},
		{name: "malformed", make: url("https://proxy.example.com:port"), class: probe.ConfigInvalid, layer: probe.LayerConfig},
		{name: "no host", make: url("https:///path"), class: probe.ConfigInvalid, layer: probe.LayerConfig, detail: "host"},
		{name: "port too large", make: url("http://127.0.0.1:99999"), class: probe.ConfigInvalid, layer: probe.LayerConfig, detail: "port"},
		{name: "credentials on plain http", make: url("http://u:s3cret@127.0.0.1:1"), class: probe.ConfigInvalid, layer: probe.LayerConfig, detail: "credentials"},

		{name: "no such host", make: url("https://gone.lab.example.com"), setup: dns(lab.DNSNotFound, 0), class: probe.DNSNotFound, layer: probe.LayerDNS, detail: "no such host"},
		{name: "resolver fails", make: url("https://gone.lab.example.com"), setup: dns(lab.DNSFailure, 0), class: probe.DNSFailure, layer: probe.LayerDNS, detail: "server misbehaving"},
		{name: "resolver silent", make: url("https://gone.lab.example.com"), setup: dns(lab.DNSSilent, brief), class: probe.DNSTimeout, layer: probe.LayerDNS},

		{name: "refused", make: proxy(lab.Refuse()), class: probe.Refused, layer: probe.LayerTCP, detail: "connection refused"},
		{name: "black hole", make: proxy(lab.Blackhole()), setup: short, class: probe.ConnectTimeout, layer: probe.LayerTCP},

		{name: "self-signed", make: proxy(lab.Of(lab.ModeTLSSelfSigned), lab.TLS()), class: probe.TLSUntrusted, layer: probe.LayerTLS, hasTLS: true, detail: "unknown authority"},
		{name: "intercepted", make: proxy(lab.Of(lab.ModeTLSUntrusted), lab.TLS()), class: probe.TLSUntrusted, layer: probe.LayerTLS, hasTLS: true},
		{name: "expired", make: proxy(lab.Of(lab.ModeTLSExpired), lab.TLS()), class: probe.TLSExpired, layer: probe.LayerTLS, hasTLS: true},
		{name: "wrong host", make: proxy(lab.Of(lab.ModeTLSWrongHost), lab.TLS()), class: probe.TLSHostname, layer: probe.LayerTLS, hasTLS: true},
		{name: "old TLS", make: proxy(lab.Of(lab.ModeTLSOld), lab.TLS()), class: probe.TLSHandshake, layer: probe.LayerTLS},
		{name: "plain http on the TLS port", make: proxy(lab.Of(lab.ModeTLSPlainHTTP), lab.TLS()), class: probe.TLSHandshake, layer: probe.LayerTLS},
		{name: "garbage on the TLS port", make: proxy(lab.Of(lab.ModeTLSGarbage), lab.TLS()), class: probe.TLSHandshake, layer: probe.LayerTLS},
		{name: "TLS silent", make: proxy(lab.Of(lab.ModeTLSSilent), lab.TLS()), setup: short, class: probe.TLSTimeout, layer: probe.LayerTLS},

		{name: "reset", make: proxy(lab.Reset()), class: probe.Reset, layer: probe.LayerHTTP},
		{name: "reset over TLS", make: proxy(lab.Reset(), lab.TLS()), class: probe.Reset, layer: probe.LayerHTTP, hasTLS: true},
		{name: "closed", make: proxy(lab.EOF()), class: probe.EOF, layer: probe.LayerHTTP},
		{name: "no answer", make: proxy(lab.Hang()), setup: short, class: probe.Timeout, layer: probe.LayerHTTP},
		{name: "no answer over TLS", make: proxy(lab.Hang(), lab.TLS()), setup: short, class: probe.Timeout, layer: probe.LayerHTTP, hasTLS: true},
		{name: "body stops", make: proxy(lab.Stall(5)), setup: short, class: probe.Stalled, layer: probe.LayerHTTP},
		{name: "headers stop", make: url(""), setup: short, class: probe.Stalled, layer: probe.LayerHTTP},
		{name: "body cut", make: proxy(lab.Of(lab.ModeTruncated)), class: probe.Truncated, layer: probe.LayerHTTP},
		{name: "endless", make: proxy(lab.Of(lab.ModeEndless)), class: probe.TooLarge, layer: probe.LayerProtocol},
		{name: "not HTTP", make: proxy(lab.Of(lab.ModeGarbage)), class: probe.ProtocolInvalid, layer: probe.LayerHTTP},

		{name: "401", make: proxy(lab.Auth("me", "pw")), class: probe.AuthRequired, layer: probe.LayerHTTP, detail: "credentials required"},
		{name: "407", make: proxy(lab.Status(407, "")), class: probe.AuthRequired, layer: probe.LayerHTTP},
		{name: "403", make: proxy(lab.HTML(403, "<p>no</p>")), class: probe.Forbidden, layer: probe.LayerHTTP},
		{name: "404", make: proxy(lab.Status(404, "not found: unknown revision")), class: probe.NotFound, layer: probe.LayerHTTP, detail: "unknown revision"},
		{name: "410", make: proxy(lab.Status(410, "")), class: probe.NotFound, layer: probe.LayerHTTP},
		{name: "418", make: proxy(lab.Status(418, "")), class: probe.ClientError, layer: probe.LayerHTTP},
		{name: "206", make: proxy(lab.Status(206, "")), class: probe.ClientError, layer: probe.LayerHTTP},
		{name: "429", make: proxy(lab.RateLimited(7 * time.Second)), class: probe.RateLimited, layer: probe.LayerHTTP},
		{name: "500", make: proxy(lab.Status(500, "boom")), class: probe.ServerError, layer: probe.LayerHTTP, detail: "boom"},
		{name: "503 over TLS", make: proxy(lab.Status(503, ""), lab.TLS()), class: probe.ServerError, layer: probe.LayerHTTP, hasTLS: true},
		{name: "511", make: proxy(lab.Status(511, "")), class: probe.CaptivePortal, layer: probe.LayerHTTP},
		{name: "redirects for ever", make: proxy(lab.Of(lab.ModeRedirect)), class: probe.RedirectLoop, layer: probe.LayerHTTP},
		{name: "redirect to http", make: proxy(lab.Of(lab.ModeDowngrade), lab.TLS()), class: probe.RedirectInsecure, layer: probe.LayerHTTP, hasTLS: true},

		{name: "login page", make: proxy(lab.Captive()), class: probe.CaptivePortal, layer: probe.LayerProtocol},
		{name: "no JSON", make: proxy(lab.Of(lab.ModeNotJSON)), class: probe.ProtocolInvalid, layer: probe.LayerProtocol},
		{name: "cut short with a length that agrees", make: proxy(lab.Of(lab.ModeShort)), class: probe.ProtocolInvalid, layer: probe.LayerProtocol},
		{name: "another version", make: proxy(lab.Of(lab.ModeWrongVersion)), class: probe.ProtocolInvalid, layer: probe.LayerProtocol, detail: "v9.9.9"},

		{name: "file tree", make: tree(nil), class: probe.OK, layer: probe.LayerContent},
		{name: "no file tree", make: tree(func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }), class: probe.MissingFile, layer: probe.LayerProtocol},
		{name: "file tree without the module", make: tree(func(t *testing.T, dir string) { must(t, os.Remove(infoFile(dir))) }), class: probe.NotFound, layer: probe.LayerProtocol},
		{name: "file tree with a damaged file", make: tree(func(t *testing.T, dir string) { must(t, os.WriteFile(infoFile(dir), []byte("{"), 0o666)) }), class: probe.ProtocolInvalid, layer: probe.LayerProtocol},
		{name: "file tree that is a file", make: tree(func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir))
			must(t, os.WriteFile(dir, nil, 0o666))
		}), class: probe.ConfigInvalid, layer: probe.LayerProtocol},
		{name: "off", make: func(*testing.T, *lab.Lab) probe.Endpoint { return probe.Endpoint{URL: "off", Kind: probe.KindOff} }, class: probe.OK, layer: probe.LayerConfig},
	}
	for i := range list {
		if list[i].name == "headers stop" {
			list[i].make = func(t *testing.T, l *lab.Lab) probe.Endpoint { return at(l, halfHeaders(t)) }
		}
	}
	for _, f := range []struct {
		name, userinfo string
		fault          lab.Fault
		class          probe.Class
		detail         string
	}{
		{"through a forward proxy", "", lab.OK(), probe.OK, ""},
		{"forward proxy refuses", "", lab.Refuse(), probe.ForwardProxyDown, "nothing is listening"},
		{"forward proxy in a black hole", "", lab.Blackhole(), probe.ForwardProxyDown, "no connection in time"},
		{"forward proxy hangs", "", lab.Hang(), probe.ForwardProxyDown, "is listening, no answer to CONNECT"},
		{"forward proxy resets", "", lab.Reset(), probe.ForwardProxyDown, "is listening, and breaks off"},
		{"forward proxy wants credentials", "", lab.Auth("me", "pw12345"), probe.AuthRequired, "answers CONNECT with 407"},
		{"forward proxy takes credentials", "me:pw12345@", lab.Auth("me", "pw12345"), probe.OK, ""},
		{"forward proxy forbids", "", lab.Status(403, ""), probe.Forbidden, "answers CONNECT with 403"},
		{"forward proxy cannot reach it", "", lab.Status(502, ""), probe.ServerError, "answers CONNECT with 502"},
	} {
		o := outcome{name: f.name, class: f.class, detail: f.detail}
		o.make, o.setup = through(f.fault, f.userinfo)
		list = append(list, o)
	}
	return list
}

// halfHeaders is a server that sends half of its headers and then nothing.
func halfHeaders(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			c, err := ln.Accept()
			if err != nil {
				break
			}
			conns = append(conns, c)
			c.Write([]byte("HTTP/1.1 200 OK\r\nContent-"))
		}
		for _, c := range conns {
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return "http://" + ln.Addr().String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryClassForReal(t *testing.T) {
	l := startLab(t)
	// unreachable and the checksum classes are produced by tests of their own:
	// TestUnreachable, TestSumDB, TestDeep.
	seen := map[probe.Class]bool{probe.Unreachable: true, probe.ChecksumMismatch: true, probe.SumDBUnavailable: true,
		probe.SumDBUntrusted: true, probe.ClassUnknown: true}
	for _, o := range outcomes() {
		seen[o.class] = true
	}
	for _, info := range probe.Classes {
		if !seen[info.Class] {
			t.Errorf("no outcome produces %s", info.Class)
		}
	}
	for _, o := range outcomes() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			var s setup
			if o.setup != nil {
				s = o.setup(t, l)
			}
			ep := o.make(t, l)
			r := s.prober(t, l).Probe(bound(t), ep)
			if r.Class != o.class || o.layer != "" && r.Layer != o.layer {
				t.Errorf("got %s in layer %s (%s), want %s in %s", r.Class, r.Layer, r.Detail, o.class, o.layer)
			}
			if !strings.Contains(r.Detail, o.detail) {
				t.Errorf("detail %q lacks %q", r.Detail, o.detail)
			}
			if o.hasTLS == r.TLSExpires.IsZero() && o.layer != "" {
				t.Errorf("TLS expiry is %v", r.TLSExpires)
			}
			if r.Key() != ep.Key() {
				t.Errorf("key of the result is %q, of the endpoint %q", r.Key(), ep.Key())
			}
			if r.Phases.Total == 0 && r.Layer != probe.LayerConfig {
				t.Error("no total time")
			}
		})
	}
}
