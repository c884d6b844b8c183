package env

import (
	"strings"
	"testing"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/tui/theme"
)

var th = theme.New(theme.Options{NoColor: true})

func sample() *env.Env {
	return &env.Env{Vars: []env.Var{
		{Name: "CC", Value: "gcc", Origin: env.Default},
		{Name: "GOFLAGS", Value: "-mod=mod", Origin: env.OS, Shadowed: []env.Setting{{Origin: env.User, Value: "-trimpath"}, {Origin: env.Default, Value: ""}}},
		{Name: "GONOPROXY", Value: "corp.example", Origin: env.Derived},
		{Name: "GOPROXY", Value: "https://me:secret@a.example,direct", Origin: env.User, Shadowed: []env.Setting{{Origin: env.GOROOT, Value: "https://d.example,direct"}}},
		{Name: "GOSUMDB", Value: "off", Origin: env.User},
	}}
}

func find(t *testing.T, rows []row, name string) *row {
	for i := range rows {
		if rows[i].name == name {
			return &rows[i]
		}
	}
	t.Fatalf("%s is not there", name)
	return nil
}

func TestCells(t *testing.T) {
	pending := map[string]change.Assignment{"GONOPROXY": {Name: "GONOPROXY", Value: "none"}}
	rows := buildRows(sample(), pending)
	for _, tc := range []struct{ name, want string }{
		{"CC", "CC| |gcc|default|"},
		{"GOFLAGS", "GOFLAGS|!|-mod=mod|shell|user file: -trimpath"},
		{"GONOPROXY", "GONOPROXY|~|none|pending|derived: corp.example"},
		{"GOPROXY", "GOPROXY| |https://xxxxx@a.example,direct|user file|$GOROOT/go.env: https://d.example,direct"},
	} {
		var got []string
		for _, c := range cells(th, find(t, rows, tc.name)) {
			got = append(got, c.Plain())
		}
		if s := strings.Join(got, "|"); s != tc.want {
			t.Errorf("%q, want %q", s, tc.want)
		}
	}
}

func TestOrders(t *testing.T) {
	for o, want := range map[order]string{byUse: "GOPROXY GONOPROXY GOSUMDB GOFLAGS CC", byName: "CC GOFLAGS GONOPROXY GOPROXY GOSUMDB", byOrigin: "GOFLAGS GOPROXY GOSUMDB GONOPROXY CC"} {
		rows := buildRows(sample(), nil)
		sortRows(rows, o)
		var got []string
		for _, r := range rows {
			got = append(got, r.name)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", o, s, want)
		}
	}
}

func TestUnsetShowsWhatComesBack(t *testing.T) {
	rows := buildRows(sample(), map[string]change.Assignment{"GOPROXY": {Name: "GOPROXY", Unset: true}})
	r := find(t, rows, "GOPROXY")
	if r.after() != "https://d.example,direct" || command(r) != "go env -u GOPROXY" {
		t.Errorf("%q, %q", r.after(), command(r))
	}
}

func TestEffects(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"GOPROXY", "https://a.example|direct", "version control"},
		{"GOPROXY", "", "rejects this value"},
		{"GOPROXY", "https://a.example,off", "not looked up"},
		{"GOPROXY", "off", "only what is in the module cache builds"},
		{"GOPROXY", "direct", "No proxy is asked"},
		{"GOSUMDB", "off", "CHECKSUMS ARE OFF"},
		{"GOSUMDB", "sum.golang.org", "sum.golang.org"},
		{"GONOPROXY", "none", "Nothing bypasses"},
		{"GOFLAGS", "-mod=vendor", "vendor/"},
		{"GOINSECURE", "x", "no effect on proxies"},
		{"CC", "gcc", ""},
	} {
		if got := effect(tc.name, tc.value); !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
			t.Errorf("%s=%s: %q", tc.name, tc.value, got)
		}
	}
}

func TestRefuse(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		ok          bool
	}{
		{"GOPROXY", "https://a.example,direct", true},
		{"GOPROXY", "https://xxxxx@a.example", false}, // what stands for hidden credentials is no credential
		{"GOPROXY", "ftp://a.example", false},
		{"GOPROXY", "", true}, // back to the default
		{"GOSUMDB", "a b c", false},
		{"GOFLAGS", "-v", true},
	} {
		if got := refuse(tc.name, tc.value); (got == "") != tc.ok {
			t.Errorf("%s=%s: %q", tc.name, tc.value, got)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"off": "off", "a|b": "'a|b'", "it's": `'it'\''s'`, "": "''", "https://a.example,direct": "https://a.example,direct"} {
		if got := quote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestAboutAnother(t *testing.T) {
	e := &env.Env{Vars: []env.Var{{Name: "GOPROXY"}, {Name: "GOTOOLCHAIN"}}}
	for _, tc := range []struct {
		problem string
		want    bool
	}{
		{"/usr/local/go/go.env was changed: GOTOOLCHAIN=local", true},
		{"GOPROXY and GOTOOLCHAIN are odd", false},
		{"there is no go on PATH", false},
	} {
		if got := aboutAnother(e, tc.problem, "GOPROXY"); got != tc.want {
			t.Errorf("%s: %v", tc.problem, got)
		}
	}
}
