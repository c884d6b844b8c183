package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/probe"
	"gpx/probe/lab"
)

// needs skips a test that meets the system for real: those run in test-system,
// where the programs are.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if scale := os.Getenv("GPX_TEST_SCALE"); scale != "system" && scale != "soak" {
		t.Skip("a system test: GPX_TEST_SCALE=system runs it with " + strings.Join(programs, ", "))
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip("needs " + p)
		}
	}
}

// TestUnreachable runs a probe in a network namespace of its own, where even the
// loopback interface is down.
func TestUnreachable(t *testing.T) {
	needs(t, "unshare")
	cmd := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--net", os.Args[0], "-test.run=^TestInsideNamespace$", "-test.v")
	cmd.Env = append(os.Environ(), "GPX_TEST_NAMESPACE=1")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "unshare failed") {
		t.Skip("needs unshare with the right to make network namespaces")
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInsideNamespace") {
		t.Errorf("in a network namespace: %v\n%s", err, out)
	}
}

func TestInsideNamespace(t *testing.T) {
	if os.Getenv("GPX_TEST_NAMESPACE") == "" {
		t.Skip("run by TestUnreachable under unshare")
	}
	p := (setup{}).prober(t, nil)
	for url, want := range map[string]probe.Class{
		"http://127.0.0.1:1":      probe.Unreachable,
		"https://192.0.2.1":       probe.Unreachable,
		"https://lab.example.com": probe.DNSFailure, // no way to any name server
	} {
		r := p.Probe(bound(t), probe.Endpoint{URL: url, Kind: probe.KindProxy})
		if r.Class != want {
			t.Errorf("%s: got %s in layer %s (%s), want %s", url, r.Class, r.Layer, r.Detail, want)
		}
	}
}

// TestTinyproxy puts a real forward proxy in between. It finds the lab's names
// through the lab's own forward proxy, its upstream.
func TestTinyproxy(t *testing.T) {
	needs(t, "tinyproxy")
	l := startLab(t)
	l.Proxy("hop", nil, lab.TLS())
	up := l.ForwardProxy("up", nil)
	for _, test := range []struct {
		name, auth, userinfo, upstream string
		class                          probe.Class
		layer                          probe.Layer
	}{
		{"healthy", "", "", up.Addr(), probe.OK, probe.LayerContent},
		{"with credentials", "BasicAuth me " + secret, "me:" + secret + "@", up.Addr(), probe.OK, probe.LayerContent},
		{"without credentials", "BasicAuth me " + secret, "", up.Addr(), probe.AuthRequired, probe.LayerHTTP},
		{"its upstream is dead", "", "", closedPort(t), probe.ServerError, probe.LayerHTTP},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr := tinyproxy(t, test.auth, test.upstream)
			address := "http://" + test.userinfo + addr
			s := setup{environ: []string{"HTTPS_PROXY=" + address}, goenv: map[string]string{"GOPROXY": "https://hop.lab.example.com"}}
			p := s.prober(t, l)
			r := p.Probe(bound(t), at(l, "https://hop.lab.example.com"))
			if r.Class != test.class || r.Layer != test.layer {
				t.Errorf("got %s in layer %s (%s), want %s", r.Class, r.Layer, r.Detail, test.class)
			}
			noSecrets(t, r)
			r = p.Probe(bound(t), probe.Endpoint{URL: address, Kind: probe.KindForward})
			if r.Class != test.class {
				t.Errorf("the forward proxy itself: got %s in layer %s (%s), want %s", r.Class, r.Layer, r.Detail, test.class)
			}
		})
	}
}

// closedPort is an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// tinyproxy runs one and waits until it listens.
func tinyproxy(t *testing.T, auth, upstream string) (addr string) {
	t.Helper()
	addr = closedPort(t)
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	must(t, os.WriteFile(conf, fmt.Appendf(nil, "Listen 127.0.0.1\nPort %s\nTimeout 30\nMaxClients 20\nLogFile \"%s/log\"\nLogLevel Info\n%s\nUpstream http %s\n", port, dir, auth, upstream), 0o600))
	cmd := exec.Command("tinyproxy", "-d", "-c", conf)
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			c.Close()
			return addr
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			t.Fatal(errors.Join(errors.New("tinyproxy does not listen"), err))
		}
	}
}
