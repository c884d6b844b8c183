//go:build unix

package env

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The go command reads a user file to its end, or for ever. gpx does not, and
// does not wait for the go command to.
func TestUserFileWithoutAnEnd(t *testing.T) {
	pipe := func(t *testing.T, w *world) string {
		path := filepath.Join(w.dir, "pipe")
		if err := syscall.Mkfifo(path, 0o666); err != nil {
			t.Skip("no named pipes here:", err)
		}
		return path
	}
	for _, tt := range []struct {
		name    string
		file    func(*testing.T, *world) string
		problem string // "" is none
	}{
		{"a pipe that nobody writes to", pipe, "not a regular file"},
		{"a device that never ends", func(*testing.T, *world) string { return "/dev/zero" }, "not a regular file"},
		{"a huge file", func(t *testing.T, w *world) string {
			path := filepath.Join(w.dir, "huge")
			w.write(t, path, "")
			if err := os.Truncate(path, maxEnvFile+1); err != nil {
				t.Fatal(err)
			}
			return path
		}, "too large"},
		{"the null device", func(*testing.T, *world) string { return os.DevNull }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			e := w.read(t, "GOENV="+tt.file(t, w))
			if got := e.Get("GOPROXY"); got != "https://default.example.com,direct" {
				t.Errorf("GOPROXY=%s", got)
			}
			said := strings.Join(e.Problems, "\n")
			if got := strings.Contains(said, "user file"); got != (tt.problem != "") || !strings.Contains(said, tt.problem) {
				t.Errorf("Problems: %s\nwant %q in it", said, tt.problem)
			}
		})
	}
}

// What stands on PATH as go may be a wrapper that waits for something else.
func TestGoThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t)
	pipe := filepath.Join(w.dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Skip("no named pipes here:", err)
	}
	wrapper := filepath.Join(w.dir, "go")
	w.write(t, wrapper, "#!/bin/sh\nread line <"+pipe+"\n")
	if err := os.Chmod(wrapper, 0o777); err != nil {
		t.Fatal(err)
	}
	e, err := Read(context.Background(), Options{Dir: w.dir, Environ: w.environ(), Go: wrapper, patience: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Get("GOPROXY"); got != "https://default.example.com,direct" {
		t.Errorf("GOPROXY=%s", got)
	}
	if said := strings.Join(e.Problems, "\n"); !strings.Contains(said, wrapper+" does not answer within 50ms") {
		t.Errorf("Problems: %s", said)
	}
}
