package report

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"gpx/history/incident"
)

// Markdown writes the report as Markdown with tables (GitHub flavoured).
func Markdown(w io.Writer, r *incident.Recording, now time.Time) error {
	d := Of(r, now)
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	p("# %s\n", esc(d.Headline))
	if d.Note != "" {
		p("> %s\n", esc(d.Note))
	}
	p("| | Time (UTC) | After it began |\n|---|---|---|")
	for _, s := range stamps(d) {
		after := "–"
		if !s.At.IsZero() {
			after = offset(d.Opened, s.At)
		}
		p("| %s | %s | %s |", s.Name, strings.TrimSuffix(clock(s.At), " UTC"), after)
	}
	p("\n| Time to detect | Time to mitigate (RTO) | Length | Not watched |\n|---|---|---|---|")
	p("| %s | %s | %s | %s |", maybe(d.TimeToDetect), maybe(d.RTO), lengthWords(d), words(d.Unobserved))

	p("\n## Why\n")
	p("Scope: %s. GOPROXY when it began: %s\n", esc(string(d.Scope)), code(d.Chain))
	for _, c := range d.Causes {
		p("- **%s**: %s", esc(c.Class.Words()), esc(c.Meaning))
		p("  - The go command: %s", esc(c.GoDoes))
		p("  - What helps: %s", esc(c.Advice))
	}
	if len(d.Causes) == 0 {
		p("No class of answer was noted as the cause.")
	}

	p("\n## Endpoints while it lasted\n")
	p("| Endpoint | Kind | Available | p50 | p95 | Probes | Answers |\n|---|---|--:|--:|--:|--:|---|")
	for _, e := range d.Endpoints[:min(len(d.Endpoints), maxRows)] {
		name := cell(e.URL)
		if e.Broken {
			name = "**broken** " + name
		}
		p("| %s | %s | %s | %s | %s | %d | %s |", name, esc(string(e.Kind)), percent(e.Availability), maybe(e.P50), maybe(e.P95), e.Samples, esc(answers(e)))
	}
	left(p, "endpoints", len(d.Endpoints)-maxRows)

	p("\n## What happened\n")
	table(p, d, d.Timeline)
	p("\n## What was done\n")
	if len(d.Actions) == 0 {
		p("Nothing that gpx noted.")
	} else {
		table(p, d, d.Actions)
	}

	p("\n## Settings in force\n")
	for _, s := range settings(d) {
		p("- %s: %s", s.Name, esc(s.Value))
	}
	p("\n## What the recording cannot tell\n")
	for _, s := range d.CannotTell {
		p("- %s", esc(s))
	}
	p("\nRecorded from %s to %s, %d probes. Written by gpx, %s.", clock(d.From), clock(d.To), d.Samples, clock(d.Generated))
	_, err := w.Write(b.Bytes())
	return err
}

func table(p func(string, ...any), d Document, all []incident.Event) {
	events, dropped := shown(all)
	p("| Time (UTC) | After | What | |\n|---|--:|---|---|")
	for _, e := range events {
		p("| %s | %s | %s | %s |", e.At.UTC().Format("2006-01-02 15:04:05"), offset(d.Opened, e.At), esc(kindWords(e.Kind)), esc(e.Text))
	}
	left(p, "events", dropped)
}

func left(p func(string, ...any), what string, n int) {
	if n > 0 {
		p("\n%d more %s are in the JSON of this report.", n, what)
	}
}

// special is what Markdown may take for more than a character.
var special = regexp.MustCompile("[\\\\`*_\\[\\]<>|~&#]|://|(?i:www\\.)|^[-+=]|^[0-9]+[.)] ")

// esc is text that stays text, also in a cell of a table.
func esc(s string) string {
	return special.ReplaceAllStringFunc(s, func(m string) string {
		switch {
		case m == "://": // no link: nobody should click on what an outage named
			return `\://`
		case len(m) > 1: // "www.", "1. "
			i := strings.IndexAny(m, ".)")
			return m[:i] + `\` + m[i:]
		}
		return `\` + m
	})
}

// code is text in a code span, in which nothing can be escaped.
func code(s string) string {
	if s == "" {
		return "–"
	}
	return "`" + strings.ReplaceAll(s, "`", "'") + "`"
}

// cell is the same in a cell of a table, where a bar has to be escaped even so.
func cell(s string) string { return strings.ReplaceAll(code(s), "|", `\|`) }
