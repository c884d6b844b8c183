package proxies

import (
	"strings"
	"testing"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

var (
	th  = theme.New(theme.Options{NoColor: true})
	now = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
)

func status(url string, kind probe.Kind, h monitor.Health, c probe.Class, hops ...int) monitor.EndpointStatus {
	return monitor.EndpointStatus{Result: probe.Result{URL: url, Kind: kind, Class: c, At: wire.At(now.Add(-5 * time.Second))}, Health: h, Hops: hops,
		Window: monitor.Window{Samples: 10, Lost: 0.1, P50: wire.Millis(20 * time.Millisecond), P95: wire.Millis(900 * time.Millisecond)}}
}

func snapshot() monitor.Snapshot {
	return monitor.Snapshot{
		Chain: monitor.ChainStatus{Hops: []monitor.Hop{
			{N: 1, URL: "https://a.example", Kind: probe.KindProxy, Separator: ",", Health: monitor.Down, Class: probe.Refused, GoWill: probe.Stop},
			{N: 2, URL: "https://b.example", Kind: probe.KindProxy, Separator: "|", Health: monitor.Up, Class: probe.OK, GoWill: probe.Serve},
			{N: 3, URL: "direct", Kind: probe.KindDirect, Health: monitor.Up, Class: probe.OK, GoWill: probe.GoDirect}}},
		Endpoints: []monitor.EndpointStatus{
			status("https://sum.example", probe.KindSumDB, monitor.Up, probe.OK),
			status("https://b.example", probe.KindProxy, monitor.Up, probe.OK, 2),
			status("https://a.example", probe.KindProxy, monitor.Down, probe.Refused, 1),
			status("direct", probe.KindDirect, monitor.Up, probe.OK, 3),
			status("https://c.example", probe.KindProxy, monitor.Up, probe.NotFound),
		},
	}
}

func names(rows []row) string {
	var out []string
	for _, r := range rows {
		out = append(out, r.url)
	}
	return strings.Join(out, " ")
}

func TestRowsStandInTheOrderOfTheChain(t *testing.T) {
	s := snapshot()
	rows := buildRows(&s, nil)
	if got, want := names(rows), "https://a.example https://b.example direct https://sum.example https://c.example"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if rows[0].status == nil || rows[0].status.Class != probe.Refused {
		t.Error("hop 1 has another endpoint's probe")
	}
}

func TestPendingRows(t *testing.T) {
	s := snapshot()
	c, err := chain.Parse("https://b.example|https://a.example|direct")
	if err != nil {
		t.Fatal(err)
	}
	rows := buildRows(&s, &c)
	want := []struct {
		will   probe.Action
		edited bool
	}{{probe.Serve, true}, {probe.Next, true}, {probe.GoDirect, false}}
	for i, w := range want {
		if rows[i].goWill != w.will || rows[i].edited != w.edited {
			t.Errorf("hop %d: go will %s, edited %v; want %v", i+1, rows[i].goWill, rows[i].edited, w)
		}
	}
	c, _ = chain.Parse("https://b.example")
	rows = buildRows(&s, &c)
	if rows[1].url != "https://sum.example" || rows[2].outside != "taken out" {
		t.Errorf("after a removal: %s, %q", names(rows), rows[2].outside)
	}
}

// TestPendingDirectThatFails: what go will do is said as for the chain in force.
func TestPendingDirectThatFails(t *testing.T) {
	s := snapshot()
	s.Endpoints[3].Class = probe.DNSNotFound
	c, err := chain.Parse("https://c.example,direct")
	if err != nil {
		t.Fatal(err)
	}
	if rows := buildRows(&s, &c); rows[0].goWill != probe.Next || rows[1].goWill != probe.Stop {
		t.Errorf("go will %s, then %s", rows[0].goWill, rows[1].goWill)
	}
}

func TestAHopTwiceHasTwoIdentities(t *testing.T) {
	s := snapshot()
	c, _ := chain.Parse("https://b.example,https://b.example")
	rows := buildRows(&s, &c)
	if rows[0].id == rows[1].id {
		t.Error("the selection cannot tell them apart")
	}
}

func TestSortAndFilter(t *testing.T) {
	s := snapshot()
	for o, first := range map[order]string{byChain: "https://a.example", byState: "https://a.example", byName: "direct"} {
		rows := buildRows(&s, nil)
		sortRows(rows, o)
		if rows[0].url != first {
			t.Errorf("%s: %s", o, names(rows))
		}
	}
	for query, want := range map[string]string{"": "5", "refused": "1", "EXAMPLE up": "3", "nothing": "0", "gosumdb": "1"} {
		if got := len(filterRows(buildRows(&s, nil), query)); string(rune('0'+got)) != want {
			t.Errorf("%q: %d rows, want %s", query, got, want)
		}
	}
}

func TestCells(t *testing.T) {
	s := snapshot()
	rows := buildRows(&s, nil)
	widths := make([]int, len(columns))
	widths[colSpark] = 10
	for _, tc := range []struct {
		row, col int
		want     string
	}{
		{0, colOrder, "1"}, {0, colSep, " ,"}, {0, colProxy, "a.example"}, {0, colState, "✗ DOWN"}, {0, colP95, "900ms"}, {0, colLoss, "10%"}, {0, colAge, "5s"},
		{0, colNote, "go stops · refused"}, {1, colNote, ""}, {2, colSep, ""}, {2, colNote, "version control"},
		{3, colOrder, "–"}, {3, colNote, "GOSUMDB"}, {4, colNote, "not in GOPROXY · not found"},
	} {
		if got := cells(th, &rows[tc.row], now, spans[2], widths)[tc.col].Plain(); got != tc.want {
			t.Errorf("row %d, %s: %q, want %q", tc.row, columns[tc.col].Title, got, tc.want)
		}
	}
}

func TestStateIsGlyphAndWord(t *testing.T) {
	for _, tc := range []struct {
		kind probe.Kind
		h    monitor.Health
		c    probe.Class
		want string
	}{
		{probe.KindProxy, monitor.Up, probe.OK, "✓ OK"}, {probe.KindProxy, monitor.Slow, probe.OK, "▲ SLOW"}, {probe.KindProxy, monitor.Suspect, probe.Reset, "▲ SUSPECT"},
		{probe.KindProxy, monitor.Down, probe.Refused, "✗ DOWN"}, {probe.KindProxy, monitor.Unknown, probe.ClassUnknown, "◌ PROBING"}, {probe.KindOff, monitor.Unknown, "", "◌ OFF"},
	} {
		if got := view.StateSpan(&th.Glyphs, tc.kind, tc.h, tc.c).Text; got != tc.want {
			t.Errorf("%v: %q", tc, got)
		}
	}
}

// TestEveryClassIsExplained: whatever a probe says, the pane has words for it
// and for what the go command does.
func TestEveryClassIsExplained(t *testing.T) {
	for _, info := range probe.Classes {
		for _, sep := range []chain.Separator{chain.Comma, chain.Pipe, chain.Last} {
			st := status("https://a.example", probe.KindProxy, monitor.Down, info.Class, 1)
			st.Detail = "seen"
			r := row{n: 1, sep: sep, url: st.URL, kind: st.Kind, class: info.Class, health: st.Health, goWill: info.Class.Action(sep), status: &st}
			var b strings.Builder
			for _, l := range words(th, &r, now, 300) {
				b.WriteString(l.Plain() + "\n")
			}
			if !strings.Contains(b.String(), info.Meaning) || !strings.Contains(b.String(), "go       ") || (info.Failed && !strings.Contains(b.String(), info.Advice)) {
				t.Errorf("%s before %q:\n%s", info.Class, sep, b.String())
			}
			if name := string(info.Class); strings.Contains(name, "_") && strings.Contains(b.String(), name) || info.Failed && !strings.Contains(b.String(), info.Class.Words()) {
				t.Errorf("%s is not in words:\n%s", name, b.String())
			}
		}
	}
}

func TestGoSentence(t *testing.T) {
	for _, tc := range []struct {
		a    probe.Action
		c    probe.Class
		sep  chain.Separator
		want string
	}{
		{probe.Stop, probe.Refused, chain.Comma, `passes only 404 and 410 on, and this is refused`},
		{probe.Stop, probe.Refused, chain.Last, "nothing follows in the chain"},
		{probe.Next, probe.NotFound, chain.Comma, "404 and 410 pass both separators"},
		{probe.Next, probe.Refused, chain.Pipe, `"|" passes every error on`},
		{probe.Hang, probe.Stalled, chain.Pipe, "as long as it takes"},
		{probe.GoOff, probe.ClassUnknown, chain.Last, "disabled by off"},
	} {
		if got := goSentence(tc.a, tc.c, tc.sep); !strings.Contains(got, tc.want) {
			t.Errorf("%v: %q", tc, got)
		}
	}
}

// TestFactsAboutTheDatabase: a hop that did not answer has not said no.
func TestFactsAboutTheDatabase(t *testing.T) {
	for _, tc := range []struct {
		db   probe.SumDBResult
		want string
	}{
		{probe.SumDBResult{Name: "sum.example", Supported: true, Class: probe.OK}, "serves sum.example"},
		{probe.SumDBResult{Name: "sum.example", Class: probe.NotFound}, "does not serve sum.example"},
		{probe.SumDBResult{Name: "sum.example", Class: probe.ConnectTimeout}, ""},
	} {
		st := monitor.EndpointStatus{Result: probe.Result{SumDB: &tc.db}}
		if got := strings.Join(facts(&st), ", "); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.db, got, tc.want)
		}
	}
}

// TestSpan: soon after the start the charts are not a column of blanks.
func TestSpan(t *testing.T) {
	at := func(ages ...time.Duration) []row {
		rows := []row{{}}
		for _, age := range ages {
			st := &monitor.EndpointStatus{Window: monitor.Window{Recent: []monitor.Sample{{At: wire.At(now.Add(-age)), Class: probe.OK}}}}
			rows = append(rows, row{status: st})
		}
		return rows
	}
	for _, tc := range []struct {
		ages []time.Duration
		want string
	}{
		{nil, "LAST 30 S"},
		{[]time.Duration{3 * time.Second, 29 * time.Second}, "LAST 30 S"},
		{[]time.Duration{3 * time.Second, 31 * time.Second}, "LAST 1 MIN"},
		{[]time.Duration{time.Hour}, "LAST 2 MIN"},
	} {
		if got := spanTitle(spanOf(at(tc.ages...), now)); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.ages, got, tc.want)
		}
	}
}

func TestAdvice(t *testing.T) {
	how := widget.L(widget.S(theme.Key, "2 t"), widget.S(theme.Dim, " or "), widget.S(theme.Dim, "gpx offline on"))
	for _, tc := range []struct {
		name string
		how  widget.Line
		w    int
		want string
	}{
		{"in one line", how, 80, "Or       Build meanwhile:  2 t or gpx offline on"},
		{"below its title", how, 34, "Or       Build meanwhile:|         2 t or gpx offline on"},
		{"wrapped", how, 26, "Or       Build meanwhile:|         2 t or gpx|         offline on"},
		{"without a command", nil, 80, "Or       Build meanwhile"},
	} {
		var got []string
		for _, l := range advice("Or", "Build meanwhile", tc.how, tc.w) {
			got = append(got, l.Plain())
		}
		if s := strings.Join(got, "|"); s != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, s, tc.want)
		}
	}
}
