package reach_test

import (
	"slices"
	"testing"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/reach"
)

// TestSources: what the user wants now is asked of the hops that a build would ask,
// and a public host learns of nothing private.
func TestSources(t *testing.T) {
	t.Parallel()
	const public, other, company = "https://public.example.org", "https://other.example.org", "https://proxy.corp.example.com"
	mod := func(path string) module.Version { return module.Version{Path: path, Version: "v1.0.0"} }
	for _, tt := range []struct {
		name, chain, noProxy, private string
		own                           []string
		m                             module.Version
		want                          []string
	}{
		{"public hops alone", public + "," + other, "", "", nil, mod("vanity.example.org/x"), []string{public, other}},
		{"nobody knows it, behind a private hop", company + "," + public, "", "", nil, mod("vanity.example.org/x"), []string{company}},
		{"known to the world, behind a private hop", company + "," + public, "", "", nil, mod("github.com/a/b"), []string{company, public}},
		{"of the owner of the user's project", public, "", "", []string{"github.com/acme/app"}, mod("github.com/acme/lib"), []string{public}},
		{"the same, behind a private hop", company + "," + public, "", "", []string{"github.com/acme/app"}, mod("github.com/acme/lib"), []string{company}},
		{"GONOPROXY", public + "," + company, "github.com/acme/*", "github.com/acme/*", nil, mod("github.com/acme/lib"), []string{}},
		{"GOPRIVATE, GONOPROXY=none", public + "|" + company, "none", "github.com/acme/*", nil, mod("github.com/acme/lib"), []string{company}},
		{"off", "off", "", "", nil, mod("github.com/a/b"), []string{}},
		{"direct", "direct", "", "", nil, mod("github.com/a/b"), []string{"direct"}},
	} {
		c, err := chain.Parse(tt.chain)
		if err != nil {
			t.Fatal(err)
		}
		r := reach.New(probe.New(probe.DefaultConfig(), nil), reach.Options{
			Chain: c, NoProxy: tt.noProxy, Private: tt.private, Own: tt.own,
			Public: func(url string) bool { return url != company },
		})
		got := []string{}
		for _, ep := range r.Sources(tt.m) {
			if ep.Kind != probe.KindDirect || tt.name == "direct" {
				got = append(got, ep.URL)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
