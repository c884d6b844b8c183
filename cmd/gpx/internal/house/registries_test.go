package house

import (
	"bytes"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"gpx/probe/catalog"
	"gpx/probe/lab"
)

// TestNoRegistryHost keeps the registries of whoever's machine this is out of
// the repository: fixtures use reserved names, and the toolchain's default
// proxy is read when gpx runs. What to look for is read from the machine too,
// so that this file need not name it.
func TestNoRegistryHost(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	hosts := registryHosts(t)
	if len(hosts) == 0 {
		t.Log("this machine's settings name no registry host, nothing to look for")
		return
	}
	top := root(t)
	for _, file := range treeFiles(t, top) {
		data, err := os.ReadFile(filepath.Join(top, file))
		if err != nil {
			continue // a file that another process removed meanwhile
		}
		for _, h := range hosts {
			if h.pattern.Match(data) {
				t.Errorf("%s names a registry host, the one of %s", file, h.source)
			}
			if h.pattern.MatchString(file) {
				t.Errorf("the file name %s names a registry host, the one of %s", file, h.source)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(top, ".git")); err != nil {
		return // a source archive has no log to look at
	}
	log, err := git(top, "log", "--format=%H%n%an %ae%n%cn %ce%n%B")
	if err != nil {
		return // .git that git itself cannot read is not this test's concern
	}
	for _, h := range hosts {
		if h.pattern.Match(log) {
			t.Errorf("a commit names a registry host, the one of %s; find it with: git log --grep", h.source)
		}
	}
}

func TestRegistryPattern(t *testing.T) {
	re := hostPattern("goproxy.example.net")
	for text, want := range map[string]bool{
		"https://goproxy.example.net/x":     true,
		"see goproxy.example.net.":          true,
		"GOPROXY.EXAMPLE.NET":               true,
		"https://u:p@goproxy.example.net":   true,
		"https://xgoproxy.example.net":      false,
		"https://cdn.goproxy.example.net":   false,
		"https://goproxy.example.network":   false,
		"https://goproxy.example.net.cn/go": false,
	} {
		if got := re.MatchString(text); got != want {
			t.Errorf("%q: found %v, want %v", text, got, want)
		}
	}
}

type registry struct {
	source  string
	pattern *regexp.Regexp
}

// registryHosts reads the hosts from the settings of go, npm, pip and apt, as
// far as they can be read.
func registryHosts(t *testing.T) []registry {
	t.Helper()
	found := map[string]string{} // host -> where it was read
	add := func(source, text string) {
		for _, h := range hostsIn(text) {
			if _, ok := found[h]; !ok {
				found[h] = source
			}
		}
	}
	cmd := exec.Command("go", "env", "GOPROXY")
	cmd.Env = append(os.Environ(), "GOENV=off", "GOTOOLCHAIN=local")
	if out, err := cmd.Output(); err == nil {
		add("go env GOPROXY", string(out))
	}
	if out, err := exec.Command("go", "env", "GOROOT").Output(); err == nil {
		read(filepath.Join(strings.TrimSpace(string(out)), "go.env"), add)
	}
	home, _ := os.UserHomeDir()
	for _, f := range []string{
		filepath.Join(home, ".npmrc"), "/etc/npmrc", "/usr/etc/npmrc",
		filepath.Join(home, ".config/pip/pip.conf"), filepath.Join(home, ".pip/pip.conf"), "/etc/pip.conf",
		"/etc/apt/sources.list",
	} {
		read(f, add)
	}
	more, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	conf, _ := filepath.Glob("/etc/apt/apt.conf.d/*")
	for _, f := range append(more, conf...) {
		read(f, add)
	}
	for _, name := range []string{"GOPROXY", "npm_config_registry", "NPM_CONFIG_REGISTRY", "PIP_INDEX_URL"} {
		add("$"+name, os.Getenv(name))
	}

	known := publicKnowledge()
	var out []registry
	for host, source := range found {
		if !known[host] && !local(host) {
			out = append(out, registry{source, hostPattern(host)})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].source < out[j].source })
	return out
}

// publicKnowledge is what the catalog says about public proxies: a machine
// that uses one of them does not make the catalog a leak.
func publicKnowledge() map[string]bool {
	known := map[string]bool{}
	for _, e := range catalog.Entries(nil) {
		if e.Name == "default" {
			continue
		}
		for _, h := range hostsIn(e.URL) {
			known[h] = true
		}
	}
	return known
}

var urlText = regexp.MustCompile(`(?i)\bhttps?://[^\s"'<>,|;]+`)

func hostsIn(text string) []string {
	var hosts []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue // comments name documentation, not registries
		}
		for _, raw := range urlText.FindAllString(line, -1) {
			if u, err := url.Parse(raw); err == nil && u.Hostname() != "" {
				hosts = append(hosts, strings.ToLower(u.Hostname()))
			}
		}
	}
	return hosts
}

// local hosts and the reserved example names of RFC 2606 are nobody's registry.
func local(host string) bool {
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return true
	}
	if host == "localhost" || !strings.Contains(host, ".") {
		return true
	}
	for _, suffix := range []string{"example.com", "example.net", "example.org", ".example", ".test", ".invalid", ".localhost"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

func hostPattern(host string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(^|[^a-z0-9.-])` + regexp.QuoteMeta(host) + `($|[^a-z0-9.-]|\.($|[^a-z0-9]))`)
}

func read(file string, add func(source, text string)) {
	if data, err := os.ReadFile(file); err == nil {
		add(file, string(data))
	}
}

// treeFiles lists what git tracks or would add; without git, every file.
func treeFiles(t *testing.T, top string) []string {
	t.Helper()
	if out, err := git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard"); err == nil {
		return strings.Split(strings.Trim(string(out), "\x00"), "\x00")
	}
	var files []string
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || path == filepath.Join(top, "bin")) {
			return fs.SkipDir // bin is what make build leaves
		}
		if d.Type().IsRegular() {
			rel, err := filepath.Rel(top, path)
			if err != nil {
				return err
			}
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func git(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	return out.Bytes(), err
}
