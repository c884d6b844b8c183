package lab_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpx/probe"
	"gpx/probe/lab"
)

// The tests mostly wait, for outages to be felt, so more of them run at once than
// there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// startLab starts a lab that ends with the test.
func startLab(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Start(lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// patience is how long a test's client waits for an answer that is not expected
// to come.
const patience = 300 * time.Millisecond

const deadline = "context deadline exceeded"

// dial gives up on its own: a transport goes on dialling after its request has
// ended, and a black hole would keep that goroutine for minutes.
var dial = (&net.Dialer{Timeout: 2 * patience}).DialContext

// client returns a plain client that trusts the lab and keeps no connection.
func client(t *testing.T, l *lab.Lab) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(l.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       dial,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
	}}
}

// check fetches a URL and looks for want in what came. Where that is a deadline
// it does not wait long; anything else may be late on a busy machine.
func check(t *testing.T, c *http.Client, url, want string) {
	t.Helper()
	limit := generous
	if strings.Contains(want, deadline) {
		limit = patience
	}
	if got := get(t, c, url, limit); !strings.Contains(got, want) {
		t.Errorf("%s: got %q, want %q", url, got, want)
	}
}

// get fetches a URL and says what came, in words: "200 body" or the error.
func get(t *testing.T, c *http.Client, url string, limit time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.Status + " and then: " + err.Error()
	}
	return resp.Status + " " + string(body)
}

const alphaInfo = "/lab.example.com/alpha/@v/v1.0.0.info"

func TestServerFaults(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	c := client(t, l)
	for _, test := range []struct {
		fault lab.Fault
		tls   bool
		want  string
	}{
		{lab.OK(), false, `200 OK {"Time":`},
		{lab.OK(), true, `200 OK {"Time":`},
		{lab.Refuse(), false, "connection refused"},
		{lab.Blackhole(), false, deadline},
		{lab.Hang(), false, deadline},
		{lab.Stall(5), false, "200 OK and then: " + deadline},
		{lab.Slow(20 * time.Millisecond), false, `200 OK {"Time":`},
		{lab.Reset(), false, "connection reset by peer"},
		{lab.EOF(), false, "EOF"},
		{lab.Status(502, "sorry"), false, "502 Bad Gateway sorry"},
		{lab.Status(407, ""), false, "407 Proxy Authentication Required proxy authentication required"},
		{lab.HTML(403, "<p>no</p>"), false, "403 Forbidden <p>no</p>"},
		{lab.RateLimited(7 * time.Second), false, "429 Too Many Requests"},
		{lab.Auth("me", "pw"), false, "401 Unauthorized"},
		{lab.Captive(), false, "200 OK <!DOCTYPE html>"},
		{lab.Of(lab.ModeEndless), false, "200 OK and then: " + deadline},
		{lab.Of(lab.ModeGarbage), false, "malformed HTTP"},
		{lab.Of(lab.ModeRedirect), false, "stopped after 10 redirects"},
		{lab.Of(lab.ModeTruncated), false, "200 OK and then: unexpected EOF"},
		{lab.Of(lab.ModeShort), false, `200 OK {"Time":"2024-0`},
		{lab.Of(lab.ModeNotJSON), false, "200 OK Version: v1.0.0"},
		{lab.Of(lab.ModeWrongVersion), false, "v9.9.9"},
		{lab.Of(lab.ModeTLSSelfSigned), true, "certificate signed by unknown authority"},
		{lab.Of(lab.ModeTLSUntrusted), true, "certificate signed by unknown authority"},
		{lab.Of(lab.ModeTLSExpired), true, "certificate has expired"},
		{lab.Of(lab.ModeTLSWrongHost), true, "doesn't contain any IP SANs"},
		{lab.Of(lab.ModeTLSOld), true, "protocol version"},
		{lab.Of(lab.ModeTLSPlainHTTP), true, "server gave HTTP response to HTTPS client"},
		{lab.Of(lab.ModeTLSGarbage), true, "first record does not look like a TLS handshake"},
		{lab.Of(lab.ModeTLSSilent), true, deadline},
		{lab.Hostile(), false, "\x1b]52;c;"},
	} {
		name := test.fault.String()
		if test.tls {
			name += " over TLS"
		}
		t.Run(name, func(t *testing.T) {
			var opts []lab.ProxyOption
			if test.tls {
				opts = append(opts, lab.TLS())
			}
			s := l.Proxy(name, lab.Always(test.fault), opts...)
			check(t, c, s.URL()+alphaInfo, test.want)
		})
	}
}

func TestBlackholeDropsConnects(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	s := l.Proxy("a", nil)
	dial := func(limit time.Duration) error {
		c, err := net.DialTimeout("tcp", s.Addr(), limit)
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := dial(generous); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.SetFault(lab.Blackhole())
		for range 2 {
			err := dial(patience)
			if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
				t.Fatalf("dial of a black hole: %v, want a timeout", err)
			}
		}
		s.SetFault(lab.Refuse())
		if err := dial(generous); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Fatalf("dial of a closed port: %v", err)
		}
		s.SetFault(lab.OK())
		if err := dial(generous); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBlackholeHoldsRequestsInFlight(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	s := l.Proxy("a", lab.Always(lab.Hang()))
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get(s.URL() + alphaInfo)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		answer <- resp.Status
	}()
	if err := s.WaitHeld(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	s.SetFault(lab.Blackhole())
	if n := s.Held(); n != 1 {
		t.Fatalf("held %d, want 1", n)
	}
	s.SetFault(lab.OK())
	if got := <-answer; got != "200 OK" {
		t.Errorf("after the black hole: %s", got)
	}
	http.DefaultClient.CloseIdleConnections()
	log := s.Log()
	if len(log) != 1 || log[0].Kind != probe.Info || log[0].Module != "lab.example.com/alpha@v1.0.0" || !log[0].Done || log[0].Status != 200 {
		t.Errorf("log %+v", log)
	}
}
