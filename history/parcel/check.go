package parcel

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"time"

	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

const (
	maxSpan   = 366 * 24 * time.Hour
	maxPhase  = 24 * time.Hour // of one probe
	maxDepth  = 32             // of the JSON; a frame needs eight
	maxInside = 500_000        // elements of all lists but the samples together
	maxFew    = 1_000          // elements of a list that is not named below
)

// maxElements are the bounds of the long lists, by their name in the JSON.
var maxElements = map[string]int{"samples": 1_000_000, "frames": 100_000, "events": 100_000}

// maxRunes are the bounds of texts, by their name in the JSON. What is longer is
// cut: its beginning says most.
var maxRunes = map[string]int{"headline": 500, "note": 10_000, "chain": 8_000, "value": 8_000}

const otherRunes = 2_000

// count bounds the lists of a document before they are unfolded: three bytes of
// JSON can be half a kilobyte of memory.
func count(data []byte) error {
	type level struct {
		name  string
		list  bool
		count int
	}
	var (
		levels []level
		key    []byte // the last string: the name of what begins next
		inside int
	)
	for i := 0; i < len(data); i++ {
		switch c := data[i]; c {
		case '"':
			start := i + 1
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			key = data[start:min(i, len(data))]
		case '[', '{':
			if len(levels) == maxDepth {
				return fmt.Errorf("it is nested deeper than %d lists: export it again", maxDepth)
			}
			l := level{list: c == '[', count: 1}
			if l.list {
				l.name = string(key)
			}
			levels = append(levels, l)
		case ']', '}':
			if len(levels) > 0 {
				levels = levels[:len(levels)-1]
			}
		case ',':
			if len(levels) == 0 || !levels[len(levels)-1].list {
				continue
			}
			l := &levels[len(levels)-1]
			l.count++
			limit, named := maxElements[l.name]
			if !named {
				limit = maxFew
			}
			if l.name != "samples" {
				inside++
			}
			if l.count > limit {
				return fmt.Errorf("too many elements in %q, more than %d: ask for a shorter recording", clip(redact.Text(l.name), 80), limit)
			}
			if inside > maxInside {
				return fmt.Errorf("too many elements in its lists, more than %d: ask for a shorter recording", maxInside)
			}
		}
	}
	return nil
}

// check refuses a recording that cannot have been recorded.
func check(r *incident.Recording) error {
	if err := checkAll(r); err != nil {
		return fmt.Errorf("%w; update gpx if a newer one wrote it, or else export it again", err)
	}
	return nil
}

func checkAll(r *incident.Recording) error {
	if err := times(r); err != nil {
		return err
	}
	for i := range r.Samples {
		if err := checkSample(r, i); err != nil {
			return fmt.Errorf("samples: [%d] %w", i, err)
		}
	}
	for i := range r.Frames {
		if err := checkFrame(r, i); err != nil {
			return fmt.Errorf("frames: [%d] %w", i, err)
		}
	}
	// The samples have their own loop: there may be a million of them.
	slim := *r
	slim.Samples = nil
	return walk(reflect.ValueOf(&slim).Elem(), ".recording", checkLeaf)
}

func times(r *incident.Recording) error {
	i := &r.Incident
	if r.From.IsZero() || r.To.IsZero() || i.Opened.IsZero() {
		return fmt.Errorf("from, to and opened have to be there")
	}
	if span := r.To.Sub(r.From.Time); span < 0 || span > maxSpan {
		return fmt.Errorf("from %s to %s is no time of a recording", text(r.From), text(r.To))
	}
	last := i.Opened
	for _, at := range []wire.Time{i.Detected, i.Mitigated, i.Resolved} {
		if at.IsZero() {
			continue
		}
		if at.Before(last.Time) || at.Sub(i.Opened.Time) > maxSpan {
			return fmt.Errorf("%s cannot come after %s in an incident", text(at), text(last))
		}
		last = at
	}
	return nil
}

func text(t wire.Time) string { return t.UTC().Format(wire.Layout) }

func checkSample(r *incident.Recording, i int) error {
	s := &r.Samples[i]
	switch {
	case s.Endpoint < 0 || s.Endpoint >= len(r.Endpoints):
		return fmt.Errorf("it is of endpoint %d, and there are %d", s.Endpoint, len(r.Endpoints))
	case !classes[s.Class] || s.Class == "":
		return must(classes, "class", cmp.Or(s.Class, "none"))
	case s.Status < 0 || s.Status > 999:
		return fmt.Errorf("there is no HTTP status %d", s.Status)
	case i > 0 && s.At.Before(r.Samples[i-1].At.Time):
		return fmt.Errorf("it is older than the one before it")
	}
	for _, d := range []wire.Millis{s.Phases.DNS, s.Phases.TCP, s.Phases.TLS, s.Phases.TTFB, s.Phases.Total} {
		if d < 0 || time.Duration(d) > maxPhase {
			return fmt.Errorf("no probe lasts %s", time.Duration(d))
		}
	}
	return checkTime(s.At)
}

// checkFrame holds what the screen relies on.
func checkFrame(r *incident.Recording, i int) error {
	s := &r.Frames[i].Snapshot
	if s.At.IsZero() || i > 0 && s.At.Before(r.Frames[i-1].Snapshot.At.Time) {
		return fmt.Errorf("it is older than the one before it")
	}
	chains := []monitor.ChainStatus{s.Chain}
	if s.Original != nil {
		chains = append(chains, *s.Original)
	}
	for _, c := range chains {
		for n, h := range c.Hops {
			if h.N != n+1 {
				return fmt.Errorf("hop %d has the number %d", n+1, h.N)
			}
			if !strings.Contains(",|", h.Separator) || len(h.Separator) > 1 {
				return fmt.Errorf("hop %d has no separator that gpx knows", n+1)
			}
		}
	}
	numbers := []int{max(s.SumDB.Via, 1)} // 0 is the database's own host
	for _, e := range s.Endpoints {
		numbers = append(numbers, e.Hops...)
	}
	for _, n := range numbers {
		if n < 1 || n > max(1, len(s.Chain.Hops)) {
			return fmt.Errorf("there is no hop %d", n)
		}
	}
	return nil
}

var (
	classes = func() map[probe.Class]bool {
		m := map[probe.Class]bool{"": true}
		for _, c := range probe.Classes {
			m[c.Class] = true
		}
		return m
	}()
	kinds   = set(probe.KindProxy, probe.KindFile, probe.KindDirect, probe.KindOff, probe.KindSumDB, probe.KindForward)
	healths = set(monitor.Up, monitor.Slow, monitor.Suspect, monitor.Down, monitor.Unknown, "")
	events  = set(incident.Opened, incident.Detected, incident.Mitigated, incident.Resolved, incident.Reopened, incident.Verdict,
		incident.Turned, incident.Action, incident.Checksums, incident.Gap, incident.Environ, incident.RecorderIs, incident.StoodDown)
	states = set(monitor.StateOK, monitor.StateDegraded, monitor.StateOutage, monitor.StateOffline, monitor.StateUnknown)
	scopes = set(monitor.ScopeNone, monitor.ScopeLocal, monitor.ScopeConfig, monitor.ScopeChain, monitor.ScopeSumDB)
	layers = set(probe.LayerConfig, probe.LayerDNS, probe.LayerTCP, probe.LayerTLS, probe.LayerHTTP, probe.LayerProtocol,
		probe.LayerContent, probe.LayerSumDB, "")
	actions = set(probe.Serve, probe.Next, probe.Stop, probe.Hang, probe.GoDirect, probe.GoOff, probe.ActionUnknown, "")
	files   = set(probe.Info, probe.Mod, probe.Zip, probe.List, probe.Latest, probe.Supported, probe.Lookup, probe.Tile, probe.Head)
)

func set[T comparable](all ...T) map[T]bool {
	m := map[T]bool{}
	for _, v := range all {
		m[v] = true
	}
	return m
}

func must[T ~string](names map[T]bool, what string, v T) error {
	if !names[v] {
		return fmt.Errorf("%s %q is not known to this gpx", what, clip(redact.Text(string(v)), 80))
	}
	return nil
}

// checkLeaf checks one value by its type.
func checkLeaf(field string, v reflect.Value) error {
	switch x := v.Addr().Interface().(type) {
	case *wire.Time:
		if field == "endpoints.tls_expires" { // some certificates are meant to last for ever
			return nil
		}
		return checkTime(*x)
	case *wire.Millis:
		if *x < 0 || time.Duration(*x) > maxSpan {
			return fmt.Errorf("%s is no duration of a recording", time.Duration(*x))
		}
	case *probe.Class:
		return must(classes, "class", *x)
	case *probe.Kind:
		return must(kinds, "kind", *x)
	case *monitor.Health:
		return must(healths, "health", *x)
	case *incident.EventKind:
		return must(events, "kind of event", *x)
	case *monitor.State:
		return must(states, "state", *x)
	case *monitor.Scope:
		return must(scopes, "scope", *x)
	case *probe.Layer:
		return must(layers, "layer", *x)
	case *probe.Action:
		return must(actions, "action", *x)
	case *probe.File:
		return must(files, "kind of request", *x)
	case *int:
		if *x < 0 && field != "incident.id" || *x > 1e9 {
			return fmt.Errorf("%d is out of range", *x)
		}
	case *float64:
		if *x < 0 || *x > 1 {
			return fmt.Errorf("%v is no share", *x)
		}
	}
	return nil
}

func checkTime(t wire.Time) error {
	if y := t.UTC().Year(); !t.IsZero() && (y < 2000 || y > 2200) {
		return fmt.Errorf("%s is no time of a recording", text(t))
	}
	return nil
}

// tidy makes every text of r one line without credentials and without anything
// that drives a terminal, and bounds it.
func tidy(r *incident.Recording) {
	eachText(r, once(tidyText))
}

// eachText replaces every text of r, but for the samples: theirs are classes.
func eachText(r *incident.Recording, fn func(field, s string) string) {
	slim := *r
	slim.Samples = nil
	// The leaf has no errors, and so the walk has none.
	_ = walk(reflect.ValueOf(&slim).Elem(), ".recording", func(field string, v reflect.Value) error {
		if s, ok := v.Addr().Interface().(*string); ok {
			*s = fn(field, *s)
		}
		return nil
	})
	slim.Samples = r.Samples
	*r = slim
}

// once remembers what fn makes of a text: a recording has the same ones in every
// frame.
func once(fn func(field, s string) string) func(field, s string) string {
	seen := map[[2]string]string{}
	return func(field, s string) string {
		key := [2]string{field, s}
		made, ok := seen[key]
		if !ok {
			made = fn(field, s)
			seen[key] = made
		}
		return made
	}
}

func tidyText(field, s string) string {
	_, name, _ := strings.Cut(field, ".")
	limit, named := maxRunes[name]
	if !named {
		limit = otherRunes
	}
	s = clip(s, 4*limit) // bounds the work; redaction may make it longer
	switch field {
	case "sumdb.value":
		s = redact.Value("GOSUMDB", s)
	case "incident.chain", "chain.value", "original.value", "incident.endpoints", "events.endpoint",
		"endpoints.url", "hops.url", "sumdb.route":
		s = redact.Value("GOPROXY", s) // here "token@host" has a credential too
	}
	return clip(redact.Text(s), limit)
}

// clip cuts s to that many runes.
func clip(s string, runes int) string {
	if len(s) <= runes {
		return s
	}
	n, end := 0, 0
	for i := range s {
		if n++; n == runes {
			end = i
		}
		if n > runes {
			return s[:end] + "…"
		}
	}
	return s
}

// walk calls leaf with every value below v that holds no others, and with its
// name in the JSON after that of what it is in: "chain.value". Lists that are nil
// become empty where the JSON would say null.
func walk(v reflect.Value, field string, leaf func(field string, v reflect.Value) error) error {
	switch {
	case v.Type() == reflect.TypeFor[wire.Time]():
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return walk(v.Elem(), field, leaf)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			if err := walk(v.Index(i), field, leaf); err != nil {
				return fmt.Errorf("[%d] %w", i, err)
			}
		}
		return nil
	case v.Kind() == reflect.Struct:
		_, parent, _ := strings.Cut(field, ".")
		for i := range v.NumField() {
			name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			f := v.Field(i)
			if f.Kind() == reflect.Slice && f.IsNil() && options == "" {
				f.Set(reflect.MakeSlice(f.Type(), 0, 0))
			}
			inside := parent + "." + name
			if name == "" { // embedded: its fields are its holder's
				inside = field
			}
			if err := walk(f, inside, leaf); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	return leaf(field, v)
}
