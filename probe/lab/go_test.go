package lab_test

import (
	"bytes"
	"context"
	"errors"
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

// errHangs is what a go command ends with that would have waited for ever.
var errHangs = errors.New("hangs")

// goTool runs the go command in a fresh module inside dir and returns what it
// said. It counts as hanging once one of the servers holds a request and nobody
// has asked that server anything for a while: the go command has no timeout that
// would end this later.
func goTool(t *testing.T, dir string, env []string, servers []*lab.Server, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not on PATH")
	}
	work := filepath.Join(dir, "work")
	if err := os.MkdirAll(work, 0o777); err != nil {
		t.Fatal(err)
	}
	mod := filepath.Join(work, "go.mod")
	if _, err := os.Stat(mod); err != nil {
		if err := os.WriteFile(mod, []byte("module example.com/work\n\ngo 1.21\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	ctx, hangs := context.WithCancelCause(ctx)
	var watchers sync.WaitGroup
	for _, s := range servers {
		watchers.Go(func() {
			if waitHanging(ctx, s) {
				hangs(errHangs)
			}
		})
	}
	defer watchers.Wait()
	defer hangs(nil)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = work
	cmd.Env = append(env, "GOCACHE="+lab.BuildCache())
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out.String(), err
}

// waitHanging waits until the server holds a request and has been left alone for
// longer than an answer takes on a busy machine.
func waitHanging(ctx context.Context, s *lab.Server) bool {
	const silence = 2 * patience
	for s.WaitHeld(ctx, 1) == nil {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(silence - min(silence, s.Idle()) + time.Millisecond):
		}
		if s.Held() > 0 && s.Idle() >= silence {
			return true
		}
	}
	return false
}

const generous = 30 * time.Second

// scale is how much the tests do: "" is part of every run, "system" and "soak"
// repeat what follows from what was seen.
var scale = os.Getenv("GPX_TEST_SCALE")

func TestGoDownloadsAndVerifies(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	a := l.Proxy("a", nil, lab.TLS())
	plain := l.Proxy("plain", nil, lab.Under("/go/proxy"))
	tree := t.TempDir()
	if err := l.WriteTree(tree, true); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, chain string
		modules     []string
		env         []string
	}{
		{name: "https proxy", chain: a.URL(), modules: []string{
			"lab.example.com/alpha@latest", "lab.example.com/gamma@v0.3.0", "lab.example.com/Upper@v1.2.3",
			"lab.example.com/nightly@latest", "lab.example.com/big@v1.0.0", "lab.example.com/delta/v2@v2.0.1"}},
		{name: "http proxy below a path", chain: plain.URL(), modules: []string{"lab.example.com/gamma@latest"}},
		{name: "file tree with its database", chain: "file://" + tree, modules: []string{
			"lab.example.com/gamma@latest", "github.com/gpx-lab/two@v1.0.0"}},
		{name: "direct, then the database's own host", chain: "direct", modules: []string{
			"github.com/gpx-lab/two@latest", "github.com/gpx-lab/one@v1.0.0"}},
		{name: "database by its URL", chain: plain.URL(), modules: []string{"lab.example.com/beta@v1.0.0"},
			env: []string{"GOSUMDB=" + l.VerifierKey() + " " + l.SumDB().URL()}},
		{name: "private by direct", chain: a.URL(), modules: []string{"github.com/gpx-lab-corp/secret@v1.0.0"},
			env: []string{"GOPRIVATE=github.com/gpx-lab-corp"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l.SumDB().ResetLog()
			dir := t.TempDir()
			env := append(l.GoEnv(dir, test.chain), test.env...)
			if out, err := goTool(t, dir, env, nil, append([]string{"mod", "download", "-x"}, test.modules...)...); err != nil {
				t.Fatalf("go mod download: %v\n%s", err, out)
			}
			get := []string{"get"}
			for _, m := range test.modules {
				if !strings.Contains(m, "/big@") {
					get = append(get, m)
				}
			}
			if out, err := goTool(t, dir, env, nil, get...); err != nil {
				t.Fatalf("go get: %v\n%s", err, out)
			}
			if out, err := goTool(t, dir, env, nil, "mod", "verify"); err != nil || !strings.Contains(out, "all modules verified") {
				t.Fatalf("go mod verify: %v\n%s", err, out)
			}
			dialled := len(l.SumDB().Log()) > 0
			if want := test.chain == "direct" || strings.Contains(test.name, "URL"); dialled != want {
				t.Errorf("the database's own host was asked: %v, want %v", dialled, want)
			}
		})
	}
}

// A chain's outcome, in the words of the shared table of the go command's
// behaviour: what A does wrong, and what then becomes of "A,B" and of "A|B".
func TestOutcomesOfChains(t *testing.T) {
	t.Parallel()
	const (
		works = "works"
		fails = "fails"
		hangs = "hangs"
	)
	l := startLab(t)
	b := l.Proxy("b", nil)
	for _, test := range []struct {
		name        string
		schedule    lab.Schedule
		tls         bool
		comma, pipe string
		says        string // what the failing command says
	}{
		{"refused", lab.Always(lab.Refuse()), false, fails, works, "connection refused"},
		{"500", lab.Always(lab.Status(500, "")), false, fails, works, "500 Internal Server Error"},
		{"502 with a body", lab.Always(lab.Status(502, "upstream died")), false, fails, works, "server response: upstream died"},
		{"503", lab.Always(lab.Status(503, "")), false, fails, works, "503 Service Unavailable"},
		{"403", lab.Always(lab.HTML(403, "<p>no")), false, fails, works, "403 Forbidden"},
		{"429", lab.Always(lab.RateLimited(time.Minute)), false, fails, works, "429 Too Many Requests"},
		{"404", lab.Always(lab.Status(404, "")), false, works, works, ""},
		{"410", lab.Always(lab.Status(410, "")), false, works, works, ""},
		{"hang", lab.Always(lab.Hang()), false, hangs, hangs, ""},
		{"stall in the zip", lab.Always(lab.Stall(-1), probe.Zip), false, hangs, hangs, ""},
		{"reset", lab.Always(lab.Reset()), false, fails, works, "connection reset by peer"},
		{"eof", lab.Always(lab.EOF()), false, fails, works, "EOF"},
		{"captive portal", lab.Always(lab.Captive()), false, fails, fails, "go: lab.example.com/beta@v1.0.0: "},
		{"captive portal for .info", lab.Always(lab.Captive(), probe.Info), false, fails, works, "invalid character '<'"},
		{"supported, then no lookup", lab.Always(lab.Status(500, ""), probe.Lookup), false, fails, fails, "500 Internal Server Error"},
		{"no database", lab.Always(lab.NoSumDB(404)), false, works, works, ""},
		{"wrong version", lab.Always(lab.Of(lab.ModeWrongVersion), probe.Info), false, fails, works, "proxy returned info for version v9.9.9 instead of requested version"},
		{"wrong mod", lab.Always(lab.Of(lab.ModeWrongMod)), false, fails, works, "SECURITY ERROR"},
		// A zip is checked after all hops were tried (modfetch/fetch.go,
		// downloadZip), so what is wrong in it stops even before "|"; a go.mod
		// is checked per hop.
		{"wrong zip", lab.Always(lab.Of(lab.ModeWrongZip)), false, fails, fails, "SECURITY ERROR"},
		{"zip with bad names", lab.Always(lab.Of(lab.ModeZipNames)), false, fails, fails, "unexpected file"},
		{"cut zip", lab.Always(lab.Of(lab.ModeTruncated), probe.Zip), false, fails, works, "unexpected EOF"},
		{"short zip", lab.Always(lab.Of(lab.ModeShort), probe.Zip), false, fails, fails, "not a valid zip file"},
		{"bad tile", lab.Always(lab.Of(lab.ModeBadTile)), false, fails, fails, "downloaded inconsistent tile"},
		{"bad record", lab.Always(lab.Of(lab.ModeBadRecord)), false, fails, fails, "cannot authenticate record data"},
		{"bad signature", lab.Always(lab.Of(lab.ModeBadSignature)), false, fails, fails, "invalid signature"},
		{"other key", lab.Always(lab.Of(lab.ModeOtherKey)), false, fails, fails, "note has no verifiable signatures"},
		{"expired", lab.Always(lab.Of(lab.ModeTLSExpired)), true, fails, works, "certificate has expired"},
		{"self-signed", lab.Always(lab.Of(lab.ModeTLSSelfSigned)), true, fails, works, "certificate signed by unknown authority"},
		{"redirect to http", lab.Always(lab.Of(lab.ModeDowngrade)), true, fails, works, "redirected from secure URL"},
		{"redirect loop", lab.Always(lab.Of(lab.ModeRedirect)), false, fails, works, "stopped after 10 redirects"},
		{"401", lab.Always(lab.Auth("me", "pw")), true, fails, works, "401 Unauthorized"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var opts []lab.ProxyOption
			if test.tls {
				opts = append(opts, lab.TLS())
			}
			a := l.Proxy(test.name, test.schedule, opts...)
			for _, c := range []struct{ sep, want string }{{",", test.comma}, {"|", test.pipe}} {
				// What stops even before "|" stops before ",".
				if c.sep == "," && test.pipe != works && scale == "" {
					continue
				}
				a.SetSchedule(test.schedule)
				dir := t.TempDir()
				out, err := goTool(t, dir, l.GoEnv(dir, a.URL()+c.sep+b.URL()), []*lab.Server{a}, "mod", "download", "lab.example.com/beta@v1.0.0")
				got := works
				switch {
				case errors.Is(err, errHangs):
					got = hangs
				case err != nil:
					got = fails
				}
				if got != c.want {
					t.Errorf("A%sB %s, want %s: %v\n%s", c.sep, got, c.want, err, out)
				}
				if got == fails && !strings.Contains(out, test.says) {
					t.Errorf("A%sB: no %q in:\n%s", c.sep, test.says, out)
				}
			}
		})
	}
}
