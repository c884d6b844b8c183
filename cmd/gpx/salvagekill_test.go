package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKilledSalvage kills gpx salvage --apply at any instant. Afterwards no version
// is half there, the project builds without a network, and the next run brings back
// the rest, whatever the killed one left behind.
func TestKilledSalvage(t *testing.T) {
	t.Parallel()
	rounds := map[string]int{"": 1, "system": 3, "soak": 100}[os.Getenv("GPX_TEST_SCALE")]
	w := newKillWorld(t)
	cache, _ := w.run("go", "env", "GOMODCACHE")
	cache = strings.TrimSpace(cache)
	volume := filepath.Join(w.dir, "volume")
	must(t, os.CopyFS(filepath.Join(volume, "cache", "download"), os.DirFS(filepath.Join(cache, "cache", "download"))))
	args := []string{"salvage", "--roots", volume, "--apply", "--yes", "--unverified"}
	for i := range extras {
		args = append(args, fmt.Sprintf("lab.example.com/extra%d@v1.0.0", i))
	}
	lose := func() { w.run("gpx", "cache", "prune", "--unreferenced", "--all-files", "--yes") }
	lose()
	start := time.Now()
	w.run("gpx", args...)
	took := time.Since(start)
	for range rounds {
		lose()
		w.killed(took/4+time.Duration(rand.Int64N(int64(took*3/4))), args...)
		w.run("gpx", "cache", "ls", "--json") // which takes up what was in flight
		w.check()
		w.run("gpx", args...)
		for i := range extras {
			zip := filepath.Join(cache, "cache", "download", "lab.example.com", fmt.Sprintf("extra%d", i), "@v", "v1.0.0.zip")
			if _, err := os.Stat(zip); err != nil {
				t.Error(err)
			}
		}
		w.check()
	}
	w.run("go", "mod", "verify")
}
