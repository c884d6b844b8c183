package buildcache

import (
	"path/filepath"
	"strings"
	"testing"

	"gpx/envctl/advice"
	"gpx/envctl/env"
)

// Which build cache there is, and whether there is one at all, as the go command
// sees it: where gpx says that there is none, the go command does not build.
func TestLocate(t *testing.T) {
	h := newGohome(t, 1)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	for _, c := range []struct {
		name string
		set  []string
		dir  string
		note string // in the note; "" for none
	}{
		{"usual", nil, h.cache, ""},
		{"another folder", []string{"GOCACHE=" + elsewhere}, elsewhere, ""},
		{"the default", []string{"GOCACHE=", "XDG_CACHE_HOME=" + elsewhere, "HOME=" + elsewhere, "LocalAppData=" + elsewhere}, "go-build", ""},
		{"off", []string{"GOCACHE=off"}, "", "refuses to build"},
		{"relative", []string{"GOCACHE=cache"}, "", "not an absolute path"},
		{"no place for one", []string{"GOCACHE=", "HOME=", "XDG_CACHE_HOME=", "LocalAppData="}, "", "names no place"},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := *h
			one.environ = append(append([]string{}, h.environ...), c.set...)
			e, err := env.Read(t.Context(), env.Options{Dir: h.project, Environ: one.environ})
			must(t, err)
			got := Locate(e)
			if !strings.HasSuffix(got.Dir, c.dir) || (got.Dir == "") != (c.dir == "") || got.Program {
				t.Errorf("finds %q, want %q", got.Dir, c.dir)
			}
			if !strings.Contains(got.Note, c.note) || (c.note == "") != (got.Note == "") {
				t.Errorf("says %q, want %q", got.Note, c.note)
			}
			if got.Dir == "" && (advice.Of(got.Err) == "" || got.Err.Error() != got.Note) || got.Dir != "" && got.Err != nil {
				t.Errorf("says %v, and notes %q", got.Err, got.Note)
			}
			out, err := one.command(t.Context(), "build", "./...").CombinedOutput()
			if (err == nil) != (got.Dir != "") {
				t.Errorf("go build: %v\n%s", err, out)
			}
		})
	}
	t.Run("a program that keeps it", func(t *testing.T) {
		e, err := env.Read(t.Context(), env.Options{Dir: h.project, Environ: append(h.environ, "GOCACHEPROG=cacher --remote https://me:hunter2@cache.example.com")})
		must(t, err)
		got := Locate(e)
		if got.Dir != h.cache || !got.Program || !strings.Contains(got.Note, "no go command trims it") || strings.Contains(got.Note, "hunter2") {
			t.Errorf("%+v", got)
		}
	})
}
