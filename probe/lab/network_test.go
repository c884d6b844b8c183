package lab_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gpx/probe/lab"
)

func TestDNSModes(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	d, err := l.DNS(lab.DNSAnswer)
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"udp", "tcp"} {
		r := d.Resolver()
		dial := r.Dial
		r.Dial = func(ctx context.Context, _, addr string) (net.Conn, error) { return dial(ctx, network, addr) }
		for _, test := range []struct {
			mode lab.DNSMode
			want string
		}{
			{lab.DNSAnswer, "127.0.0.1"},
			{lab.DNSNotFound, "no such host"},
			{lab.DNSFailure, "server misbehaving"},
			{lab.DNSSilent, "i/o timeout"},
		} {
			d.SetMode(test.mode)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			addrs, err := r.LookupHost(ctx, "proxy.example.com.")
			cancel()
			got := strings.Join(addrs, " ")
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("%s %s: %s, want %s", network, test.mode, got, test.want)
			}
		}
	}
	if d.Queries() == 0 {
		t.Error("no query was counted")
	}
}

func TestForwardProxyModes(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	l.Proxy("secure", nil, lab.TLS())
	l.Proxy("plain", nil)
	fwd := l.ForwardProxy("forward", nil)
	base := client(t, l).Transport.(*http.Transport).TLSClientConfig
	through := func(proxy string) *http.Client {
		u, err := url.Parse(proxy)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, Proxy: http.ProxyURL(u), TLSClientConfig: base.Clone(), DialContext: dial,
		}}
	}
	const secure, plain = "https://secure.lab.example.com", "http://plain.lab.example.com"
	for _, test := range []struct {
		name  string
		fault lab.Fault
		user  string
		url   string
		want  string
	}{
		{"tunnel", lab.OK(), "", secure, "200 OK {"},
		{"absolute form", lab.OK(), "", plain, "200 OK {"},
		{"elsewhere", lab.OK(), "", "https://other.invalid", "Bad Gateway"},
		{"closed", lab.Refuse(), "", secure, "proxyconnect tcp: dial tcp " + fwd.Addr() + ": connect: connection refused"},
		{"407", lab.Status(407, ""), "", secure, "Proxy Authentication Required"},
		{"407 without credentials", lab.Auth("me", "pw"), "", secure, "Proxy Authentication Required"},
		{"407 with credentials", lab.Auth("me", "pw"), "me:pw@", secure, "200 OK {"},
		{"407 in absolute form", lab.Auth("me", "pw"), "", plain, "407 Proxy Authentication Required"},
		{"absolute form with credentials", lab.Auth("me", "pw"), "me:pw@", plain, "200 OK {"},
		{"hang", lab.Hang(), "", secure, deadline},
		{"black hole", lab.Blackhole(), "", secure, deadline},
	} {
		t.Run(test.name, func(t *testing.T) {
			fwd.SetFault(test.fault)
			check(t, through("http://"+test.user+fwd.Addr()), test.url+alphaInfo, test.want)
		})
	}
}

// A lab that is closed in the middle of everything leaves nothing behind; the
// package's TestMain looks for goroutines.
func TestCloseEndsWhatIsHeld(t *testing.T) {
	t.Parallel()
	l, err := lab.Start(lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fwd := l.ForwardProxy("forward", nil)
	secure := l.Proxy("secure", lab.Always(lab.Hang()), lab.TLS())
	tunnel := make(chan error, 1)
	go func() {
		u, _ := url.Parse("http://" + fwd.Addr())
		c := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		_, err := c.Get("https://secure.lab.example.com" + alphaInfo)
		c.CloseIdleConnections()
		tunnel <- err
	}()
	answers := []chan string{}
	for i, f := range []lab.Fault{lab.Hang(), lab.Stall(3), lab.Slow(time.Hour), lab.Trickle(1), lab.Of(lab.ModeEndless)} {
		s := l.Proxy(string(rune('a'+i)), lab.Always(f))
		answer := make(chan string, 1)
		answers = append(answers, answer)
		go func() {
			resp, err := http.Get(s.URL() + alphaInfo)
			if err != nil {
				answer <- err.Error()
				return
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			answer <- fmt.Sprint(resp.Status, err)
		}()
		if err := s.WaitHeld(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := secure.WaitHeld(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	l.Proxy("hole", lab.Always(lab.Blackhole()))
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for _, a := range answers {
		<-a
	}
	if err := <-tunnel; err == nil {
		t.Error("the tunnel answered")
	}
}
