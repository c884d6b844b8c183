package gotext_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpx/probe"
	"gpx/probe/gotext"
	"gpx/probe/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The go command itself says what the table has.
func TestGoCommand(t *testing.T) {
	t.Parallel()
	l, err := lab.Start(lab.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	git, err := l.WriteGit(t.TempDir())
	must(t, err)
	const alpha = "lab.example.com/alpha@v1.0.0"
	proxy := func(f lab.Fault, o ...lab.ProxyOption) string { return l.Proxy(t.Name(), lab.Always(f), o...).URL() }
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	tls := func(m lab.Mode) string { return proxy(lab.Of(m), lab.TLS()) }
	download := []string{"mod", "download", alpha}
	whole := l.Proxy("whole", nil).URL()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".zip") {
			http.Redirect(w, r, whole+r.URL.Path, http.StatusFound)
			return
		}
		w.Header().Set("Content-Length", "1000")
		w.Write([]byte("PK"))
	}))
	t.Cleanup(cut.Close)
	sums := []string{"GOSUMDB=" + l.VerifierKey()}
	project := map[string]string{"go.mod": "module example.com/app\n\ngo 1.22\n\nrequire lab.example.com/alpha v1.0.0\n", "app.go": "package app\n\nimport _ \"lab.example.com/alpha\"\n"}
	for _, tt := range []struct {
		kind    gotext.Kind
		class   probe.Class
		goproxy string
		env     []string
		files   map[string]string
		args    []string
	}{
		{"refused", probe.Refused, "http://127.0.0.1:1", nil, nil, download},
		{"plain http", probe.TLSHandshake, strings.Replace(plain.URL, "http:", "https:", 1), nil, nil, download},
		{"certificate expired", probe.TLSExpired, tls(lab.ModeTLSExpired), nil, nil, download},
		{"certificate of another", probe.TLSHostname, tls(lab.ModeTLSWrongHost), nil, nil, download},
		{"certificate untrusted", probe.TLSUntrusted, tls(lab.ModeTLSSelfSigned), nil, nil, download},
		{"reset", probe.Reset, proxy(lab.Reset()), nil, nil, download},
		{"closed", probe.EOF, proxy(lab.EOF()), nil, nil, download},
		{"credentials wanted", probe.AuthRequired, proxy(lab.Status(401, "")), nil, nil, download},
		{"forbidden", probe.Forbidden, proxy(lab.Status(403, "")), nil, nil, download},
		{"not found", probe.NotFound, proxy(lab.Status(410, "gone")), nil, nil, download},
		{"not found", probe.NotFound, proxy(lab.Status(404, "")), nil, project, []string{"mod", "tidy"}},
		{"too many requests", probe.RateLimited, proxy(lab.Status(429, "")), nil, nil, download},
		{"rejected", probe.ClientError, proxy(lab.Status(418, "")), nil, nil, download},
		{"server error", probe.ServerError, proxy(lab.Status(502, "dead")), nil, nil, download},
		{"server error", probe.ServerError, proxy(lab.Status(503, "dead")), nil, nil, []string{"list", "-m", "lab.example.com/alpha@latest"}},
		{"gap in a file tree", probe.NotFound, "file://" + filepath.ToSlash(t.TempDir()), nil, nil, download},
		{"web page", probe.CaptivePortal, proxy(lab.Captive()), nil, nil, download},
		{"no proxy", probe.ProtocolInvalid, proxy(lab.Of(lab.ModeGarbage)), nil, nil, download},
		{"another version", probe.ProtocolInvalid, proxy(lab.Of(lab.ModeWrongVersion)), nil, nil, download},
		{"zip cut", probe.Truncated, cut.URL, nil, nil, download},
		{"no proxy", probe.ProtocolInvalid, proxy(lab.Of(lab.ModeNotJSON)), nil, nil, download},
		{"go.sum mismatch", probe.ChecksumMismatch, proxy(lab.OK()), nil, map[string]string{"go.mod": project["go.mod"], "app.go": project["app.go"],
			"go.sum": "lab.example.com/alpha v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"}, download},
		{"checksum database mismatch", probe.ChecksumMismatch, proxy(lab.Of(lab.ModeWrongZip)), sums, nil, download},
		{"checksum database misbehaves", probe.SumDBUntrusted, proxy(lab.Of(lab.ModeBadTile)), sums, nil, download},
		{"checksum database unreachable", probe.SumDBUnavailable, proxy(lab.NoSumDB(403)), sums, nil, download},
		{"checksum database unreachable", probe.SumDBUnavailable, proxy(lab.OK()), []string{"GOSUMDB=" + l.VerifierKey() + " http://127.0.0.1:1"}, nil, download},
		{"lookups are off", probe.ClassUnknown, "off", nil, nil, download},
		{"version control unreachable", probe.Unreachable, "direct", []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.http://127.0.0.1:1/.insteadOf", "GIT_CONFIG_VALUE_0=https://github.com/broken/"}, nil,
			[]string{"mod", "download", "github.com/broken/x@v1.0.0"}},
		{"no git", probe.ConfigInvalid, "direct", []string{"PATH=" + filepath.Join(goroot(t), "bin")}, nil, []string{"mod", "download", "github.com/gpx-lab/one@v1.0.0"}},
		{"forward proxy down", probe.ForwardProxyDown, "http://proxy.example.com", []string{"HTTP_PROXY=http://127.0.0.1:1"}, nil, download},
		{"forward proxy wants credentials", probe.AuthRequired, "https://proxy.example.com", []string{"HTTPS_PROXY=" + l.ForwardProxy("f", lab.Always(lab.Auth("me", "s3cret"))).URL()}, nil, download},
		{"go.sum line missing", probe.ClassUnknown, proxy(lab.OK()), nil, project, []string{"build", "./..."}},
		{"toolchain missing", probe.ClassUnknown, proxy(lab.OK()), []string{"GOTOOLCHAIN=auto"}, map[string]string{"go.mod": "module example.com/app\n\ngo 1.99\n"}, []string{"build", "./..."}},
		{"toolchain too old", probe.ClassUnknown, proxy(lab.OK()), []string{"GOTOOLCHAIN=local"}, map[string]string{"go.mod": "module example.com/app\n\ngo 1.99\n"}, []string{"build", "./..."}},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range tt.files {
				must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
			}
			cmd := exec.Command("go", tt.args...)
			cmd.Dir, cmd.WaitDelay = dir, time.Second
			cmd.Env = append(append(l.GoEnv(t.TempDir(), tt.goproxy), "GOSUMDB=off", "GIT_CONFIG_GLOBAL="+git), tt.env...)
			if tt.kind == "no git" {
				cmd.Path = filepath.Join(goroot(t), "bin", "go")
			}
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("the go command succeeds: %s", out)
			}
			found := gotext.Find(out)
			if len(found) != 1 || found[0].Kind != tt.kind || found[0].Class != tt.class {
				t.Errorf("%s\nfound: %+v", out, found)
			}
		})
	}
}

func goroot(t *testing.T) string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	must(t, err)
	return strings.TrimSpace(string(out))
}

// Every row can be shown, and security errors are those about other bytes.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[gotext.Kind]bool{}
	for _, r := range gotext.Table {
		if seen[r.Kind] || r.Means == "" || r.Fix == "" || r.Class == probe.OK {
			t.Errorf("%+v", r)
		}
		seen[r.Kind] = true
		if other := r.Class == probe.ChecksumMismatch || r.Class == probe.SumDBUntrusted; r.Security != other {
			t.Errorf("%s: security: %v", r.Kind, r.Security)
		}
	}
}

// What cannot be had on loopback, or takes the go command half a minute, in the
// words that were measured; and what is none of the go command's.
func TestTexts(t *testing.T) {
	t.Parallel()
	const get = `go: example.com/m@v1.0.0: Get "https://proxy.example.com/example.com/m/@v/v1.0.0.info": `
	for text, want := range map[string][]gotext.Kind{
		get + "dial tcp: lookup proxy.example.com on 127.0.0.53:53: no such host":                                   {"no such host"},
		get + "dial tcp: lookup proxy.example.com: no such host":                                                    {"no such host"},
		get + "dial tcp: lookup proxy.example.com on 127.0.0.53:53: server misbehaving":                             {"name server fails"},
		get + "dial tcp: lookup proxy.example.com on 192.0.2.1:53: read udp 192.0.2.9:5->192.0.2.1:53: i/o timeout": {"name server silent"},
		get + "dial tcp 192.0.2.1:443: i/o timeout":                                                                 {"packets dropped"},
		get + "dial tcp 192.0.2.1:443: connect: no route to host":                                                   {"unreachable"},
		get + "dial tcp 192.0.2.1:443: connect: network is unreachable":                                             {"unreachable"},
		get + "net/http: TLS handshake timeout":                                                                     {"TLS silent"},
		"go: github.com/a/b@v1.0.0: git ls-remote -q origin in /x: exit status 128:\n\tfatal: unable to access 'https://github.com/a/b/': Could not resolve host: github.com": {"version control unreachable"},
		"fatal: could not read Username for 'https://github.com': terminal prompts disabled":                                                                                  {"version control wants credentials"},
		// Of several the last, each once; a security error stands alone.
		get + "EOF\n" + get + "EOF\n" + "reading https://p.example.com/example.com/m/@v/list: 503 Service Unavailable": {"server error", "closed"},
		get + "EOF\nThis download does NOT match an earlier download recorded in go.sum.\n":                            {"go.sum mismatch"},
		"This download does NOT match the one reported by the checksum server.\n" + get + "EOF":                        {"checksum database mismatch"},
		// A program's own.
		"panic: dial tcp 127.0.0.1:5432: connect: connection refused":            nil,
		`Get "http://api.example.com/users": dial tcp 192.0.2.1:80: i/o timeout`: nil,
		`Get "http://api.example.com/users": EOF`:                                nil,
		"reading https://api.example.com/users: 503 Service Unavailable":         nil,
		"read tcp 127.0.0.1:5->127.0.0.1:6: read: connection reset by peer":      nil,
		"all is well": nil,
		"":            nil,
	} {
		var got []gotext.Kind
		for _, f := range gotext.Find([]byte(text)) {
			got = append(got, f.Kind)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s\n%q, want %q", text, got, want)
		}
	}
}
