package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"strings"
	"sync"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
)

//go:embed report.html
var page string

// pageTemplate is parsed when the first report is written.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{
		"clock":   clock,
		"maybe":   maybe,
		"words":   words,
		"percent": percent,
		"answers": answers,
		"kind":    kindWords,
		"offset":  offset,
		"classes": func(c probe.Class) string { return c.Words() },
		"add":     func(a, b int) int { return a + b },
		"time":    func(t wire.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"machine": func(t wire.Time) string { return t.UTC().Format(wire.Layout) },
		"events": func(opened wire.Time, all []incident.Event, numbered bool) any {
			return struct {
				Opened   wire.Time
				Events   []incident.Event
				Numbered bool // as the marks of the picture are
			}{opened, all, numbered}
		},
		"share": func(f *float64) float64 { // of a bar 100 wide
			if f == nil {
				return 0
			}
			return *f * 100
		},
	}).Parse(page))
})

// HTML writes the report as one page that needs nothing else.
func HTML(w io.Writer, r *incident.Recording, now time.Time) error {
	r = cleaned(r)
	d := document(r, now)
	v := struct {
		Document
		Badge, Title    string
		Stamps          []stamp
		Rows            []incident.Event
		Done            []incident.Event
		Few             []Endpoint
		MoreRows        int
		MoreDone        int
		MoreEndpoints   int
		SettingsInWords []setting
		Picture         picture
	}{Document: d, Title: d.Headline, Stamps: stamps(d), SettingsInWords: settings(d), Picture: draw(r, d, now)}
	// "OUTAGE: …" is a badge and a title.
	if badge, title, ok := strings.Cut(d.Headline, ": "); ok && badge == strings.ToUpper(badge) && len(badge) <= 10 {
		v.Badge, v.Title = badge, title
	}
	v.Rows, v.MoreRows = shown(d.Timeline)
	v.Done, v.MoreDone = shown(d.Actions)
	v.Few = d.Endpoints[:min(len(d.Endpoints), maxRows)]
	v.MoreEndpoints = len(d.Endpoints) - len(v.Few)
	var b bytes.Buffer
	if err := pageTemplate().Execute(&b, v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
