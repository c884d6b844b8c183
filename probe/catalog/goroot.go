package catalog

import (
	"os"
	"path/filepath"
	"strings"

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
	data, err := os.ReadFile(filepath.Join(e.GOROOT, "go.env"))
	if err != nil {
		return ""
	}
	return lastValue(string(data), "GOPROXY")
}

// lastValue finds NAME=value in a go.env file as cmd/go/internal/cfg reads it:
// lines that begin with # are comments, no quoting, the last line wins.
func lastValue(text, name string) string {
	value := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if n, v, ok := strings.Cut(line, "="); ok && n == name {
			value = v
		}
	}
	return value
}
