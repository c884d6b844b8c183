package route

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
)

// scale is how much the differential test does, by GPX_TEST_SCALE: part of
// make test, of make test-system, of make soak.
func scale() (chains int, slow int) {
	switch os.Getenv("GPX_TEST_SCALE") {
	case "system":
		return 100, 3
	case "soak":
		return 500, 10
	default:
		return 40, 0
	}
}

// TestDifferential holds predictions for random scenarios against the go
// command. A failure prints the seed, and the smallest scenario that still
// fails.
func TestDifferential(t *testing.T) {
	needPrograms(t)
	t.Parallel()
	seed := uint64(20260728)
	if s := os.Getenv("GPX_TEST_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	chains, slow := scale()
	var tally tally
	t.Cleanup(func() { t.Logf("seed %d: %v", seed, &tally) })
	for i := range chains {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			s := random(rand.New(rand.NewPCG(seed, uint64(i))), i < slow)
			defer slot()()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			dir := t.TempDir()
			diff, r, err := differ(ctx, filepath.Join(dir, "w"), s, i%3 == 0)
			if err != nil {
				t.Fatalf("seed %d, chain %d: %v\n%v", seed, i, err, s)
			}
			tally.add(r.Result)
			if diff == "" {
				return
			}
			small, smallDiff := shrink(ctx, dir, s, i%3 == 0, diff)
			t.Errorf("seed %d, chain %d: %v\nsmallest: %v\n%s", seed, i, s, small, smallDiff)
		})
	}
}

// tally counts results, to show that the scenarios are not all alike.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (t *tally) add(result string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[string]int{}
	}
	t.n[result]++
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprint(t.n)
}

// slots bounds how many go commands run at once. Most of their time in hang
// cases is waiting, so there are more of them than processors.
var slots = make(chan struct{}, 10)

// slot takes a slot and returns what gives it back.
func slot() func() {
	slots <- struct{}{}
	return func() { <-slots }
}

// needPrograms skips where the oracle is missing.
func needPrograms(t *testing.T) {
	t.Helper()
	for _, p := range []string{"go", "git"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip("needs " + p + " on PATH")
		}
	}
}

// pick returns one of the values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// chance is true p times out of 100.
func chance(r *rand.Rand, p int) bool { return r.IntN(100) < p }

// random makes one scenario. Half of the proxies are healthy, so that most walks
// go somewhere; slow allows the faults that cost the go command 10 or 30 s.
func random(r *rand.Rand, slow bool) scenario {
	s := scenario{Module: "one"}
	if chance(r, 25) {
		s.Module = "secret"
	}
	names, slowNames := []string{}, []string{}
	for n, f := range faults {
		switch {
		case n == "":
		case f.slow:
			slowNames = append(slowNames, n)
		default:
			names = append(names, n)
		}
	}
	slices.Sort(names)
	slices.Sort(slowNames)
	for i := range 1 + r.IntN(4) {
		h := hop{Kind: chain.Proxy, Sep: pick(r, chain.Comma, chain.Pipe), TLS: chance(r, 25)}
		switch {
		case slow && i == 0:
			// Only the first hop, before a comma: 30 s, not 30 s for each request.
			h.Fault, h.TLS, h.Sep = pick(r, slowNames...), true, chain.Comma
		case chance(r, 12):
			h.Kind, h.TLS, h.Fault = chain.File, false, pick(r, "", "empty", "no-sumdb", "no-zip", "no-dir")
		case chance(r, 55):
			h.Fault = pick(r, names...)
			f := faults[h.Fault]
			h.TLS = (h.TLS || f.tls) && h.Fault != "credentials" // which are no fault on https
			if f.files == nil && !f.early && chance(r, 60) {
				all := []probe.File{probe.Info, probe.Mod, probe.Zip, probe.Supported, probe.Lookup, probe.Tile}
				r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				h.Only = all[:1+r.IntN(3)]
			}
		}
		s.Hops = append(s.Hops, h)
	}
	if len(s.Hops) > 1 && s.Hops[0].Kind == chain.Proxy && chance(r, 5) {
		h := &s.Hops[1+r.IntN(len(s.Hops)-1)]
		*h = hop{Kind: chain.Proxy, Again: true, Sep: h.Sep}
	}
	switch r.IntN(6) {
	case 0:
		s.Hops = append(s.Hops, hop{Kind: chain.Off})
	case 1, 2:
		s.Hops = append(s.Hops, hop{Kind: chain.Direct})
	case 3:
		if len(s.Hops) > 1 { // what follows is never read
			i := 1 + r.IntN(len(s.Hops)-1)
			s.Hops[i] = hop{Kind: pick(r, chain.Direct, chain.Off), Sep: s.Hops[i].Sep}
		}
	}
	s.Hops[len(s.Hops)-1].Sep = chain.Last
	corp := "github.com/gpx-lab-corp"
	if chance(r, 45) || s.Module == "secret" {
		s.Private = pick(r, "", corp, corp, "corp.example.com,*.internal", "github.com/gpx-lab")
		s.NoProxy = pick(r, "", "", "none", corp, "github.com/*/one")
		s.NoSum = pick(r, "", "", "none", corp, "github.com/gpx-lab")
	}
	s.SumDB = pick(r, "key", "key", "key", "off", "url")
	if chance(r, 20) {
		s.Own = pick(r, "503", "404", "hang", "bad-tile", "eof")
	}
	line := func() Line { return pick(r, NoLine, NoLine, NoLine, Match, Match, Match, Match, Mismatch) }
	switch r.IntN(3) {
	case 0:
	case 1:
		s.Lines = SumLines{Match, Match}
	case 2:
		s.Lines = SumLines{line(), line()}
	}
	if chance(r, 35) {
		s.Cached = Cached{Info: chance(r, 60), Mod: chance(r, 60), Zip: chance(r, 50)}
		s.Cached.ZipHash = s.Cached.Zip && chance(r, 70)
	}
	if s.Module == "one" && chance(r, 25) {
		s.SumHave = pick(r, "all", "tiles", "head")
	}
	for i := range s.Hops {
		// Then the first tiles are right and only a later one tells; a class for
		// all tiles cannot say that.
		if h := &s.Hops[i]; s.SumHave == "head" && h.Fault == "bad-record" {
			h.Fault = "bad-tile"
		}
	}
	s.NoGit = chance(r, 15)
	s.Foreign = chance(r, 30)
	return s
}

// shrink looks for a smaller scenario that fails too: it leaves things out one
// by one, as long as the two sides still differ.
func shrink(ctx context.Context, dir string, s scenario, observed bool, diff string) (scenario, string) {
	deadline := time.Now().Add(time.Minute)
	for n, again := 0, true; again; {
		again = false
		for _, smaller := range simpler(s) {
			if time.Now().After(deadline) {
				return s, diff
			}
			n++
			d, _, err := differ(ctx, filepath.Join(dir, fmt.Sprint("shrink", n)), smaller, observed)
			if err == nil && d != "" {
				s, diff, again = smaller, d, true
				break
			}
		}
	}
	return s, diff
}

// simpler lists scenarios that lack one thing of s.
func simpler(s scenario) []scenario {
	var list []scenario
	without := func(change func(*scenario)) {
		c := s
		c.Hops = slices.Clone(s.Hops)
		change(&c)
		c.Hops[len(c.Hops)-1].Sep = chain.Last
		if fmt.Sprint(c) != fmt.Sprint(s) {
			list = append(list, c)
		}
	}
	for i := range s.Hops {
		if len(s.Hops) > 1 && (i > 0 || !slices.ContainsFunc(s.Hops, func(h hop) bool { return h.Again })) {
			without(func(c *scenario) { c.Hops = slices.Delete(c.Hops, i, i+1) })
		}
		without(func(c *scenario) { c.Hops[i].Fault, c.Hops[i].Only = "", nil })
		if !faults[s.Hops[i].Fault].tls {
			without(func(c *scenario) { c.Hops[i].TLS = false })
		}
	}
	for _, change := range []func(*scenario){
		func(c *scenario) { c.NoProxy = "" }, func(c *scenario) { c.Private = "" }, func(c *scenario) { c.NoSum = "" },
		func(c *scenario) { c.SumDB = "key" }, func(c *scenario) { c.Own = "" }, func(c *scenario) { c.Lines = SumLines{} },
		func(c *scenario) { c.Lines = SumLines{Match, Match} }, func(c *scenario) { c.Cached = Cached{} },
		func(c *scenario) { c.SumHave = "" }, func(c *scenario) { c.NoGit = false },
		func(c *scenario) { c.Foreign = false },
	} {
		without(change)
	}
	return list
}
