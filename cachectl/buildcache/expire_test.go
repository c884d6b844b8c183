package buildcache

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpx/envctl/change"
)

func TestExpireTests(t *testing.T) {
	later := fmt.Sprintf("%d\n", time.Now().Add(time.Hour).UnixNano())
	for _, c := range []struct {
		name, before string
		stays        bool
	}{
		{"never before", "", false},
		{"before", "1700000000000000000\n", false},
		{"a torn file", "17000", false},
		{"no number", "yesterday\n", false},
		{"a longer text", strings.Repeat("x", 500), false},
		{"a later expiry stays", later, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			if c.before != "" {
				f.write("testexpire.txt", c.before, 0)
			}
			p := f.plan(PruneOptions{Tests: true})
			from := time.Now().UnixNano()
			f.apply(p)
			data, err := os.ReadFile(filepath.Join(f.dir, "testexpire.txt"))
			must(t, err)
			if c.stays {
				if string(data) != c.before {
					t.Errorf("%q became %q", c.before, data)
				}
				return
			}
			// The go command wants a number and a line break, and nothing else.
			n, err := strconv.ParseInt(strings.TrimSuffix(string(data), "\n"), 10, 64)
			if err != nil || !strings.HasSuffix(string(data), "\n") || n < from || n > time.Now().UnixNano() {
				t.Errorf("wrote %q", data)
			}
		})
	}
}

// What gpx writes is what go clean -testcache writes, but for the number.
func TestExpireTestsAsTheGoCommandDoes(t *testing.T) {
	h := newGohome(t, 1)
	h.run("build", "./...")
	h.run("clean", "-testcache")
	theirs := stats(t, h.cache)["testexpire.txt"]
	p, err := h.open().PlanPrune(context.Background(), PruneOptions{Tests: true})
	must(t, err)
	if !strings.Contains(p.Actions[0].Old, "results before 2") {
		t.Errorf("does not see the expiry of go clean: %q", p.Actions[0].Old)
	}
	_, err = changer(t).Apply(context.Background(), p)
	must(t, err)
	ours := stats(t, h.cache)["testexpire.txt"]
	if ours.Size() != theirs.Size() || ours.Mode() != theirs.Mode() || !os.SameFile(ours, theirs) {
		t.Errorf("theirs %v %d, ours %v %d, the same file: %v", theirs.Mode(), theirs.Size(), ours.Mode(), ours.Size(), os.SameFile(ours, theirs))
	}
	// And the go command goes on from there.
	mine := h.open().readStamp("testexpire.txt")
	h.run("clean", "-testcache")
	if after := h.open().readStamp("testexpire.txt"); parseExpiry(after) <= parseExpiry(mine) || len(after) != int(theirs.Size()) {
		t.Errorf("then go clean wrote %q", after)
	}
}

// After it no test result is cached, and before it every one was.
func TestExpiredTestsRunAgain(t *testing.T) {
	h := newGohome(t, 2)
	h.withStd()
	h.write("p00/x_test.go", "package p00\n\nimport \"testing\"\n\nfunc Test(t *testing.T) { _ = Value() }\n")
	h.write("p01/x_test.go", "package p01\n\nimport \"testing\"\n\nfunc Test(t *testing.T) { _ = Value() }\n")
	cached := func() int { return strings.Count(h.run("test", "-vet=off", "./..."), "(cached)") }
	cached()
	if n := cached(); n != 2 {
		t.Fatalf("%d results are cached, want 2", n)
	}
	inv, err := h.open().Scan(context.Background(), ScanOptions{Kinds: true})
	must(t, err)
	if inv.ByKind[TestResult] == 0 || inv.ByKind[Archive] < inv.ByKind[TestResult] || inv.ByKind[Unread] != 0 {
		t.Errorf("kinds %v", inv.ByKind)
	}
	p, err := h.open().PlanPrune(context.Background(), PruneOptions{Tests: true})
	must(t, err)
	_, err = changer(t).Apply(context.Background(), p)
	must(t, err)
	if n := cached(); n != 0 {
		t.Errorf("%d results are cached after they expired", n)
	}
	if n := cached(); n != 2 {
		t.Errorf("%d results are cached after they were made again, want 2", n)
	}
}

// Killed before it was written nothing happened; after that it stands.
func TestRecoverExpiry(t *testing.T) {
	f := newFake(t)
	f.write("testexpire.txt", "1700000000000000000\n", 0)
	payload, err := json.Marshal(expiry{Dir: f.dir, Planned: time.Now().UnixNano()})
	must(t, err)
	steps := []change.Step{{Action: change.Action{Kind: ExpireTests}, Payload: payload}}
	done, err := expiryDone(t.Context(), "x", steps)
	if done || err != nil {
		t.Errorf("before: %v, %v", done, err)
	}
	must(t, doExpiry(t.Context(), "x", steps))
	if done, err = expiryDone(t.Context(), "x", steps); !done || err != nil {
		t.Errorf("after: %v, %v", done, err)
	}
}
