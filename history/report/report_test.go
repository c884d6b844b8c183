package report

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"

	"flag"
	"io"

	"os"
	"path/filepath"

	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/net/html"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden reports again")

// noon is not UTC: what a report says must not depend on the zone.
var noon = time.Date(2026, 11, 23, 14, 0, 0, 0, time.FixedZone("EET", 2*60*60))

func at(seconds float64) wire.Time {
	return wire.At(noon.Add(time.Duration(seconds * float64(time.Second))))
}

func ms(n int) wire.Millis { return wire.Millis(time.Duration(n) * time.Millisecond) }

const (
	corp   = "https://proxy.corp.example/artifactory/api/go/virtual"
	public = "https://mirror.example.org"
)

// outage is five minutes in which the first hop refuses, then hangs, while a
// person switches and nobody watches for a while.
func outage() *incident.Recording {
	rto := ms(74_500)
	r := &incident.Recording{
		Incident: incident.Incident{
			ID: 3, Opened: at(60), Detected: at(61.5), Mitigated: at(134.5), Resolved: at(250), RTO: &rto,
			Headline: "OUTAGE: proxy.corp.example/…/virtual refuses connections and the go command stops", Scope: monitor.ScopeChain,
			Causes: []probe.Class{probe.Refused, probe.Timeout}, Endpoints: []string{corp}, Chain: corp + "," + public + "|direct",
			Note: "The load balancer was restarted with an old certificate.", Unobserved: ms(20_000),
			Settings: incident.Settings{Interval: ms(5000), Timeout: ms(2000), Threshold: 3, Lossy: 6, Strategy: "latency"},
			Events: []incident.Event{
				{At: at(60), Kind: incident.Opened, Text: "the first answer that makes the go command fail"},
				{At: at(61.5), Kind: incident.Detected, Text: "OUTAGE: proxy.corp.example refuses connections and the go command stops"},
				{At: at(61.5), Kind: incident.Turned, Endpoint: corp, Health: monitor.Down, Class: probe.Refused, Text: corp + " is down: refused"},
				{At: at(110), Kind: incident.Turned, Endpoint: corp, Health: monitor.Down, Class: probe.Timeout, Text: corp + " is down: timeout"},
				{At: at(133), Kind: incident.Action, Change: "20261123-7", Text: "use " + public + "|direct"},
				{At: at(134.5), Kind: incident.Mitigated, Text: "OK: go can download from mirror.example.org"},
				{At: at(190), From: at(170), Kind: incident.Gap, Text: "nobody watched for 20s"},
				{At: at(250), Kind: incident.Resolved, Text: "the chain that it began with works again: " + corp + "," + public + "|direct"},
			},
		},
		From: at(0), To: at(310),
		Endpoints: []incident.Endpoint{{URL: public, Kind: probe.KindProxy}, {URL: corp, Kind: probe.KindProxy},
			{URL: "direct", Kind: probe.KindDirect}, {URL: "https://sum.golang.org", Kind: probe.KindSumDB}, {URL: "https://never.example", Kind: probe.KindProxy}},
	}
	for t := 0.0; t < 310; t += 5 {
		if t > 170 && t < 190 {
			continue
		}
		sample := func(endpoint int, class probe.Class, total int) {
			r.Samples = append(r.Samples, incident.Sample{At: at(t + float64(endpoint)/10), Endpoint: endpoint, Class: class,
				Phases: probe.Phases{DNS: ms(2), TCP: ms(8), Total: ms(total)}})
		}
		sample(0, probe.OK, 40+int(t)%17)
		switch {
		case t >= 60 && t < 110:
			sample(1, probe.Refused, 3)
		case t >= 110 && t < 250:
			sample(1, probe.Timeout, 2000)
		default:
			sample(1, probe.OK, 21)
		}
		if int(t)%15 == 0 {
			sample(2, probe.NotFound, 800)
			class := probe.OK
			if t == 75 {
				class = probe.DNSTimeout
			}
			sample(3, class, 95)
		}
	}
	return r
}

func write(t *testing.T, f func(io.Writer, *incident.Recording, time.Time) error, r *incident.Recording) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r, at(400).Time); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var forms = map[string]func(io.Writer, *incident.Recording, time.Time) error{"report.md": Markdown, "report.html": HTML, "report.json": JSON}

func TestGolden(t *testing.T) {
	open := outage()
	open.Incident.Resolved, open.Incident.Mitigated, open.Incident.RTO, open.Incident.Note = wire.Time{}, wire.Time{}, nil, ""
	open.Incident.Imported, open.Incident.Synthetic = true, true
	open.Samples, open.Incident.Causes = nil, nil
	for prefix, r := range map[string]*incident.Recording{"": outage(), "open-": open} {
		for name, f := range forms {
			got := write(t, f, r)
			path := filepath.Join("testdata", prefix+name)
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v (write it with: go test ./history/report -update)", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs (-want +got):\n%s", path, diff)
			}
		}
	}
}

// The JSON is the document, whole.
func TestJSON(t *testing.T) {
	var got Document
	dec := json.NewDecoder(strings.NewReader(write(t, JSON, outage())))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := Of(outage(), at(400).Time)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	broken := got.Endpoints[0]
	if broken.URL != corp || !broken.Broken || broken.Samples != 35 || broken.Failed != 35 || *broken.Availability != 0 || broken.P50 != nil {
		t.Errorf("the broken endpoint is %+v", broken)
	}
	if len(got.Actions) != 1 || got.State != "resolved" || *got.TimeToDetect != ms(1500) || *got.RTO != ms(74_500) {
		t.Errorf("%d actions, %s, %v, %v", len(got.Actions), got.State, *got.TimeToDetect, *got.RTO)
	}
}

// hostile is outage with s in every text.
func hostile(s string) *incident.Recording {
	r := outage()
	i := &r.Incident
	i.Headline, i.Note, i.Chain, i.Settings.Strategy = s, s, s, s
	i.Endpoints = []string{s}
	i.Causes = append(i.Causes, probe.Class(s))
	i.Scope = monitor.Scope(s)
	for n := range i.Events {
		i.Events[n].Text, i.Events[n].Endpoint = s, s
	}
	i.Events[2].Kind = incident.EventKind(s)
	for n := range r.Endpoints {
		r.Endpoints[n].URL, r.Endpoints[n].Kind = s, probe.Kind(s)
	}
	r.Samples[40].Class = probe.Class(s)
	return r
}

func TestHostileTexts(t *testing.T) {
	for _, s := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onload='alert(1)`, `</title></svg></style><a href=javascript:alert(1)>x</a>`,
		`]]><!--`, "{{.Headline}}", "\x1b[31mred\x1b]0;x\x07 \u202eright",
	} {
		page := write(t, HTML, hostile(s))
		if strings.ContainsAny(page, "\x1b\x07\u202e") {
			t.Errorf("%q: control characters in the page", s)
		}
		// The same elements and attributes as without it, in the same number or more.
		allowed := skeleton(t, write(t, HTML, outage()))
		allowed["dt"], allowed["dd"] = true, true
		for what := range skeleton(t, page) {
			if !allowed[what] {
				t.Errorf("%q adds %s to the page", s, what)
			}
		}
	}
}

// skeleton is the set of elements and attributes of a page; a link to anything but
// a pattern of its own fails the test.
func skeleton(t *testing.T, page string) map[string]bool {
	t.Helper()
	set := map[string]bool{}
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				t.Fatal(z.Err())
			}
			return set
		case html.CommentToken:
			set["comment"] = true
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			set[token.Data] = true
			for _, a := range token.Attr {
				set[token.Data+" "+a.Key] = true
				if a.Key == "fill" && !regexp.MustCompile(`^url\(#(?:c[0-9]+|gap)\)$`).MatchString(a.Val) {
					t.Errorf("fill is %s", a.Val)
				}
			}
		}
	}
}

// Nothing is loaded from anywhere, and nothing may be.
func TestSelfContained(t *testing.T) {
	page := write(t, HTML, outage())
	if !strings.Contains(page, `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`) {
		t.Error("the policy is not there")
	}
	set := skeleton(t, page)
	for what := range set {
		for _, no := range []string{"script", "link", "img", "iframe", "a", "object", "form", "use", "image", "comment"} {
			if what == no || strings.Contains(what, " src") || strings.Contains(what, "href") || strings.Contains(what, " on") || strings.Contains(what, " style") {
				t.Errorf("there is %s", what)
			}
		}
	}
	for _, no := range []string{"@import", "url(h", "url(/"} {
		if strings.Contains(page, no) {
			t.Errorf("there is %s", no)
		}
	}
	for _, want := range []string{`role="img"`, "<title id=\"timeline-title\">", "<desc id=\"timeline-desc\">", "prefers-color-scheme: dark"} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %s", want)
		}
	}
}

func TestMarkdownTexts(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain text, 3.5 s: it works", "plain text, 3.5 s: it works"},
		{"a|b", `a\|b`},
		{"<b>&amp;*x*_y_`z`~~", "\\<b\\>\\&amp;\\*x\\*\\_y\\_\\`z\\`\\~\\~"},
		{"[x](https://evil.example)", `\[x\](https\://evil.example)`},
		{"www.evil.example", `www\.evil.example`},
		{"# head", `\# head`},
		{"- item", `\- item`},
		{"12. item", `12\. item`},
		{"4.4 s", "4.4 s"},
		{`\`, `\\`},
	}
	for _, tt := range tests {
		if got := esc(tt.in); got != tt.want {
			t.Errorf("%q is %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := cell("a`|b"); got != "`a'\\|b`" {
		t.Errorf("a cell is %s", got)
	}
	// A table stays a table: in every row the same number of bars.
	for _, s := range []string{"a|b||c", "x\n| y | z |\n\n# new", "`|`", `\|`} {
		for _, line := range strings.Split(write(t, Markdown, hostile(s)), "\n") {
			if strings.HasPrefix(line, "| 2026") && strings.Count(strings.NewReplacer(`\\`, "", `\|`, "").Replace(line), "|") != 5 {
				t.Errorf("%q makes the row %s", s, line)
			}
			if strings.HasPrefix(line, "# new") {
				t.Errorf("%q makes a line of its own", s)
			}
		}
	}
}

func TestNoCredentials(t *testing.T) {
	for _, s := range []string{"https://user:hunter2@proxy.example.com/x,direct", "https://hunter2@proxy.example.com", "hunter2@proxy.example.com", "Authorization: Bearer hunter2hunter2hunter2"} {
		r := hostile(s)
		r.Incident.Causes, r.Samples[40].Class = nil, probe.OK // these are known words
		r.Incident.Scope, r.Incident.Events[2].Kind = monitor.ScopeChain, incident.Turned
		for n := range r.Endpoints {
			r.Endpoints[n].Kind = probe.KindProxy
		}
		if s == "hunter2@proxy.example.com" { // elsewhere than in a URL's place this is somebody's address
			r.Incident.Headline, r.Incident.Note, r.Incident.Settings.Strategy = "", "", ""
			for n := range r.Incident.Events {
				r.Incident.Events[n].Text = ""
			}
		}
		for name, f := range forms {
			if got := write(t, f, r); strings.Contains(got, "hunter2") {
				t.Errorf("%s: %q is in it", name, s)
			}
		}
	}
}

// Odd recordings make reports too.
func TestOdd(t *testing.T) {
	open := outage()
	open.Incident.Resolved = wire.Time{}
	outside := outage()
	outside.From, outside.To = at(5000), at(4000)
	wrong := outage()
	wrong.Samples[3].Endpoint, wrong.Samples[4].Endpoint = 77, -1
	wrong.Samples[5].Class = ""
	back := outage()
	back.Incident.Resolved, back.Incident.Detected = at(-500), at(-900)
	year := outage()
	year.To = at(366 * 86400)
	for name, r := range map[string]*incident.Recording{
		"empty": {}, "open": open, "outside": outside, "wrong": wrong, "back": back, "year": year,
		"opened only": {Incident: incident.Incident{Opened: at(1)}},
	} {
		for form, f := range forms {
			got := write(t, f, r)
			for _, no := range []string{"NaN", "Inf", "%!", "ZgotmplZ"} {
				if strings.Contains(got, no) {
					t.Errorf("%s: %s has %s", name, form, no)
				}
			}
		}
	}
}

// A day in which everything flaps stays a file that can be sent.
func TestDay(t *testing.T) {
	r := outage()
	r.Incident.Resolved, r.To = at(86400), at(90000)
	r.Samples, r.Incident.Events = nil, nil
	r.Incident.Unobserved = 0
	random := rand.New(rand.NewPCG(1, 2))
	all := probe.Classes
	for s := 0.0; s < 90000; s += 20 { // a column of the picture is two minutes
		for e := range r.Endpoints {
			class := probe.OK
			if e == 1 || random.IntN(3) == 0 {
				class = all[random.IntN(len(all))].Class
			}
			r.Samples = append(r.Samples, incident.Sample{At: at(s), Endpoint: e, Class: class, Phases: probe.Phases{Total: ms(random.IntN(2000))}})
			if class != probe.OK && len(r.Incident.Events) < 2*maxRows {
				r.Incident.Events = append(r.Incident.Events, incident.Event{At: at(s), Kind: incident.Turned, Text: r.Endpoints[e].URL + " is down: " + class.Words()})
			}
		}
	}
	r.Incident.Events = append(r.Incident.Events, incident.Event{At: at(80000), Kind: incident.Action, Text: "the last thing that was done"})
	for name, f := range forms {
		got := write(t, f, r)
		if name != "report.json" && (len(got) > 500_000 || !strings.Contains(got, "the last thing that was done") || !strings.Contains(got, "more")) {
			t.Errorf("%s has %d bytes", name, len(got))
		}
		t.Logf("%s: %d bytes", name, len(got))
	}
}

func TestLanes(t *testing.T) {
	r := &incident.Recording{From: at(0), To: at(1000), Endpoints: []incident.Endpoint{{URL: "a"}, {URL: "b"}, {URL: "c"}},
		Incident: incident.Incident{Endpoints: []string{"b"}, Settings: incident.Settings{Interval: ms(5000)}}}
	sample := func(endpoint int, seconds float64, class probe.Class) {
		r.Samples = append(r.Samples, incident.Sample{At: at(seconds), Endpoint: endpoint, Class: class, Phases: probe.Phases{Total: ms(1000)}})
	}
	sample(0, 0, probe.OK)
	sample(0, 5, probe.OK)
	sample(0, 10, probe.EOF)
	sample(0, 15, probe.OK) // then nothing for longer than an answer stands
	sample(0, 300, probe.OK)
	sample(1, 0, probe.OK)
	sample(1, 100, probe.OK)
	got := lanes(r, []span{{at(30).Time, at(90).Time}, {at(310).Time, at(320).Time}})
	want := []lane{
		{URL: "b", Broken: true, Runs: []run{{probe.OK, at(0).Time, at(30).Time}, {probe.OK, at(100).Time, at(161).Time}}},
		{URL: "a", Runs: []run{{probe.OK, at(0).Time, at(10).Time}, {probe.EOF, at(10).Time, at(15).Time}, {probe.OK, at(15).Time, at(30).Time}, {probe.OK, at(300).Time, at(310).Time}}},
		{URL: "c"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBlocks(t *testing.T) {
	day := func(hours float64) time.Time { return at(hours * 3600).Time }
	runs := []run{
		{probe.OK, day(0), day(6)},
		{probe.Refused, day(6), day(6).Add(time.Second)}, // one lost answer in a day
		{probe.OK, day(6).Add(time.Second), day(12)},
		{probe.Timeout, day(18), day(30)}, // past the end
	}
	want := []block{{probe.OK, 0, 6}, {probe.Refused, 6, 8}, {probe.OK, 8, 12}, {probe.Timeout, 18, 24}}
	if diff := cmp.Diff(want, blocks(runs, day(0), day(24), 24)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "0 s", 420 * time.Millisecond: "420 ms", 1500 * time.Millisecond: "1.5 s", 59990 * time.Millisecond: "59.9 s", time.Minute: "1 min",
		3*time.Minute + 10*time.Second: "3 min 10 s", 26 * time.Hour: "1 d 2 h", 2*time.Hour + 59*time.Second: "2 h", 999_600 * time.Microsecond: "999 ms",
	} {
		if got := words(wire.Millis(in)); got != want {
			t.Errorf("%v is %q, want %q", in, got, want)
		}
	}
	for in, want := range map[float64]string{0: "0 %", 1: "100 %", 0.9999: ">99.9 %", 0.0001: "<0.1 %", 0.917: "91.7 %"} {
		if got := percent(&in); got != want {
			t.Errorf("%v is %q, want %q", in, got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	var times []wire.Millis
	if quantile(times, 50) != nil {
		t.Error("nothing has a median")
	}
	for i := range 20 {
		times = append(times, ms(i+1))
	}
	if p50, p95 := *quantile(times, 50), *quantile(times, 95); p50 != ms(10) || p95 != ms(19) {
		t.Errorf("p50 %v, p95 %v", time.Duration(p50), time.Duration(p95))
	}
	if one := *quantile(times[:1], 95); one != ms(1) {
		t.Errorf("p95 of one is %v", time.Duration(one))
	}
}
