package reach_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"gpx/probe"
	"gpx/probe/lab"
)

// TestPrivacy asks for the same versions under different circumstances. What a
// host was told is read from its own log, not from the answers.
func TestPrivacy(t *testing.T) {
	t.Parallel()
	all := []module.Version{
		alpha, gitOne, secret,
		{Path: "github.com/gpx-lab-corp/secret", Version: "v1.0.0"},
		{Path: "billing/core", Version: "v1.0.0"},
		{Path: "git.corp/team/tool", Version: "v1.0.0"},
		{Path: "10.0.0.7/tool", Version: "v1.0.0"},
		{Path: "golang.org/x/text", Version: "v0.3.0"},
	}
	const (
		vanity  = "lab.example.com/alpha"
		known   = "github.com/gpx-lab/one golang.org/x/text"
		corp    = "corp.example.com/secret"
		account = "github.com/gpx-lab-corp/secret"
		inside  = " git.corp/team/tool 10.0.0.7/tool" // billing/core is nobody's: go get refuses it
	)
	type setting struct {
		chain   string // of the letters: P public, Q public too, C a company's, D direct, T a tree
		noProxy string
		private string
		own     []string
		extra   bool
		consent bool
		records bool // the public checksum database's record of alpha is cached
	}
	for _, test := range []struct {
		name string
		setting
		p, c string // what the public and the company's host are told, sorted by nothing
	}{
		{"a public hop alone is told what a build tells it", setting{chain: "P"}, vanity + " " + known + " " + corp + " " + account, ""},
		{"GONOPROXY", setting{chain: "P", noProxy: "corp.example.com"}, vanity + " " + known + " " + account, ""},
		{"GONOPROXY keeps it from the company's proxy too", setting{chain: "C", noProxy: "corp.example.com"}, "", vanity + " " + known + " " + account + inside},
		{"GOPRIVATE with GONOPROXY=none", setting{chain: "P,C", noProxy: "none", private: "corp.example.com,*/gpx-lab-corp"}, vanity + " " + known,
			vanity + " " + known + " " + corp + " " + account + inside},
		{"the owner of the user's own project", setting{chain: "P", own: []string{"github.com/gpx-lab-corp/app", "corp.example.com/app"}}, vanity + " " + known, ""},
		{"a public hop behind a private one", setting{chain: "C,P"}, known + " " + account, vanity + " " + known + " " + corp + " " + account + inside},
		{"a public hop behind a tree", setting{chain: "T,P"}, known + " " + account, ""},
		{"what the checksum database has a record of", setting{chain: "C,P", records: true}, vanity + " " + known + " " + account, vanity + " " + known + " " + corp + " " + account + inside},
		{"a host beyond the chain, not agreed to", setting{chain: "C", extra: true}, "", vanity + " " + known + " " + corp + " " + account + inside},
		{"a host beyond the chain, agreed to", setting{chain: "C", extra: true, consent: true, own: []string{"github.com/gpx-lab-corp/app"}}, known, vanity + " " + known + " " + corp + " " + account + inside},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			// They lack everything, so that nobody is spared a question.
			lacking := lab.Lacking("*/*")
			p, c := w.Proxy("P", nil, lacking), w.Proxy("C", nil, lacking)
			w.public[p.URL()] = true
			hops := strings.NewReplacer("P", p.URL(), "C", c.URL(), "T", "file://"+filepath.ToSlash(t.TempDir())).Replace(test.chain)
			w.chain(strings.Split(hops, ",")...)
			o := &w.options
			o.NoProxy, o.Private, o.Own, o.Consent = test.noProxy, test.private, test.own, test.consent
			o.VCS, o.Cache = 1, t.TempDir()
			if test.extra {
				o.Extra = []probe.Endpoint{{URL: p.URL(), Kind: probe.KindProxy}}
			}
			if test.records {
				file := filepath.Join(o.Cache, "cache/download/sumdb/sum.golang.org/lookup/lab.example.com/alpha@v1.0.0")
				if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte("record"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			w.environ = []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_ALLOW_PROTOCOL=none"}
			answers := w.ask(all...)
			for host, want := range map[*lab.Server]string{p: test.p, c: test.c} {
				got := map[string]bool{}
				for _, path := range requests(host) {
					module, _, _ := strings.Cut(path, "/@v/")
					got[module] = true
				}
				for _, m := range strings.Fields(want) {
					if !got[m] {
						t.Errorf("%s was not asked for %s", host.Name, m)
					}
					delete(got, m)
				}
				for m := range got {
					t.Errorf("%s was told of %s", host.Name, m)
				}
			}
			for m, a := range answers {
				if a.Reachable() || !a.Asked && a.Why == "" {
					t.Errorf("%s: %+v", m, a)
				}
			}
		})
	}
}
