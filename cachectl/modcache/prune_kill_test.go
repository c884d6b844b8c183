package modcache_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/envctl/change"
	"gpx/envctl/change/changetest"
)

// The child of the SIGKILL test is this test binary, started again with what it
// is to do in this variable.
const killChildVar = "GPX_PRUNE_KILL_CHILD"

// A killChild is what the child is told.
type killChild struct {
	Dir, Cache string
	Trash      bool
	Undo       bool // and take it back again, in a loop
	Needs      []string
}

// runKillChild prunes until it is killed.
func runKillChild(told string) error {
	var k killChild
	if err := json.Unmarshal([]byte(told), &k); err != nil {
		return err
	}
	ctx := context.Background()
	h := house{dir: k.Dir, cache: k.Cache}
	changer := h.newChanger(changetest.FileJournal(filepath.Join(k.Dir, "journal.json")))
	h.environ = os.Environ()
	c, err := modcache.Open(k.Cache)
	if err != nil {
		return err
	}
	inv, err := c.Scan(ctx, modcache.ScanOptions{})
	if err != nil {
		return err
	}
	n := needs.Needs{}
	for _, m := range k.Needs {
		n.Add(mv(m), "known")
	}
	p, _, err := modcache.PlanPrune(ctx, inv, modcache.PruneOptions{Unreferenced: true, Trash: k.Trash, Needs: n, Reach: everybody, Now: time.Now()})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		if _, err := changer.Apply(ctx, p); err != nil {
			return err
		}
		if !k.Undo {
			return nil
		}
		if p, err = changer.PlanUndo(ctx, "", false); err != nil {
			return err
		}
		back, err := changer.Apply(ctx, p)
		if err != nil {
			return err
		}
		if p, err = changer.PlanUndo(ctx, back.ID, false); err != nil { // redo
			return err
		}
	}
}

func init() {
	told := os.Getenv(killChildVar)
	if told == "" {
		return
	}
	if err := runKillChild(told); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// SIGKILL at any instant leaves a cache that every go command can work with,
// before the next start puts it right and after it.
func TestPruneIsKilled(t *testing.T) {
	last := scale(6, 8, 12) - 1
	h := newHouse(t, chainOf(t, last+1))
	known := h.project("known", imports("example.com/known", "lab.example.com/m1"))
	h.project("other", imports("example.com/other", fmt.Sprintf("lab.example.com/m%d", last)))
	pristine := filepath.Join(h.dir, "pristine")
	copyTree(t, h.cache, pristine)
	before := h.tree()
	var needed []string
	for m := range h.needs(known) {
		if !strings.HasSuffix(m.Version, "/go.mod") {
			needed = append(needed, m.String())
		}
	}
	inFlight, standing := 0, 0
	for round := range scale(6, 12, 1000) {
		k := killChild{Dir: h.dir, Cache: h.cache, Trash: round%3 > 0, Undo: round%3 == 1, Needs: needed}
		emptyTree(t, h.cache)
		copyTree(t, pristine, h.cache)
		must(t, errors.Join(os.RemoveAll(filepath.Join(h.dir, "state")), os.RemoveAll(filepath.Join(h.dir, "journal.json"))))
		h.kill(k)
		what := fmt.Sprintf("round %d, %+v", round, k)

		h.goes("known", []string{"GOPROXY=off"}, "build", "./...")
		fetched := round%2 == 0
		if fetched { // the go command comes first
			h.goes("other", nil, "build", "./...")
			h.goes("other", []string{"GOPROXY=off"}, "mod", "verify")
		}
		h.changer = h.newChanger(changetest.FileJournal(filepath.Join(h.dir, "journal.json")))
		found, err := h.changer.Recover(t.Context())
		must(t, err)
		for _, ch := range found {
			inFlight++
			if ch.Note == "" {
				t.Errorf("%s: what was in flight is not said", what)
			}
		}
		if again, err := h.changer.Recover(t.Context()); err != nil || len(again) > 0 {
			t.Errorf("%s: a second recovery finds %+v %v", what, again, err)
		}
		h.goes("known", []string{"GOPROXY=off"}, "build", "./...")
		changes, err := h.changer.Changes(t.Context())
		must(t, err)
		stands := slices.ContainsFunc(changes, func(c change.Change) bool { return !c.Undone && !strings.HasPrefix(c.Title, "undo") })
		if stands {
			standing++
		}
		switch {
		case stands && k.Trash && !fetched:
			h.undo()
			sameTree(t, what+", undone", h.tree(), before)
		case !stands && !fetched:
			sameTree(t, what+", rolled back", h.tree(), before)
		default:
			h.goes("other", nil, "build", "./...")
		}
		h.goes("other", []string{"GOPROXY=off"}, "build", "./...")
		h.goes("other", []string{"GOPROXY=off"}, "mod", "verify")
		_, err = modcache.PurgeTrash(t.Context(), h.cache, time.Now().Add(25*time.Hour))
		must(t, err)
		if left, _ := filepath.Glob(filepath.Join(h.cache, "cache", "gpx-trash", "*.*")); len(left) > 0 {
			t.Errorf("%s: left in the trash: %q", what, left)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d changes were in flight, %d stood", inFlight, standing)
}

// kill starts a child, waits until it works, and kills it at a random instant.
func (h *house) kill(k killChild) {
	h.t.Helper()
	exe, err := os.Executable()
	must(h.t, err)
	told, err := json.Marshal(k)
	must(h.t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(slices.Clone(h.environ), killChildVar+"="+string(told))
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	must(h.t, err)
	must(h.t, cmd.Start())
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		cmd.Wait()
		h.t.Fatalf("the child says %q: %s", line, errs.String())
	}
	// One prune takes some 5 ms.
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(8 * time.Millisecond))))
	<-timer.C
	cmd.Process.Kill()
	cmd.Wait()
	if errs.Len() > 0 {
		h.t.Fatalf("the child failed: %s", errs.String())
	}
}

// copyTree copies a module cache with its modes and times.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	type stamp struct {
		path string
		info fs.FileInfo
	}
	var dirs []stamp
	must(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		must(t, err)
		info, err := d.Info()
		must(t, err)
		target := filepath.Join(to, rel)
		if d.IsDir() {
			dirs = append(dirs, stamp{target, info})
			return os.MkdirAll(target, 0o777)
		}
		data, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(target, data, info.Mode()))
		return os.Chtimes(target, info.ModTime(), info.ModTime())
	}))
	for _, s := range slices.Backward(dirs) {
		must(t, os.Chtimes(s.path, s.info.ModTime(), s.info.ModTime()))
		must(t, os.Chmod(s.path, s.info.Mode()))
	}
}

// emptyTree removes a module cache.
func emptyTree(t testing.TB, dir string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	must(t, os.RemoveAll(dir))
}
