package buildcache

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	"gpx/envctl/env"
)

// childEnv makes the test binary a process that prunes the build cache that it
// names, and is killed while it does.
const childEnv = "GPX_TEST_PRUNE"

// A fileJournal outlives its process: one JSON file, old or new at every instant.
type fileJournal struct{ path string }

func (j fileJournal) edit(f func(rs map[string]*change.Record)) error {
	rs := map[string]*change.Record{}
	data, err := os.ReadFile(j.path)
	if err == nil {
		err = json.Unmarshal(data, &rs)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f(rs)
	if data, err = json.Marshal(rs); err != nil {
		return err
	}
	if err := os.WriteFile(j.path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(j.path+".new", j.path)
}

func (j fileJournal) Begin(_ context.Context, r change.Record) error {
	return j.edit(func(rs map[string]*change.Record) { rs[r.ID] = &r })
}

func (j fileJournal) state(id string, s change.State) error {
	return j.edit(func(rs map[string]*change.Record) { rs[id].State = s })
}

func (j fileJournal) Commit(_ context.Context, id string, _ time.Time) error {
	return j.state(id, change.Applied)
}
func (j fileJournal) Abort(_ context.Context, id, _ string) error {
	return j.state(id, change.Aborted)
}
func (j fileJournal) MarkUndone(_ context.Context, id, _ string, _ time.Time) error {
	return j.state(id, change.Undone)
}
func (j fileJournal) List(context.Context) (list []change.Record, err error) {
	err = j.edit(func(rs map[string]*change.Record) {
		for _, id := range slices.Sorted(maps.Keys(rs)) {
			list = append(list, *rs[id])
		}
	})
	return list, err
}

// changerOf is the changer of a process whose state outlives it, beside the
// build cache dir.
func changerOf(dir string) *change.Changer {
	state := filepath.Join(filepath.Dir(dir), "state")
	os.MkdirAll(state, 0o700)
	return change.New(change.Options{
		StateDir: state, Journal: fileJournal{filepath.Join(state, "journal")}, Actor: "cli",
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
	for round := range scale(8, 40, 400) {
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
			switch list, err := (fileJournal{filepath.Join(filepath.Dir(h.cache), "state", "journal")}).List(context.Background()); {
			case err != nil:
				t.Fatal(err)
			case len(list) == 0 || list[0].State == change.Aborted:
				same(t, before, after)
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
			if killed && len(found) == 0 {
				// Killed before it began, or behind the commit.
				if list, _ := (fileJournal{filepath.Join(filepath.Dir(h.cache), "state", "journal")}).List(context.Background()); len(list) > 0 && list[0].State == change.Begun {
					t.Error("the next start does not say what was in flight")
				}
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
