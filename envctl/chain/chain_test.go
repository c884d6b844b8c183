package chain

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	proxy := func(u string, s Separator) Hop { return Hop{URL: u, Kind: Proxy, Separator: s} }
	tests := []struct {
		name, in string
		want     Chain
		out      string // what String gives, when it is not in
	}{
		{"one proxy", "https://a.example.com", Chain{Hops: []Hop{proxy("https://a.example.com", "")}}, ""},
		{"both separators", "https://a.example.com,https://b.example.com|direct",
			Chain{Hops: []Hop{proxy("https://a.example.com", ","), proxy("https://b.example.com", "|"), {URL: "direct", Kind: Direct}}}, ""},
		{"scheme added", "a.example.com/go,localhost:8080", Chain{Hops: []Hop{proxy("https://a.example.com/go", ","), proxy("https://localhost:8080", "")}},
			"https://a.example.com/go,https://localhost:8080"},
		{"blanks and empty entries", " ,|, https://a.example.com\t|,, off ", Chain{Hops: []Hop{proxy("https://a.example.com", "|"), {URL: "off", Kind: Off}}},
			"https://a.example.com|off"},
		{"separator at the end", "https://a.example.com|", Chain{Hops: []Hop{proxy("https://a.example.com", "|")}}, ""},
		{"ignored after direct", "direct,https://a.example.com|ftp://b", Chain{Hops: []Hop{{URL: "direct", Kind: Direct, Separator: ","}}, Ignored: "https://a.example.com|ftp://b"}, ""},
		{"ignored after off", "off| x", Chain{Hops: []Hop{{URL: "off", Kind: Off, Separator: "|"}}, Ignored: " x"}, ""},
		{"file tree", "file:///srv/go", Chain{Hops: []Hop{{URL: "file:///srv/go", Kind: File}}}, ""},
		{"file tree, escaped", "file:///srv/g%20o", Chain{Hops: []Hop{{URL: "file:///srv/g%20o", Kind: File}}}, ""},
		{"credentials", "https://joe:hunter2@a.example.com", Chain{Hops: []Hop{proxy("https://joe:hunter2@a.example.com", "")}}, ""},
		{"scheme in capitals", "HTTPS://a.example.com", Chain{Hops: []Hop{proxy("HTTPS://a.example.com", "")}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			want := tt.out
			if want == "" {
				want = tt.in
			}
			if got.String() != want {
				t.Errorf("String() = %q, want %q", got.String(), want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "GOPROXY list is not the empty string, but contains no entries"},
		{" ,|", "GOPROXY list is not the empty string, but contains no entries"},
		{"word", "invalid proxy URL missing scheme: word"},
		{"/srv/go", "invalid proxy URL missing scheme: /srv/go"},
		{"ftp://a.example.com", "invalid proxy URL scheme (must be https, http, file): ftp://a.example.com"},
		{"file://host/srv", "invalid file:// proxy URL with non-path elements: file://host/srv"},
		{"file:///srv?x=1", "invalid file:// proxy URL with non-path elements: file:///srv?x=1"},
		{"https://a.example.com,https://b example.com", `parse "https://b example.com": invalid character " " in host name` + separatorHint},
		{"https://a.example.com:8080direct", `parse "https://a.example.com:xxxxx": invalid port "xxxxx" after host` + separatorHint},
		// The parser quotes its input, and a piece of it again as the port.
		{"https://joe:hunter,2@a.example.com", `parse "https://joe:xxxxx": invalid port "xxxxx" after host`},
		{"ftp://hunter2@a.example.com", "invalid proxy URL scheme (must be https, http, file): ftp://xxxxx@a.example.com"},
		{"https://joe:hunter2%zz@a.example.com", `parse "https://xxxxx@a.example.com": invalid URL escape "%zz"`},
	}
	for _, tt := range tests {
		_, err := Parse(tt.in)
		if err == nil || err.Error() != tt.want {
			t.Errorf("Parse(%q):\n got %v\nwant %s", tt.in, err, tt.want)
		}
	}
}

func TestRedacted(t *testing.T) {
	c, err := Parse("https://joe:hunter2@a.example.com|https://hunter2@b.example.com,direct,https://hunter2@c.example.com")
	if err != nil {
		t.Fatal(err)
	}
	const want = "https://xxxxx@a.example.com|https://xxxxx@b.example.com,direct,https://xxxxx@c.example.com"
	if got := c.Redacted(); got != want {
		t.Errorf("Redacted() = %s, want %s", got, want)
	}
}

func TestNew(t *testing.T) {
	a, b := Hop{URL: "a.example.com"}, Hop{URL: "https://b.example.com", Separator: Pipe}
	direct := Hop{URL: "direct"}
	c, err := New(a, b, direct)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.String(), "https://a.example.com,https://b.example.com|direct"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, hops := range map[string][]Hop{"none": nil, "behind direct": {direct, a}, "list in a hop": {{URL: "a.b,c.d"}}, "bad scheme": {{URL: "ftp://x"}}} {
		if c, err := New(hops...); err == nil {
			t.Errorf("%s: New gave %s", name, c)
		}
	}
}

func TestEdits(t *testing.T) {
	const abc = "https://a.x|https://b.x,https://c.x"
	hop := func(s string) Hop {
		sep := Last
		if strings.HasSuffix(s, ",") || strings.HasSuffix(s, "|") {
			s, sep = s[:len(s)-1], Separator(s[len(s)-1:])
		}
		h, err := ParseHop(s)
		if err != nil {
			t.Fatal(err)
		}
		h.Separator = sep
		return h
	}
	remove := func(c Chain, i int) Chain {
		c, err := c.Remove(i)
		if err != nil {
			t.Error(err)
		}
		return c
	}
	tests := []struct {
		name, in string
		edit     func(Chain) Chain
		want     string
	}{
		{"top", abc, func(c Chain) Chain { return c.Top(2) }, "https://c.x|https://a.x,https://b.x"},
		{"top of the first", abc, func(c Chain) Chain { return c.Top(0) }, abc},
		{"top of direct", "https://a.x|direct", func(c Chain) Chain { return c.Top(1) }, "https://a.x|direct"},
		{"down keeps separators in place", abc, func(c Chain) Chain { return c.Move(0, 1) }, "https://b.x|https://a.x,https://c.x"},
		{"up and down", abc, func(c Chain) Chain { return c.Move(1, 1).Move(2, -1) }, abc},
		{"far down", abc, func(c Chain) Chain { return c.Move(0, 9) }, "https://b.x|https://c.x,https://a.x"},
		{"not behind direct", "https://a.x|https://b.x,direct", func(c Chain) Chain { return c.Move(0, 9) }, "https://b.x|https://a.x,direct"},
		{"direct does not move", "https://a.x|direct", func(c Chain) Chain { return c.Move(1, -1) }, "https://a.x|direct"},
		{"no such hop", abc, func(c Chain) Chain {
			return c.Move(7, -1).Top(-1).WithSeparator(9, Pipe).Insert(0, Hop{URL: "ftp://x"})
		}, abc},
		{"ignored text stays behind direct", "https://a.x,https://b.x|direct,junk", func(c Chain) Chain { return c.Top(1) }, "https://b.x,https://a.x|direct,junk"},
		{"trailing separator goes", "https://a.x,https://b.x|", func(c Chain) Chain { return c.Top(1) }, "https://b.x,https://a.x"},

		{"pipe", abc, func(c Chain) Chain { return c.WithSeparator(1, Pipe) }, "https://a.x|https://b.x|https://c.x"},
		{"the last has no separator", abc, func(c Chain) Chain { return c.WithSeparator(2, Pipe) }, abc},

		{"insert first", abc, func(c Chain) Chain { return c.Insert(0, hop("n.x")) }, "https://n.x|https://a.x|https://b.x,https://c.x"},
		{"insert with its own separator", abc, func(c Chain) Chain { return c.Insert(1, hop("n.x,")) }, "https://a.x|https://n.x,https://b.x,https://c.x"},
		{"insert takes the separator in front", abc, func(c Chain) Chain { return c.Insert(1, hop("n.x")) }, "https://a.x|https://n.x|https://b.x,https://c.x"},
		{"append", abc, func(c Chain) Chain { return c.Insert(3, hop("n.x")) }, "https://a.x|https://b.x,https://c.x,https://n.x"},
		{"append with its own separator", "https://a.x", func(c Chain) Chain { return c.Insert(1, hop("n.x|")) }, "https://a.x|https://n.x"},
		{"append stays before direct", "https://a.x|direct", func(c Chain) Chain { return c.Insert(9, hop("n.x")) }, "https://a.x|https://n.x|direct"},
		{"before a lone direct", "direct", func(c Chain) Chain { return c.Insert(0, hop("n.x")) }, "https://n.x,direct"},
		{"insert direct", abc, func(c Chain) Chain { return c.Insert(0, hop("direct")) }, abc + ",direct"},
		{"insert off in place of direct", "https://a.x|direct,junk", func(c Chain) Chain { return c.Insert(0, hop("off")) }, "https://a.x|off"},

		{"remove first", abc, func(c Chain) Chain { return remove(c, 0) }, "https://b.x,https://c.x"},
		{"remove middle", abc, func(c Chain) Chain { return remove(c, 1) }, "https://a.x|https://c.x"},
		{"remove last", abc, func(c Chain) Chain { return remove(c, 2) }, "https://a.x|https://b.x"},
		{"ignored text goes with direct", "https://a.x|direct,https://junk.x", func(c Chain) Chain { return remove(c, 1) }, "https://a.x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got := tt.edit(in)
			if got.String() != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
			}
			if in.String() != tt.in {
				t.Errorf("the edit changed its input to %s", in)
			}
			if again, err := Parse(got.String()); err != nil || !cmp.Equal(again, got) {
				t.Errorf("%s does not parse back: %v", got, err)
			}
		})
	}
	if _, err := (Chain{Hops: []Hop{hop("direct")}}).Remove(0); err == nil {
		t.Error("the only hop was removed")
	}
}

// What Parse read, String prints, and Parse reads the same again; edits of it
// give chains with the same property.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a.b,c.d|direct", " ,|off,x", "file:///x|https://u:p@h", "https://%zz", "word", "direct,", "[::1]:80/|\u00a0off"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(s)
		if err != nil {
			return
		}
		checkRoundTrip(t, c)
		for i := range c.Hops {
			checkRoundTrip(t, c.Top(i))
			checkRoundTrip(t, c.WithSeparator(i, Pipe))
			checkRoundTrip(t, c.Insert(i, c.Hops[0]))
			if r, err := c.Remove(i); err == nil {
				checkRoundTrip(t, r)
			}
			if i+1 < c.movable() && c.Ignored == "" {
				if back := c.Move(i, 1).Move(i+1, -1); len(back.Hops) != len(c.Hops) || back.Hops[i].URL != c.Hops[i].URL {
					t.Fatalf("%q: moving hop %d there and back gives %q", s, i, back)
				}
			}
		}
		c.Redacted()
		n, err := New(c.Hops...)
		if err != nil {
			t.Fatalf("New(%q): %v", s, err)
		}
		checkRoundTrip(t, n)
	})
}

func checkRoundTrip(t *testing.T, c Chain) {
	t.Helper()
	again, err := Parse(c.String())
	if err != nil {
		t.Fatalf("%q does not parse back: %v", c, err)
	}
	if d := cmp.Diff(c, again); d != "" {
		t.Fatalf("%q is read back differently:\n%s", c, d)
	}
}

func FuzzParseSumDB(f *testing.F) {
	for _, s := range []string{"sum.golang.org", "off", "", "sum.golang.org https://x y", "a+b+c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if db, err := ParseSumDB(s); err == nil && !db.Off && (db.Name == "" || db.Key == "") {
			t.Fatalf("%q: %+v", s, db)
		}
	})
}
