package relay

import (
	"os"
	"strings"
	"testing"
	"time"

	"gpx/cachectl/fetch"
	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/lab"
)

func TestChain(t *testing.T) {
	t.Parallel()
	const a, b, url = "https://a.example.com", "https://b.example.com", "http://127.0.0.1:1"
	for value, want := range map[string]string{
		a:                          url,
		a + "," + b:                url,
		a + ",direct":              url + ",direct",
		a + "|direct":              url + "|direct",
		a + "|" + b + "|direct":    url + "|direct",
		a + "|" + b + ",direct":    url + ",direct",
		a + "," + b + "|direct":    url + ",direct", // a failing a stops it
		a + "|off":                 url,
		"direct":                   url + ",direct",
		"off":                      url,
		a + "|direct," + b:         url + "|direct",
		"file:///tree|" + "direct": url + "|direct",
	} {
		c, err := chain.Parse(value)
		must(t, err)
		if got := Chain(url, c); got != want {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
}

// Rescued is only what a go command would not have had, or not at once.
func TestRescued(t *testing.T) {
	t.Parallel()
	const a, b, x = "https://a.example.com", "https://b.example.com", "https://x.example.com"
	for _, tt := range []struct {
		chain, by      string
		passed, lacked map[string]probe.Class
		want           bool
	}{
		{chain: a, by: a},
		{chain: a + "," + b, by: b, passed: map[string]probe.Class{a: probe.Refused}, want: true},
		{chain: a + "|" + b, by: b, passed: map[string]probe.Class{a: probe.Refused}},
		{chain: a + "|" + b, by: b, passed: map[string]probe.Class{a: probe.ServerError}},
		{chain: a + "|" + b, by: b, passed: map[string]probe.Class{a: probe.Timeout}, want: true},
		{chain: a + "|" + b, by: b, passed: map[string]probe.Class{a: probe.Stalled}, want: true},
		{chain: a + "|" + b, by: b, passed: map[string]probe.Class{a: probe.ConnectTimeout}, want: true},
		{chain: a + "," + b, by: b, lacked: map[string]probe.Class{a: probe.NotFound}},
		{chain: a + "," + b, by: b}, // a is slower
		{chain: a + "," + b, by: a, lacked: map[string]probe.Class{b: probe.Refused}},
		{chain: a, by: a, passed: map[string]probe.Class{a: probe.Reset}, want: true}, // the second time it came
		{chain: a + ",direct", by: x, passed: map[string]probe.Class{a: probe.Reset}, want: true},
		{chain: a + "|direct", by: x, passed: map[string]probe.Class{a: probe.Reset}},
		{chain: a, by: x, passed: map[string]probe.Class{a: probe.Reset}, want: true},
	} {
		c, err := chain.Parse(tt.chain)
		must(t, err)
		race := fetch.Race{Won: true, Source: tt.by}
		for hop, class := range tt.passed {
			race.Passed = append(race.Passed, fetch.Tried{Hop: hop, Class: class})
			race.Tried = append(race.Tried, fetch.Tried{Hop: hop, Class: class})
		}
		for hop, class := range tt.lacked {
			race.Tried = append(race.Tried, fetch.Tried{Hop: hop, Class: class})
		}
		if got := rescued(c, race); got != tt.want {
			t.Errorf("%s by %s, %v: %v", tt.chain, tt.by, tt.passed, got)
		}
	}
}

// A go command behind the relay comes to version control when one with the chain
// itself does, unless a proxy has the module all the same; and one that would wait
// for ever ends.
func TestDirectBehind(t *testing.T) {
	t.Parallel()
	type fault struct {
		name string
		lab.Fault
	}
	lacks, broken, refuses, well, hangs := fault{"404", lab.Status(404, "")}, fault{"503", lab.Status(503, "")}, fault{"refuses", lab.Refuse()}, fault{"well", lab.OK()}, fault{"hangs", lab.Hang()}
	chains := []string{"A,direct", "A|direct", "A,B,direct", "A|B,direct", "A,B|direct", "A|B|direct", "A,B", "A|off", "direct"}
	states := [][2]fault{{lacks, lacks}, {broken, lacks}, {lacks, refuses}}
	states = append(states, [2]fault{lacks, well}, [2]fault{broken, well}, [2]fault{hangs, lacks})
	often := map[string]bool{
		"A,direct, A 404": true, "A,direct, A 503": true, "A|B,direct, A 503, B 404": true, "A,B|direct, A 404, B refuses": true, "direct, A 404": true,
		"A|B,direct, A hangs, B 404": true,
	}
	done := map[string]bool{}
	for _, value := range chains {
		for _, s := range states {
			name := value + ", A " + s[0].name
			if strings.Contains(value, "B") {
				name += ", B " + s[1].name
			}
			if done[name] || os.Getenv("GPX_TEST_SCALE") == "" && !often[name] {
				continue
			}
			done[name] = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				git, err := w.lab.WriteGit(t.TempDir())
				must(t, err)
				a, b := w.lab.Proxy("a", lab.Always(s[0].Fault)), w.lab.Proxy("b", lab.Always(s[1].Fault))
				c, err := chain.Parse(strings.NewReplacer("A", a.URL(), "B", b.URL()).Replace(value))
				must(t, err)
				switch strings.Count(value, "A") + strings.Count(value, "B") {
				case 0:
					w.behind()
				case 1:
					w.behind(a)
				default:
					w.behind(a, b)
				}
				w.o.Chain = c
				w.o.Patience.FirstByte = time.Second
				w.o.Longer = w.o.Patience
				w.start()
				download := func(goproxy string) (out string, direct bool, err error) {
					g := w.goCommand("GIT_CONFIG_GLOBAL="+git, "GOPROXY="+goproxy, "GOSUMDB=off")
					out, err = g.run("mod", "download", "github.com/gpx-lab/one@v1.0.0")
					_, statErr := os.Stat(g.dir + "/gopath/pkg/mod/cache/vcs")
					return out, statErr == nil, err
				}
				out, direct, err := download(Chain(w.url, c))
				if s[0].name == "hangs" && value != "direct" { // bare, it would go on for ever
					if pipe := strings.HasPrefix(value, "A|") && strings.HasSuffix(value, "direct"); direct != pipe || (err == nil) != pipe {
						t.Errorf("direct: %v, %v, %s", direct, err, out)
					}
					return
				}
				bareOut, bareDirect, bareErr := download(strings.NewReplacer("A", a.URL(), "B", b.URL()).Replace(value))
				if s[1].name == "well" && strings.Contains(value, "B") {
					if direct || err != nil {
						t.Errorf("direct: %v, %v, %s, though B is well", direct, err, out)
					}
					return
				}
				if direct != bareDirect || (err == nil) != (bareErr == nil) {
					t.Errorf("direct: %v, %v, %s; bare: %v, %v, %s", direct, err, out, bareDirect, bareErr, bareOut)
				}
			})
		}
	}
}
