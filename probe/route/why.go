package route

import (
	"fmt"
	"strings"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe"
)

// label is a file in a sentence.
func label(file string) string {
	switch probe.File(file) {
	case probe.Info, probe.Mod, probe.Zip:
		return "." + file
	case probe.Supported:
		return "the checksum database's /supported"
	case probe.Lookup:
		return "the checksum lookup"
	case probe.Tile:
		return "the checksum database's tiles"
	default:
		return file
	}
}

// verdict is the result and the headline of a walk that did not serve.
func (w *walker) verdict(end ending) (result, why string) {
	switch end.outcome {
	case turnedOff:
		return Off, "nobody before it has the module, and GOPROXY ends in off"
	case notFound:
		result = NotFound
	case hung:
		result = Hangs
	case unasked:
		result = Unknown
	default:
		result = Stopped
	}
	if end.step < 0 && w.in.CacheErr != nil {
		return result, "stops before the .zip, for which there is no place: " + w.reason
	}
	if end.step < 0 {
		return result, "stops at what is in the module cache: " + w.reason
	}
	s := w.route.Steps[end.step]
	where := where(s)
	switch result {
	case NotFound:
		return result, "no hop has the module; the last one asked for " + where
	case Hangs:
		return result, w.hanging(s) + ": " + where + "; the go command has no deadline and waits as long as it takes"
	case Unknown:
		return result, "not known what happens with " + where
	}
	switch {
	case s.Why != "":
		return result, "stops at " + where + ": " + s.Why
	case end.step < len(w.route.Steps)-1:
		return result, "stops: no hop after it has the file, and the error is that of " + where
	case w.beforeComma(s):
		return result, "stops at " + where + `: "," moves on after 404 and 410 only`
	default:
		return result, "stops at " + where
	}
}

// where names a request and what came of it.
func where(s Step) string {
	return fmt.Sprintf("%s from %s (%s)", label(s.File), s.Hop, s.Class.Words())
}

// hanging says what is known of an answer that did not come: no probe waits for
// ever, and what is only slow may come yet.
func (w *walker) hanging(s Step) string {
	switch {
	case s.Class == probe.TooLarge:
		return "sends more than belongs there"
	case w.waited == 0:
		return "not whole in the time of a probe"
	default:
		return fmt.Sprintf("not whole within %.3g s", w.waited.Seconds())
	}
}

// beforeComma reports that the comma behind a step's hop is what ends the walk.
// Nothing follows "direct", and what a lookup in the checksum database finds is no
// answer of a hop.
func (w *walker) beforeComma(s Step) bool {
	switch probe.File(s.File) {
	case probe.Lookup, probe.Tile:
		return false
	}
	if s.N < 1 || s.N > len(w.in.Chain.Hops) {
		return false
	}
	h := w.in.Chain.Hops[s.N-1]
	return h.Kind != chain.Direct && h.Separator == chain.Comma
}

// success is the result and the headline of a route that serves.
func (w *walker) success() (result, why string) {
	names := []string{".info", ".mod", ".zip"}
	var parts []string
	for i := 0; i < len(names); {
		j := i + 1
		for j < len(names) && w.sources[j] == w.sources[i] {
			j++
		}
		from := "from " + w.sources[i]
		switch w.sources[i] {
		case "":
			from = "in the module cache"
		case "direct":
			from = "from version control"
		}
		parts = append(parts, strings.Join(names[i:j], ", ")+" "+from)
		i = j
	}
	why = strings.Join(parts, "; ")
	switch w.route.SumDB {
	case "", "off":
		why += "; not verified by the checksum database"
	case "go.sum":
		why += "; verified by go.sum"
	case "cache":
		why += "; verified by cached checksum records"
	default:
		why += "; verified by the checksum database through " + w.route.SumDB
	}
	if w.direct {
		return Direct, why
	}
	return Served, why
}

// clean is an error's text for display.
func clean(err error) string { return redact.Text(err.Error()) }
