package failover

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/monitor"
	"gpx/probe/route"
)

const (
	one   = "https://one.example.com"
	two   = "https://two.example.com"
	three = "https://three.example.com"
)

var takeoff = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// A cabin is what a pilot sees, and does what it wants.
type cabin struct {
	t       *testing.T
	p       *Pilot
	now     time.Time
	value   string
	own     string            // watched beside the value; "" none
	hops    map[string]string // state of every hop, as for cand: "up", "down refused"
	modules []string
	hidden  bool
	region  monitor.Scope // of an outage; "" is chain
	sumdb   string        // "" is fine: "down sumdb_unavailable"
	edit    func(*monitor.Snapshot, *Request)
	did     []string // deeds
	broken  bool     // a deed cannot be done
}

func newCabin(t *testing.T, value string) *cabin {
	return &cabin{t: t, p: NewPilot(DefaultPilotConfig()), now: takeoff, value: value, hops: map[string]string{one: "up", two: "up", three: "up"}}
}

func (c *cabin) chain(value string) chain.Chain {
	got, err := chain.Parse(value)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

func (c *cabin) state(value string) (hops []monitor.Hop, end probe.Action) {
	parsed := c.chain(value)
	var classes []probe.Class
	for i, h := range parsed.Hops {
		cd := cand(c.t, h.URL, c.hops[h.URL])
		hop := monitor.Hop{N: i + 1, URL: h.Redacted(), Kind: probe.Kind(h.Kind), Health: cd.Health, Class: cd.Class}
		hops, classes = append(hops, hop), append(classes, cd.Class)
	}
	for i, a := range route.GoWill(parsed, classes) {
		hops[i].GoWill = a
	}
	end, _ = monitor.Walk(parsed, classes)
	return hops, end
}

// look has the pilot see a snapshot, and does what it says.
func (c *cabin) look() Step {
	c.t.Helper()
	current := c.chain(c.value)
	s := monitor.Snapshot{At: wire.At(c.now), Round: 1, Verdict: monitor.Verdict{State: monitor.StateOK, Headline: "OK"}}
	s.Chain.Value = current.Redacted()
	var end probe.Action
	s.Chain.Hops, end = c.state(c.value)
	if s.Chain.Works = monitor.Works(end); !s.Chain.Works {
		s.Verdict = monitor.Verdict{State: monitor.StateOutage, Scope: monitor.ScopeChain, Headline: "OUTAGE: it is broken"}
		if c.region != "" {
			s.Verdict.Scope = c.region
		}
	}
	r := Request{Current: current, Modules: c.modules, SumDBDirect: probe.OK}
	r.SumDB, _ = chain.ParseSumDB("sum.golang.org")
	own := chain.Chain{}
	if c.own != "" {
		own = c.chain(c.own)
		o := monitor.ChainStatus{Value: own.Redacted()}
		o.Hops, end = c.state(c.own)
		o.Works = monitor.Works(end)
		s.Original = &o
	}
	var urls []string
	for url := range c.hops {
		urls = append(urls, url)
	}
	slices.Sort(urls)
	for _, url := range urls {
		cd := cand(c.t, url, c.hops[url])
		if !strings.Contains(c.hops[url], "sum") && cd.Hop.Kind == chain.Proxy {
			cd.ServesSum = catalog.Yes
		}
		cd.Current = slices.ContainsFunc(current.Hops, func(h chain.Hop) bool { return h.URL == url })
		r.Candidates = append(r.Candidates, cd)
	}
	if c.sumdb != "" {
		cd := cand(c.t, one, c.sumdb)
		s.SumDB.Health, s.SumDB.Class = cd.Health, cd.Class
		s.Verdict = monitor.Verdict{State: monitor.StateOutage, Scope: monitor.ScopeSumDB, Headline: "OUTAGE: checksum database fails"}
	}
	if c.edit != nil {
		c.edit(&s, &r)
	}
	step := c.p.Next(s, r, c.hidden)
	switch {
	case step.Deed == Switch && c.broken, step.Deed == Return && c.broken:
		c.p.Failed(step, c.now)
		c.did = append(c.did, "fail")
	case step.Deed == Switch:
		if c.own == "" {
			c.own = c.value
		}
		c.value = step.Chain.String()
		c.p.Done(step, c.now)
		c.did = append(c.did, "switch "+c.value)
	case step.Deed == Return:
		if step.Chain.String() != c.own {
			c.t.Errorf("it returns to %s, which is not %s", step.Chain, c.own)
		}
		c.value, c.own = c.own, ""
		c.p.Done(step, c.now)
		c.did = append(c.did, "return")
	case step.Deed == StandDown:
		c.did = append(c.did, "stand down")
	}
	return step
}

// fly looks for d, every second or, of a long one, a hundred times, and returns
// what was done.
func (c *cabin) fly(d time.Duration) string {
	c.t.Helper()
	c.did = nil
	for end := c.now.Add(d); c.now.Before(end); c.now = c.now.Add(max(time.Second, d/100)) {
		c.look()
	}
	return strings.Join(c.did, ", ")
}

func (c *cabin) want(what, got string) {
	c.t.Helper()
	if got != what {
		c.t.Fatalf("at %v it did %q, want %q", c.now.Sub(takeoff), got, what)
	}
}

func TestPilotSwitchesAndReturns(t *testing.T) {
	c := newCabin(t, one+","+two)
	c.want("", c.fly(time.Minute))
	c.hops[one] = "suspect refused"
	c.edit = func(s *monitor.Snapshot, _ *Request) { // what is merely suspect has its last good class in a verdict
		s.Verdict = monitor.Verdict{State: monitor.StateOutage, Scope: monitor.ScopeChain}
	}
	c.want("", c.fly(time.Minute))
	c.edit = nil
	c.hops[one] = "down refused"
	c.want("switch "+two+"|"+three, c.fly(time.Minute))
	if f, ok := c.p.Flight(); !ok || f.Own.String() != one+","+two || f.Now.String() != two+"|"+three || !f.Well.IsZero() || f.Quiet != 5*time.Minute {
		t.Errorf("%v %+v", ok, f)
	}
	c.want("", c.fly(time.Hour)) // however long it takes
	c.hops[one] = "up"
	c.want("", c.fly(4*time.Minute))
	c.hops[one] = "down refused" // the quiet time begins anew
	c.want("", c.fly(time.Second))
	c.hops[one] = "up"
	c.want("", c.fly(5*time.Minute))
	c.want("return", c.fly(time.Minute))
	if _, ok := c.p.Flight(); ok || c.value != one+","+two {
		t.Errorf("%v, GOPROXY=%s", ok, c.value)
	}
}

// A chain that comes back and fails again is given twice the time, up to an hour;
// after an hour of peace it is as new.
func TestPilotBacksOff(t *testing.T) {
	c := newCabin(t, one)
	quiet := func() time.Duration {
		t.Helper()
		c.hops[one] = "down refused"
		c.want("switch "+two+"|"+three, strings.ReplaceAll(c.fly(time.Minute), three+"|"+two, two+"|"+three))
		c.hops[one] = "up"
		began := c.now
		for c.look().Deed == Stay {
			if c.now = c.now.Add(10 * time.Second); c.now.Sub(began) > 3*time.Hour {
				t.Fatal("it never returns")
			}
		}
		return c.now.Sub(began).Truncate(time.Minute)
	}
	for _, want := range []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour} {
		if got := quiet(); got != want {
			t.Errorf("it returned after %v, want %v", got, want)
		}
	}
	c.want("", c.fly(61*time.Minute))
	if got := quiet(); got != 5*time.Minute {
		t.Errorf("after an hour of peace it returned after %v", got)
	}
}

// What keeps it from switching, each with the words that say so.
func TestPilotStays(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*cabin)
		why  string
	}{
		{"the network", func(c *cabin) { c.region = monitor.ScopeLocal }, "another chain would not mend it"},
		{"a setting", func(c *cabin) { c.region = monitor.ScopeConfig }, "another chain would not mend it"},
		{"the OS environment sets GOPROXY", func(c *cabin) { c.hidden = true }, "the OS environment sets GOPROXY"},
		{"nothing else is healthy", func(c *cabin) { c.hops[two], c.hops[three] = "down refused", "suspect refused" }, "no better chain is known"},
		{"a hop has just answered again", func(c *cabin) {
			c.edit = func(s *monitor.Snapshot, _ *Request) {
				s.Chain.Hops[0].Class, s.Chain.Hops[0].GoWill = probe.OK, probe.Serve
			}
		}, ""},
		{"the module is not there", func(c *cabin) { c.hops[one] = "up not_found" }, "nothing is down"},
		{"wrong bytes", func(c *cabin) { c.hops[one] = "down checksum_mismatch" }, "wrong bytes are for a person to look at"},
		{"a bad signature", func(c *cabin) { c.hops[one], c.sumdb = "up", "down sumdb_untrusted" }, "wrong bytes are for a person to look at"},
		{"nobody knows whether the other verifies", func(c *cabin) {
			c.edit = func(_ *monitor.Snapshot, r *Request) {
				r.SumDBDirect = probe.ClassUnknown
				for i := range r.Candidates {
					r.Candidates[i].ServesSum = catalog.Unknown
				}
			}
		}, "it is not known whether"},
		{"private paths would be seen", func(c *cabin) {
			c.modules = []string{"golang.org/x/mod", "git.corp.example/secret"}
			c.hops[one] = "down refused private"
		}, "would be asked for git.corp.example/secret, which looks private"},
		{"private paths, and version control alone before", func(c *cabin) {
			c.value, c.hops = "direct", map[string]string{"direct": "down dns_failure", two: "up"}
			c.modules = []string{"git.corp.example/secret"}
		}, "would be asked for git.corp.example/secret, which looks private"},
		{"nobody knows which paths there are", func(c *cabin) { c.hops[one] = "down refused private" }, "no project says which paths are private"},
		{"a deed that cannot be done", func(c *cabin) { c.broken = true }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cab := newCabin(t, one)
			cab.hops[one] = "down refused"
			c.set(cab)
			step := cab.look()
			if cab.value != one && cab.value != "direct" || !strings.Contains(step.Why, c.why) {
				t.Errorf("%+v, GOPROXY=%s", step, cab.value)
			}
			if cab.broken {
				if n := strings.Count(cab.fly(10*time.Minute), "fail"); n < 3 || n > 8 {
					t.Errorf("it tried %d times in ten minutes", n)
				}
				return
			}
			if step.News != (c.why != "") || cab.look().News {
				t.Error("it is not said, or said twice")
			}
			if got := cab.fly(10 * time.Minute); got != "" {
				t.Errorf("it did %s", got)
			}
		})
	}
}

// A private hop that is reached first keeps the paths at home, so that it may be
// switched to; a public one that sees them all today learns nothing.
func TestPilotKeepsSecrets(t *testing.T) {
	secret := []string{"git.corp.example/secret"}
	c := newCabin(t, one+","+two)
	c.modules = secret
	c.hops = map[string]string{one: "down refused private", two: "up private"}
	c.want("switch "+two, c.fly(time.Minute))

	// The substitute has no private hop to keep anything at home: what the own chain
	// kept stays kept.
	c = newCabin(t, one+",direct")
	c.modules = secret
	c.hops = map[string]string{one: "down refused private", "direct": "up"}
	c.want("switch direct", c.fly(time.Minute))
	c.hops = map[string]string{one: "down refused private", "direct": "down dns_failure", two: "up"}
	c.want("", c.fly(time.Minute))
	if step := c.look(); !strings.Contains(step.Why, "git.corp.example/secret") {
		t.Errorf("%+v", step)
	}
}

// What somebody else sets is left alone until it has worked and fails.
func TestPilotStandsDown(t *testing.T) {
	c := newCabin(t, one+","+two)
	c.look()
	c.hops[one] = "down refused"
	c.want("switch "+two+"|"+three, c.fly(time.Minute))
	c.value, c.own = one+","+two, "" // undone, by a person who wants it so
	c.want("stand down", c.fly(time.Hour))
	if !c.p.StandsDown() {
		t.Error("it does not say that it stands down")
	}
	c.hops[one] = "up"
	c.want("", c.fly(time.Minute))
	if c.p.StandsDown() {
		t.Error("the chain has worked, and it stands down")
	}
	c.hops[one] = "down refused"
	c.want("switch "+two+"|"+three, c.fly(time.Minute))

	c.value = three + "," + one // another one altogether
	c.hops[three] = "down timeout"
	c.want("stand down", c.fly(time.Hour))

	// Set while all is well, and broken from the first moment: mistyped, perhaps. That
	// is said, but not at once: a person may be trying what works.
	c = newCabin(t, one)
	c.look()
	c.value, c.hops[two] = two, "down dns_not_found"
	if step := c.look(); step.Why != "" {
		t.Errorf("at once: %s", step.Why)
	}
	c.want("", c.fly(time.Hour))
	if step := c.look(); !strings.Contains(step.Why, two+", and it has not worked since") {
		t.Errorf("it does not say why it does nothing: %+v", step)
	}
}

// A substitute that fails too gives way: to the own chain where that works again,
// else to another, ever less often.
func TestPilotGoesOn(t *testing.T) {
	c := newCabin(t, one)
	c.hops[one], c.hops[three] = "down refused", "up 50ms"
	c.look()
	c.want(two+"|"+three, c.value)
	c.hops[two], c.hops[three] = "down timeout", "down timeout"
	c.want("", c.fly(time.Minute))
	c.hops[two] = "up"
	c.look()
	c.hops[two], c.hops[three] = "down timeout", "up"
	c.want("switch "+three, c.fly(time.Minute))
	c.hops[one], c.hops[three] = "up", "down refused"
	c.want("return", c.fly(10*time.Second))
	c.want(one, c.value)

	c = newCabin(t, one)
	c.hops[one] = "down refused"
	switches := 0
	for range 3600 { // two and three take turns every second
		c.hops[two], c.hops[three] = "up", "down timeout"
		if c.now.Second()%2 == 0 {
			c.hops[two], c.hops[three] = c.hops[three], c.hops[two]
		}
		switches += strings.Count(c.fly(time.Second), "switch")
	}
	if switches < 3 || switches > 10 {
		t.Errorf("%d switches in an hour", switches)
	}
}

// After an outage of the checksum database the own chain comes back when it is known
// to verify again; a single lost answer does not start the quiet time anew.
func TestPilotAndTheDatabase(t *testing.T) {
	c := newCabin(t, one)
	c.hops[one], c.sumdb = "up breaks sum", "down sumdb_unavailable"
	c.want("switch "+two+"|"+three, strings.ReplaceAll(c.fly(time.Second), three+"|"+two, two+"|"+three))
	c.sumdb = ""
	c.want("", c.fly(time.Hour))
	c.hops[one] = "up sum"
	c.want("", c.fly(4*time.Minute))
	c.hops[one] = "up breaks sum" // lost, and asked again
	c.want("", c.fly(5*time.Second))
	c.hops[one] = "suspect refused sum" // so is an answer of the proxy itself
	c.edit = func(s *monitor.Snapshot, _ *Request) { s.Original.Works = true }
	c.want("", c.fly(2*time.Second))
	c.hops[one], c.edit = "up sum", nil
	c.want("return", c.fly(time.Minute))
}

// A proxy that dies takes the checksum database along: what shows first is not what is
// switched for.
func TestPilotWaitsForTheCause(t *testing.T) {
	c := newCabin(t, one)
	c.hops[one], c.sumdb = "up refuses sum", "down server_error"
	asked := c.now.Add(-time.Second)
	health := monitor.Up
	c.edit = func(s *monitor.Snapshot, _ *Request) {
		db := monitor.EndpointStatus{Health: monitor.Down, Since: wire.At(takeoff)}
		db.Kind, db.At = probe.KindSumDB, wire.At(takeoff)
		hop := monitor.EndpointStatus{Health: health, Hops: []int{1}}
		hop.Kind, hop.At = probe.KindProxy, wire.At(asked)
		s.Endpoints = []monitor.EndpointStatus{db, hop}
	}
	c.want("", c.fly(10*time.Second))
	asked, health = c.now, monitor.Suspect
	c.want("", c.fly(10*time.Second))
	health = monitor.Up
	if got := c.fly(time.Second); !strings.HasPrefix(got, "switch ") {
		t.Errorf("the proxy is well, and it did %q", got)
	}
	c.hops[one] = "down refused"
	c.want("", c.fly(time.Minute)) // of the database by the new chain nothing is known yet
}

// Time that nobody has watched is no quiet time, and a snapshot of another chain
// than the request tells nothing.
func TestPilotTrustsWhatWasSeen(t *testing.T) {
	c := newCabin(t, one)
	c.hops[one] = "down refused"
	c.look()
	c.hops[one] = "up"
	c.want("", c.fly(4*time.Minute))
	c.now = c.now.Add(time.Hour)
	c.edit = func(s *monitor.Snapshot, _ *Request) { s.Gap = &monitor.Gap{} }
	c.look()
	c.edit = nil
	c.want("", c.fly(4*time.Minute))
	c.edit = func(s *monitor.Snapshot, r *Request) { s.Chain.Value = one }
	c.want("", c.fly(time.Hour))
	c.edit = func(s *monitor.Snapshot, r *Request) { s.Round = 0 }
	c.want("", c.fly(time.Hour))
	c.edit = nil
	c.want("return", c.fly(time.Minute))
}

// The flight of an earlier process goes on, and ends as any other.
func TestPilotResumes(t *testing.T) {
	c := newCabin(t, two)
	c.own = one + "," + two
	c.hops[one] = "down refused"
	c.p.Resume(c.chain(c.own), c.chain(two), c.now, c.now)
	c.want("", c.fly(time.Hour))
	c.hops[one] = "up"
	c.want("return", c.fly(6*time.Minute))
	c.want(one+","+two, c.value)

	c = newCabin(t, three) // changed meanwhile
	c.p.Resume(c.chain(one), c.chain(two), c.now, c.now)
	c.want("stand down", c.fly(time.Minute))
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Second: "10s"} {
		if got := short(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
