//go:build !linux

package procs

import (
	"context"
	"time"
)

// Root is nowhere here.
const Root = ""

// Seen reports whether this system shows its processes at all.
const Seen = false

// List finds nothing here.
func List(context.Context, string, time.Time, func(name, exe string) bool) ([]Process, error) {
	return nil, nil
}
