package view

import (
	"testing"

	"gpx/envctl/env"
)

func TestHopName(t *testing.T) {
	for hop, want := range map[string]string{
		"https://proxy.example.com": "example.com", "https://proxy.local": "proxy.local", "https://b.example/goproxy": "b.example",
		"direct": "direct", "file:///srv/tree": "/srv/tree", "http://127.0.0.1:4000/primary": "127.0.0.1:4000",
	} {
		if got := HopName(hop); got != want {
			t.Errorf("%s: %s, want %s", hop, got, want)
		}
	}
}

func TestUntilde(t *testing.T) {
	e := &env.Env{Environ: []string{"HOME=/home/me"}}
	for typed, want := range map[string]string{" ~/a.md ": "/home/me/a.md", "/tmp/a.md": "/tmp/a.md", "a~.md": "a~.md", "~you/a.md": "~you/a.md"} {
		if got := Untilde(e, typed); got != want {
			t.Errorf("%q is %q, want %q", typed, got, want)
		}
	}
	if got := Untilde(nil, "~/a.md"); got != "~/a.md" {
		t.Errorf("without a home folder: %q", got)
	}
}
