package metrics

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"gpx/cachectl/relay"
)

func file(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../../../docs/prometheus/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The rules and alerts are made of metrics that gpx has, and of what the rules make
// of them. promtool knows nothing of that: a rule over a metric that is not there is
// silent.
func TestRulesNameWhatThereIs(t *testing.T) {
	known, page := map[string]bool{}, file(t, "README.md")
	w, m := NewWatch("v1", quiet), NewRelay("v1")
	w.Observe(outage())
	m.Follow(func() relay.Stats { return relay.Stats{Upstreams: []relay.Upstream{{Hop: "a", Served: 1}}} })
	for _, g := range []*prometheus.Registry{w.registry, m.registry} {
		families, err := g.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			known[f.GetName()] = true
			if strings.HasPrefix(f.GetName(), "gpx_") && !strings.Contains(page, f.GetName()) {
				t.Errorf("README.md says nothing of %s", f.GetName())
			}
			if strings.HasSuffix(f.GetName(), "_seconds") && f.GetType().String() == "HISTOGRAM" {
				known[f.GetName()+"_bucket"] = true
			}
		}
	}
	text := file(t, "gpx.rules.yml") + file(t, "gpx.alerts.yml")
	for _, m := range regexp.MustCompile(`record: (gpx:\S+)`).FindAllStringSubmatch(text, -1) {
		known[m[1]] = true
	}
	names := regexp.MustCompile(`\bgpx[_:][a-z0-9_:]+`).FindAllString(text+page, -1)
	if len(names) < 40 {
		t.Errorf("only %d names were found", len(names))
	}
	for _, name := range names {
		if !known[name] {
			t.Errorf("there is no %s", name)
		}
	}
}
