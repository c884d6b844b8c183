package relay

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/lab"
)

// While faults come and go, everything comes as long as one upstream is well, and
// not one wrong byte.
func TestChaos(t *testing.T) {
	t.Parallel()
	rounds := map[string]int{"": 25, "system": 150, "soak": 1500}[os.Getenv("GPX_TEST_SCALE")]
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const each = 4
	var modules []*lab.Module
	sums := project.Sums{}
	for i := range rounds * each {
		path := fmt.Sprintf("lab.example.com/m%d", i)
		m, err := lab.NewModule(path, "v1.0.0", time.Unix(1e9, 0), map[string]string{
			"go.mod": "module " + path + "\n", "m.go": "package m\n", "data": strings.Repeat(path, 2000),
		})
		must(t, err)
		modules = append(modules, m)
		sums[m.Version] = []string{m.ZipHash}
		sums[module.Version{Path: path, Version: "v1.0.0/go.mod"}] = []string{m.ModHash}
	}
	l, err := lab.Start(lab.Options{Modules: modules})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	w := worldOf(t, l)
	faults := []lab.Fault{
		lab.OK(), lab.Refuse(), lab.Hang(), lab.Stall(-1), lab.Stall(20), lab.Status(503, ""), lab.Status(404, ""), lab.Status(429, ""), lab.Captive(), lab.Reset(), lab.EOF(),
		lab.Of(lab.ModeTruncated), lab.Of(lab.ModeShort), lab.Of(lab.ModeWrongZip), lab.Of(lab.ModeWrongMod), lab.Of(lab.ModeWrongVersion), lab.Of(lab.ModeGarbage),
		lab.Status(500, "").OneIn(2), lab.Reset().OneIn(3),
	}
	proxies := []*lab.Server{l.Proxy("a", nil), l.Proxy("b", nil), l.Proxy("c", nil)}
	w.behind(proxies...)
	w.o.Sums, w.o.Hedge, w.o.Rest = sums, 50*time.Millisecond, 200*time.Millisecond
	w.o.Patience = probe.Patience{FirstByte: time.Second, Stall: 300 * time.Millisecond}
	w.o.Longer = probe.Patience{FirstByte: 20 * time.Second, Stall: 20 * time.Second}
	w.start()
	for round := range rounds {
		well := random.IntN(len(proxies))
		var now []string
		for i, p := range proxies {
			f := lab.OK()
			if i != well {
				f = faults[random.IntN(len(faults))]
			}
			p.SetFault(f)
			now = append(now, f.String())
		}
		var all sync.WaitGroup
		for _, m := range modules[round*each : (round+1)*each] {
			for file, want := range map[probe.File]string{probe.Info: string(m.Info), probe.Mod: m.Files["go.mod"], probe.Zip: string(m.Zip)} {
				all.Go(func() {
					status, body, _ := w.get("/" + m.Path + "/@v/v1.0.0." + string(file))
					if file == probe.Info && status == 200 { // which nobody can verify
						want = body
					}
					if status != 200 || body != want {
						t.Errorf("round %d, %v: %s .%s: %d, %.300s", round, now, m.Version, file, status, body)
					}
				})
			}
		}
		all.Wait()
	}
	s := w.relay.Stats()
	if s.Failed > 0 || s.Rescued == 0 {
		t.Errorf("%+v", s)
	}
}
