package deps

import (
	"strings"
	"testing"
)

// What is missing may need what nothing else does: nobody is told that such a
// module is not needed, until all imports can be read.
func TestUnknown(t *testing.T) {
	w := newWorld(t)
	whole := w.prepare(t, "pruned")
	for _, tt := range []struct {
		name string
		do   func(m *machine)
		why  map[string]string // by module path: what is said in Why; "" is needed
	}{
		{"whole", func(*machine) {},
			map[string]string{"lab.example.com/util": "", "lab.example.com/windows": "no package of it is needed on "}},
		// Where lib is not to be seen it might have lib/nested too.
		{"one is missing", func(m *machine) { m.remove("lab.example.com/lib", "v1.0.0", "zip", "dir") }, map[string]string{
			"lab.example.com/util":    "what is missing may need it: nobody can read what lab.example.com/lib and 1 more import",
			"lab.example.com/windows": "what is missing may need it",
		}},
		{"one that tests need is missing", func(m *machine) { m.remove("lab.example.com/check", "v1.0.0", "zip", "dir") }, map[string]string{
			"lab.example.com/util": "", "lab.example.com/far": "nobody can read what lab.example.com/check imports", "lab.example.com/windows": "may need it",
		}},
		{"two are missing", func(m *machine) {
			m.remove("lab.example.com/lib", "v1.0.0", "zip", "dir")
			m.remove("lab.example.com/check", "v1.0.0", "zip", "dir")
		}, map[string]string{"lab.example.com/windows": "what lab.example.com/check and 2 more import"}},
		{"go.mod is broken", func(m *machine) { m.edit("go.mod", func(s string) string { return s + "reqire x\n" }) },
			map[string]string{"lab.example.com/windows": "could not be looked at"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := whole.copy(t)
			tt.do(m)
			rows := map[string]Module{}
			report := m.read(nil)
			unknown := 0
			for _, x := range report.Modules {
				rows[x.Path] = x
				if x.Unknown {
					unknown++
				}
			}
			if got := report.Readiness(); got.Unknown != unknown || got.Ready+got.AtRisk+got.Missing+got.Unknown != len(report.Modules) {
				t.Errorf("%d modules, %d of them not known, are counted as %+v", len(report.Modules), unknown, got)
			}
			for path, why := range tt.why {
				x, ok := rows[path]
				needed := why == ""
				unknown := !needed && !strings.HasPrefix(why, "no package")
				if !ok || x.Verdict != Ready || x.Needed != needed || x.Unknown != unknown || !strings.Contains(x.Why, why) {
					t.Errorf("%s: needed %v, unknown %v, verdict %s, why %q; want why %q", path, x.Needed, x.Unknown, x.Verdict, x.Why, why)
				}
			}
		})
	}
}
