package buildcache

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gpx/envctl/change"
	"gpx/envctl/change/changetest"
	"gpx/envctl/env"
)

// childEnv makes the test binary a process that prunes the build cache that it
// names, and is killed while it does.
const childEnv = "GPX_TEST_PRUNE"

// journalOf is the journal beside the build cache dir.
func journalOf(dir string) change.Journal {
	return changetest.FileJournal(filepath.Join(filepath.Dir(dir), "state", "journal"))
}

// changerOf is the changer of a process whose state outlives it, beside the
// build cache dir.
func changerOf(dir string) *change.Changer {
	state := filepath.Join(filepath.Dir(dir), "state")
	os.MkdirAll(state, 0o700)
	return change.New(change.Options{
		StateDir: state, Journal: journalOf(dir), Actor: "cli",
		Env: func(context.Context) (*env.Env, error) { return &env.Env{}, nil },
	})
}

// justWait, for the name of a cache, makes it one that waits for the end of its
// standard input.
const justWait = "-"

// pruneChild prunes everything and prints a line for every file that it moves
// or removes.
func pruneChild(dir string) {
	if dir == justWait {
		io.Copy(io.Discard, os.Stdin)
		return
	}
	ctx := change.WithProgress(context.Background(), func(p change.Progress) { fmt.Println(p.What, p.Done) })
	c, err := Open(dir)
	if err == nil {
		var p *change.Plan
		if p, err = c.PlanPrune(ctx, PruneOptions{All: true, Started: noGo}); err == nil {
			_, err = changerOf(dir).Apply(ctx, p)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// SIGKILL at any instant. At that instant the cache is valid for the go
// command; after the next start it is as it was, or as the plan leaves it.
func TestKilledPrune(t *testing.T) {
	base := newGohome(t, 4)
	base.run("build", "./...")
	for round := range scale(5, 8, 400) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(round), 2))
			h := *base
			h.t, h.cache = t, filepath.Join(t.TempDir(), "cache")
			h.environ = append(slices.Clone(base.environ), "GOCACHE="+h.cache)
			must(t, os.CopyFS(h.cache, os.DirFS(base.cache)))
			f := &fake{t: t, dir: h.cache, now: time.Now()}
			for i := range 60 {
				f.pair(fmt.Sprint(i), fmt.Sprint("content ", i), 10*day)
			}
			f.program(elf, 10*day)
			h.age(f.now.Add(-10 * day))
			f.pair("in use", "in use", 0)
			before := stats(t, h.cache)

			killed := killAt(t, h.cache, rng.IntN(2*len(before)))
			if round%4 == 0 {
				// Valid as it stands, with what the killed process left.
				h.run("build", "./...")
				return
			}
			found, err := changerOf(h.cache).Recover(context.Background())
			must(t, err)
			must(t, h.open().Finish(context.Background()))
			after := stats(t, h.cache)
			list, err := journalOf(h.cache).List(context.Background())
			must(t, err)
			switch {
			case len(list) == 0:
				same(t, before, after)
			case list[0].State == change.Aborted:
				same(t, before, after)
				if killed && (len(found) != 1 || !strings.Contains(found[0].Note, "interrupted")) {
					t.Errorf("the next start says %+v", found)
				}
			case list[0].State == change.Applied:
				want := []string{actionPath(named("in use")), outputPath(idOf("in use"))}
				for name := range before {
					if strings.Count(name, "/") == 0 {
						want = append(want, name)
					}
				}
				slices.Sort(want)
				if d := cmp.Diff(want, slices.Sorted(maps.Keys(after))); d != "" {
					t.Errorf("done, but (-want +left):\n%s", d)
				}
			default:
				t.Errorf("the change is %s", list[0].State)
			}
		})
	}
}

// killAt starts a process that prunes dir and kills it after so many lines of
// progress. It reports whether it came to that.
func killAt(t *testing.T, dir string, lines int) bool {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	sc := bufio.NewScanner(out)
	for n := 0; n < lines && sc.Scan(); n++ {
	}
	ended := !sc.Scan()
	cmd.Process.Kill()
	for sc.Scan() {
	}
	err = cmd.Wait()
	if ended {
		must(t, err)
	}
	return !ended
}
