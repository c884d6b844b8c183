package failover

import (
	"strings"
	"testing"
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/monitor"
)

const (
	corp   = "https://proxy.corp.example"
	corpPw = "https://joe:secret@proxy.corp.example"
	cn     = "https://goproxy.cn"
	io     = "https://goproxy.io"
	ali    = "https://mirrors.aliyun.com/goproxy/"
)

// cand makes a candidate of a few words: "up 20ms", "slow 900ms", "down
// server_error", then any of current, private, retired, sum, nosum, lost=5%,
// cn.
func cand(t *testing.T, url, words string) Candidate {
	h, err := chain.ParseHop(url)
	if err != nil {
		t.Fatal(err)
	}
	c := Candidate{Hop: h, Health: monitor.Unknown, Class: probe.ClassUnknown, ServesSum: catalog.Unknown}
	for _, w := range strings.Fields(words) {
		switch w {
		case "up", "slow":
			c.Health, c.Class = monitor.Health(w), probe.OK
		case "down", "suspect":
			c.Health = monitor.Health(w)
		case "current":
			c.Current = true
		case "private":
			c.Private = true
		case "retired":
			c.Retired = true
		case "sum":
			c.ServesSum = catalog.Yes
		case "nosum":
			c.ServesSum = catalog.No
		case "cn":
			c.Region = "cn"
		case "breaks":
			c.BreaksSum = probe.SumDBUnavailable
		case "refuses":
			c.RefusesSum = probe.Forbidden
		case "lost":
			c.Lost = 0.04
		default:
			if d, err := time.ParseDuration(w); err == nil {
				c.P50 = d
			} else {
				c.Class = probe.Class(w)
			}
		}
	}
	return c
}

func TestRecommend(t *testing.T) {
	type hop struct{ url, words string }
	for _, c := range []struct {
		name     string
		strategy Strategy
		region   string
		current  string
		hops     []hop
		want     string // "" is not found
	}{
		{"the dead hop goes", Latency, "", cn + "," + io + ",direct",
			[]hop{{cn, "down timeout current"}, {io, "up 80ms current"}, {"direct", "up 1s current"}}, io + "|direct"},
		{"the fastest first", Latency, "", cn + ",direct",
			[]hop{{cn, "up 200ms current"}, {io, "up 80ms"}, {"direct", "up 1s current"}}, io + "|" + cn + "|direct"},
		{"a slow one last, however fast it seems", Latency, "", cn,
			[]hop{{cn, "slow 20ms current"}, {io, "up 80ms"}}, io + "|" + cn},
		{"the most reliable first", Availability, "", cn,
			[]hop{{cn, "up 20ms lost current"}, {io, "up 80ms"}}, io + "|" + cn},
		{"the nearest first", Region, "cn", io,
			[]hop{{io, "up 20ms current"}, {ali, "up 300ms cn"}, {cn, "up 80ms cn"}}, cn + "|" + ali + "|" + io},
		{"in the user's order", Manual, "", cn + "," + io,
			[]hop{{cn, "up 200ms current"}, {io, "up 80ms current"}}, cn + "|" + io},
		{"in the user's order, without the dead", Manual, "", cn + "," + io + ",direct",
			[]hop{{cn, "down refused current"}, {io, "up 80ms current"}, {"direct", "down unreachable current"}}, io},
		{"private before public, though slower", Latency, "", io,
			[]hop{{io, "up 20ms current"}, {corp, "up 300ms private"}}, corp + "|" + io},
		{"a private hop that lacks public modules is kept in front", Latency, "", corp + "," + io,
			[]hop{{corp, "up not_found private current"}, {io, "up 20ms current"}}, corp + "|" + io},
		{"alone it serves nothing", Latency, "", corp,
			[]hop{{corp, "up not_found private current"}}, ""},
		{"a public hop that lacks the canary is not taken", Latency, "", cn,
			[]hop{{cn, "up not_found current"}, {io, "up 20ms"}}, io},
		{"retired is never taken", Latency, "", "https://gocenter.io",
			[]hop{{"https://gocenter.io", "up 5ms retired current"}, {io, "up 20ms"}}, io},
		{"what was not probed is not taken", Latency, "", cn,
			[]hop{{cn, "down refused current"}, {io, ""}}, ""},
		{"what is in doubt is not taken", Latency, "", cn,
			[]hop{{cn, "suspect timeout current"}, {io, "up 20ms"}}, io},
		{"off stays at the end", Latency, "", cn + ",off",
			[]hop{{cn, "down refused current"}, {"off", "current"}, {io, "up 20ms"}}, io + ",off"},
		{"off keeps direct out", Latency, "", cn + ",off",
			[]hop{{cn, "down refused current"}, {"off", "current"}, {io, "up 20ms"}, {"direct", "up 1s"}}, io + ",off"},
		{"direct alone, when nothing else is left", Latency, "", cn + ",direct",
			[]hop{{cn, "down timeout current"}, {"direct", "up 1s current"}}, "direct"},
		{"a few milliseconds are no reason to change", Latency, "", cn + "|" + io,
			[]hop{{cn, "up 30ms current"}, {io, "up 20ms current"}}, ""},
		{"nor to turn hops round that get another separator", Latency, "", cn + "," + io,
			[]hop{{cn, "up 30ms current"}, {io, "up 20ms current"}}, cn + "|" + io},
		{"many are", Latency, "", cn + "|" + io,
			[]hop{{cn, "up 300ms current"}, {io, "up 20ms current"}}, io + "|" + cn},
		{"a public hop before a private one is", Latency, "", io + "|" + corp,
			[]hop{{io, "up 20ms current"}, {corp, "up 21ms private current"}}, corp + "|" + io},
		{"the separator before off decides nothing", Latency, "", cn + "|off",
			[]hop{{cn, "up 30ms current"}, {"off", "current"}}, ""},
		{"a file tree that is not there goes", Latency, "", "file:///srv/tree," + io,
			[]hop{{"file:///srv/tree", "down missing_file private current"}, {io, "up 20ms current"}}, io},
		{"nothing better", Latency, "", cn + "|direct",
			[]hop{{cn, "up 20ms current"}, {"direct", "up 1s current"}}, ""},
		{"nothing at all", Latency, "", cn + ",direct",
			[]hop{{cn, "down timeout current"}, {"direct", "down unreachable current"}}, ""},
		{"at most three proxies", Latency, "", cn,
			[]hop{{cn, "up 4ms current"}, {io, "up 3ms"}, {ali, "up 2ms"}, {"https://mirrors.tencent.com/go/", "up 1ms"}},
			"https://mirrors.tencent.com/go/|" + ali + "|" + io},
		{"one that serves is kept among many that lack", Latency, "", "https://p1.example",
			[]hop{{"https://p1.example", "up not_found private current"}, {"https://p2.example", "up not_found private"},
				{"https://p3.example", "up not_found private"}, {io, "up 20ms"}},
			"https://p1.example|https://p2.example|" + io},
		{"a hop that breaks the checksum database goes", Latency, "", cn + "," + io,
			[]hop{{cn, "up 20ms current breaks"}, {io, "up 80ms current"}}, io},
		{"unless nothing else serves", Latency, "", cn + ",direct",
			[]hop{{cn, "up 20ms current breaks"}, {io, "down refused"}, {"direct", "down refused current"}}, cn},
		{"credentials stay in the chain", Latency, "", corpPw + "," + io,
			[]hop{{corpPw, "up 20ms private current"}, {io, "down refused current"}}, corpPw},
	} {
		t.Run(c.name, func(t *testing.T) {
			current, err := chain.Parse(c.current)
			if err != nil {
				t.Fatal(err)
			}
			r := Request{Strategy: c.strategy, Region: c.region, Current: current, SumDBDirect: probe.OK, SumsComplete: true}
			if r.SumDB, err = chain.ParseSumDB("sum.golang.org"); err != nil {
				t.Fatal(err)
			}
			for _, h := range c.hops {
				r.Candidates = append(r.Candidates, cand(t, h.url, h.words))
			}
			rec := Recommend(r)
			if got := rec.Chain.String(); rec.Found && got != c.want || rec.Found != (c.want != "") {
				t.Errorf("found %v %q, want %q (%v)", rec.Found, got, c.want, rec.Reasons)
			}
			if len(rec.Reasons) == 0 {
				t.Error("no reason is given")
			}
			for _, s := range append(append([]string{}, rec.Reasons...), rec.Warnings...) {
				if strings.Contains(s, "secret") {
					t.Errorf("a credential is printed: %s", s)
				}
			}
		})
	}
}

// TestSeparatorHasAReason: a plan that changes "," says what for.
func TestSeparatorHasAReason(t *testing.T) {
	for current, want := range map[string]bool{cn + "," + io: true, cn + "|" + io: false} {
		c, err := chain.Parse(current)
		if err != nil {
			t.Fatal(err)
		}
		rec := Recommend(Request{Strategy: Latency, Current: c, SumDBDirect: probe.OK, SumsComplete: true,
			Candidates: []Candidate{cand(t, cn, "up 300ms current"), cand(t, io, "up 20ms current")}})
		if got := strings.Contains(strings.Join(rec.Reasons, "\n"), `"|" moves on`); got != want || !rec.Found {
			t.Errorf("%s: found %v, reasons %q", current, rec.Found, rec.Reasons)
		}
	}
}

func TestLeaks(t *testing.T) {
	modules := []string{"github.com/acme/app", "github.com/acme/lib", "github.com/other/thing", "golang.org/x/text", "corp.example/auth", "intern.example/x/y"}
	base := func(candidates ...Candidate) Request {
		r := Request{Modules: modules, Own: []string{"github.com/acme/app"}, Candidates: candidates}
		var hops []chain.Hop
		for _, c := range candidates {
			if c.Current {
				hops = append(hops, c.Hop)
			}
		}
		r.Current, _ = chain.New(hops...)
		return r
	}
	all := "corp.example/auth github.com/acme/app github.com/acme/lib intern.example/x/y"
	for _, c := range []struct {
		name     string
		change   func(*Request)
		r        Request
		leaks    string
		patterns string
	}{
		{"a public hop in the place of a dead private one", nil,
			base(cand(t, corp, "down refused private current"), cand(t, io, "up 20ms")), all, "corp.example,github.com/acme,intern.example"},
		{"a public hop behind a private one", nil,
			base(cand(t, corp, "up 5ms private current"), cand(t, io, "up 20ms")), all, "corp.example,github.com/acme,intern.example"},
		{"the public hop was behind it before: an error now shows it more", nil,
			base(cand(t, corp, "down refused private current"), cand(t, io, "up 20ms current")), all, "corp.example,github.com/acme,intern.example"},
		{"public hops among themselves", nil,
			base(cand(t, cn, "down refused current"), cand(t, io, "up 20ms")), "", ""},
		{"only private hops", nil,
			base(cand(t, corp, "down refused private current"), cand(t, "https://p2.example", "up 20ms private")), "", ""},
		{"GOPRIVATE keeps them at home", func(r *Request) {
			r.GOPRIVATE = "*.example,github.com/acme"
			r.NoProxy, r.NoSumDB = r.GOPRIVATE, r.GOPRIVATE
		}, base(cand(t, corp, "down refused private current"), cand(t, io, "up 20ms")), "", ""},
		{"GOPRIVATE is added to", func(r *Request) { r.GOPRIVATE, r.NoProxy, r.NoSumDB = "corp.example", "corp.example", "corp.example" },
			base(cand(t, corp, "down refused private current"), cand(t, io, "up 20ms")),
			"github.com/acme/app github.com/acme/lib intern.example/x/y", "corp.example,github.com/acme,intern.example"},
		{"GONOSUMDB says that a path is secret", func(r *Request) { r.NoSumDB = "github.com/other" },
			base(cand(t, corp, "down refused private current"), cand(t, io, "up 20ms")),
			"corp.example/auth github.com/acme/app github.com/acme/lib github.com/other/thing intern.example/x/y",
			"corp.example,github.com/acme,github.com/other,intern.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.change != nil {
				c.change(&c.r)
			}
			rec := Recommend(c.r)
			var got []string
			for _, l := range rec.Leaks {
				got = append(got, l.Module)
				if l.Hop != io {
					t.Errorf("%s leaks to %s", l.Module, l.Hop)
				}
			}
			if strings.Join(got, " ") != c.leaks || rec.Patterns != c.patterns {
				t.Errorf("leaks %v, patterns %q; want %q and %q", got, rec.Patterns, c.leaks, c.patterns)
			}
			if len(rec.Warnings) > 0 {
				t.Errorf("leaks are said twice: %q", rec.Warnings)
			}
		})
	}
}

// What is lost with a hop is said where the plan is shown.
func TestWarnings(t *testing.T) {
	db, err := chain.ParseSumDB("sum.golang.org")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, current string
		hops          []Candidate
		want          string
	}{
		{"direct goes", cn + "," + io + ",direct",
			[]Candidate{cand(t, cn, "down refused current"), cand(t, io, "up 20ms current"), cand(t, "direct", "down dns_failure current")}, "direct is left out, because it is down (DNS failure)"},
		{"direct stays", cn + ",direct",
			[]Candidate{cand(t, cn, "down refused current"), cand(t, io, "up 20ms"), cand(t, "direct", "up current")}, ""},
		{"the database is refused for good", cn,
			[]Candidate{cand(t, cn, "up 20ms refuses current"), cand(t, io, "up 80ms")}, "answers forbidden for the checksum database"},
		{"the database is refused, and another hop serves it", cn,
			[]Candidate{cand(t, cn, "up 20ms refuses current"), cand(t, io, "up 80ms sum")}, ""},
		{"the database is refused, and direct dials it", cn,
			[]Candidate{cand(t, cn, "up 20ms refuses current"), cand(t, "direct", "up")}, ""},
	} {
		r := Request{SumDB: db, SumDBDirect: probe.ClassUnknown, Candidates: c.hops}
		if r.Current, err = chain.Parse(c.current); err != nil {
			t.Fatal(err)
		}
		rec := Recommend(r)
		if got := strings.Join(rec.Warnings, "\n"); !rec.Found || (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: found %v, warnings %q, want %q", c.name, rec.Found, got, c.want)
		}
	}
}

func TestSumDBWarning(t *testing.T) {
	db, err := chain.ParseSumDB("sum.golang.org")
	if err != nil {
		t.Fatal(err)
	}
	alias, _ := chain.ParseSumDB("sum.golang.google.cn")
	for _, c := range []struct {
		name   string
		db     chain.SumDB
		direct probe.Class
		words  string
		want   string
	}{
		{"reachable", db, probe.OK, "up 20ms nosum", ""},
		{"not asked", db, probe.ClassUnknown, "up 20ms nosum", ""},
		{"unreachable, but a hop serves it", db, probe.ConnectTimeout, "up 20ms sum", ""},
		{"unreachable, and no hop serves it", db, probe.ConnectTimeout, "up 20ms nosum", "no hop of this chain serves it"},
		{"unreachable, and nobody knows", db, probe.ConnectTimeout, "up 20ms", "is known to serve it"},
		{"an alias is always dialled", alias, probe.ConnectTimeout, "up 20ms sum", "no proxy can stand in"},
		{"off", chain.SumDB{Off: true}, probe.ClassUnknown, "up 20ms nosum", ""},
	} {
		r := Request{SumDB: c.db, SumDBDirect: c.direct, SumsComplete: true, Candidates: []Candidate{cand(t, io, c.words)}}
		rec := Recommend(r)
		if got := strings.Join(rec.Warnings, "\n"); !rec.Found || (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: warnings %q, want %q", c.name, got, c.want)
		}
	}
}
