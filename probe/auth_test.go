package probe_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gpx/probe"
	"gpx/probe/lab"
)

// A vault is an https proxy that wants credentials, and echoes what it got.
type vault struct {
	*httptest.Server
	mu       sync.Mutex
	requests int
	want     string // Authorization
}

func newVault(t testing.TB, want string) *vault {
	t.Helper()
	v := &vault{want: want}
	v.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		v.requests++
		v.mu.Unlock()
		got := r.Header.Get("Authorization")
		if got != v.want {
			http.Error(w, "who is "+got+" and "+r.Header.Get("Private-Token")+"?", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"Version":"v0.1.0"}`)
	}))
	t.Cleanup(v.Close)
	return v
}

func (v *vault) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.requests
}

func (v *vault) trusted() probe.Option {
	pool := x509.NewCertPool()
	pool.AddCert(v.Certificate())
	return probe.WithRootCAs(pool)
}

const (
	secret     = "s3cr3t-t0ken"
	authorized = "Basic bWU6czNjcjN0LXQwa2Vu" // me:s3cr3t-t0ken
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	type test struct {
		name     string
		setup    func(t *testing.T, v *vault) setup
		userinfo string
		class    probe.Class
	}
	netrc := func(text string) func(t *testing.T, v *vault) setup {
		return func(t *testing.T, v *vault) setup {
			file := filepath.Join(t.TempDir(), "netrc")
			host := strings.TrimPrefix(v.URL, "https://")
			must(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, "HOST", host)), 0o600))
			return setup{environ: []string{"NETRC=" + file}}
		}
	}
	goauth := func(value string) func(t *testing.T, v *vault) setup {
		return func(t *testing.T, v *vault) setup { return setup{goenv: map[string]string{"GOAUTH": value}} }
	}
	for _, test := range []test{
		{"none", nil, "", probe.AuthRequired},
		{"in the URL", nil, "me:" + secret + "@", probe.OK},
		{"wrong in the URL", nil, "me:wr0ng-" + secret + "@", probe.AuthRequired},
		{"netrc", netrc("machine HOST login me password " + secret), "", probe.OK},
		{"netrc over lines, after another host", netrc("machine other login a password b\nmachine HOST\n login me\n password " + secret), "", probe.OK},
		{"netrc default is not used", netrc("default login me password " + secret), "", probe.AuthRequired},
		{"netrc macro", netrc("macdef init\nmachine HOST login x password y\n\nmachine HOST login me password " + secret), "", probe.OK},
		{"first line of netrc wins", netrc("machine HOST login me password " + secret + "\nmachine HOST login me password other"), "", probe.OK},
		{"off", func(t *testing.T, v *vault) setup {
			s := netrc("machine HOST login me password "+secret)(t, v)
			s.goenv = map[string]string{"GOAUTH": "off"}
			return s
		}, "", probe.AuthRequired},
		{"empty entry", goauth("netrc;;off"), "", probe.ConfigInvalid},
		{"off beside another", goauth("netrc;off"), "", probe.ConfigInvalid},
		{"no such command", goauth("gpx-no-such-command"), "", probe.AuthRequired},
		{"git without a directory", goauth("git"), "", probe.ConfigInvalid},
		{"git in a directory that is gone", goauth("git " + filepath.Join(t.TempDir(), "gone")), "", probe.ConfigInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := newVault(t, authorized)
			s := setup{}
			if test.setup != nil {
				s = test.setup(t, v)
			}
			s.options = append(s.options, v.trusted())
			base := strings.Replace(v.URL, "https://", "https://"+test.userinfo, 1)
			r := s.prober(t, nil).Probe(bound(t), probe.Endpoint{URL: base, Kind: probe.KindProxy})
			if r.Class != test.class {
				t.Errorf("got %s (%s), want %s", r.Class, r.Detail, test.class)
			}
			noSecrets(t, r)
		})
	}
}

// noSecrets greps everything that a result would print.
func noSecrets(t testing.TB, r probe.Result) {
	t.Helper()
	text, err := json.Marshal(r)
	must(t, err)
	printed := string(text) + r.Key()
	for _, s := range []string{secret, strings.TrimPrefix(authorized, "Basic "), base64.StdEncoding.EncodeToString([]byte("me:wr0ng-" + secret))} {
		if strings.Contains(printed, s) {
			t.Errorf("%s is in %s", s, printed)
		}
	}
}

// script writes a shell script that appends its arguments to a log. It is given to
// a shell, not executed: a file that was just written can be "busy" while other
// tests start processes.
func script(t testing.TB, body string) (command, log string) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	file := filepath.Join(dir, "auth")
	must(t, os.WriteFile(file, []byte("echo \"$# $*\" >>"+log+"\n"+body), 0o600))
	return sh + " " + file, log
}

func lines(t testing.TB, log string) []string {
	t.Helper()
	data, err := os.ReadFile(log)
	must(t, err)
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func TestGOAUTHCommandIsAskedOnce(t *testing.T) {
	t.Parallel()
	v := newVault(t, "Bearer "+secret)
	command, log := script(t, "printf '"+v.URL+"\\n\\nAuthorization: Bearer "+secret+"\\n\\n'")
	p := setup{goenv: map[string]string{"GOAUTH": command}, options: []probe.Option{v.trusted()}}.prober(t, nil)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			r := p.Probe(bound(t), probe.Endpoint{URL: v.URL, Kind: probe.KindProxy})
			if r.Class != probe.OK {
				t.Errorf("got %s (%s)", r.Class, r.Detail)
			}
		})
	}
	wg.Wait()
	if got := lines(t, log); len(got) != 1 || got[0] != "0" {
		t.Errorf("the command ran with %q", got)
	}
}

// TestGOAUTHCommandIsRunAsGoDoes: a quoted word keeps its blanks, and what a
// command said counts although it left a child that holds its standard output.
func TestGOAUTHCommandIsRunAsGoDoes(t *testing.T) {
	t.Parallel()
	v := newVault(t, "Bearer "+secret)
	command, log := script(t, "sleep 2 &\nprintf '"+v.URL+"\\n\\nAuthorization: Bearer "+secret+"\\n\\n'")
	s := setup{goenv: map[string]string{"GOAUTH": command + ` 'two  blanks' "it's"`}, options: []probe.Option{v.trusted()}}
	r := s.prober(t, nil).Probe(bound(t), probe.Endpoint{URL: v.URL, Kind: probe.KindProxy})
	if r.Class != probe.OK {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
	if got := lines(t, log); got[0] != "2 two  blanks it's" {
		t.Errorf("the command ran with %q", got)
	}
}

// TestGOAUTHCommandIsAskedAgain: after a 4xx with the URL and the response, and
// then not for a while, however often the host is probed.
func TestGOAUTHCommandIsAskedAgain(t *testing.T) {
	t.Parallel()
	v := newVault(t, "Bearer "+secret)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	command, log := script(t, `
test $# = 0 && exit 0
cat >>`+"\"$0.stdin\""+`
printf '%s\n\nAuthorization: Bearer wrong-`+secret+`\nPrivate-Token: `+secret+`\n\n' "$1"`)
	p := setup{goenv: map[string]string{"GOAUTH": command}, options: []probe.Option{v.trusted(), probe.WithNow(clock)}}.prober(t, nil)
	ep := probe.Endpoint{URL: v.URL, Kind: probe.KindProxy}
	for range 3 {
		r := p.Probe(bound(t), ep)
		if r.Class != probe.AuthRequired || !strings.Contains(r.Detail, "who is") {
			t.Errorf("got %s (%s)", r.Class, r.Detail)
		}
		noSecrets(t, r)
	}
	got := lines(t, log)
	if len(got) != 2 || got[0] != "0 " || !strings.HasPrefix(got[1], "1 "+v.URL+"/golang.org/x/sync/@v/") {
		t.Errorf("the command ran with %q", got)
	}
	if stdin, _ := os.ReadFile(strings.Fields(command)[1] + ".stdin"); !strings.HasPrefix(string(stdin), "HTTP/1.1 401 Unauthorized\n") {
		t.Errorf("the command read %q", stdin)
	}
	if n := v.count(); n != 4 { // the first probe asks twice
		t.Errorf("%d requests", n)
	}
	mu.Lock()
	now = now.Add(2 * time.Minute)
	mu.Unlock()
	p.Probe(bound(t), ep)
	if got := lines(t, log); len(got) != 3 {
		t.Errorf("two minutes later the command had run with %q", got)
	}
}

// TestNetrcIsReadAgain when its credentials are refused: who gives them out for an hour
// changes the file while gpx runs.
func TestNetrcIsReadAgain(t *testing.T) {
	t.Parallel()
	v := newVault(t, authorized)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "netrc")
	write := func(password string) {
		must(t, os.WriteFile(file, []byte("machine "+strings.TrimPrefix(v.URL, "https://")+" login me password "+password), 0o600))
	}
	write("expired")
	p := setup{environ: []string{"NETRC=" + file}, options: []probe.Option{v.trusted(), probe.WithNow(func() time.Time { return now })}}.prober(t, nil)
	ep := probe.Endpoint{URL: v.URL, Kind: probe.KindProxy}
	for range 2 {
		if r := p.Probe(bound(t), ep); r.Class != probe.AuthRequired {
			t.Errorf("got %s (%s)", r.Class, r.Detail)
		}
	}
	if n := v.count(); n != 2 {
		t.Errorf("%d requests, though the file says the same", n)
	}
	write(secret)
	now = now.Add(2 * time.Minute)
	r := p.Probe(bound(t), ep)
	if r.Class != probe.OK {
		t.Errorf("with another file: %s (%s)", r.Class, r.Detail)
	}
	noSecrets(t, r)
}

// TestGOAUTHCommandThatHangs costs its bound once, and leaves nothing behind.
func TestGOAUTHCommandThatHangs(t *testing.T) {
	t.Parallel()
	v := newVault(t, authorized)
	command, log := script(t, "sleep 300 & sleep 300")
	p := setup{goenv: map[string]string{"GOAUTH": command}, options: []probe.Option{v.trusted()}}.prober(t, nil)
	for range 3 {
		r := p.Probe(bound(t), probe.Endpoint{URL: v.URL, Kind: probe.KindProxy})
		if r.Class != probe.AuthRequired || !strings.Contains(r.Detail, "deadline exceeded") {
			t.Errorf("got %s (%s)", r.Class, r.Detail)
		}
	}
	if got := lines(t, log); len(got) != 1 {
		t.Errorf("the command ran with %q", got)
	}
}

func TestGOAUTHGit(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	v := newVault(t, authorized)
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	must(t, os.WriteFile(config, []byte("[credential]\n\thelper = \"!f() { test $1 = get && printf 'username=me\\npassword="+secret+"\\n'; }; f\"\n"), 0o600))
	s := setup{goenv: map[string]string{"GOAUTH": "git " + dir}, environ: []string{"GIT_CONFIG_GLOBAL=" + config}, options: []probe.Option{v.trusted()}}
	r := s.prober(t, nil).Probe(bound(t), probe.Endpoint{URL: v.URL, Kind: probe.KindProxy})
	if r.Class != probe.OK {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
	noSecrets(t, r)

	// Without a helper, git would ask; it must not.
	s.environ = []string{"GIT_CONFIG_GLOBAL=" + os.DevNull}
	if r := s.prober(t, nil).Probe(bound(t), probe.Endpoint{URL: v.URL, Kind: probe.KindProxy}); r.Class != probe.AuthRequired {
		t.Errorf("without a helper: got %s (%s)", r.Class, r.Detail)
	}
}

// TestNoSecretInAnyResult sends credentials to every outcome there is.
func TestNoSecretInAnyResult(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	echo := lab.Status(403, "me:"+secret+" "+authorized+" https://me:"+secret+"@proxy.example.com/ \x1b[31m")
	for _, f := range append([]lab.Fault{echo, lab.OK(), lab.Captive(), lab.Of(lab.ModeRedirect), lab.Of(lab.ModeDowngrade), lab.Of(lab.ModeGarbage)}, tlsFaults...) {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			s := l.Proxy(t.Name(), lab.Always(f), lab.TLS())
			ep := at(l, strings.Replace(s.URL(), "https://", "https://me:"+secret+"@", 1))
			ep.SumDB = sumdbOf(t, l)
			p := (setup{}).prober(t, l)
			noSecrets(t, p.Probe(bound(t), ep))
			noSecrets(t, p.Deep(bound(t), ep))
		})
	}
	for _, raw := range []string{"http://me:" + secret + "@127.0.0.1:1", "ftp://me:" + secret + "@h", "https://me:" + secret + "@h:x", "https://me:" + secret + "@"} {
		r := (setup{}).prober(t, l).Probe(bound(t), at(l, raw))
		if r.Class != probe.ConfigInvalid {
			t.Errorf("%s: got %s (%s)", raw, r.Class, r.Detail)
		}
		noSecrets(t, r)
	}
}

var tlsFaults = []lab.Fault{lab.Of(lab.ModeTLSSelfSigned), lab.Of(lab.ModeTLSPlainHTTP)}

// TestSecretInQuotes: an .info that echoes a password is quoted in the detail, and
// the password with it.
func TestSecretInQuotes(t *testing.T) {
	t.Parallel()
	const odd = `pa"ss\wörd`
	v := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		must(t, json.NewEncoder(w).Encode(map[string]string{"Version": password}))
	}))
	t.Cleanup(v.Close)
	pool := x509.NewCertPool()
	pool.AddCert(v.Certificate())
	netrc := filepath.Join(t.TempDir(), "netrc")
	must(t, os.WriteFile(netrc, []byte("machine "+strings.TrimPrefix(v.URL, "https://")+" login me password "+odd), 0o600))
	s := setup{environ: []string{"NETRC=" + netrc}, options: []probe.Option{probe.WithRootCAs(pool)}}
	r := s.prober(t, nil).Probe(bound(t), probe.Endpoint{URL: v.URL, Kind: probe.KindProxy})
	if r.Class != probe.ProtocolInvalid || strings.Contains(r.Detail, "ss") {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}
