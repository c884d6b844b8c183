package parcel

import (
	"regexp"
	"strings"
	"testing"

	"gpx/history/incident"
	"gpx/probe"
)

func isCorp(path string) bool { return strings.HasPrefix(path, "git.corp.example/") }

// What was masked has none of the names left, and still tells the story.
func TestMask(t *testing.T) {
	r := outage()
	r.Incident.Events = append(r.Incident.Events, incident.Event{At: at(90), Kind: incident.Environ,
		Text: `GOPROXY is now https://xxxxx@other.corp.example:8443/x|file:///home/alice/tree, golang.org/x/text@v0.3.0 came`})
	document := unzipped(t, encode(t, Mask(r, isCorp)))
	for _, name := range []string{"corp.example", "mirror.example.org", "10.20.30.40", "artifactory", "alice", "secret-project", "team/lib", "h1:", "5f3c"} {
		if strings.Contains(strings.ToLower(document), name) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, story := range []string{
		`"endpoints":[{"url":"https://host-1.example/path-1","kind":"proxy"},{"url":"https://host-2.example","kind":"proxy"},{"url":"direct"`,
		`"chain":"https://host-1.example/path-1,https://host-2.example,direct"`,
		`"headline":"OUTAGE: host-1.example refuses connections"`,
		`"headline":"OUTAGE: host-1.example/path-1 refuses connections and the …"`,
		`"note":"the load balancer of host-1.example was restarted"`,
		`"text":"https://host-1.example/path-1 is down: refused"`,
		`"text":"use https://host-2.example,direct in /path-`,
		`"command":"gpx use https://host-2.example"`,
		`"module":"private-1.example/module@v1.2.3"`,
		`GET https://host-1.example/path-1/private-1.example/module/@v/v1.2.3.info`,
		`"route":"https://host-1.example/path-1/sumdb/sum.golang.org"`,
		`"value":"sum.golang.org"`,
		`"remote_addr":""`, `"tls_expires":null`, `"env_digest":"env-1"`, `:443: connect: connection refused`,
		`https://xxxxx@host-3.example:8443/path-`, `golang.org/x/text@v0.3.0 came`,
	} {
		if !strings.Contains(document, story) {
			t.Errorf("%s is not there", story)
		}
	}
	if t.Failed() {
		t.Log(document)
	}
}

// hostRE finds the hosts of a document's URLs.
var hostRE = regexp.MustCompile(`[a-z]+://([^/",|\\s:]+)`)

// No host of a recording as gpx makes them is left, but the checksum database's.
func TestMaskRecorded(t *testing.T) {
	for name, r := range map[string]*incident.Recording{"made up": incident.Synthetic(noon), "outage": outage()} {
		document := unzipped(t, encode(t, r))
		data := encode(t, Mask(r, nil))
		masked := unzipped(t, data)
		hosts := hostRE.FindAllStringSubmatch(document, -1)
		if len(hosts) < 3 {
			t.Fatalf("%s: %d hosts in %s", name, len(hosts), document)
		}
		for _, host := range hosts {
			if strings.Contains(masked, host[1]) && !publicDatabases[host[1]] {
				t.Errorf("%s: %s is still there", name, host[1])
			}
		}
		if got := decode(t, data); len(got.Samples) != len(r.Samples) || len(got.Frames) != len(r.Frames) {
			t.Errorf("%s: %d samples and %d frames of %d and %d", name, len(got.Samples), len(got.Frames), len(r.Samples), len(r.Frames))
		}
	}
}

// Every text is masked, and the recording that was masked stays as it was.
func TestMaskEveryText(t *testing.T) {
	r := outage()
	texts(r, func(field, s string) string {
		switch {
		case field == "hops.separator":
			return s
		case strings.HasSuffix(field, "url"), field == "incident.chain":
			return "https://" + "goproxy:8081/base"
		}
		return "goproxy: x goproxy/base Goproxy:8081 of secret.corp.example, and /home/alice/x"
	})
	before := unzipped(t, encode(t, r))
	document := unzipped(t, encode(t, Mask(r, isCorp)))
	if unzipped(t, encode(t, r)) != before {
		t.Error("Mask changed what it was given")
	}
	for _, name := range []string{"goproxy", "corp.example", "alice", "/base"} {
		if strings.Contains(strings.ToLower(document), name) {
			t.Errorf("%s is still there: %s", name, document)
		}
	}
}

func TestMaskText(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"nothing to hide: 3 of 5 answers in 12.5s, 2.4 MB, go1.26.8 and v1.2.3.", "nothing to hide: 3 of 5 answers in 12.5s, 2.4 MB, go1.26.8 and v1.2.3."},
		{"go.mod and go.sum differ, see /etc/resolv.conf", "go.mod and go.sum differ, see /path-2"},
		{"https://proxy.corp.example", "https://host-1.example"},
		{"HTTPS://PROXY.corp.example:443/", "HTTPS://host-1.example:443/"},
		{"https://proxy.corp.example/go/", "https://host-1.example/path-1/"},
		{"https://proxy.corp.example/go/golang.org/x/text/@v/list", "https://host-1.example/path-1/golang.org/x/text/@v/list"},
		{"https://proxy.corp.example/go/git.corp.example/a/b/v2/@v/v2.0.0.zip", "https://host-1.example/path-1/private-1.example/module/v2/@v/v2.0.0.zip"},
		{"https://proxy.corp.example/go/sumdb/sum.golang.org/lookup/git.corp.example/a@v1.0.0", "https://host-1.example/path-1/sumdb/sum.golang.org/lookup/private-1.example/module@v1.0.0"},
		{"https://proxy.corp.example/go/sumdb/sum.corp.example/tile/8/0/x001", "https://host-1.example/path-1/sumdb/host-3.example/tile/8/0/x001"},
		{"https://proxy.corp.example/go/golang.org/x/text/@v/secret-branch.info", "https://host-1.example/path-1/golang.org/x/text/@v/…"},
		{"https://proxy.corp.example/go/golang.org/x/text/@latest", "https://host-1.example/path-1/golang.org/x/text/@latest"},
		{"https://proxy.corp.example/go/sumdb/sum.golang.org/tile/secret", "https://host-1.example/path-1/sumdb/sum.golang.org"},
		{"https://xxxxx@proxy.corp.example/go/x@y/proxy.corp.example", "https://xxxxx@host-1.example/path-2"},
		{"https://proxy.corp.example/x@y/proxy.corp.example", "https://host-1.example/path-2"},
		{"git.corp.example/a@secret-branch", "host-3.example/path-2"},
		{"https://proxy.corp.example/other?token=a#b", "https://host-1.example/path-2"},
		{"redirect to https://login.corp.example/sso?next=https%3A%2F%2Fproxy.corp.example%2Fgo", "redirect to https://host-3.example/path-2"},
		{"next=https%3A%2F%2Fproxy.corp.example%2Fgo", "next=https%3A%2F%2Fhost-1.example"},
		{`{"url":"https:\/\/proxy.corp.example\/go"}`, `{"url":"https://host-1.example/path-1"}`},
		{"proxy.corp.example/go hangs", "host-1.example/path-1 hangs"},
		{"lookup nexus on 10.0.0.2:53: no such host", "lookup host-2.example on host-3.example:53: no such host"},
		{"lookup nexus: server misbehaving", "lookup host-2.example: server misbehaving"},
		{"read tcp 10.0.0.5:4711->[fd00::1]:443: reset", "read tcp host-3.example:4711->host-4.example:443: reset"},
		{"via fd00::1.", "via host-3.example."},
		{"certificate is valid for *.corp.example, 163.com, not proxy.corp.example", "certificate is valid for *.host-3.example, host-4.example, not host-1.example"},
		{"mail bob@corp.example!", "mail xxxxx@host-3.example!"},
		{"git@git.corp.example:team/repo", "git@host-3.example"},
		{"gopher.git.corp.example/team/repo", "host-3.example/path-2"},
		{"bücher.example und пример.рф", "host-3.example und host-4.example"},
		{"OUTAGE: proxy.cor…ample/go drops packets", "OUTAGE: host-1.example/path-1 drops packets"},
		{"OUTAGE: some.other…name hangs", "OUTAGE: … hangs"},
		{`open C:\Users\alice\go.mod`, `open /path-2`},
		{`open \\server\share\x`, `open /path-2`},
		{"open ~/work/x and ../y: no", "open /path-2 and /path-3: no"},
		{"cannot open:/home/alice/x", "cannot open:/path-2"},
		{"file:///home/alice/tree|off", "file:///path-2|off"},
		{"/supported: timeout", "/supported: timeout"},
		{"golang.org/x/text@v0.3.0: not found", "golang.org/x/text@v0.3.0: not found"},
		{"git.corp.example/a@v0.3.0/go.mod: not found", "private-1.example/module@v0.3.0/go.mod: not found"},
		{"git.corp.example/a@v0.0.0-20261123120000-0123456789ab", "private-1.example/module@v0.0.0-20261123120000-0123456789ab"},
		{"proxy.corp.example/lib@v1.0.0", "private-1.example/module@v1.0.0"},
		{"sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAd8OuAn8", "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAd8OuAn8"},
		{"sum.corp.example+033de0ae+Ac4zctda0e5eza+HJyk9S/Edh https://sum.corp.example", "host-3.example https://host-3.example"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			m := newMask(isCorp)
			m.learn("https://proxy.corp.example/go")
			m.learn("http://nexus:8081/")
			if got := m.text(tt.in); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Without anybody to ask every module is private but gpx's own.
func TestMaskAllModules(t *testing.T) {
	r := outage()
	r.Frames[0].Snapshot.Endpoints[0].Module = "github.com/acme/x@v1.0.0"
	r.Frames[0].Snapshot.Endpoints[1].Module = probe.Canary.String()
	got := Mask(r, nil).Frames[0].Snapshot.Endpoints
	if got[0].Module != "private-1.example/module@v1.0.0" || got[1].Module != probe.Canary.String() {
		t.Errorf("%s, %s", got[0].Module, got[1].Module)
	}
}

// Whatever stands around a host that is known, it does not come through.
func FuzzMaskText(f *testing.F) {
	for _, s := range [][2]string{{"", ""}, {"https://", "/x"}, {"a@", ":443->"}, {"v1.2.3-", ""}, {"https%3A%2F%2F", "%2Fx"}, {"…", "…"}, {"file:///", "@v1.0.0"},
		{"/sumdb/", "/lookup/x@v1.0.0"}, {`C:\`, `\x`}, {"https://a/?q=", "#"}, {"[", "]"}, {"!", "+033de0ae+A"}, {"/@v/", "/@latest"}, {"/tile/", ""}, {"https://host/go/", "/@v/list"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const host = "zq9.corp.example"
		m := newMask(func(string) bool { return true })
		m.learn("https://" + host + "/go")
		if got := m.text(tidyText("", before+host+after)); strings.Contains(strings.ToLower(got), host) {
			t.Errorf("%q + host + %q is %q", before, after, got)
		}
	})
}
