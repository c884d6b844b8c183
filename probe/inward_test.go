package probe_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/module"

	"gpx/probe"
	"gpx/probe/lab"
)

// A redirect from outside into this machine is followed for the user, as the go
// command does, and not for others. The host outside is behind a forward proxy, as
// all hosts are that are not on loopback.
func TestGuardedRedirects(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	d, err := l.DNS(lab.DNSAnswer) // every name leads to loopback
	must(t, err)
	var read atomic.Int64
	secret := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		read.Add(1)
		fmt.Fprint(w, "v1.0.0\n")
	})
	port := secret[strings.LastIndexByte(secret, ':'):]
	for _, tt := range []struct {
		name, origin, to string
		unguarded        bool
		class            probe.Class
		read             bool
	}{
		{name: "the address", to: "http://127.0.0.1" + port, class: probe.ProtocolInvalid},
		{name: "by another spelling", to: "http://[::ffff:127.0.0.1]" + port, class: probe.ProtocolInvalid},
		{name: "its name", to: "http://localhost" + port, class: probe.ProtocolInvalid},
		{name: "a name that leads there", to: "http://inside.example.com" + port, class: probe.ProtocolInvalid},
		{name: "a cloud's metadata", to: "http://169.254.169.254/latest/", class: probe.ProtocolInvalid},
		{name: "a file", to: "file:///etc/passwd", class: probe.ProtocolInvalid},
		{name: "elsewhere outside", to: "http://other.example.com/x", class: probe.OK},
		{name: "for the user", to: secret, unguarded: true, class: probe.OK, read: true},
		{name: "from inside", origin: "http://127.0.0.1", to: secret, class: probe.OK, read: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer := func(w http.ResponseWriter, r *http.Request) {
				if r.Host == "other.example.com" {
					fmt.Fprint(w, "v1.0.0\n")
					return
				}
				w.Header().Set("Location", tt.to)
				w.WriteHeader(http.StatusFound)
			}
			forward := serve(t, answer) // it answers for whoever is asked through it
			s := setup{environ: []string{"HTTP_PROXY=" + forward, "NO_PROXY=inside.example.com"}, options: []probe.Option{probe.WithResolver(d.Resolver())}}
			if !tt.unguarded {
				s.options = append(s.options, probe.WithGuardedRedirects())
			}
			url := "http://outside.example.com"
			if tt.origin != "" {
				url = forward
			}
			read.Store(0)
			r := s.prober(t, nil).Request(bound(t), probe.Endpoint{URL: url, Kind: probe.KindProxy}, module.Version{Path: "example.com/m"}, probe.List)
			if tt.class == probe.ProtocolInvalid && r.Class == probe.OK || tt.class == probe.OK && r.Class != probe.OK {
				t.Errorf("%s (%s)", r.Class, r.Detail)
			}
			if tt.class == probe.ProtocolInvalid && !strings.HasPrefix(tt.to, "file") && !strings.Contains(r.Detail, "redirected from outside") {
				t.Errorf("%s (%s)", r.Class, r.Detail)
			}
			if got := read.Load() > 0; got != tt.read {
				t.Errorf("read: %v", got)
			}
		})
	}
}
