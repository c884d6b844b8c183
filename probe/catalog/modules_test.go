package catalog

import "testing"

func TestKnown(t *testing.T) {
	own := []string{"github.com/acme/app", "intern.example/app"}
	for path, want := range map[string]bool{
		"golang.org/x/text":       true,
		"github.com/other/thing":  true,
		"k8s.io/api":              true,
		"github.com/acme/lib":     false, // the project's own account
		"github.com/acme/app/sub": false,
		"intern.example/lib":      false,
		"corp.example/auth":       false, // a host that is nobody's in particular
		"lib":                     false,
	} {
		if got := Known(path, own); got != want {
			t.Errorf("%s: known %v, want %v", path, got, want)
		}
	}
	// On a host that is everybody's, to share it means nothing.
	if !Known("golang.org/x/text", []string{"golang.org/x/tools"}) {
		t.Error("golang.org has one owner for all")
	}
	for path, want := range map[string]string{"github.com/acme/lib/v2": "github.com/acme", "corp.example/a/b": "corp.example", "github.com": "github.com"} {
		if got := Owner(path); got != want {
			t.Errorf("owner of %s: %s, want %s", path, got, want)
		}
	}
}
