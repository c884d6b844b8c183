package monitor

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gpx/envctl/chain"
	"gpx/probe"
)

// Judge answers "can I build?": it walks the chain as the go command would with
// each hop as it is known to be, and names the cause that explains most.
//
// It judges what the go command would do, not what is healthy: a broken hop
// before "," is an outage although the next hop works, and a hop that hangs is
// one whatever follows it.
func Judge(f Facts) Verdict {
	v := stopped(f, judge(f))
	if v.Evidence == nil {
		v.Evidence = []string{}
	}
	if v.Fixes == nil {
		v.Fixes = []Fix{}
	}
	return v
}

func judge(f Facts) Verdict {
	switch {
	case f.ChainErr != "":
		return vendored(f, invalidChain(f))
	case f.FromCache:
		return offline(f)
	case len(f.Hops) > 0 && f.Hops[0].Kind == probe.KindOff:
		return off(f)
	}
	w := walkChain(f.Hops)
	if f.Round == 0 && !goodAlready(f, w) {
		return Verdict{State: StateUnknown, Scope: ScopeNone, Headline: "UNKNOWN: the first probes are still under way"}
	}
	switch w.end {
	case probe.Stop, probe.Hang:
		if v, ok := localCause(f, w); ok {
			return vendored(f, v)
		}
		return vendored(f, bypass(f, brokenChain(f, w)))
	case probe.GoOff:
		return vendored(f, bypass(f, brokenChain(f, w)))
	case probe.ActionUnknown:
		if len(f.Hops) == 0 {
			return Verdict{State: StateUnknown, Scope: ScopeNone, Headline: "UNKNOWN: there is no chain to judge"}
		}
		return Verdict{State: StateUnknown, Scope: ScopeNone, Evidence: evidence(f),
			Headline: headline("UNKNOWN: %s has not answered yet", w.hop(f).Name)}
	}
	if v, ok := brokenSumDB(f, w); ok {
		return v
	}
	return working(f, w)
}

// goodAlready reports whether the answers that have come in so far are enough
// for good news: all that the go command would ask has answered well. Bad news
// waits for the first round, because its cause shows in the others' answers.
func goodAlready(f Facts, w walk) bool {
	return Works(w.end) && (f.SumDB.Off || f.SumDB.Class == probe.OK)
}

// A walk is the way of one request through the chain.
type walk struct {
	end     probe.Action // how it ends: serve direct off stop hang unknown
	at      int          // index of the hop where it ends
	failed  []int        // hops before it that failed and were passed
	lacking []int        // hops before it that said 404 and were passed
}

func (w walk) hop(f Facts) HopFact { return f.Hops[w.at] }

// walkChain is the way through hops.
func walkChain(hops []HopFact) (w walk) {
	will := make([]probe.Action, len(hops))
	for i, h := range hops {
		will[i] = h.Action
	}
	w.end, w.at = walkTo(will)
	for i, h := range hops[:min(w.at+1, len(hops))] {
		switch {
		case h.Action != probe.Next:
		case h.Class.Failed():
			w.failed = append(w.failed, i)
		default:
			w.lacking = append(w.lacking, i)
		}
	}
	return w
}

// working is the verdict on a chain that serves.
func working(f Facts, w walk) Verdict {
	at := w.hop(f)
	v := Verdict{State: StateOK, Scope: ScopeNone, Evidence: evidence(f)}
	v.Headline = headline("OK: go can download from %s", at.Name)
	if w.end == probe.GoDirect {
		v.Headline = "OK: go can download from version control"
	}
	switch {
	case len(w.failed) > 0:
		passed := f.Hops[w.failed[0]]
		v.State, v.Scope = StateDegraded, ScopeChain
		if waits := passed.Class.Info().GoWaits; waits > 0 {
			v.Headline = headline("DEGRADED: %s costs "+short(waits)+" per request, then %s serves", passed.Name, at.Name)
		} else {
			v.Headline = headline("DEGRADED: %s "+does(passed.EndpointFact)+", go moves on to %s", passed.Name, at.Name)
		}
		v.Fixes = []Fix{{Title: "Put what works first", Command: "gpx use --best"}}
	case at.Health == Slow:
		v.State, v.Scope = StateDegraded, ScopeChain
		v.Headline = headline("DEGRADED: %s is slow or loses requests (p99 "+short(at.P99)+")", at.Name)
		v.Fixes = []Fix{{Title: "Look for a faster proxy", Command: "gpx use --best"}}
	case publicLacks(f, w):
		passed := f.Hops[w.lacking[0]]
		v.State, v.Scope = StateDegraded, ScopeChain
		v.Headline = headline("DEGRADED: %s lacks %s, go moves on to %s", passed.Name, f.Canary, at.Name)
		v.Fixes = []Fix{{Title: "Look closer", Command: "gpx probe --deep"}}
	}
	return v
}

// publicLacks reports whether a public proxy was passed because it lacks a
// module that the project needs. A private one is there for other modules.
func publicLacks(f Facts, w walk) bool {
	return f.Needed && len(w.lacking) > 0 && !f.Hops[w.lacking[0]].Private
}

// brokenChain is the verdict when one hop ends the walk badly.
func brokenChain(f Facts, w walk) Verdict {
	at := w.hop(f)
	v := Verdict{State: StateOutage, Scope: ScopeChain, Evidence: evidence(f), Fixes: chainFixes(f, at)}
	says := does(at.EndpointFact) + " and " + consequence(at.Action, at.Class)
	switch {
	case w.end == probe.GoOff:
		passed := f.Hops[max(0, w.at-1)]
		v.Headline = headline("OUTAGE: %s "+does(passed.EndpointFact)+", and then the chain is off", passed.Name)
	case lacks(at.Class) && !f.Needed:
		v.State = StateDegraded
		v.Headline = headline("DEGRADED: no hop has %s; other modules may be there", f.Canary)
	case lacks(at.Class):
		v.Headline = headline("OUTAGE: no hop of the chain has %s", f.Canary)
	default:
		v.Headline = headline("OUTAGE: %s "+says, at.Name)
	}
	if s, ok := shadowOf(f, "GOPROXY"); ok {
		v.Scope = ScopeConfig
		v.Headline = hiddenBy(at)
		v.Fixes = append([]Fix{unsetFix(s)}, v.Fixes...)
	}
	return v
}

// hiddenBy is the headline about a hop of a chain that the shell put in front of
// the user's own. Where there is no room for what the hop does and a name that
// can still be told, it fails: the evidence says how.
func hiddenBy(at HopFact) string {
	const format, room = "OUTAGE: the shell's GOPROXY hides your own, and its %s ", 12
	says := does(at.EndpointFact)
	if utf8.RuneCountInString(format+says)-len("%s")+min(room, utf8.RuneCountInString(at.Name)) > headlineColumns {
		says = "fails"
	}
	return headline(format+says, at.Name)
}

// lacks reports whether a class says that the module is not there, rather than
// that the hop is broken.
func lacks(c probe.Class) bool { return c == probe.NotFound }

// chainFixes offers what helps when the chain does not serve.
func chainFixes(f Facts, at HopFact) []Fix {
	var fixes []Fix
	if somethingWorks(f, 0, !f.SumsComplete) {
		fixes = append(fixes, Fix{Title: "Switch to what works", Command: "gpx use --best"})
	} else {
		fixes = append(fixes, Fix{Title: "Look for a proxy that works", Command: "gpx probe --all"})
	}
	if at.Class == probe.AuthRequired {
		fixes = append(fixes, Fix{Title: "Add the credentials to netrc or GOAUTH", Command: "go help goauth"})
	}
	return append(fixes, offlineFix())
}

func offlineFix() Fix {
	return Fix{Title: "Build from the module cache meanwhile", Command: "gpx offline on"}
}

func unsetFix(s Shadow) Fix {
	return Fix{Title: "Let your own " + s.Name + " count in this shell", Command: "unset " + s.Name}
}

// somethingWorks reports whether a known endpoint could serve modules instead
// of the hop of that number; 0 excepts none. verified asks that new modules can be
// verified then, because nothing else is recommended.
func somethingWorks(f Facts, instead int, verified bool) bool {
	works := func(e EndpointFact) bool {
		return (e.Kind == probe.KindProxy || e.Kind == probe.KindDirect || e.Kind == probe.KindFile) &&
			(e.Health == Up || e.Health == Slow) && e.Class == probe.OK && !(verified && e.Unverified)
	}
	return slices.ContainsFunc(f.Hops, func(h HopFact) bool { return h.N != instead && works(h.EndpointFact) }) ||
		slices.ContainsFunc(f.Others, works)
}

func shadowOf(f Facts, name string) (Shadow, bool) {
	for _, s := range f.Shadows {
		if s.Name == name {
			return s, true
		}
	}
	return Shadow{}, false
}

// invalidChain is the verdict on a GOPROXY that the go command rejects.
func invalidChain(f Facts) Verdict {
	v := Verdict{State: StateOutage, Scope: ScopeConfig,
		Headline: rejects("OUTAGE", "GOPROXY", f.ChainErr),
		Evidence: []string{"GOPROXY comes from: " + origin(f), f.ChainErr},
		Fixes:    []Fix{{Title: "Go back to the toolchain's default", Command: "gpx use default"}},
	}
	if s, ok := shadowOf(f, "GOPROXY"); ok {
		v.Fixes = append([]Fix{unsetFix(s)}, v.Fixes...)
	}
	return v
}

// offline is the verdict while the chain is the module cache.
func offline(f Facts) Verdict {
	return Verdict{State: StateOffline, Scope: ScopeNone,
		Headline: "OFFLINE: go builds from the module cache and asks no proxy",
		Evidence: append([]string{"GOPROXY is the module cache (from " + origin(f) + ")"}, past(f)...),
		Fixes:    []Fix{onlineFix(f)},
	}
}

// past says which modules are asked for over the network although the chain is
// off (cmd/go/internal/modfetch/proxy.go: "noproxy" stands before every chain).
func past(f Facts) []string {
	if f.NoProxy == "" || f.NoProxy == "none" {
		return nil
	}
	return []string{"modules that match GONOPROXY still come from version control: " + f.NoProxy}
}

// onlineFix takes back the offline profile, which sets GONOPROXY=none; what the
// user has set gpx cannot take back.
func onlineFix(f Facts) Fix {
	if f.NoProxy == "none" {
		return Fix{Title: "Go online again", Command: "gpx offline off"}
	}
	return Fix{Title: "Go online with the toolchain's default", Command: "gpx use default"}
}

// off is the verdict on GOPROXY=off.
func off(f Facts) Verdict {
	v := Verdict{State: StateOffline, Scope: ScopeNone,
		Headline: "OFFLINE: GOPROXY=off, only what is in the module cache builds",
		Evidence: append([]string{"GOPROXY=off comes from: " + origin(f)}, past(f)...),
		Fixes:    []Fix{onlineFix(f)},
	}
	if len(past(f)) > 0 {
		v.Headline = "OFFLINE: GOPROXY=off, only cached and private modules build"
	}
	if s, ok := shadowOf(f, "GOPROXY"); ok {
		v.Scope = ScopeConfig
		v.Evidence = append(v.Evidence, "the shell's GOPROXY hides your own value: "+s.Hidden)
		v.Fixes = []Fix{unsetFix(s)}
	}
	return v
}

// vendored softens a verdict for a project that builds from its vendor
// directory: only what downloads is in trouble.
func vendored(f Facts, v Verdict) Verdict {
	if !f.Vendored || v.State != StateOutage {
		return v
	}
	v.State = StateDegraded
	v.Headline = headline("DEGRADED: vendor/ builds, downloads fail: %s", cause(v))
	v.Evidence = append(v.Evidence, "the project is vendored: go build asks no proxy")
	return v
}

// bypass softens a verdict for a project that needs nothing of the chain.
func bypass(f Facts, v Verdict) Verdict {
	if !f.Bypassed || v.State != StateOutage {
		return v
	}
	v.State = StateDegraded
	v.Headline = headline("DEGRADED: go bypasses the chain here, but %s", cause(v))
	v.Evidence = append(v.Evidence, "all modules that the project requires match GONOPROXY: they come from version control, which was not asked")
	return v
}

// cause is a headline without its state, and without what the go command does:
// that is not what this build does.
func cause(v Verdict) string {
	_, cause, _ := strings.Cut(v.Headline, ": ")
	cause, _, _ = strings.Cut(cause, " and ")
	return cause
}

// A stop is what the go command does not survive, whatever the chain answers.
type stop struct {
	what, err   string // such as "settings", and its words
	consequence string
	begin       string // of the headline
	degraded    string // of the headline where the chain is degraded, too
	offline     string // of the headline where the chain is off; "" where it stops nothing then
	fix         Fix
}

// How headlines begin that end with what the go command says.
const (
	nothingDownloads = "DEGRADED: go downloads nothing: "
	everythingFails  = "DEGRADED: every go command fails: "
	worksBut         = "DEGRADED: downloads work, but "
	nothingBuilds    = "DEGRADED: nothing builds: "
	nothingOffline   = "OFFLINE: nothing builds: "
)

// stops are all that [Facts] know of, in the order in which the go command comes to
// them.
func stops(f Facts) []stop {
	look := func(name string) Fix {
		return Fix{Title: "See where the value comes from", Command: "gpx env " + name}
	}
	file := Fix{Title: "Correct the file that the first line names"}
	const corrected = "no build goes ahead until that is corrected"
	setting := stop{"settings", f.SettingErr, "no go command can download until that is corrected", nothingDownloads, nothingDownloads, nothingOffline, look(f.SettingName)}
	if f.SettingName == "GOMODCACHE" { // a vendored build does not need it
		setting.offline = "OFFLINE: "
	}
	all := []stop{
		setting,
		{"toolchain", f.ToolchainErr, "every go command here fails until that is settled", everythingFails, everythingFails, nothingOffline,
			Fix{Title: "Install another Go, or look at GOTOOLCHAIN", Command: "gpx env GOTOOLCHAIN"}},
		{"project", f.ProjectErr, "every go command in it fails until that is corrected", everythingFails, everythingFails, nothingOffline, file},
		{"settings", f.BuildSettingErr, corrected, worksBut, nothingBuilds, nothingOffline, look(f.BuildSettingName)},
		{"project", f.BuildErr, corrected, worksBut, nothingBuilds, nothingOffline, file},
		{"settings", f.KeepErr, "only what is there already is used", nothingDownloads, nothingDownloads, "", look("GOMODCACHE")},
	}
	return slices.DeleteFunc(all, func(s stop) bool { return s.err == "" })
}

// stopped puts what stops the go command first. It makes no outage: nothing is wrong
// with what modules come from, and files that are being edited are broken now and then.
// An outage of the chain has to be mended as well, and keeps the headline; what a
// degraded chain would lead to is never come to. Where the chain is off, that builds
// come from the cache is what a person would go on to believe.
func stopped(f Facts, v Verdict) Verdict {
	all := stops(f)
	if len(all) == 0 {
		return v
	}
	var lines []string
	for _, s := range all {
		lines = append(lines, s.what+": "+s.err+": "+s.consequence)
	}
	v.Evidence = append(lines, v.Evidence...)
	first := all[0]
	begin := ""
	switch v.State {
	case StateOffline:
		if first.offline == "" {
			return v
		}
		begin, v.Fixes = first.offline, append([]Fix{first.fix}, v.Fixes...)
	case StateOK:
		begin, v.State, v.Fixes = first.begin, StateDegraded, []Fix{first.fix}
	case StateDegraded:
		begin, v.Fixes = first.degraded, []Fix{first.fix}
	default:
		return v
	}
	v.Scope = ScopeConfig
	v.Headline = begin + clipped(first.err, headlineColumns-utf8.RuneCountInString(begin))
	return v
}

// evidence is one line for each endpoint that the go command uses.
func evidence(f Facts) []string {
	var lines []string
	end := walkChain(f.Hops).at
	for i, h := range f.Hops {
		reached := ""
		if i > end {
			reached = "not asked now; when it is, "
		}
		line := fmt.Sprintf("hop %d %s: %s, %s%s", h.N, h.Name, h.Class.Words(), reached, consequence(h.Action, h.Class))
		if h.Kind == probe.KindOff {
			line = fmt.Sprintf("hop %d off: %s", h.N, consequence(h.Action, h.Class))
		}
		if h.Class.Failed() && h.Separator == chain.Comma && h.Action == probe.Stop && h.Kind != probe.KindDirect {
			line += ` (before "," it moves on after 404 and 410 only)`
		}
		if h.Detail != "" && h.Class.Failed() {
			line += ": " + h.Detail
		}
		lines = append(lines, line)
	}
	switch {
	case f.SumDB.Off:
		lines = append(lines, "checksum database: off, new modules are not verified")
	case f.SumDB.Err != "":
		lines = append(lines, "checksum database: "+f.SumDB.Err)
	case f.SumDB.Class != "" && f.SumDB.Class != probe.ClassUnknown:
		way := "by its own host"
		if f.SumDB.Via > 0 {
			way = fmt.Sprintf("through hop %d", f.SumDB.Via)
		}
		lines = append(lines, fmt.Sprintf("checksum database %s: %s, %s", f.SumDB.Name, f.SumDB.Class.Words(), way))
	}
	if f.Forward != nil {
		line := fmt.Sprintf("forward proxy %s: ", f.Forward.Name)
		detail := strings.TrimPrefix(f.Forward.Detail, line) // whether its port is listening
		line += f.Forward.Class.Words()
		if detail != "" {
			line += ": " + detail
		}
		lines = append(lines, line)
	}
	for _, s := range f.Shadows {
		lines = append(lines, fmt.Sprintf("the shell's %s=%s hides %s of go env -w", s.Name, s.Value, s.Hidden))
	}
	return lines
}
