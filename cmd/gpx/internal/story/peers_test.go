package story

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/goproxytest"
	modpath "golang.org/x/mod/module"

	"gpx/probe/lab"
)

// The go command's own test modules, odd ones among them, behind the relay: every
// version and every query has the same outcome as without it. goproxytest serves
// them, as it does in the tests of many programs.
func TestGoTestModules(t *testing.T) {
	needs(t, "git")
	t.Parallel()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	must(t, err)
	dir := filepath.Join(strings.TrimSpace(string(root)), "src", "cmd", "go", "testdata", "mod")
	tree := t.TempDir()
	versions, paths := testModules(t, dir, tree)
	if len(versions) == 0 {
		t.Skip("this GOROOT comes without the go command's test modules")
	}
	up := goproxytest.NewTestServer(t, tree, "")
	environ := append(emptyLab(t).GoEnv(t.TempDir(), up.URL), "GOSUMDB=off")
	relay := serve(t, t.TempDir(), append(environ, "GOMODCACHE="+t.TempDir())) // with nothing of what bare downloads
	nowhere := t.TempDir()
	outcomes := func(chain string, args ...string) map[string]string {
		t.Helper()
		stdout, stderr, _ := run(t, nowhere, append(environ, "GOPROXY="+chain, "GOMODCACHE="+t.TempDir()), "go", args...)
		list := map[string]string{}
		for d := json.NewDecoder(strings.NewReader(stdout)); d.More(); {
			var m struct {
				Path, Version, Query, Sum, GoModSum string
				Versions                            []string
				Error                               any
			}
			if err := d.Decode(&m); err != nil {
				t.Fatalf("%v: %s%s", err, stdout, stderr)
			}
			list[m.Path+"@"+m.Version] = fmt.Sprintf("%s %s %v failed: %v", m.Sum, m.GoModSum, m.Versions, m.Error != nil)
		}
		return list
	}
	latest := make([]string, len(paths))
	for i, p := range paths {
		latest[i] = p + "@latest"
	}
	for what, args := range map[string][]string{
		"download": append([]string{"mod", "download", "-json"}, versions...),
		"query":    append([]string{"list", "-m", "-e", "-json", "-versions"}, latest...),
	} {
		bare, relayed := outcomes(up.URL, args...), outcomes("http://"+relay.addr, args...)
		if len(bare) < 50 {
			t.Errorf("%s: only %d outcomes", what, len(bare))
		}
		for _, m := range slices.Sorted(maps.Keys(bare)) {
			if bare[m] != relayed[m] {
				t.Errorf("%s %s:\n  bare    %s\n  relayed %s", what, m, bare[m], relayed[m])
			}
		}
		if len(relayed) != len(bare) {
			t.Errorf("%s: %d outcomes bare, %d behind the relay", what, len(bare), len(relayed))
		}
		t.Logf("%s: %d outcomes are the same", what, len(bare))
	}
}

// testModules copies the go command's test modules, but those with invalid paths,
// of which goproxytest wants none, and says what versions and paths they have.
func testModules(t *testing.T, dir, tree string) (versions, paths []string) {
	t.Helper()
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".txt")
		i := strings.LastIndex(name, "_v")
		if !ok || i < 0 {
			continue
		}
		path, err := modpath.UnescapePath(strings.ReplaceAll(name[:i], "_", "/"))
		version, verr := modpath.UnescapeVersion(name[i+1:])
		if err != nil || verr != nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(tree, e.Name()), data, 0o644))
		versions = append(versions, path+"@"+version)
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return versions, slices.Compact(paths)
}

// An nginx that caches what another proxy sends, as companies have one, is an
// upstream like any other: with it, the checksum database by way of it, the go
// command gets what it gets without the relay. What nginx has it gives when
// nobody behind it answers.
func TestCachingNginxBehindRelay(t *testing.T) {
	needs(t, "nginx", "git")
	t.Parallel()
	up := realUpstream(t)
	addr, dir := freePort(t), t.TempDir()
	startNginx(t, "worker_processes 1;\nevents { worker_connections 256; }\n", fmt.Sprintf(`
		proxy_cache_path %[1]s keys_zone=modules:1m inactive=1h;
		server {
			listen %[2]s;
			proxy_cache modules;
			proxy_cache_valid 200 1h;
			proxy_cache_valid 404 410 1m;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_ssl_server_name on;
			add_header X-Cache $upstream_cache_status;
			location / { proxy_pass %[3]s; proxy_set_header Host $proxy_host; }
		}
`, dir, addr, up.url), addr)
	chain := "http://" + addr
	want := up.download(t, up.url)
	for _, state := range []string{"empty", "full"} {
		relay := serve(t, t.TempDir(), up.environ(t, chain))
		if got := up.download(t, "http://"+relay.addr); !maps.Equal(got, want) {
			t.Errorf("its cache is %s:\nbehind the relay %v\nwant             %v", state, got, want)
		}
		relay.stop()
	}
}

// An nginx as client of the relay: the go command reads through it, and the parts
// of HTTP that proxies use mean what they mean. The name of another host it must
// not pass on.
func TestNginxBeforeRelay(t *testing.T) {
	needs(t, "nginx", "git")
	t.Parallel()
	l := emptyLab(t)
	environ := l.GoEnv(t.TempDir(), l.Proxy("one", nil).URL())
	relay := serve(t, t.TempDir(), environ)
	plain, caching, named := freePort(t), freePort(t), freePort(t)
	startNginx(t, "worker_processes 1;\nevents { worker_connections 256; }\n", fmt.Sprintf(`
		proxy_cache_path %[1]s keys_zone=modules:1m inactive=1h;
		server { listen %[2]s; location / { proxy_pass http://%[5]s; } }
		server {
			listen %[3]s;
			proxy_cache modules;
			proxy_cache_valid 200 1s;
			proxy_cache_revalidate on;
			location / { proxy_pass http://%[5]s; proxy_http_version 1.1; proxy_set_header Connection ""; add_header X-Cache $upstream_cache_status; }
		}
		server { listen %[4]s; location / { proxy_pass http://%[5]s; proxy_set_header Host modules.example.com; } }
`, t.TempDir(), plain, caching, named, relay.addr), named)

	for _, addr := range []string{plain, caching, caching} {
		project, home := t.TempDir(), t.TempDir()
		must(t, os.WriteFile(filepath.Join(project, "go.mod"), []byte("module example.com/shop\n\ngo 1.21\n\nrequire (\n\tlab.example.com/alpha v1.1.0\n\tlab.example.com/Upper v1.2.3\n)\n"), 0o644))
		if stdout, stderr, status := run(t, project, l.GoEnv(home, "http://"+addr), "go", "mod", "download"); status != 0 {
			t.Errorf("go mod download by way of nginx: %s%s", stdout, stderr)
		}
	}

	var alpha *lab.Module
	for _, m := range l.Modules() {
		if m.Path == "lab.example.com/alpha" && m.Version.Version == "v1.1.0" {
			alpha = m
		}
	}
	const zip = "/lab.example.com/alpha/@v/v1.1.0.zip"
	_, whole, header := httpDo(t, http.MethodGet, "http://"+plain+zip, nil)
	if whole != string(alpha.Zip) || header.Get("Last-Modified") == "" {
		t.Fatalf("%d bytes of %d, %v", len(whole), len(alpha.Zip), header)
	}
	for name, tt := range map[string]struct {
		method, addr string
		header       http.Header
		status       int
		body         string
		length       int
	}{
		"range":               {http.MethodGet, plain, http.Header{"Range": {"bytes=4-9"}}, http.StatusPartialContent, whole[4:10], 6},
		"range, caching":      {http.MethodGet, caching, http.Header{"Range": {"bytes=4-9"}}, http.StatusPartialContent, whole[4:10], 6},
		"the end":             {http.MethodGet, plain, http.Header{"Range": {"bytes=-5"}}, http.StatusPartialContent, whole[len(whole)-5:], 5},
		"beyond the end":      {http.MethodGet, plain, http.Header{"Range": {"bytes=99999999-"}}, http.StatusRequestedRangeNotSatisfiable, "", -1},
		"head":                {http.MethodHead, plain, nil, http.StatusOK, "", len(whole)},
		"if modified":         {http.MethodGet, plain, http.Header{"If-Modified-Since": {header.Get("Last-Modified")}}, http.StatusNotModified, "", -1},
		"modified since 1970": {http.MethodGet, plain, http.Header{"If-Modified-Since": {"Thu, 01 Jan 1970 00:00:01 GMT"}}, http.StatusOK, whole, len(whole)},
		"another host's name": {http.MethodGet, named, nil, http.StatusMisdirectedRequest, "", -1},
	} {
		t.Run(name, func(t *testing.T) {
			status, body, header := httpDo(t, tt.method, "http://"+tt.addr+zip, tt.header)
			if status != tt.status || tt.status < 300 && body != tt.body {
				t.Errorf("%d, %.200q, want %d", status, body, tt.status)
			}
			if got := header.Get("Content-Length"); tt.length >= 0 && got != fmt.Sprint(tt.length) {
				t.Errorf("Content-Length %q, want %d", got, tt.length)
			}
		})
	}
	// After a second nginx asks whether it is still so, and is told that it is.
	if !eventually(patience, func() bool {
		_, body, header := httpDo(t, http.MethodGet, "http://"+caching+zip, nil)
		return header.Get("X-Cache") == "REVALIDATED" && body == whole
	}) {
		t.Error("nginx never revalidated what it has")
	}
}

func httpDo(t *testing.T, method, url string, header http.Header) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	must(t, err)
	maps.Copy(req.Header, header)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Do(req)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(body), res.Header
}

// An upstream is a proxy of the world, with some modules that it has; or the lab,
// where none answers.
type upstream struct {
	url     string
	modules []string
	base    func(dir, chain string) []string // the environment
}

// realUpstream is the proxy that the go command uses here, when it answers. Its
// name stands in no file and no message: it is this machine's business.
func realUpstream(t *testing.T) *upstream {
	t.Helper()
	l := emptyLab(t)
	value, err := exec.Command("go", "env", "GOPROXY").Output()
	must(t, err)
	first, _, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(string(value), "|", ",")), ",")
	u, err := url.Parse(first)
	if err == nil && u.User == nil && (u.Scheme == "https" || u.Scheme == "http") && answers(t, first) {
		return &upstream{first, []string{"rsc.io/quote@v1.5.2", "rsc.io/sampler@v1.3.0", "golang.org/x/sync@v0.10.0", "github.com/BurntSushi/toml@v1.4.0"}, func(dir, chain string) []string {
			return slices.DeleteFunc(l.GoEnv(dir, chain), func(v string) bool {
				return strings.HasPrefix(v, "GOSUMDB=") || strings.HasPrefix(v, "SSL_CERT_FILE=")
			})
		}}
	}
	t.Log("no proxy of the world answers here; the lab stands in")
	return &upstream{l.Proxy("world", nil).URL(), []string{"lab.example.com/alpha@v1.1.0", "lab.example.com/Upper@v1.2.3", "lab.example.com/big@v1.0.0"}, l.GoEnv}
}

// answers reports whether a proxy has a module that all have.
func answers(t *testing.T, proxy string) bool {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(proxy, "/")+"/rsc.io/quote/@v/v1.5.2.info", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (u *upstream) environ(t *testing.T, chain string) []string { return u.base(t.TempDir(), chain) }

// hosts are host names in an address, for messages.
var hosts = regexp.MustCompile(`//[^/\s"]+`)

// download has the go command download the modules into an empty cache, and
// returns the hashes of what it has then.
func (u *upstream) download(t *testing.T, chain string) map[string]string {
	t.Helper()
	environ := u.environ(t, chain)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"mod", "download", "-json"}, u.modules...)...)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = t.TempDir(), environ, &out, &said
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("go mod download: %v\n%s", err, hosts.ReplaceAllString(out.String()+said.String(), "//…"))
	}
	list := map[string]string{}
	for d := json.NewDecoder(&out); d.More(); {
		var m struct{ Path, Version, Sum, GoModSum, Zip string }
		must(t, d.Decode(&m))
		info, err := os.Stat(m.Zip)
		must(t, err)
		list[m.Path+"@"+m.Version] = fmt.Sprint(m.Sum, m.GoModSum, info.Size())
	}
	return list
}
