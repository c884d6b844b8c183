package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
)

// The picture, in units of the SVG:
//
//	        ┌ badges ┐   opened   detected        mitigated        resolved
//	label   │ lane   │▒▒▒▒▒│██████████████████│░░░░│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
//	label   │ lane   │▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│░░░░│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
//	        └ axis     12:00          12:01          12:02        (UTC)
const (
	width    = 1040
	plotX    = 236
	plotW    = 788 // also the number of columns: one a unit
	badgeH   = 20
	laneH    = 26
	laneStep = 36
	axisH    = 38
	// maxLanes bounds the height and the size: a chain has three or four hops, and
	// the catalog a dozen proxies.
	maxLanes = 16
	maxMarks = 24
	maxWords = 40 // written into one lane
	// A letter of the picture's font is about this wide, at its small size.
	letter = 6.8
)

// A picture is what the template draws.
type picture struct {
	Width, Height int
	PlotX, PlotW  int
	Top, Bottom   int // of the lanes
	LaneH, LanesH int
	IncidentX     float64 // the time that it lasted
	IncidentW     float64
	Lanes         []drawnLane
	Gaps          []drawnGap
	Marks         []mark
	Ticks         []tick
	Legend        []legend
	Patterns      []pattern
	NotDrawn      int
	Desc          string
	From, To      string
}

type drawnLane struct {
	Y      int
	Label  string
	URL    string
	Kind   string
	Broken bool
	Paths  []drawnPath
	Words  []drawnWord
}

// A drawnPath is all blocks of one class in a lane.
type drawnPath struct{ ID, D, Title string }

type drawnWord struct {
	X, ChipX, ChipW float64
	Text            string
}

type drawnGap struct {
	X, W  float64
	Title string
}

type mark struct {
	X, BadgeX, BadgeW, TextX float64
	Y                        int // of its badge
	Name, Class              string
	Title                    string
}

type tick struct {
	X    float64
	Text string
	Day  string // where the day begins
}

type legend struct{ ID, Text, Means string }

// A pattern fills a class: a colour by layer, and a figure that no other class in
// the picture has, as long as there are enough.
type pattern struct{ ID, Colour, Figure string }

// figures are drawn over the colour, in a square of 8.
var figures = []string{
	"M-2 2L2-2M0 8L8 0M6 10L10 6",             // rising
	"M0 0L8 8M8 0L0 8",                        // crossed
	"M2 0V8M6 0V8",                            // upright
	"M0 2H8M0 6H8",                            // level
	"M-2 6L2 10M0 0L8 8M6-2L10 2",             // falling
	"M0 4H8M4 0V8",                            // grid
	"M0 6L4 2L8 6",                            // waves
	"M2 1v2M1 2h2M6 5v2M5 6h2",                // plus signs
	"M0 8L8 0M-2 2L2-2M6 10L10 6M0 3H8",       // rising and level
	"M2 0V8M6 0V8M0 4H8",                      // bricks
	"M-2 6L2 10M0 0L8 8M6-2L10 2M4 0V8",       // falling and upright
	"M0 2H8M0 6H8M-2 2L2-2M0 8L8 0M6 10L10 6", // dense
	"M0 0L8 8M8 0L0 8M0 4H8",                  // stars
	"M1 1h6v6h-6z",                            // squares
	"M2 0V8M6 0V8M0 2H8M0 6H8",                // net
}

// colour names the colour of a class: that of its layer, but for what is good and
// for what makes the go command wait for ever.
func colour(c probe.Class) string {
	info := c.Info()
	switch {
	case c == probe.OK:
		return "ok"
	case c == probe.NotFound:
		return "lacks"
	case c == probe.ClassUnknown:
		return "unknown"
	case info.Hangs:
		return "hangs"
	}
	switch info.Layer {
	case probe.LayerConfig:
		return "config"
	case probe.LayerDNS:
		return "dns"
	case probe.LayerTCP:
		return "tcp"
	case probe.LayerTLS:
		return "tls"
	case probe.LayerHTTP:
		return "http"
	case probe.LayerSumDB:
		return "sumdb"
	default:
		return "content"
	}
}

// draw lays the picture out.
func draw(r *incident.Recording, d Document, now time.Time) picture {
	from, to := bounds(r, now)
	p := picture{Width: width, PlotX: plotX, PlotW: plotW, LaneH: laneH, From: clock(wire.At(from)), To: clock(wire.At(to))}
	x := func(t time.Time) float64 {
		share := float64(t.Sub(from)) / float64(to.Sub(from))
		return plotX + plotW*min(max(share, 0), 1)
	}
	gaps := gapsOf(&r.Incident)
	rows := p.marks(d, from, to, x)
	p.Top = 8 + rows*badgeH + 6
	for _, g := range gaps {
		if g.To.Before(from) || g.From.After(to) {
			continue
		}
		w := max(x(g.To)-x(g.From), 1.5)
		p.Gaps = append(p.Gaps, drawnGap{X: x(g.From), W: w,
			Title: fmt.Sprintf("not watched from %s to %s", clock(wire.At(g.From)), clock(wire.At(g.To)))})
		if len(p.Gaps) == maxRows {
			break
		}
	}
	p.lanes(lanes(r, gaps), from, to)
	p.Bottom = p.Top + max(1, len(p.Lanes))*laneStep
	p.LanesH, p.Height = p.Bottom-p.Top+4, p.Bottom+axisH
	end := to
	if !d.Resolved.IsZero() {
		end = d.Resolved.Time
	}
	p.IncidentX = x(d.Opened.Time)
	p.IncidentW = max(x(end)-p.IncidentX, 1)
	p.ticks(from, to, x)
	p.Desc = describe(d, p)
	return p
}

// marks places the badges of what happened at one instant, each in the first row
// in which it has room. It returns the number of rows.
func (p *picture) marks(d Document, from, to time.Time, x func(time.Time) float64) (rows int) {
	type instant struct {
		at                wire.Time
		name, class, what string
	}
	var all []instant
	for _, s := range stamps(d) {
		all = append(all, instant{s.At, strings.ToLower(s.Name), strings.ToLower(s.Name), s.Means})
	}
	for i, e := range d.Actions {
		if len(all) == maxMarks {
			break
		}
		all = append(all, instant{e.At, fmt.Sprintf("done %d", i+1), "action", e.Text})
	}
	slices.SortStableFunc(all, func(a, b instant) int { return a.at.Compare(b.at.Time) })
	var ends []float64 // of the last badge in each row
	for _, m := range all {
		if m.at.IsZero() || m.at.Before(from) || m.at.After(to) {
			continue
		}
		w := float64(len(m.name))*letter + 12
		left := min(x(m.at.Time), plotX+plotW-w)
		row := 0
		for row < len(ends) && ends[row] > left {
			row++
		}
		if row == len(ends) {
			ends = append(ends, 0)
		}
		ends[row] = left + w + 4
		p.Marks = append(p.Marks, mark{X: x(m.at.Time), BadgeX: left, BadgeW: w, TextX: left + w/2, Y: 8 + row*badgeH, Name: m.name, Class: m.class,
			Title: m.name + ", " + clock(m.at) + ": " + m.what})
	}
	return max(1, len(ends))
}

func (p *picture) lanes(all []lane, from, to time.Time) {
	ids := map[probe.Class]string{}
	for _, l := range all {
		if len(p.Lanes) == maxLanes || len(l.Runs) == 0 && !l.Broken {
			p.NotDrawn++
			continue
		}
		drawn := drawnLane{Y: p.Top + len(p.Lanes)*laneStep, URL: l.URL, Kind: string(l.Kind), Broken: l.Broken, Label: label(l.URL)}
		paths := map[probe.Class]*strings.Builder{}
		var order []probe.Class
		for _, b := range blocks(l.Runs, from, to, plotW) {
			path := paths[b.Class]
			if path == nil {
				path = &strings.Builder{}
				paths[b.Class], order = path, append(order, b.Class)
				p.use(ids, b.Class)
			}
			fmt.Fprintf(path, "M%d %dh%dv%dh-%dz", plotX+b.From, drawn.Y, b.To-b.From, laneH, b.To-b.From)
			text := b.Class.Words()
			w := letter*float64(len(text)) + 12
			if middle, ok := p.free(float64(plotX+b.From), float64(plotX+b.To), w+4); ok && b.Class != probe.OK && len(drawn.Words) < maxWords {
				drawn.Words = append(drawn.Words, drawnWord{X: middle, ChipX: middle - w/2, ChipW: w, Text: text})
			}
		}
		for _, c := range order {
			drawn.Paths = append(drawn.Paths, drawnPath{ID: ids[c], D: paths[c].String(), Title: l.URL + ": " + c.Words()})
		}
		p.Lanes = append(p.Lanes, drawn)
	}
}

// free is the middle of the widest part between two columns that no mark and no
// gap crosses; false where it is narrower than w.
func (p *picture) free(from, to, w float64) (middle float64, ok bool) {
	taken := [][2]float64{{to, to}}
	for _, m := range p.Marks {
		taken = append(taken, [2]float64{m.X, m.X})
	}
	for _, g := range p.Gaps {
		taken = append(taken, [2]float64{g.X, g.X + g.W})
	}
	slices.SortFunc(taken, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
	best := w
	for _, t := range taken {
		if room := min(t[0], to) - from; room >= best {
			best, middle, ok = room, from+room/2, true
		}
		from = max(from, t[1])
	}
	return middle, ok
}

// use gives a class its pattern when it is drawn for the first time.
func (p *picture) use(ids map[probe.Class]string, c probe.Class) {
	if ids[c] != "" {
		return
	}
	ids[c] = fmt.Sprintf("c%d", len(ids))
	figure := figures[(len(ids)-1)%len(figures)]
	switch c { // what is good is plain, or nearly so
	case probe.OK:
		figure = ""
	case probe.NotFound:
		figure = "M1.5 2h2M5.5 6h2"
	}
	p.Patterns = append(p.Patterns, pattern{ID: ids[c], Colour: colour(c), Figure: figure})
	p.Legend = append(p.Legend, legend{ID: ids[c], Text: c.Words(), Means: c.Info().Meaning})
}

func (p *picture) ticks(from, to time.Time, x func(time.Time) float64) {
	s := step(to.Sub(from), 9)
	form := "15:04"
	if s < time.Minute {
		form = "15:04:05"
	}
	day := ""
	for t := from.UTC().Truncate(s); !t.After(to); t = t.Add(s) {
		if t.Before(from) {
			continue
		}
		k := tick{X: x(t), Text: t.Format(form)}
		if is := t.Format("2006-01-02"); is != day {
			k.Day, day = is, is
		}
		p.Ticks = append(p.Ticks, k)
	}
}

// label is a URL short enough to stand before its lane.
func label(url string) string {
	_, host, ok := strings.Cut(url, "://")
	if !ok {
		host = url
	}
	host = strings.TrimRight(host, "/")
	const room = 30
	r := []rune(host)
	if utf8.RuneCountInString(host) <= room {
		return host
	}
	return string(r[:room/2]) + "…" + string(r[len(r)-room/2+1:])
}

// describe is the picture for those who do not see it.
func describe(d Document, p picture) string {
	var b strings.Builder
	fmt.Fprintf(&b, "From %s to %s, one lane for each of %d endpoints. ", p.From, p.To, len(p.Lanes))
	for _, s := range stamps(d) {
		if !s.At.IsZero() {
			fmt.Fprintf(&b, "%s %s. ", s.Name, clock(s.At))
		}
	}
	for _, e := range d.Endpoints {
		if e.Broken && e.Samples > 0 {
			fmt.Fprintf(&b, "%s was available %s of the time it lasted: %s. ", e.URL, percent(e.Availability), answers(e))
		}
	}
	fmt.Fprintf(&b, "%s were not watched.", words(d.Unobserved))
	return b.String()
}
