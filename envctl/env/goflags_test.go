package env

import "testing"

func TestFlag(t *testing.T) {
	for _, c := range []struct{ goflags, name, want string }{
		{"", "mod", ""},
		{"-mod=vendor", "mod", "vendor"},
		{"--mod=vendor -v", "mod", "vendor"},
		{"-mod=mod  -mod=vendor", "mod", "vendor"},
		{"-modfile=x.mod", "mod", ""},
		{"-modcacherw", "modcacherw", "true"},
		{"'-tags=a b' -x", "tags", "a b"},
		{`"-tags=a b"`, "tags", "a b"},
		{"-tags='a", "tags", "'a"},
		{"'-tags=a", "tags", ""}, // no end: the go command refuses it
		{"-ldflags=-mod=x", "mod", ""},
	} {
		e := &Env{Vars: []Var{{Name: "GOFLAGS", Value: c.goflags}}}
		if got := e.Flag(c.name); got != c.want {
			t.Errorf("GOFLAGS=%s: -%s is %q, want %q", c.goflags, c.name, got, c.want)
		}
	}
}
