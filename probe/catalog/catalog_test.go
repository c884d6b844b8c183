package catalog

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpx/envctl/env"
)

func withGOROOT(t *testing.T, goEnv string) *env.Env {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.env"), []byte(goEnv), 0o666); err != nil {
		t.Fatal(err)
	}
	return &env.Env{GOROOT: root}
}

func TestTheDefaultIsReadAtRunTime(t *testing.T) {
	for _, c := range []struct {
		name string
		env  *env.Env
		want string // "" is: no such entry
	}{
		{"no environment", nil, ""},
		{"no GOROOT", &env.Env{}, ""},
		{"from GOROOT/go.env", withGOROOT(t, "# comment\nGOPROXY=https://proxy.example.com,direct\nGOSUMDB=sum.golang.org\n"), "https://proxy.example.com"},
		{"changed by a distribution", withGOROOT(t, "GOPROXY=https://mirror.example.org/go|direct\n"), "https://mirror.example.org/go"},
		{"set twice: the go command keeps the first", withGOROOT(t, "GOPROXY=https://first.example.com\nGOPROXY=https://second.example.com\n"), "https://first.example.com"},
		{"direct only", withGOROOT(t, "GOPROXY=direct\n"), ""},
		{"no value", withGOROOT(t, "GOSUMDB=off\n"), ""},
		{"known to the environment", &env.Env{Vars: []env.Var{{Name: "GOPROXY", Value: "https://proxy.example.com", Origin: env.GOROOT}}}, "https://proxy.example.com"},
		{"hidden by the user's value", &env.Env{Vars: []env.Var{{Name: "GOPROXY", Value: "off", Origin: env.User,
			Shadowed: []env.Setting{{Origin: env.GOROOT, Value: "https://proxy.example.com,direct"}}}}}, "https://proxy.example.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := Entries(c.env)[0]
			if c.want == "" {
				if first.Name == DefaultName {
					t.Errorf("an entry out of nowhere: %+v", first)
				}
				return
			}
			if first.Name != DefaultName || first.URL != c.want {
				t.Errorf("the first entry is %s %s, want %s", first.Name, first.URL, c.want)
			}
			if e, ok := Find(c.env, "default"); !ok || e.URL != c.want {
				t.Errorf("default is %+v", e)
			}
			if !Public(c.env, c.want+"/") {
				t.Error("the toolchain's default is not public")
			}
		})
	}
}

// Every entry says what it is, and where and when that was learnt.
func TestEntriesAreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, e := range Entries(nil) {
		u, err := url.Parse(e.URL)
		if err != nil || u.Scheme != "https" {
			t.Errorf("%s: URL %q", e.Name, e.URL)
		}
		for what, s := range map[string]string{"name": e.Name, "operator": e.Operator, "region": e.Region, "sumdb": e.SumDB,
			"state": e.State, "source": e.Source, "date": e.Date, "confidence": e.Confidence, "kind": e.Kind, "note": e.Note} {
			if s == "" {
				t.Errorf("%s: no %s", e.URL, what)
			}
		}
		if names[e.Name] {
			t.Errorf("two entries are called %s", e.Name)
		}
		names[e.Name] = true
		if gone := e.State == Retired || e.State == PresumedDead; gone != e.Retired {
			t.Errorf("%s is %s, and retired: %v", e.Name, e.State, e.Retired)
		}
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"goproxy.cn", "goproxy.cn"},
		{"GoProxy.CN", "goproxy.cn"},
		{" goproxy.io ", "goproxy.io"},
		{"https://goproxy.cn/", "goproxy.cn"},
		{"https://user:pw@goproxy.cn", "goproxy.cn"},
		{"https://goproxy.cn:443", "goproxy.cn"},
		{"mirrors.aliyun.com/goproxy", "aliyun"},
		{"https://mirrors.aliyun.com", ""},
		{"gocenter.io", "gocenter"},
		{"sum.golang.google.cn", "sum.golang.google.cn"},
		{"", ""}, {"direct", ""}, {"off", ""}, {"https://", ""}, {"%zz", ""},
		{"https://proxy.corp.example", ""},
	} {
		e, ok := Find(nil, c.in)
		if ok != (c.want != "") || e.Name != c.want {
			t.Errorf("Find(%q) = %q, want %q", c.in, e.Name, c.want)
		}
	}
}

func TestPublic(t *testing.T) {
	for _, c := range []struct {
		url  string
		want bool
	}{
		{"https://goproxy.cn", true},
		{"https://goproxy.cn/", true},
		{"https://joe:token@goproxy.cn", false}, // an account may hold private modules
		{"https://proxy.corp.example", false},
		{"http://127.0.0.1:3000", false},
		{"file:///srv/tree", false},
		{"sum.golang.google.cn", false}, // no proxy at all
		{"direct", false},
	} {
		if got := Public(nil, c.url); got != c.want {
			t.Errorf("Public(%q) = %v", c.url, got)
		}
	}
}

func TestNoCredentialsInTheDefaultsNote(t *testing.T) {
	e := withGOROOT(t, "GOPROXY=https://joe:hunter2@proxy.example.com\n")
	first := Entries(e)[0]
	if strings.Contains(first.Note, "hunter2") {
		t.Error(first.Note)
	}
}
