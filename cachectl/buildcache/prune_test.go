package buildcache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gpx/envctl/change"
	"gpx/envctl/env"
)

// changer applies plans as gpx does, with a journal that is forgotten.
func changer(t testing.TB) *change.Changer {
	return change.New(change.Options{
		StateDir: t.TempDir(), Actor: "cli",
		Env: func(context.Context) (*env.Env, error) { return &env.Env{}, nil },
	})
}

func (f *fake) plan(o PruneOptions) *change.Plan {
	f.t.Helper()
	o.Now = func() time.Time { return f.now }
	if o.Started == nil {
		o.Started = noGo
	}
	p, err := f.open().PlanPrune(context.Background(), o)
	must(f.t, err)
	return p
}

// noGo says that no go command is running.
func noGo(context.Context) time.Time { return time.Time{} }

func (f *fake) apply(p *change.Plan) {
	f.t.Helper()
	_, err := changer(f.t).Apply(context.Background(), p)
	must(f.t, err)
}

// The whole table of what goes: what is there, by name, and what each prune
// leaves of it.
func TestPrune(t *testing.T) {
	type part struct {
		name string
		make func(f *fake)
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	parts := []part{
		{"now", func(f *fake) { f.pair("now", "1"+x(1000), 10*time.Minute) }},
		{"an hour ago", func(f *fake) { f.pair("an hour ago", "2"+x(1000), 119*time.Minute) }},
		{"three hours ago", func(f *fake) { f.pair("three hours ago", "3"+x(1000), 3*time.Hour) }},
		{"two days ago", func(f *fake) { f.pair("two days ago", "4"+x(1000), 50*time.Hour) }},
		{"ten days ago", func(f *fake) { f.pair("ten days ago", "5"+x(1000), 10*day) }},
		{"old entry, output in use", func(f *fake) {
			f.entry(named("old entry, output in use"), f.output("6"+x(1000), time.Minute), 1001, 10*day)
		}},
		{"old output, entry in use", func(f *fake) {
			f.entry(named("old output, entry in use"), f.output("7"+x(1000), 10*day), 1001, time.Minute)
		}},
		{"two entries, one in use", func(f *fake) {
			id := f.output("8"+x(1000), 10*day)
			f.entry(named("two entries, one in use"), id, 1001, 10*day)
			f.entry(named("the one in use"), id, 1001, time.Minute)
		}},
		{"a program", func(f *fake) {
			f.entry(named("a program"), f.program(elf, 10*day), len(elf), 10*day)
		}},
		{"an entry without its output", func(f *fake) {
			f.entry(named("an entry without its output"), named("gone"), 5, 3*time.Hour)
		}},
		{"a young one without", func(f *fake) { f.entry(named("a young one without"), named("gone"), 5, time.Minute) }},
		{"an output without entries", func(f *fake) { f.output("9"+x(1000), 3*time.Hour) }},
		{"a young output without", func(f *fake) { f.output("10"+x(1000), time.Minute) }},
		{"an entry that is none", func(f *fake) { f.write(actionPath(named("an entry that is none")), "v1 \n", 3*time.Hour) }},
		{"an entry of another action", func(f *fake) {
			f.write(actionPath(named("an entry of another action")), entryLine(named("x"), named("y"), 1, 1), 3*time.Hour)
		}},
		{"left by a killed prune", func(f *fake) {
			f.write("11/"+asideName(ID{0x11}.OutputFile(), "abc123")+"/prog", "", 10*day)
			f.touch("11/"+asideName(ID{0x11}.OutputFile(), "abc123"), 10*day)
		}},
		{"what stays", func(f *fake) {
			f.write("22/notes", x(10), 90*day)
			f.write("fuzz/m/FuzzX/seed-d", x(10), 90*day)
			f.write("README", x(10), 90*day)
			f.write("trim.txt", "1", 90*day)
			f.write("testexpire.txt", "1\n", 90*day)
			f.write("log.txt", x(10), 90*day)
		}},
	}
	garbage := []string{"an entry without its output", "an output without entries", "an entry that is none", "an entry of another action", "left by a killed prune"}
	old := []string{"two days ago", "ten days ago", "a program"}
	const pairBytes, garbageBytes = 1001 + EntrySize, 2*EntrySize + 1001 + 4
	full := func(f *fake) int64 { return sum(f.t, f.dir) }
	for _, c := range []struct {
		name string
		opts func(f *fake) PruneOptions
		goes []string
	}{
		{"older than ten and a half days", func(*fake) PruneOptions { return PruneOptions{OlderThan: 252 * time.Hour} }, garbage},
		{"older than nine days", func(*fake) PruneOptions { return PruneOptions{OlderThan: 216 * time.Hour} }, append([]string{"ten days ago", "a program"}, garbage...)},
		{"older than a day", func(*fake) PruneOptions { return PruneOptions{OlderThan: day} }, append(old, garbage...)},
		{"50 hours, which the mtime cannot tell from 51", func(*fake) PruneOptions { return PruneOptions{OlderThan: 50 * time.Hour} },
			append([]string{"ten days ago", "a program"}, garbage...)},
		{"older than a minute spares the last hour", func(*fake) PruneOptions { return PruneOptions{OlderThan: time.Minute} }, slices.Concat(old, []string{"three hours ago"}, garbage)},
		{"all spares the last hour", func(*fake) PruneOptions { return PruneOptions{All: true} }, slices.Concat(old, []string{"three hours ago"}, garbage)},
		{"a size that it has takes only garbage", func(f *fake) PruneOptions { return PruneOptions{MaxSize: full(f)} }, garbage},
		{"a size takes the oldest", func(f *fake) PruneOptions { return PruneOptions{MaxSize: full(f) - garbageBytes - 1} },
			// The program and the pair are of one age; the smaller ID goes first.
			append(firstByID(f10(), "ten days ago", "a program"), garbage...)},
		{"all spares what a long build may have used", func(f *fake) PruneOptions {
			return PruneOptions{All: true, Started: func(context.Context) time.Time { return f.now.Add(-20 * time.Hour) }}
		}, []string{"two days ago", "ten days ago", "a program", "left by a killed prune"}},
		{"all takes a go run of three days for no build", func(f *fake) PruneOptions {
			return PruneOptions{All: true, Started: func(context.Context) time.Time { return f.now.Add(-3 * day) }}
		}, slices.Concat(old, []string{"three hours ago"}, garbage)},
		{"a size of nothing spares the last hour", func(*fake) PruneOptions { return PruneOptions{MaxSize: 1} }, slices.Concat(old, []string{"three hours ago"}, garbage)},
		{"both limits hold", func(f *fake) PruneOptions {
			return PruneOptions{OlderThan: day, MaxSize: full(f) - garbageBytes - 2*pairBytes - int64(len(elf)) - EntrySize - 1}
		}, slices.Concat(old, []string{"three hours ago"}, garbage)},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			made := map[string]string{} // path → part
			for _, p := range parts {
				before := names(t, f.dir)
				p.make(f)
				for _, name := range names(t, f.dir) {
					if !slices.Contains(before, name) {
						made[name] = p.name
					}
				}
			}
			size := full(f)
			p := f.plan(c.opts(f))
			f.apply(p)
			left := stats(t, f.dir)
			want := maps.Clone(made)
			maps.DeleteFunc(want, func(_, part string) bool { return slices.Contains(c.goes, part) })
			if d := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(left))); d != "" {
				for name := range left {
					if _, ok := want[name]; !ok {
						t.Errorf("stays: %s (%s)", made[name], name)
					}
				}
				for name := range want {
					if _, ok := left[name]; !ok {
						t.Errorf("went: %s (%s)", made[name], name)
					}
				}
			}
			if freed := size - sum(t, f.dir); freed != p.FreedBytes || freed != p.Actions[0].Bytes {
				t.Errorf("freed %d bytes, planned %d", freed, p.FreedBytes)
			}
			if p.Actions[0].Undoable {
				t.Error("what cannot be brought back is called undoable")
			}
		})
	}
}

func f10() string { return "5" + strings.Repeat("x", 1000) }

// firstByID names which of two outputs goes first when they are of one age.
func firstByID(content string, pair, program string) []string {
	if idOf(content).String() < idOf(elf).String() {
		return []string{pair}
	}
	return []string{program}
}

func TestPlanPruneSays(t *testing.T) {
	f := newFake(t)
	f.pair("now", strings.Repeat("x", 4000), 0)
	f.write("fuzz/x", strings.Repeat("x", 9000), 0)
	for _, c := range []struct {
		name string
		o    PruneOptions
		want string // in the warnings; "" for none
	}{
		{"nothing is old", PruneOptions{OlderThan: day}, ""},
		{"all", PruneOptions{All: true}, "go clean -cache"},
		{"a size that recent use keeps it from", PruneOptions{MaxSize: 12000}, "used within the last hour"},
		{"all, with a long build", PruneOptions{All: true, Started: func(context.Context) time.Time { return f.now.Add(-5 * time.Hour) }}, "has been running for 5h0m0s"},
		{"a size that fuzz corpora keep it from", PruneOptions{MaxSize: 100}, "fuzz corpora"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := f.plan(c.o)
			if !p.Empty() || p.FreedBytes != 0 {
				t.Errorf("plans %+v", p.Actions)
			}
			if got := strings.Join(p.Warnings, "\n"); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("warns %q, want %q", got, c.want)
			}
		})
	}
	if _, err := f.open().PlanPrune(context.Background(), PruneOptions{}); !errors.Is(err, ErrNothingAsked) {
		t.Errorf("nothing asked: %v", err)
	}
}

// What happens between plan and apply: only what is still unused goes.
func TestPruneSparesWhatWasUsedSince(t *testing.T) {
	f := newFake(t)
	for _, name := range []string{"idle", "output used", "entry used", "made anew", "gone"} {
		f.pair(name, name+strings.Repeat("x", 1000), 10*day)
	}
	p := f.plan(PruneOptions{OlderThan: day})
	planned := p.FreedBytes
	f.touch(outputPath(idOf("output used"+strings.Repeat("x", 1000))), 0)
	f.touch(actionPath(named("entry used")), 0)
	// Another output for the same action: the old one is garbage now.
	f.entry(named("made anew"), f.output("anew", 0), 4, 0)
	must(t, os.Remove(filepath.Join(f.dir, actionPath(named("gone")))))
	must(t, os.Remove(filepath.Join(f.dir, outputPath(idOf("gone"+strings.Repeat("x", 1000))))))
	f.apply(p)

	var want []string
	for _, name := range []string{"output used", "entry used"} {
		want = append(want, actionPath(named(name)), outputPath(idOf(name+strings.Repeat("x", 1000))))
	}
	want = append(want, actionPath(named("made anew")), outputPath(idOf("anew")))
	slices.Sort(want)
	if d := cmp.Diff(want, names(t, f.dir)); d != "" {
		t.Error(d)
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "used since the plan was made") || p.FreedBytes >= planned {
		t.Errorf("warnings %q, freed %d of %d", p.Warnings, p.FreedBytes, planned)
	}
}

// A prune that is stopped, or fails, leaves the cache as it was.
func TestStoppedPruneChangesNothing(t *testing.T) {
	for _, after := range []int64{0, 1, 37, 399} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			f := newFake(t)
			for i := range 200 {
				f.pair(fmt.Sprint(i), fmt.Sprint("content ", i), 10*day)
			}
			f.program(elf, 10*day)
			before := stats(t, f.dir)
			ctx, stop := context.WithCancel(context.Background())
			if after == 0 {
				stop()
			}
			ctx = change.WithProgress(ctx, func(p change.Progress) {
				if p.Done >= after {
					stop()
				}
			})
			_, err := changer(t).Apply(ctx, f.plan(PruneOptions{All: true}))
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%v", err)
			}
			same(t, before, stats(t, f.dir))
		})
	}
}

// same fails when two listings differ in names, sizes or times.
func same(t *testing.T, before, after map[string]os.FileInfo) {
	t.Helper()
	for name, b := range before {
		if a, ok := after[name]; !ok || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) {
			t.Errorf("%s is not as it was", name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s was not there", name)
		}
	}
}

func TestPruneCannotBeUndone(t *testing.T) {
	f := newFake(t)
	f.pair("x", "content", 10*day)
	c := changer(t)
	_, err := c.Apply(context.Background(), f.plan(PruneOptions{All: true, Tests: true}))
	must(t, err)
	if _, err := c.PlanUndo(context.Background(), "", false); !errors.Is(err, change.ErrNothing) || !strings.Contains(err.Error(), "cannot be taken back") {
		t.Errorf("undo: %v", err)
	}
}

// The cache of a plan that is gone when the plan is applied.
func TestPruneOfACacheThatIsGone(t *testing.T) {
	f := newFake(t)
	f.pair("x", "content", 10*day)
	p := f.plan(PruneOptions{All: true, Tests: true})
	must(t, os.RemoveAll(f.dir))
	if _, err := changer(t).Apply(context.Background(), p); !errors.Is(err, change.ErrStale) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(f.dir); err == nil {
		t.Error("it was made again")
	}
}
