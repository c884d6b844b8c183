package probe_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"gpx/probe"
	"gpx/probe/lab"
)

// gitSetup lets git find the lab's repositories, or redirects one host to base.
func gitSetup(t *testing.T, l *lab.Lab, redirect ...string) setup {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	up, err := l.WriteGit(t.TempDir())
	must(t, err)
	for i := 0; i+1 < len(redirect); i += 2 {
		f, err := os.OpenFile(up, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		fmt.Fprintf(f, "[url %q]\n\tinsteadOf = %s\n", redirect[i+1], redirect[i])
		must(t, f.Close())
	}
	return setup{environ: []string{"GIT_CONFIG_GLOBAL=" + up}}
}

func TestDirect(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	status := func(code int) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", code) })
	}
	direct := func(paths ...string) probe.Endpoint {
		return probe.Endpoint{URL: "direct", Kind: probe.KindDirect, VCS: paths}
	}
	const broken = "https://github.com/broken/"
	for _, test := range []struct {
		name   string
		to     string // where https://github.com/broken/ leads
		paths  []string
		class  probe.Class
		detail string
	}{
		{"a repository", "", []string{"github.com/gpx-lab/one"}, probe.OK, "1 of 1"},
		{"a package in a repository", "", []string{"github.com/gpx-lab/one/sub/dir"}, probe.OK, ""},
		{"two of one host", "", []string{"github.com/gpx-lab/one", "github.com/gpx-lab/two"}, probe.OK, "1 of 1"},
		{"nothing to ask", "", nil, probe.ClassUnknown, "no module"},
		{"refused", "http://127.0.0.1:1/", []string{"github.com/broken/x"}, probe.Refused, "github.com: git:"},
		{"401", status(401), []string{"github.com/broken/x"}, probe.AuthRequired, ""},
		{"403", status(403), []string{"github.com/broken/x"}, probe.Forbidden, ""},
		{"404", status(404), []string{"github.com/broken/x"}, probe.NotFound, ""},
		{"429", status(429), []string{"github.com/broken/x"}, probe.RateLimited, ""},
		{"503", status(503), []string{"github.com/broken/x"}, probe.ServerError, ""},
		{"closed", raw(t, ""), []string{"github.com/broken/x"}, probe.EOF, ""},
		{"self-signed", l.Proxy("git", nil, lab.TLS()).URL(), []string{"github.com/broken/x"}, probe.TLSUntrusted, ""},
		{"no such repository here", "file://" + t.TempDir() + "/none", []string{"github.com/broken/x"}, probe.ProtocolInvalid, ""},
		{"one bad host among two", "http://127.0.0.1:1/", []string{"example.com/a.git", "github.com/broken/x"}, probe.ProtocolInvalid, "example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := gitSetup(t, l, broken, strings.TrimSuffix(test.to, "/")+"/")
			if test.to == "" {
				s = gitSetup(t, l)
			}
			r := s.prober(t, nil).Probe(bound(t), direct(test.paths...))
			if r.Class != test.class || !strings.Contains(r.Detail, test.detail) {
				t.Errorf("got %s (%s), want %s (%s)", r.Class, r.Detail, test.class, test.detail)
			}
		})
	}
}

func TestDirectKnowsTags(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	p := gitSetup(t, l).prober(t, nil)
	ep := probe.Endpoint{URL: "direct", Kind: probe.KindDirect}
	for version, class := range map[string]probe.Class{"v1.0.0": probe.OK, "v1.1.0": probe.OK, "v1.2.0": probe.NotFound, "v0.0.0-20240107030405-0123456789ab": probe.OK} {
		m := module.Version{Path: "github.com/gpx-lab/one", Version: version}
		if r := p.Request(bound(t), ep, m, probe.Info); r.Class != class {
			t.Errorf("%s: got %s (%s), want %s", version, r.Class, r.Detail, class)
		}
	}
}

// TestDirectHangs: git and its children die with the attempt.
func TestDirectHangs(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	s := gitSetup(t, l, "https://github.com/broken/", l.Proxy("hang", lab.Always(lab.Hang())).URL()+"/")
	s.attempt = brief
	r := s.prober(t, nil).Probe(bound(t), probe.Endpoint{URL: "direct", Kind: probe.KindDirect, VCS: []string{"github.com/broken/x"}})
	if r.Class != probe.Timeout {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}

func TestNoGit(t *testing.T) {
	t.Parallel()
	s := setup{environ: []string{"PATH=" + t.TempDir()}}
	r := s.prober(t, nil).Probe(bound(t), probe.Endpoint{URL: "direct", Kind: probe.KindDirect, VCS: []string{"github.com/a/b"}})
	if r.Class != probe.ConfigInvalid || !strings.Contains(r.Detail, "git is not installed") {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}

// TestDiscovery asks a vanity host for its repository. The host is a name of the
// lab's, so that its certificate is right for it.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	page := func(metas string) lab.Fault {
		return lab.HTML(200, "<html><head>"+metas+"</head><body>hello</body></html>")
	}
	tag := func(root, vcs, url string) string {
		return fmt.Sprintf(`<meta name="go-import" content="%s %s %s">`, root, vcs, url)
	}
	for _, test := range []struct {
		name   string
		fault  lab.Fault
		class  probe.Class
		detail string
	}{
		{"a tag", page(tag("HOST/mod", "git", "https://github.com/gpx-lab/one")), probe.OK, ""},
		{"a tag with status 404", lab.HTML(404, "<head>"+tag("HOST/mod", "git", "https://github.com/gpx-lab/one")+"</head>"), probe.OK, ""},
		{"a tag for the prefix", page(tag("HOST", "git", "https://github.com/gpx-lab/one")), probe.OK, ""},
		{"no tag", page(""), probe.ProtocolInvalid, "no go-import tag"},
		{"a tag for another path", page(tag("other.example.com", "git", "https://github.com/gpx-lab/one")), probe.ProtocolInvalid, "no go-import tag"},
		{"two tags", page(tag("HOST/mod", "git", "https://a.example.com") + tag("HOST/mod", "hg", "https://b.example.com")), probe.ProtocolInvalid, "several"},
		{"an option for git", page(tag("HOST/mod", "git", "--upload-pack=x")), probe.ProtocolInvalid, "scheme"},
		{"a helper of git", page(tag("HOST/mod", "git", "ext::sh")), probe.ProtocolInvalid, "scheme"},
		{"the host is down", lab.Refuse(), probe.Refused, "discovery at"},
		{"the host answers 500", lab.Status(500, ""), probe.ServerError, "discovery at"},
		{"an intercepted host", lab.Of(lab.ModeTLSUntrusted), probe.TLSUntrusted, "discovery at"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := gitSetup(t, l)
			srv := l.Proxy(t.Name(), nil, lab.TLS())
			host := strings.Replace(srv.Addr(), "127.0.0.1", "vanity.example.com", 1)
			test.fault.Body = strings.ReplaceAll(test.fault.Body, "HOST", host)
			srv.SetFault(test.fault)
			d, err := l.DNS(lab.DNSAnswer)
			must(t, err)
			s.options = []probe.Option{probe.WithResolver(d.Resolver())}
			r := s.prober(t, l).Probe(bound(t), probe.Endpoint{URL: "direct", Kind: probe.KindDirect, VCS: []string{host + "/mod"}})
			if r.Class != test.class || !strings.Contains(r.Detail, test.detail) {
				t.Errorf("got %s (%s), want %s (%s)", r.Class, r.Detail, test.class, test.detail)
			}
		})
	}
}

func TestForward(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	l.Proxy("hop", nil, lab.TLS())
	for _, test := range []struct {
		name     string
		fault    lab.Fault
		userinfo string
		noProxy  string
		class    probe.Class
		detail   string
	}{
		{"healthy", lab.OK(), "", "", probe.OK, "lets connections through to hop.lab.example.com"},
		{"with credentials", lab.Auth("me", secret), "me:" + secret + "@", "", probe.OK, ""},
		{"without credentials", lab.Auth("me", secret), "", "", probe.AuthRequired, "407"},
		{"refused", lab.Refuse(), "", "", probe.ForwardProxyDown, "nothing is listening on its port"},
		{"hangs", lab.Hang(), "", "", probe.ForwardProxyDown, "is listening, no answer to CONNECT"},
		{"cannot reach the hop", lab.Status(502, ""), "", "", probe.ServerError, "answers CONNECT with 502"},
		{"nothing goes through it", lab.OK(), "", "*", probe.OK, "its port is listening"},
		{"nothing goes through it, and it is down", lab.Refuse(), "", "*", probe.ForwardProxyDown, "nothing is listening"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := l.ForwardProxy(t.Name(), lab.Always(test.fault))
			address := "http://" + test.userinfo + p.Addr()
			s := setup{
				environ: []string{"HTTPS_PROXY=" + address, "NO_PROXY=" + test.noProxy},
				goenv:   map[string]string{"GOPROXY": "https://hop.lab.example.com,direct", "GOSUMDB": l.VerifierKey()},
			}
			if test.fault.Mode == lab.ModeHang {
				s.attempt = brief
			}
			r := s.prober(t, l).Probe(bound(t), probe.Endpoint{URL: address, Kind: probe.KindForward})
			if r.Class != test.class || !strings.Contains(r.Detail, test.detail) {
				t.Errorf("got %s (%s), want %s (%s)", r.Class, r.Detail, test.class, test.detail)
			}
			noSecrets(t, r)
		})
	}
}

// TestInsecureEndsAtDiscovery: GOINSECURE lets a host with a certificate of its own
// name the proxy of a module, and does not apply to that proxy.
func TestInsecureEndsAtDiscovery(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	self := l.Proxy("self-signed", lab.Always(lab.Of(lab.ModeTLSSelfSigned)), lab.TLS())
	const path = "vanity.lab.example.com/mod"
	l.Proxy("vanity", lab.Always(lab.HTML(200, fmt.Sprintf(`<head><meta name="go-import" content="%s mod %s"></head>`, path, self.URL()))), lab.TLS())
	forward := l.ForwardProxy("forward", nil)
	s := setup{goenv: map[string]string{"GOINSECURE": path}, environ: []string{"HTTPS_PROXY=" + forward.URL()}}
	r := s.prober(t, l).Probe(bound(t), probe.Endpoint{URL: "direct", Kind: probe.KindDirect, VCS: []string{path}})
	if r.Class != probe.TLSUntrusted {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}
