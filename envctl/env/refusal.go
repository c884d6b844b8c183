package env

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Refusal is why the go command gets no module under these settings, whatever is
// asked of it and whoever would answer, in its own words; nil where it goes ahead.
// "go env" itself does not mind most of them (cmd/go/main.go, base.InitGOFLAGS,
// modload.Init). A flag in GOFLAGS that no command has is not found: which there
// are is known to each toolchain alone. Nor is a GOMODCACHE that cannot be used,
// which shows only when something is put there.
func (e *Env) Refusal() error {
	for _, p := range filepath.SplitList(e.Get("GOPATH")) {
		switch {
		case p == "" || filepath.IsAbs(p):
		case strings.HasPrefix(p, "~"):
			return fmt.Errorf("GOPATH entry cannot start with shell metacharacter '~': %q", p)
		default:
			return fmt.Errorf("GOPATH entry is relative; must be absolute path: %q", p)
		}
	}
	for _, f := range SplitFlags(e.Get("GOFLAGS")) {
		if f = unquote(f); !isFlag(f) {
			return fmt.Errorf("parsing $GOFLAGS: non-flag %q", f)
		}
	}
	switch mode := e.Get("GO111MODULE"); mode {
	case "", "on", "auto":
	case "off":
		return fmt.Errorf("modules disabled by GO111MODULE=off; see 'go help modules'")
	default:
		return fmt.Errorf("unknown environment setting GO111MODULE=%s", mode)
	}
	return nil
}

// isFlag reports that a word looks like -x, --x, -x=value or --x=value.
func isFlag(word string) bool {
	name, ok := strings.CutPrefix(word, "-")
	name = strings.TrimPrefix(name, "-")
	return ok && name != "" && name[0] != '-' && name[0] != '='
}
