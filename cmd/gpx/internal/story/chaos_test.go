package story

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gpx/probe/lab"
)

// TestChaosDownloads has the real go command download into fresh caches from one
// gpx serve, while the three upstreams behind it fail in every way that the lab and
// toxiproxy know, one after another and at random, but never all at once. Every
// download must succeed with the right bytes, and gpx serve must not grow.
//
// It takes three minutes; half an hour in make soak; or as long as GPX_CHAOS says
// (60s in CI). A seed that it printed is GPX_SEED.
func TestChaosDownloads(t *testing.T) {
	needs(t, "git")
	t.Parallel()
	during := 3 * time.Minute
	if os.Getenv("GPX_TEST_SCALE") == "soak" {
		during = 30 * time.Minute
	}
	if v := os.Getenv("GPX_CHAOS"); v != "" {
		var err error
		during, err = time.ParseDuration(v)
		must(t, err)
	}
	seed := rand.Uint64()
	if v := os.Getenv("GPX_SEED"); v != "" {
		_, err := fmt.Sscan(v, &seed)
		must(t, err)
	}
	t.Logf("seed %d", seed)

	// As many modules as there is time to ask for: what was asked for once the relay
	// has, and needs no upstream for.
	c := newChaos(t, seed, each*int(during/pace))
	relay := serve(t, t.TempDir(), c.lab.GoEnv(t.TempDir(), c.chain()))
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { c.direct(ctx) })
	start := time.NewTicker(pace)
	defer start.Stop()
	for range clients {
		all.Go(func() {
			for c.failures() < 10 {
				select {
				case <-start.C:
					c.download("http://" + relay.addr)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	var seen []map[string]float64
	all.Go(func() {
		tick := time.NewTicker(max(during/60, time.Second))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				seen = append(seen, relay.vitals(t))
			case <-ctx.Done():
				return
			}
		}
	})
	all.Wait()
	for _, said := range c.failed {
		t.Error(said)
	}
	quarters := slices.Collect(slices.Chunk(seen, max((len(seen)+3)/4, 1)))
	first, last := quarters[0], quarters[len(quarters)-1]
	table := fmt.Sprintf("\n| %v, %d downloads of %d modules, %d changes of faults | medians of its quarters | | | |\n|---|---|---|---|---|\n",
		during, c.downloads, c.fetched, c.changes)
	for _, v := range vital {
		table += "| " + v.name
		for _, q := range quarters {
			table += fmt.Sprintf(" | %.0f", middleOf(q, v.metric)/v.unit)
		}
		table += " |\n"
		// A heap of Go breathes, caches with a bound fill up, and clients come and go.
		if a, b := middleOf(first, v.metric), middleOf(last, v.metric); b > a+a/2+v.slack {
			t.Errorf("%s grew from %.0f to %.0f", v.name, a/v.unit, b/v.unit)
		}
	}
	t.Log(table)
	if c.downloads < int64(during.Seconds())/20 {
		t.Errorf("only %d downloads", c.downloads)
	}
}

const (
	clients = 3                      // go commands at a time
	pace    = 400 * time.Millisecond // from one's start to the next's, at least
	each    = 4                      // modules that are new to the relay
)

// A chaos is three upstreams, each behind a toxiproxy, and modules that nobody has
// asked for yet.
type chaos struct {
	t       *testing.T
	lab     *lab.Lab
	servers []*lab.Server
	toxics  []*toxiproxy.Proxy
	random  *rand.Rand // of direct

	mu                          sync.Mutex
	next                        int // module
	now                         []string
	failed                      []string
	downloads, fetched, changes int64
}

func newChaos(t *testing.T, seed uint64, n int) *chaos {
	t.Helper()
	var modules []*lab.Module
	for i := range n {
		path := fmt.Sprintf("lab.example.com/m%d", i)
		size := 3000
		if i%50 == 0 {
			size = 400 << 10
		}
		m, err := lab.NewModule(path, "v1.0.0", time.Unix(1.7e9, 0), map[string]string{"go.mod": "module " + path + "\n", "m.go": "package m\n", "data.bin": noise(size)})
		must(t, err)
		modules = append(modules, m)
	}
	l, err := lab.Start(lab.Options{Modules: modules})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	c := &chaos{t: t, lab: l, random: rand.New(rand.NewPCG(seed, 0))}
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics have a logger of their own
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	for _, name := range []string{"a", "b", "c"} {
		s := l.Proxy(name, nil)
		p := toxiproxy.NewProxy(api, name, "127.0.0.1:0", s.Addr())
		must(t, p.Start())
		t.Cleanup(p.Stop)
		c.servers, c.toxics, c.now = append(c.servers, s), append(c.toxics, p), append(c.now, "ok")
	}
	return c
}

func (c *chaos) chain() string {
	var urls []string
	for _, p := range c.toxics {
		urls = append(urls, "http://"+p.Listen)
	}
	return strings.Join(urls, ",")
}

// toxic kinds, as toxiproxy's API has them.
var toxicKinds = []string{
	`{"type":"latency","attributes":{"latency":400,"jitter":300}}`,
	`{"type":"bandwidth","attributes":{"rate":4}}`,
	`{"type":"slow_close","attributes":{"delay":1500}}`,
	`{"type":"timeout","attributes":{"timeout":0}}`,
	`{"type":"timeout","attributes":{"timeout":300}}`,
	`{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
	`{"type":"reset_peer","attributes":{"timeout":20}}`,
	`{"type":"reset_peer","stream":"upstream","attributes":{"timeout":0}}`,
	`{"type":"slicer","attributes":{"average_size":40,"size_variation":20,"delay":2000}}`,
	`{"type":"limit_data","attributes":{"bytes":2000}}`,
	`{"type":"limit_data","attributes":{"bytes":150}}`,
}

// overlap is how long the next healthy upstream is healthy beside the one before:
// longer than a request asks the others.
const overlap = 5 * time.Second

// direct changes faults until ctx ends. One upstream is well at any time; the next
// one is so for a while before it is the only one.
func (c *chaos) direct(ctx context.Context) {
	well := c.random.IntN(len(c.servers))
	wait := func(d time.Duration) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	all := faults()
	for wait(time.Duration(50+c.random.IntN(600)) * time.Millisecond) {
		i := c.random.IntN(len(c.servers))
		switch {
		case i == well:
		case c.random.IntN(16) == 0:
			c.set(i, "ok", lab.OK(), "")
			if !wait(overlap) {
				return
			}
			well = i
		case c.random.IntN(3) == 0:
			kind := toxicKinds[c.random.IntN(len(toxicKinds))]
			c.set(i, kind, lab.OK(), kind)
		default:
			f := all[c.random.IntN(len(all))]
			if !strings.HasPrefix(string(f.fault.Mode), "tls-") { // these speak plain HTTP
				c.set(i, f.name, f.fault, "")
			}
		}
	}
}

// set gives the i-th upstream a fault of the lab or of toxiproxy.
func (c *chaos) set(i int, name string, f lab.Fault, toxic string) {
	c.toxics[i].Toxics.ResetToxics(context.Background())
	c.servers[i].SetFault(f)
	if toxic != "" {
		if _, err := c.toxics[i].Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			c.t.Error(err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now[i] = name
	c.changes++
}

// download has a go command with nothing download modules that are new to the
// relay, and some that are not, and compares what it has then.
func (c *chaos) download(proxy string) {
	all := c.lab.Modules()
	c.mu.Lock()
	var wants []*lab.Module
	for range each {
		wants = append(wants, all[c.next%len(all)])
		c.next++
	}
	if old := c.next - 2*each; old >= 0 {
		wants = append(wants, all[old%len(all)])
	}
	before := slices.Clone(c.now)
	c.mu.Unlock()

	args := []string{"mod", "download", "-json"}
	for _, m := range wants {
		args = append(args, m.Version.String())
	}
	dir, err := os.MkdirTemp(c.lab.Dir(), "chaos-")
	if err != nil {
		c.fail("%v", err)
		return
	}
	defer os.RemoveAll(dir)
	out, took, err := c.run(dir, proxy, args...)
	c.mu.Lock()
	c.downloads++
	c.fetched += int64(len(wants))
	after := slices.Clone(c.now)
	c.mu.Unlock()
	if err != nil {
		c.fail("after %v, %q before and %q after: %v\n%s", took, before, after, err, out)
		return
	}
	for _, m := range wants {
		base := filepath.Join(dir, "gopath", "pkg", "mod", "cache", "download", filepath.FromSlash(m.Path), "@v", m.Version.Version)
		for ext, want := range map[string]string{".zip": string(m.Zip), ".mod": m.Files["go.mod"]} {
			if got, err := os.ReadFile(base + ext); err != nil || string(got) != want {
				c.fail("%s%s: %d bytes instead of %d, %v", m.Version, ext, len(got), len(want), err)
			}
		}
		var info struct{ Version string }
		if data, err := os.ReadFile(base + ".info"); err != nil || json.Unmarshal(data, &info) != nil || info.Version != m.Version.Version {
			c.fail("%s.info: %.200q, %v", m.Version, data, err)
		}
	}
}

// run gives the go command two minutes, which only a hang needs.
func (c *chaos) run(dir, proxy string, args ...string) (out string, took time.Duration, err error) {
	d := download{t: c.t, lab: c.lab}
	r := d.in(dir, dir, proxy, 2*time.Minute, "go", args...)
	return r.said, r.took, r.err
}

func (c *chaos) fail(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = append(c.failed, fmt.Sprintf(format, args...))
}

func (c *chaos) failures() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.failed)
}

// vital is what must not grow, as /metrics names it.
var vital = []struct {
	metric, name string
	unit, slack  float64
}{
	{"process_resident_memory_bytes", "resident memory, MB", 1 << 20, 16 << 20},
	{"process_open_fds", "descriptors", 1, 20},
	{"go_goroutines", "goroutines", 1, 40},
	{"go_threads", "threads", 1, 10},
}

// vitals are the values of a gpx serve's metrics without labels.
func (s *server) vitals(t *testing.T) map[string]float64 {
	values := map[string]float64{}
	res, err := http.Get("http://" + s.addr + "/metrics")
	if err != nil {
		t.Error(err)
		return values
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = n
		}
	}
	return values
}

func middleOf(seen []map[string]float64, metric string) float64 {
	var values []float64
	for _, v := range seen {
		values = append(values, v[metric])
	}
	return middle(values)
}
