package catalog

import (
	"path/filepath"

	"gpx/envctl/bounded"
	"gpx/envctl/env"
)

// DefaultChain returns the GOPROXY value of $GOROOT/go.env: what the go command
// uses when neither the environment nor the user's file sets one. It is "" when
// GOROOT is not known or the file says nothing.
func DefaultChain(e *env.Env) string {
	if e == nil {
		return ""
	}
	v, _ := e.Lookup("GOPROXY")
	if v.Origin == env.GOROOT {
		return v.Value
	}
	for _, s := range v.Shadowed {
		if s.Origin == env.GOROOT {
			return s.Value
		}
	}
	// An OS variable that is set to nothing, or an Env that was read without a
	// go command, may not list what it hides.
	if e.GOROOT == "" {
		return ""
	}
	data, err := bounded.ReadFile(filepath.Join(e.GOROOT, "go.env"), 4<<20)
	if err != nil {
		return ""
	}
	return env.ParseGOROOT(data)["GOPROXY"]
}
