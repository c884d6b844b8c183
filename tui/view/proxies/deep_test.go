package proxies

import (
	"testing"

	"gpx/probe"
	"gpx/tui/theme"
)

func TestDeepSummary(t *testing.T) {
	checks := func(classes ...probe.Class) []probe.Check {
		files := []probe.File{probe.Info, probe.Latest, probe.Zip}
		var cs []probe.Check
		for i, c := range classes {
			cs = append(cs, probe.Check{File: files[i], Class: c})
		}
		return cs
	}
	for _, c := range []struct {
		name   string
		result probe.Result
		role   theme.Role
		says   string
	}{
		{"everything", probe.Result{Class: probe.OK, Checks: checks(probe.OK, probe.OK)}, theme.Good, "all 2 checks pass"},
		{"no @latest", probe.Result{Class: probe.OK, Checks: checks(probe.OK, probe.NotFound, probe.OK)}, theme.Good, "2 of 3 checks pass, it lacks latest"},
		{"nothing to check", probe.Result{Kind: probe.KindDirect, Class: probe.OK}, theme.Good, "ok"},
		{"nothing answers", probe.Result{Kind: probe.KindDirect, Class: probe.DNSNotFound}, theme.Bad, "DNS not found"},
		{"a stalled zip", probe.Result{Class: probe.OK, Checks: checks(probe.OK, probe.NotFound, probe.Stalled)}, theme.Bad, "1 of 3 checks fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if role, says := deepSummary(c.result); role != c.role || says != c.says {
				t.Errorf("%v %q, want %v %q", role, says, c.role, c.says)
			}
		})
	}
}
