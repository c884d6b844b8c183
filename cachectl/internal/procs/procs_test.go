package procs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Which caches a go command works with, by the environment and the user's file
// of its process.
func TestCaches(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	home, cache := filepath.Join(dir, "home"), filepath.Join(dir, "cache")
	for _, folder := range []string{cache, filepath.Join(home, ".config", "go"), filepath.Join(dir, "xdg", "go")} {
		must(t, os.MkdirAll(folder, 0o777))
	}
	must(t, os.Symlink(cache, filepath.Join(dir, "link")))
	must(t, os.WriteFile(filepath.Join(dir, "xdg", "go", "env"), []byte("GOMODCACHE=/from/file\nGOCACHE=/built/file\n"), 0o666))
	must(t, os.WriteFile(filepath.Join(dir, "env"), []byte("GOPATH=/gopath/file\n"), 0o666))
	tests := []struct {
		name       string
		environ    []string
		mod, build string
	}{
		{"nothing is known", nil, "", ""},
		{"by default", []string{"HOME=" + home}, home + "/go/pkg/mod", home + "/.cache/go-build"},
		{"other variables", []string{"HOME=" + home, "XGOMODCACHE=/x", "GOMODCACHE="}, home + "/go/pkg/mod", home + "/.cache/go-build"},
		{"named", []string{"HOME=" + home, "GOMODCACHE=" + cache, "GOCACHE=/b"}, cache, "/b"},
		{"through a link", []string{"GOMODCACHE=" + dir + "/link"}, cache, ""},
		{"spelled differently", []string{"GOMODCACHE=" + cache + "/../cache/"}, cache, ""},
		{"by GOPATH", []string{"HOME=" + home, "GOPATH=/one:/two", "XDG_CACHE_HOME=/c"}, "/one/pkg/mod", "/c/go-build"},
		{"by the user's file", []string{"HOME=" + home, "XDG_CONFIG_HOME=" + dir + "/xdg", "GOPATH=/one"}, "/from/file", "/built/file"},
		{"by the file that GOENV names", []string{"HOME=" + home, "GOENV=" + dir + "/env", "XDG_CONFIG_HOME=" + dir + "/xdg"}, "/gopath/file/pkg/mod", home + "/.cache/go-build"},
		{"GOENV=off", []string{"HOME=" + home, "GOENV=off", "XDG_CONFIG_HOME=" + dir + "/xdg"}, home + "/go/pkg/mod", home + "/.cache/go-build"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Process{environ: []byte(strings.Join(tt.environ, "\x00") + "\x00")}
			if got := p.ModCache(); got != filepath.FromSlash(tt.mod) {
				t.Errorf("module cache %q, want %q", got, tt.mod)
			}
			if got := p.BuildCache(); got != filepath.FromSlash(tt.build) {
				t.Errorf("build cache %q, want %q", got, tt.build)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
