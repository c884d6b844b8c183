package view

import "testing"

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
