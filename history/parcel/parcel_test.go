package parcel

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(seconds float64) wire.Time {
	return wire.At(noon.Add(time.Duration(seconds * float64(time.Second))))
}

func ms(n int) wire.Millis { return wire.Millis(time.Duration(n) * time.Millisecond) }

// outage is a recording that has something in every field.
func outage() *incident.Recording {
	const (
		corp   = "https://proxy.corp.example/artifactory/api/go"
		public = "https://mirror.example.org"
		chain  = corp + "," + public + ",direct"
	)
	rto := ms(60_000)
	status := func(url string, kind probe.Kind, class probe.Class, health monitor.Health, hops ...int) monitor.EndpointStatus {
		return monitor.EndpointStatus{
			Result: probe.Result{
				At: at(9), URL: url, Kind: kind, Class: class, Layer: probe.LayerTCP,
				Detail: "dial tcp 10.20.30.40:443: connect: connection refused", Module: "git.corp.example/team/lib@v1.2.3",
				HTTPStatus: 200, RemoteAddr: "10.20.30.40:443", TLSExpires: at(86400), Phases: probe.Phases{DNS: ms(1), Total: ms(20)},
				SumDB: &probe.SumDBResult{Name: "sum.golang.org", Supported: true, Class: probe.OK},
				Checks: []probe.Check{{File: probe.Info, Class: probe.OK, HTTPStatus: 200, Total: ms(3), Sum: "h1:abc=",
					Detail: "GET https://proxy.corp.example/artifactory/api/go/git.corp.example/team/lib/@v/v1.2.3.info"}},
				Sum: "h1:def=", RetryAfter: ms(2000),
			},
			Health: health, Since: at(1), Hops: append([]int{}, hops...),
			Window: monitor.Window{Recent: []monitor.Sample{}},
		}
	}
	hops := []monitor.Hop{
		{N: 1, URL: corp, Kind: probe.KindProxy, Separator: ",", Health: monitor.Down, Class: probe.Refused, GoWill: probe.Stop},
		{N: 2, URL: public, Kind: probe.KindProxy, Separator: ",", Health: monitor.Up, Class: probe.OK, GoWill: probe.Serve},
		{N: 3, URL: "direct", Kind: probe.KindDirect, Health: monitor.Up, Class: probe.OK, GoWill: probe.GoDirect},
	}
	return &incident.Recording{
		Incident: incident.Incident{
			Opened: at(5), Detected: at(10), Mitigated: at(65), Resolved: at(120), RTO: &rto,
			Headline: "OUTAGE: proxy.corp.example/artifactory/api/go refuses connections and the go…", Scope: monitor.ScopeChain,
			Causes: []probe.Class{probe.Refused}, Endpoints: []string{corp}, Chain: chain,
			Note: "the load balancer of proxy.corp.example was restarted", Unobserved: ms(4000), Imported: true,
			Settings: incident.Settings{Interval: ms(5000), Timeout: ms(2000), Threshold: 3, Lossy: 6, Strategy: "latency", Automatic: true},
			Events: []incident.Event{
				{At: at(5), Kind: incident.Opened, Text: "the first answer that makes the go command fail"},
				{At: at(10), Kind: incident.Turned, Text: corp + " is down: refused", Endpoint: corp, Health: monitor.Down, Class: probe.Refused},
				{At: at(40), Kind: incident.Gap, Text: "nobody watched for 4s", From: at(36)},
				{At: at(64), Kind: incident.Action, Text: "use " + public + ",direct in /home/alice/secret-project"},
			},
		},
		From: at(0), To: at(180),
		Endpoints: []incident.Endpoint{{URL: corp, Kind: probe.KindProxy}, {URL: public, Kind: probe.KindProxy}, {URL: "direct", Kind: probe.KindDirect}},
		Samples: []incident.Sample{
			{At: at(0), Endpoint: 0, Class: probe.OK, Status: 200, Phases: probe.Phases{DNS: ms(1), TCP: ms(2), TLS: ms(3), TTFB: ms(4), Total: ms(10)}},
			{At: at(5), Endpoint: 0, Class: probe.Refused, Phases: probe.Phases{Total: ms(1)}},
			{At: at(5), Endpoint: 1, Class: probe.OK, Phases: probe.Phases{Total: ms(44)}},
		},
		Frames: []incident.Frame{{Snapshot: monitor.Snapshot{
			At: at(10), Round: 2, EnvDigest: "5f3c",
			Verdict: monitor.Verdict{State: monitor.StateOutage, Scope: monitor.ScopeChain, Headline: "OUTAGE: proxy.corp.example refuses connections",
				Evidence: []string{"hop 1 (" + corp + "): refused"}, Fixes: []monitor.Fix{{Title: "Switch", Command: "gpx use " + public}}},
			Chain:     monitor.ChainStatus{Value: chain, Origin: "user", Hops: hops},
			Original:  &monitor.ChainStatus{Value: chain, Origin: "user", Error: "", Hops: hops[:1], Works: true},
			SumDB:     monitor.SumDBStatus{Value: "sum.golang.org", Class: probe.OK, Route: corp + "/sumdb/sum.golang.org", Health: monitor.Up, Via: 1},
			Readiness: monitor.Readiness{State: "unknown"},
			Gap:       &monitor.Gap{From: at(3), To: at(4)},
			Endpoints: []monitor.EndpointStatus{
				status(corp, probe.KindProxy, probe.Refused, monitor.Down, 1),
				status(public, probe.KindProxy, probe.OK, monitor.Up, 2),
			},
		}}},
	}
}

func encode(t testing.TB, r *incident.Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(t testing.TB, data []byte) *incident.Recording {
	t.Helper()
	r, err := Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// zip packs a document as [Encode] does.
func zip(t testing.TB, document []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	zw.Write(document)
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unzipped(t testing.TB, data []byte) string {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRoundTrip(t *testing.T) {
	want := outage()
	r := outage()
	r.Incident.ID, r.Incident.Events[3].Change = 7, "20261123-1"
	r.Frames[0].Snapshot.Endpoints[0].Window = monitor.Window{Samples: 3, Lost: 0.5}
	before, _ := json.Marshal(r)
	data := encode(t, r)
	if after, _ := json.Marshal(r); !bytes.Equal(before, after) {
		t.Error("Encode changed what it was given")
	}
	if diff := cmp.Diff(want, decode(t, data)); diff != "" {
		t.Errorf("what came back differs (-want +got):\n%s", diff)
	}
	if again := encode(t, decode(t, data)); !bytes.Equal(data, again) {
		t.Error("the same recording is another file")
	}
	if mtime := data[4:8]; !bytes.Equal(mtime, make([]byte, 4)) {
		t.Errorf("the gzip header has the time %x", mtime)
	}
}

// refused checks that an error is one line that says what to do.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("taken, want an error with %q", want)
	}
	text := err.Error()
	if !strings.Contains(text, want) {
		t.Errorf("%q does not say %q", text, want)
	}
	if strings.ContainsFunc(text, unicode.IsControl) || len(text) > 400 {
		t.Errorf("%q is no short line", text)
	}
	for _, advice := range []string{"export it again", "copy it again", "update gpx", "shorter recording", "gpx history export", "cannot be read"} {
		if strings.Contains(text, advice) {
			return
		}
	}
	t.Errorf("%q does not say what to do", text)
}

func TestCutShort(t *testing.T) {
	data := encode(t, outage())
	for n := range data {
		_, err := Decode(bytes.NewReader(data[:n]))
		refused(t, err, "it is cut short")
	}
}

func TestDamaged(t *testing.T) {
	data := encode(t, outage())
	for n := 10; n < len(data); n += 3 {
		bad := bytes.Clone(data)
		bad[n] ^= 0x55
		if _, err := Decode(bytes.NewReader(bad)); err == nil {
			t.Fatalf("byte %d of %d may be anything", n, len(data))
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("\x1b[31mno\nway") }

func TestUnreadable(t *testing.T) {
	_, err := Decode(broken{})
	refused(t, err, "it cannot be read: no way")
}

// spaces is an endless document of nothing.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestTooLarge(t *testing.T) {
	// A bomb: a file of a few kilobytes that unfolds to more than there may be.
	bomb := func(size int64) *bytes.Buffer {
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		if _, err := io.CopyN(zw, spaces{}, size); err != nil {
			t.Fatal(err)
		}
		zw.Close()
		return &b
	}
	const limit = 1 << 16
	if data, err := unzip(bomb(limit), limit); err != nil || len(data) != limit {
		t.Errorf("at the bound: %d bytes, %v", len(data), err)
	}
	_, err := unzip(bomb(limit+1), limit)
	refused(t, fmt.Errorf("incident file: %w", err), "larger than 64 MiB")

	// A header, and then blocks without a byte in them, for ever.
	header := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	_, err = unzip(io.MultiReader(bytes.NewReader(header), new(empties)), limit)
	refused(t, err, "larger than 64 MiB")

	if os.Getenv("GPX_TEST_SCALE") != "" { // seconds with the race detector
		_, err = Decode(bomb(maxBytes + 1))
		refused(t, err, "larger than 64 MiB")
	}
}

// empties are stored blocks of length 0.
type empties struct{ n int }

func (e *empties) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = []byte{0, 0, 0, 0xff, 0xff}[e.n%5]
		e.n++
	}
	return len(p), nil
}

func TestForeign(t *testing.T) {
	document := unzipped(t, encode(t, outage()))
	replace := func(old, new string) []byte {
		if !strings.Contains(document, old) {
			t.Fatalf("no %q in %s", old, document)
		}
		return []byte(strings.Replace(document, old, new, 1))
	}
	tests := []struct {
		name     string
		document []byte
		want     string
	}{
		{"nothing", nil, "unexpected end of JSON input"},
		{"no JSON", []byte("<html>"), "invalid character"},
		{"two documents", []byte(document + document), "after top-level value"},
		{"another format", replace(`"gpx-incident"`, `"gpx-bundle"`), "no incident of gpx"},
		{"no format", replace(`"format"`, `"from"`), "no incident of gpx"},
		{"newer version", replace(`"version":1`, `"version":2,"new":{}`), "its version is 2, and this gpx reads up to 1: update gpx"},
		{"version 0", replace(`"version":1`, `"version":0`), "no version 0"},
		{"unknown field", replace(`"scope"`, `"\u001b[2Jscope"`), "unknown field"},
		{"unknown field on top", replace(`"recording":`, `"x":1,"recording":`), "unknown field"},
		{"no recording", []byte(`{"format":"gpx-incident","version":1}`), "there is no recording in it"},
		{"wrong type", replace(`"samples":[`, `"samples":["x",`), "cannot unmarshal"},
		{"unknown class", replace(`"class":"refused"`, `"class":"bored"`), `class "bored" is not known`},
		{"unknown class of a sample", replace(`"endpoint":1,"class":"ok"`, `"endpoint":1,"class":"fine"`), `samples: [2] class "fine"`},
		{"no class", replace(`"endpoint":1,"class":"ok"`, `"endpoint":1,"class":""`), `class "none"`},
		{"unknown kind", replace(`"kind":"proxy"`, `"kind":"socks"`), `kind "socks"`},
		{"unknown health", replace(`"health":"down"`, `"health":"ill"`), `health "ill"`},
		{"unknown event", replace(`"kind":"action"`, `"kind":"party"`), `kind of event "party"`},
		{"unknown scope", replace(`"scope":"chain"`, `"scope":"world"`), `scope "world"`},
		{"unknown state", replace(`"state":"outage"`, `"state":"fun"`), `state "fun"`},
		{"unknown layer", replace(`"layer":"tcp"`, `"layer":"cake"`), `layer "cake"`},
		{"unknown action", replace(`"go_will":"stop"`, `"go_will":"cry"`), `action "cry"`},
		{"unknown request", replace(`"file":"info"`, `"file":"exe"`), `kind of request "exe"`},
		{"escapes in a class", replace(`"class":"refused"`, `"class":"\u001b]0;x\u0007\u202eod"`), `class "od"`},
		{"endpoint out of range", replace(`"endpoint":1`, `"endpoint":3`), "samples: [2] it is of endpoint 3, and there are 3"},
		{"endpoint below zero", replace(`"endpoint":1`, `"endpoint":-1`), "it is of endpoint -1"},
		{"samples out of order", replace(`"at":"2026-11-23T12:00:00.000Z","endpoint":0`, `"at":"2026-11-23T12:00:09.000Z","endpoint":0`), "samples: [1] it is older"},
		{"no HTTP status", replace(`"http_status":200,"phases"`, `"http_status":1000,"phases"`), "no HTTP status 1000"},
		{"long probe", replace(`"total_ms":44`, `"total_ms":4e9`), "no probe lasts"},
		{"negative phase", replace(`"total_ms":44`, `"total_ms":-1`), "no probe lasts"},
		{"from after to", replace(`"to":"2026-11-23T12:03`, `"to":"2026-11-23T11:03`), "no time of a recording"},
		{"two years", replace(`"to":"2026`, `"to":"2028`), "no time of a recording"},
		{"long ago", replace(`"at":"2026-11-23T12:01:04.000Z"`, `"at":"1999-11-23T12:01:04Z"`), "1999-11-23T12:01:04.000Z is no time"},
		{"far away", replace(`"since":"2026`, `"since":"9026`), "no time of a recording"},
		{"not opened", replace(`"opened":"2026-11-23T12:00:05.000Z"`, `"opened":null`), "opened have to be there"},
		{"resolved before it opened", replace(`"resolved":"2026-11-23T12:02`, `"resolved":"2026-11-23T11:02`), "cannot come after"},
		{"no time", replace(`"opened":"2026-11-23T12:00:05.000Z"`, `"opened":"tomorrow"`), "instant"},
		{"long unobserved", replace(`"unobserved_ms":4000`, `"unobserved_ms":1e300`), "no duration"},
		{"negative setting", replace(`"threshold":3`, `"threshold":-3`), "-3 is out of range"},
		{"hop out of range", replace(`"hops":[2]`, `"hops":[9]`), "no hop 9"},
		{"hop 0", replace(`"hops":[2]`, `"hops":[0]`), "no hop 0"},
		{"database through no hop", replace(`"via":1`, `"via":4`), "no hop 4"},
		{"hops in disorder", replace(`"n":2`, `"n":3`), "hop 2 has the number 3"},
		{"unknown separator", replace(`"separator":","`, `"separator":";"`), "hop 1 has no separator"},
		{"nested", []byte(strings.Repeat("[", 100) + strings.Repeat("]", 100)), "no incident of gpx"},
		{"nested inside", replace(`"note":`, `"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`,"note":`), "nested deeper"},
		{"many endpoints", replace(`"kind":"proxy"},`, `"kind":"proxy"},`+strings.Repeat("{},", 1000)), `too many elements in "endpoints", more than 1000`},
		{"many under another spelling", replace(`"samples":[`, `"s\u0061mples":[`+strings.Repeat("{},", 1000)), `too many elements in`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(bytes.NewReader(zip(t, tt.document)))
			refused(t, err, tt.want)
		})
	}
	for name, data := range map[string][]byte{"a second file": encode(t, outage()), "a byte": {0}} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(bytes.NewReader(append(encode(t, outage()), data...)))
			refused(t, err, "something follows its end")
		})
	}
	_, err := Decode(strings.NewReader("PK\x03\x04 something else entirely"))
	refused(t, err, "no incident of gpx")
}

// What is too much is refused before it is unfolded.
func TestCount(t *testing.T) {
	list := func(name string, n int) string {
		return `{"` + name + `":[` + strings.Repeat("{},", n-1) + "{}]}"
	}
	frames := func(n int) string {
		return `{"frames":[` + strings.Repeat(list("endpoints", 1000)+",", n-1) + "{}]}"
	}
	for _, tt := range []struct{ document, want string }{
		{list("samples", 1_000_000), ""},
		{list("samples", 1_000_001), `too many elements in "samples", more than 1000000`},
		{list("frames", 100_000), ""},
		{list("frames", 100_001), `too many elements in "frames", more than 100000`},
		{list("events", 100_001), `too many elements in "events", more than 100000`},
		{list("endpoints", 1000), ""},
		{list("endpoints", 1001), `too many elements in "endpoints", more than 1000`},
		{list(`s\u0061mples`, 1001), "more than 1000"},
		{list(`a\"samples`, 1001), "more than 1000"},
		{frames(500), ""},
		{frames(502), "too many elements in its lists, more than 500000"},
		{`{"samples":"[,,,` + strings.Repeat(",", 1000) + `"}`, ""},
		{`{"x":"\\",` + list("y", 1001)[1:], "more than 1000"},
		{`"`, ""}, {`"\`, ""}, {"]]]", ""}, {",", ""}, // no JSON, which is another's to say
	} {
		err := count([]byte(tt.document))
		if tt.want != "" {
			refused(t, err, tt.want)
		} else if err != nil {
			t.Errorf("%.40s: %v", tt.document, err)
		}
	}
}

// texts calls fn with every text of r, and sets it to what fn returns.
func texts(r *incident.Recording, fn func(field, s string) string) {
	walk(reflect.ValueOf(r).Elem(), ".recording", func(field string, v reflect.Value) error {
		if s, ok := v.Addr().Interface().(*string); ok {
			*s = fn(field, *s)
		}
		return nil
	})
}

// hostile are texts that drive a terminal, lie about their order, or have a
// credential in them, with what must not be left of them.
var hostile = []string{
	"\x1b[2J\x1b]0;title\x07\x1b]52;c;cHduZWQ=\x1b\\left\u202eright\u2066\u200b\x9b31m\x00\r\n\ttext",
	"https://user:hunter2@host.example/?x=1",
	"Authorization: Bearer hunter2hunter2hunter2",
	"deploy:hunter2@proxy.example.com/x",
}

func TestHostileTexts(t *testing.T) {
	for _, nasty := range hostile {
		r := outage()
		n := 0
		texts(r, func(field, s string) string {
			if field == "hops.separator" {
				return s
			}
			n++
			return nasty
		})
		if n < 40 {
			t.Fatalf("only %d texts", n)
		}
		document, err := json.Marshal(file{format, version, r})
		if err != nil {
			t.Fatal(err)
		}
		for way, got := range map[string]*incident.Recording{
			"read":    decode(t, zip(t, document)),
			"written": decode(t, encode(t, r)),
			"masked":  decode(t, encode(t, Mask(r, nil))),
		} {
			texts(got, func(field, s string) string {
				if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }) || strings.Contains(s, "hunter2") || strings.Contains(s, "title") {
					t.Errorf("%s: %s is %q", way, field, s)
				}
				return s
			})
		}
	}
}

func TestLongTexts(t *testing.T) {
	r := outage()
	texts(r, func(field, s string) string {
		if field == "hops.separator" {
			return s
		}
		return strings.Repeat("é", 12_000)
	})
	got := decode(t, encode(t, r))
	limits := map[string]int{"incident.headline": 500, "verdict.headline": 500, "incident.note": 10_000, "incident.chain": 8000, "chain.value": 8000}
	texts(got, func(field, s string) string {
		want, ok := limits[field]
		if !ok {
			want = 2000
		}
		if n := len([]rune(s)); n > 8000 && field != "incident.note" || ok && n != want {
			t.Errorf("%s has %d runes, want %d", field, n, want)
		}
		return s
	})
}

// What cannot be read is not written.
func TestEncodeRefuses(t *testing.T) {
	r := outage()
	r.To = at(-5)
	var b bytes.Buffer
	refused(t, Encode(&b, r), "export of the incident: from")
	if b.Len() > 0 {
		t.Errorf("%d bytes were written", b.Len())
	}
}

func FuzzDecode(f *testing.F) {
	document := []byte(unzipped(f, encode(f, outage())))
	f.Add(document)
	f.Add([]byte(unzipped(f, encode(f, Mask(outage(), nil)))))
	f.Add([]byte(`{"format":"gpx-incident","version":1,"recording":{}}`))
	f.Add([]byte(`{"format":"gpx-incident","version":1,"recording":{"incident":{"opened":"2026-11-23T12:00:00Z","headline":"` + strings.Repeat("a@b", 300) +
		`"},"from":"2026-11-23T12:00:00Z","to":"2026-11-23T12:00:01Z","endpoints":[{"url":"u:p@h","kind":"proxy"}],"samples":[{"at":"2026-11-23T12:00:00Z","class":"ok"}]}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		r, err := parse(document)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Fatalf("%q", err)
			}
			return
		}
		// What was read can be written, and then stays what it is.
		once := decode(t, encode(t, r))
		if twice := decode(t, encode(t, once)); !reflect.DeepEqual(once, twice) {
			t.Fatal(cmp.Diff(once, twice))
		}
		encode(t, Mask(r, func(path string) bool { return len(path)%2 == 0 }))
	})
}
