package widget

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"gpx/tui/theme"
)

var th = theme.New(theme.Options{NoColor: true})

func TestFit(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		w        int
		want     string
	}{
		{"as wide", "abc", 3, "abc"},
		{"too narrow", "abcdef", 4, "abc…"},
		{"too wide", "abc", 5, "abc  "},
		{"no room", "abc", 0, ""},
		{"room for the mark alone", "abc", 1, "a"},
		{"a wide rune is never torn", "界界界", 4, "界 …"},
		{"wide runes that fit", "界界", 4, "界界"},
		{"combining characters stay", "e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"nothing", "", 3, "   "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := T(tc.in).Fit(tc.w, "…").Plain(); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestCut(t *testing.T) {
	l := L(S(theme.Text, "ab界"), S(theme.Bad, "cd"))
	for _, tc := range []struct {
		from, to int
		want     string
	}{{0, 6, "ab界cd"}, {1, 3, "b "}, {3, 5, " c"}, {2, 4, "界"}, {5, 9, "d   "}, {0, 0, ""}} {
		if got := l.Cut(tc.from, tc.to).Plain(); got != tc.want {
			t.Errorf("%d..%d: %q, want %q", tc.from, tc.to, got, tc.want)
		}
	}
}

func TestMiddle(t *testing.T) {
	for _, tc := range []struct {
		in   string
		w    int
		want string
	}{
		{"https://proxy.example.com/go", 28, "https://proxy.example.com/go"},
		{"https://proxy.example.com/go", 16, "https://pr…om/go"},
		{"abcdef", 5, "abcd…"},
	} {
		if got := Middle(tc.in, tc.w, "…"); got != tc.want {
			t.Errorf("%q in %d: %q, want %q", tc.in, tc.w, got, tc.want)
		}
	}
}

func TestOverlay(t *testing.T) {
	base := []Line{T("aaaa"), T("界界"), T("cccc")}
	got := Overlay(base, []Line{T("XX"), T("YY")}, 1, 1, 4)
	want := []string{"aaaa", " XX ", "cYYc"}
	for i, l := range got {
		if l.Plain() != want[i] {
			t.Errorf("line %d: %q, want %q", i, l.Plain(), want[i])
		}
	}
}

func TestASCII(t *testing.T) {
	a := theme.New(theme.Options{ASCII: true, NoColor: true})
	if got := T("a · 界é…").Render(a); got != "a - ???~" {
		t.Errorf("%q", got)
	}
}

func TestRenderPaintsAndMeasuresTheSame(t *testing.T) {
	c := theme.New(theme.Options{Dark: true, Profile: termenv.TrueColor})
	l := L(S(theme.Bad, "✗ DOWN"), S(theme.Text, " 界 "), S(theme.Accent, "x")).Selected()
	got := l.Render(c)
	if !strings.Contains(got, "\x1b[") {
		t.Errorf("no colour: %q", got)
	}
	if w := ansi.StringWidth(got); w != l.Width() {
		t.Errorf("%d cells, measured %d", w, l.Width())
	}
}

func TestLayout(t *testing.T) {
	cols := []Column{{Min: 3}, {Min: 10, Grow: 2}, {Min: 5, Drop: 2}, {Min: 5, Grow: 1, Max: 8, Drop: 1}}
	for _, tc := range []struct {
		w    int
		want []int
	}{
		{29, []int{3, 10, 5, 5}},
		{28, []int{3, 16, 0, 5}}, // the highest Drop goes first; what is free then is shared
		{20, []int{3, 15, 0, 0}},
		{10, []int{3, 10, 0, 0}}, // never below what cannot be dropped
		{60, []int{3, 38, 5, 8}}, // up to its Max
	} {
		got := Layout(cols, tc.w)
		total := 0
		for i, n := range got {
			total += n
			if n > 0 && i > 0 {
				total += 2
			}
		}
		if tc.w >= 15 && total > tc.w {
			t.Errorf("%d: %v is wider", tc.w, got)
		}
		if tc.w != 28 && !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%d: %v, want %v", tc.w, got, tc.want)
		}
		if tc.w == 28 && got[2] != 0 {
			t.Errorf("%d: %v keeps the column that goes first", tc.w, got)
		}
	}
}

func TestTableDrawsOnlyWhatIsVisible(t *testing.T) {
	tab := &Table{Columns: []Column{{Title: "N", Min: 5}}}
	made := 0
	row := func(i int, _ []int) []Line { made++; return []Line{T("row")} }
	lines := tab.Render(th, 20, 6, 10_000, row)
	if made != 5 || len(lines) != 6 {
		t.Errorf("%d rows made, %d lines", made, len(lines))
	}
	tab.Move(9_999)
	tab.Render(th, 20, 6, 10_000, row)
	if got := tab.Unseen(); got != "9995 above" {
		t.Errorf("at the end: %q", got)
	}
	for _, tc := range []struct {
		at   int
		want string
	}{{0, "9995 below"}, {5, "1 above, 9994 below"}} {
		tab.Select(tc.at)
		tab.Render(th, 20, 6, 10_000, row)
		if got := tab.Unseen(); got != tc.want {
			t.Errorf("at row %d: %q, want %q", tc.at, got, tc.want)
		}
	}
	tab.Move(9_999)
	tab.Render(th, 20, 6, 10_000, row)
	if i, ok := tab.At(1); !ok || i != 9_995 {
		t.Errorf("line 1 is row %d, %v", i, ok)
	}
	if _, ok := tab.At(0); ok {
		t.Error("the heading is a row")
	}
	tab.SetRows(3) // fewer rows: the selection stays on one
	if tab.Cursor() != 2 {
		t.Errorf("cursor %d of 3", tab.Cursor())
	}
	tab.Render(th, 20, 0, 3, row)
}

func TestSparkline(t *testing.T) {
	ps := []Point{{Value: time.Millisecond}, {Value: 100 * time.Millisecond}, {Lost: true}, {None: true}, {Value: 10 * time.Second}}
	if got := Sparkline(th, ps, 6).Plain(); got != " ▁▅! █" {
		t.Errorf("%q", got)
	}
	if got := Sparkline(th, ps, 2).Plain(); got != " █" {
		t.Errorf("the newest two: %q", got)
	}
	for _, l := range Columns(th, ps, 40, 4) {
		if l.Width() != 40 {
			t.Errorf("a line of the chart is %d wide", l.Width())
		}
	}
}

func TestOver(t *testing.T) {
	end := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	at := func(ago time.Duration, ms int, lost bool) Sample {
		return Sample{At: end.Add(-ago), Value: time.Duration(ms) * time.Millisecond, Lost: lost}
	}
	show := func(ps []Point) string {
		var b strings.Builder
		for _, p := range ps {
			switch {
			case p.None:
				b.WriteByte('.')
			case p.Lost:
				b.WriteByte('!')
			default:
				b.WriteByte(byte('0' + p.Value.Milliseconds()))
			}
		}
		return b.String()
	}
	for _, tc := range []struct {
		name    string
		samples []Sample
		want    string // 12 cells of 10 s
	}{
		{"nothing", nil, "............"},
		{"one at the end", []Sample{at(0, 5, false)}, "...........5"},
		{"stands for 20 s", []Sample{at(60*time.Second, 5, false)}, ".....55....."},
		{"the worst of a cell", []Sample{at(9*time.Second, 2, false), at(8*time.Second, 7, false), at(7*time.Second, 1, false)}, "...........7"},
		{"lost wins", []Sample{at(9*time.Second, 2, false), at(8*time.Second, 0, true), at(7*time.Second, 1, false)}, "...........!"},
		{"older than the chart", []Sample{at(300*time.Second, 4, false), at(125*time.Second, 3, false)}, "3..........."},
	} {
		if got := show(Over(tc.samples, end, 2*time.Minute, 12)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	Over([]Sample{at(0, 1, false)}, end, time.Minute, 0)
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "<1ms", 4 * time.Millisecond: "4ms", 1900 * time.Millisecond: "1.9s", 31 * time.Second: "31s"} {
		if got := Millis(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{-time.Second: "0s", 3 * time.Second: "3s", 872 * time.Second: "14m32s", 2*time.Hour + 5*time.Minute: "2h05m", 72 * time.Hour: "3d"} {
		if got := Age(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestInput(t *testing.T) {
	keys := func(in *Input, names ...tea.KeyType) {
		for _, k := range names {
			in.Key(tea.KeyMsg{Type: k})
		}
	}
	in := NewInput("https://a.example/x")
	keys(in, tea.KeyCtrlW)
	if in.Value() != "https://a.example/" {
		t.Errorf("ctrl+w: %q", in.Value())
	}
	keys(in, tea.KeyHome, tea.KeyDelete, tea.KeyRight, tea.KeyBackspace)
	if in.Value() != "tps://a.example/" {
		t.Errorf("delete and backspace: %q", in.Value())
	}
	in.Key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("h\x1b[31m界\n"), Paste: true})
	if in.Value() != "h[31m界tps://a.example/" {
		t.Errorf("pasted control characters: %q", in.Value())
	}
	keys(in, tea.KeyCtrlU, tea.KeyCtrlK)
	if in.Value() != "" {
		t.Errorf("emptied: %q", in.Value())
	}
	if in.Key(tea.KeyMsg{Type: tea.KeyF1}) {
		t.Error("F1 is taken for text")
	}
	for w := range 12 {
		in := NewInput("長い値です")
		for range 6 {
			if got := in.Line(th, w).Width(); got != w {
				t.Fatalf("%d cells, want %d", got, w)
			}
			in.Key(tea.KeyMsg{Type: tea.KeyLeft})
		}
	}
}

// A comma or slash at which a line is broken does not stand beyond its end.
func TestWrapAtCommas(t *testing.T) {
	text := "what is down, and back when/yours has been well, for a while"
	for w := 5; w < len(text); w++ {
		for _, l := range Wrap(text, w) {
			if Width(l) > w {
				t.Errorf("%d cells: %q", w, l)
			}
		}
	}
}

func TestWrap(t *testing.T) {
	for _, l := range Wrap("a https://very-long-name.example.com/with/a/path and words 界界界界界界界", 20) {
		if Width(l) > 20 {
			t.Errorf("%q is wider than 20", l)
		}
	}
	for text, want := range map[string]string{
		"others: gpx probe --all":    "others: gpx probe|--all",
		"then: go env -u GOPROXY":    "then: go env -u|GOPROXY",
		"a well-known fact-of-life":  "a well-known fact-|of-life",
		"no\u2011break probe-x here": "no\u2011break probe-x|here",
	} {
		if got := strings.Join(Wrap(text, 18), "|"); got != want {
			t.Errorf("%q wraps to %q, want %q", text, got, want)
		}
	}
}

// TestInputMasksPasswords: what is typed into the userinfo of a URL is not
// shown, neither before its @ nor after.
func TestInputMasksPasswords(t *testing.T) {
	th := theme.New(theme.Options{NoColor: true})
	for text, want := range map[string]string{
		"https://a.example/x,direct":              "https://a.example/x,direct",
		"https://a.example:8080/x":                "https://a.example:8080/x",
		"https://[::1]:8080/x":                    "https://[::1]:8080/x",
		"https://user:secr":                       "https://user:••••",
		"https://user:s@a.example":                "https://••••••@a.example",
		"https://token@a.example|https://b.c:1":   "https://•••••@a.example|https://b.c:1",
		"corp.example/*,git@host":                 "corp.example/*,git@host",
		"https://a.example/x@v1,https://u:p@b.ex": "https://a.example/x@v1,https://•••@b.ex",
	} {
		in := NewInput(text)
		if got := strings.TrimRight(in.Line(th, 60).Plain(), " "); got != want+th.Glyphs.Caret {
			t.Errorf("%s: %q", text, got)
		}
		if in.Value() != text {
			t.Errorf("%s: the value is %q", text, in.Value())
		}
	}
}

func TestScroll(t *testing.T) {
	var lines []Line
	for i := range 10 {
		lines = append(lines, T(strconv.Itoa(i)))
	}
	for _, tc := range []struct {
		name  string
		play  func(s *Scroll)
		first string
		below int
	}{
		{"nothing", func(*Scroll) {}, "0", 6},
		{"down", func(s *Scroll) { s.Key(tea.KeyMsg{Type: tea.KeyDown}) }, "1", 5},
		{"up at the top", func(s *Scroll) { s.Key(tea.KeyMsg{Type: tea.KeyUp}) }, "0", 6},
		{"page", func(s *Scroll) { s.Key(tea.KeyMsg{Type: tea.KeyPgDown}) }, "4", 2},
		{"end", func(s *Scroll) { s.Key(tea.KeyMsg{Type: tea.KeyEnd}) }, "6", 0},
		{"too far", func(s *Scroll) { s.By(1 << 20) }, "6", 0},
		{"to the end", func(s *Scroll) { s.ToEnd() }, "6", 0},
		{"there and back", func(s *Scroll) { s.By(99); s.Key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("g")}) }, "0", 6},
	} {
		s := &Scroll{}
		s.Show(lines, 4)
		tc.play(s)
		if got := s.Show(lines, 4); len(got) != 4 || got[0].Plain() != tc.first || s.Below() != tc.below {
			t.Errorf("%s: %v, %d below", tc.name, got, s.Below())
		}
	}
	s := &Scroll{}
	if got := s.Show(lines[:2], 4); len(got) != 2 || s.Below() != 0 {
		t.Errorf("all of it: %v", got)
	}
}

func TestClause(t *testing.T) {
	for _, tc := range []struct {
		text string
		w    int
		want string
	}{
		{"a.example drops packets and go fails after 30 s", 40, "a.example drops packets"},
		{"checksum database x fails; only what go.sum knows builds", 30, "checksum database x fails"},
		{"downloads work, but go.mod:3: unknown directive", 30, "downloads work, but go.mod:3"},
		{"a: b and c; d (e)", 12, "a: b and c"}, // the longest one that fits
		{"go can download from a.example.com", 16, "go can download"},
		{"hides your own, and its x fails", 20, "hides your own"},
		{"one long clause without an end", 10, ""},
	} {
		if got := Clause(tc.text, tc.w); got != tc.want {
			t.Errorf("%q in %d: %q, want %q", tc.text, tc.w, got, tc.want)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Hour: "now", 0: "now", 59 * time.Second: "now", 5 * time.Minute: "5m ago", 47 * time.Hour: "47h ago", 48 * time.Hour: "2d ago", 1000 * time.Hour: "41d ago",
	} {
		if got := Ago(now, now.Add(-d)); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if got := Ago(now, time.Time{}); got != "" {
		t.Errorf("never: %q", got)
	}
}
