package story

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
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

const (
	user   = "me"
	secret = "s3cr3t-of-nginx"
	module = "lab.example.com/alpha@v1.1.0"
)

// A front is one server of nginx: what people really put before a GOPROXY, or
// use as one.
type front struct {
	name   string
	config string // of its server block
	tls    bool
	login  bool // credentials stand in the URL

	class  probe.Class // what one probe says
	serves bool        // a chain of nothing else gets a module
}

// fronts returns the servers. tree and bare are GOPROXY file trees with and
// without the checksum database; up, hang and cut are addresses of upstreams
// that work, never answer, and stop in the middle of a body.
func fronts(tree, bare, htpasswd, up, hang, cut, closed string) []front {
	back := func(addr string) string {
		return "location / { proxy_pass http://" + addr + "; proxy_read_timeout 500ms; }"
	}
	return []front{
		{name: "file tree", config: "root " + tree + ";", class: probe.OK, serves: true},
		{name: "file tree without checksums", config: "root " + bare + ";", class: probe.OK, serves: true},
		{name: "empty tree", config: "root " + filepath.Dir(htpasswd) + "/empty;", class: probe.NotFound},
		{name: "reverse proxy", config: back(up), class: probe.OK, serves: true},
		{name: "upstream is down", config: back(closed), class: probe.ServerError},
		{name: "upstream hangs", config: back(hang), class: probe.ServerError},
		{name: "upstream stops in the body", config: back(cut), class: probe.Truncated},
		{name: "forbidden", config: "location / { return 403; }", class: probe.Forbidden},
		{name: "rate limit", config: "location / { add_header Retry-After 30 always; return 429; }", class: probe.RateLimited},
		{name: "closed without an answer", config: "location / { return 444; }", class: probe.EOF},
		{name: "login page", config: "default_type text/html; location / { return 200 '<html><form action=/login></form></html>'; }", class: probe.CaptivePortal},
		{name: "login page by redirect", config: "default_type text/html; location / { return 302 /login; } location = /login { return 200 '<html><form></form></html>'; }",
			class: probe.CaptivePortal},
		{name: "redirect loop", config: "location / { return 302 $uri; }", class: probe.RedirectLoop},
		{name: "basic auth, no credentials", tls: true, config: "auth_basic gpx; auth_basic_user_file " + htpasswd + "; root " + tree + ";", class: probe.AuthRequired},
		{name: "basic auth", tls: true, login: true, config: "auth_basic gpx; auth_basic_user_file " + htpasswd + "; root " + tree + ";", class: probe.OK, serves: true},
	}
}

// TestNginx asks gpx what each front is and what go will do with it, and then
// lets go do it: alone, and before a healthy hop with either separator.
func TestNginx(t *testing.T) {
	needs(t, "nginx", "git")
	l, err := lab.Start(lab.Options{})
	must(t, err)
	t.Cleanup(func() { l.Close() })
	dir := t.TempDir()
	tree, bare, htpasswd := filepath.Join(dir, "tree"), filepath.Join(dir, "bare"), filepath.Join(dir, "htpasswd")
	must(t, l.WriteTree(tree, true))
	must(t, l.WriteTree(bare, false))
	must(t, os.WriteFile(htpasswd, []byte(user+":{PLAIN}"+secret+"\n"), 0o644))
	healthy := l.Proxy("healthy", nil)
	all := fronts(tree, bare, htpasswd, l.Proxy("up", nil).Addr(), l.Proxy("hang", lab.Always(lab.Hang())).Addr(),
		l.Proxy("cut", lab.Always(lab.Stall(-1))).Addr(), freePort(t))
	urls, roots := nginx(t, dir, l, all)

	for i, f := range all {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			home, project, nowhere := t.TempDir(), t.TempDir(), t.TempDir()
			// No go.sum, so that the checksum database is asked too.
			must(t, os.WriteFile(filepath.Join(project, "go.mod"), []byte("module example.com/shop\n\ngo 1.21\n\nrequire "+strings.Replace(module, "@", " ", 1)+"\n"), 0o644))
			environ := func(chain string) []string {
				return append(l.GoEnv(home, chain), "SSL_CERT_FILE="+roots, "GOCACHE="+lab.BuildCache())
			}
			var probed struct{ Results []probe.Result }
			said := ask(t, project, environ(urls[i]), &probed, "probe", urls[i])
			if len(probed.Results) != 1 || probed.Results[0].Class != f.class {
				t.Errorf("gpx probe: want %s:\n%s", f.class, said)
			}

			var status struct {
				Verdict struct{ State string }
			}
			said = ask(t, project, environ(urls[i]), &status, "status")
			if (status.Verdict.State == "ok") != f.serves {
				t.Errorf("gpx status: a chain that serves is %v:\n%s", f.serves, said)
			}

			for _, chain := range []string{urls[i], urls[i] + "," + healthy.URL(), urls[i] + "|" + healthy.URL()} {
				var routes struct{ Routes []struct{ Result string } }
				said := ask(t, project, environ(chain), &routes, "route", module)
				cache := "GOMODCACHE=" + t.TempDir()
				_, stderr, code := run(t, nowhere, append(environ(chain), cache, "GOFLAGS=-modcacherw"), "go", "mod", "download", module)
				if len(routes.Routes) != 1 || (routes.Routes[0].Result == "served") != (code == 0) {
					shape := strings.ReplaceAll(strings.ReplaceAll(chain, urls[i], "A"), healthy.URL(), "B")
					t.Errorf("GOPROXY=%s: go mod download ends with %d (%s), gpx route says\n%s", shape, code, strings.TrimSpace(stderr), said)
				}
				if chain == urls[i] && f.serves != (code == 0) {
					t.Errorf("go mod download ends with %d: %s", code, stderr)
				}
			}
		})
	}
}

// ask runs gpx with --json and reads its document. Neither status nor output
// may hold the secret.
func ask(t *testing.T, dir string, environ []string, into any, args ...string) string {
	t.Helper()
	stdout, stderr, status := run(t, dir, environ, gpx, append(args, "--json")...)
	if status != 0 && status != 3 {
		t.Fatalf("gpx %s: status %d\n%s%s", args[0], status, stdout, stderr)
	}
	if strings.Contains(stdout+stderr, secret) {
		t.Errorf("gpx %s prints the password:\n%s%s", args[0], stdout, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		t.Fatalf("gpx %s: %v\n%s", args[0], err, stdout)
	}
	return stdout
}

// nginx runs one with every front on a port of its own, and returns their URLs
// and a file of the authorities that they and the lab are trusted by.
func nginx(t *testing.T, dir string, l *lab.Lab, fronts []front) (urls []string, roots string) {
	t.Helper()
	cert, key := certificate(t, dir)
	lab, err := os.ReadFile(l.CAFile())
	must(t, err)
	own, err := os.ReadFile(cert)
	must(t, err)
	roots = filepath.Join(dir, "roots.pem")
	must(t, os.WriteFile(roots, append(lab, own...), 0o644))

	var http strings.Builder
	fmt.Fprintf(&http, "default_type text/plain;\nssl_certificate %s;\nssl_certificate_key %s;\n", cert, key)
	var addrs []string
	for _, f := range fronts {
		addr := freePort(t)
		scheme, listen, login := "http://", addr, ""
		if f.tls {
			scheme, listen = "https://", addr+" ssl"
		}
		if f.login {
			login = user + ":" + secret + "@"
		}
		fmt.Fprintf(&http, "server { listen %s; %s }\n", listen, f.config)
		addrs, urls = append(addrs, addr), append(urls, scheme+login+addr)
	}
	startNginx(t, "events { worker_connections 256; }\n", http.String(), addrs...)
	return urls, roots
}

// startNginx starts an nginx with what stands in its configuration before and in
// the block http, and waits until it answers at all addrs.
func startNginx(t *testing.T, main, http string, addrs ...string) {
	t.Helper()
	dir := t.TempDir()
	var conf strings.Builder
	if os.Geteuid() == 0 {
		conf.WriteString("user root;\n") // its own user may not enter the test's folder
	}
	fmt.Fprintf(&conf, "daemon off;\npid %[1]s/pid;\nerror_log %[1]s/error.log;\n%[2]shttp {\naccess_log off;\n", dir, main)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&conf, "%s_temp_path %s/temp-%s;\n", kind, dir, kind)
	}
	conf.WriteString(http + "}\n")
	file := filepath.Join(dir, "nginx.conf")
	must(t, os.WriteFile(file, []byte(conf.String()), 0o644))
	cmd := exec.Command("nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) // the master ends its workers
		cmd.Wait()
	})
	for _, addr := range addrs {
		if !eventually(patience, func() bool {
			c, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				c.Close()
			}
			return err == nil
		}) {
			t.Fatalf("nginx does not listen on %s: %s", addr, said.String())
		}
	}
}

// freePort is an address where nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// certificate writes a certificate for loopback that signs itself.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return cert, key
}
