package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/cachectl/deps"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/reach"
)

// A depsDocument says what a project needs and what of it is here.
type depsDocument struct {
	Module    string         `json:"module"`
	Go        string         `json:"go"`
	Mode      string         `json:"mode"` // of -mod
	Toolchain depsToolchain  `json:"toolchain"`
	Readiness deps.Readiness `json:"readiness"`
	Build     depsAnswer     `json:"build"`
	Test      depsAnswer     `json:"test"`
	Tools     depsAnswer     `json:"tools"`
	Proof     *depsProof     `json:"proof,omitempty"`
	Modules   []depsModule   `json:"modules"`
}

type depsToolchain struct {
	Want   string `json:"want"`
	Cached bool   `json:"cached"`
}

type depsAnswer struct {
	Ready    bool          `json:"ready"`
	Troubles []depsTrouble `json:"troubles"`
}

type depsTrouble struct {
	Kind     deps.Kind `json:"kind"`
	Module   string    `json:"module"`
	Packages []string  `json:"packages"`
	Text     string    `json:"text"`
	Fix      string    `json:"fix"`
}

type depsProof struct {
	OK     bool      `json:"ok"`
	Sealed bool      `json:"sealed"`
	Runs   []depsRun `json:"runs"`
}

type depsRun struct {
	Command []string    `json:"command"`
	OK      bool        `json:"ok"`
	Took    wire.Millis `json:"took_ms"`
	Output  []string    `json:"output"`
}

type depsModule struct {
	Path      string       `json:"path"`
	Version   string       `json:"version"`
	Direct    bool         `json:"direct"`
	Private   bool         `json:"private"`
	Needed    bool         `json:"needed"`
	Replaced  string       `json:"replaced"`
	Cache     depsCache    `json:"cache"`
	Sum       deps.Sum     `json:"sum"`
	Verdict   deps.Verdict `json:"verdict"`
	Why       string       `json:"why"`
	Fix       string       `json:"fix"`
	By        []string     `json:"by"`
	Reachable []depsSource `json:"reachable"`
}

type depsCache struct {
	Info bool `json:"info"`
	Mod  bool `json:"mod"`
	Zip  bool `json:"zip"`
	Dir  bool `json:"dir"`
}

type depsSource struct {
	Hop   string      `json:"hop"`
	Class probe.Class `json:"class"`
}

type depsFlags struct{ reach, prove, all bool }

func depsCommand(a *app) *cobra.Command {
	var f depsFlags
	cmd := &cobra.Command{
		Annotations: soon,
		Use:         "deps", Short: "Say whether the project builds with no network, and module by module why not",
		Long: `Reads go.mod, go.work, go.sum, vendor and the module cache as the go command does
under GOPROXY=off, and says whether go build ./... and go test ./... would work
now, and what exactly they would stop at. It asks nobody and runs nothing.

  ready      all that builds and tests need of it is here, or they need nothing
  at risk    it builds, and something else would not
  missing    builds or tests stop for the lack of it
  not known  what is missing may need it (ready in the JSON, with the why)
  replaced   it comes from a directory
  vendored   it comes from the vendor directory

--reach asks who can give what is missing now: the hops of the chain, and the
catalog where you agreed to it. --prove runs go build and go test without a
network, in a namespace of their own where the system allows it; tests are
linked, not run.

Exit status 3 means that the project does not build with no network.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDeps(cmd.Context(), a, f) },
	}
	cmd.Flags().BoolVar(&f.reach, "reach", false, "ask who can give what is missing")
	cmd.Flags().BoolVar(&f.prove, "prove", false, "run go build and go test without a network")
	cmd.Flags().BoolVar(&f.all, "all", false, "list every module, and with --reach ask for every one")
	return cmd
}

func runDeps(ctx context.Context, a *app, f depsFlags) error {
	const op = "deps"
	e, p, err := a.needProject(ctx, op)
	if err != nil {
		return err
	}
	if a.rest.root != p.Root {
		a.history(ctx)
	}
	var known sync.WaitGroup
	known.Go(func() { a.remember(ctx, p) }) // it waits for the disk
	defer known.Wait()
	r := a.report
	if r == nil {
		if r, err = a.readDeps(ctx, e, p); err != nil {
			return interrupted(failed(op, p.Root, err))
		}
	}
	var proof *deps.Proof
	if f.prove {
		a.progress("go build…")
		got, err := deps.Prove(ctx, deps.Options{Env: e, Project: p}, func(line string) { a.progress("proving: " + line) })
		a.progress("")
		if err != nil {
			return failed(op, "", err)
		}
		proof = &got
	}
	var where map[module.Version]reach.Answer
	if f.reach {
		if where, err = a.whereIs(ctx, e, p, wanted(r, f.all)); err != nil {
			return failed(op, "", err)
		}
	}
	switch {
	case a.flags.json && (f.prove || f.reach):
		a.out.document(depsDocumentOf(r, proof, where))
	case a.flags.json:
		a.printDepsDocument(r)
	default:
		a.printDeps(r, f.all, where)
		a.printProof(proof)
	}
	bad := !r.Build.Ready || proof != nil && !proof.OK()
	if a.out.err == nil && bad {
		return errBadNews
	}
	return a.out.err
}

// printDepsDocument prints what the report alone says. To write 500 modules down
// takes 3 ms: the text is kept beside the report.
func (a *app) printDepsDocument(r *deps.Report) {
	if text := deps.KeptText(a.reports(), r); text != nil {
		a.out.write(string(text))
		return
	}
	doc := depsDocumentOf(r, nil, nil)
	text, err := documentText(doc)
	if err != nil {
		a.out.document(doc) // which says so
		return
	}
	a.out.write(text)
	deps.KeepText(a.reports(), r, []byte(text))
}

// reports is the folder where reports are kept, "" without one.
func (a *app) reports() string { return a.stateFile("reports", "") }

// readDeps says what the project needs and what of it is here.
func (a *app) readDeps(ctx context.Context, e *env.Env, p *project.Project) (*deps.Report, error) {
	return deps.Read(ctx, a.depsOptions(e, p, nil))
}

// depsOptions are those for p, or for the project that is found where p is nil.
// What was seen of the module cache, and the report, are kept for the next time.
func (a *app) depsOptions(e *env.Env, p *project.Project, early *deps.Early) deps.Options {
	return deps.Options{Env: e, Project: p, MemoFile: a.stateFile("deps", e.Get("GOMODCACHE")), Kept: a.reports(), Early: early}
}

// needProject is the environment and the project; without one the command has
// nothing to do.
func (a *app) needProject(ctx context.Context, op string) (*env.Env, *project.Project, error) {
	e, p, err := a.both(ctx)
	if err != nil {
		return nil, nil, failed(op, "", err)
	}
	if p == nil {
		return nil, nil, usage(op, "%s is in no Go project", a.dir()).hint("name one with --project DIR")
	}
	return e, p, nil
}

// wanted are the versions that somebody is asked for.
func wanted(r *deps.Report, all bool) []module.Version {
	var out []module.Version
	for _, m := range r.Modules {
		if v := m.Actual(); v.Version != "" && (all || m.Verdict == deps.Missing || m.Verdict == deps.AtRisk) {
			out = append(out, v)
		}
	}
	return out
}

// whereIs asks who can give versions now.
func (a *app) whereIs(ctx context.Context, e *env.Env, p *project.Project, ms []module.Version) (map[module.Version]reach.Answer, error) {
	r, err := a.reacher(ctx, e, p.Modules)
	if err != nil || len(ms) == 0 {
		return nil, err
	}
	done := 0
	where, err := r.Where(ctx, ms, func(reach.Answer) {
		done++
		a.progress(fmt.Sprintf("asking for %d of %d versions…", done, len(ms)))
	})
	a.progress("")
	return where, err
}

func depsDocumentOf(r *deps.Report, proof *deps.Proof, where map[module.Version]reach.Answer) depsDocument {
	p := r.Project
	doc := depsDocument{
		Module: redact.Clean(p.Module), Go: redact.Clean(p.Go), Mode: r.Mode, Toolchain: depsToolchain{redact.Clean(r.Toolchain.Want), r.Toolchain.Cached},
		Readiness: r.Readiness(), Build: depsAnswerOf(r.Build), Test: depsAnswerOf(r.Test), Tools: depsAnswerOf(r.Tools),
		Modules: []depsModule{},
	}
	if proof != nil {
		doc.Proof = &depsProof{OK: proof.OK(), Sealed: proof.Sealed, Runs: []depsRun{}}
		for _, run := range proof.Runs {
			doc.Proof.Runs = append(doc.Proof.Runs, depsRun{cleanAll(run.Command), run.OK, wire.Millis(run.Took), nonNil(run.Output)})
		}
	}
	clean := cleaner{}
	for i := range r.Modules {
		m := &r.Modules[i]
		x := depsModule{
			Path: redact.Clean(m.Path), Version: redact.Clean(m.Version.Version), Direct: m.Direct, Private: m.Private, Needed: m.Needed,
			Replaced: replacementText(m), Cache: depsCache(m.Cache), Sum: m.Sum, Verdict: m.Verdict, Why: m.Why, Fix: m.Fix,
			By: clean.all(m.By), Reachable: []depsSource{},
		}
		for _, s := range where[m.Actual()].Sources {
			x.Reachable = append(x.Reachable, depsSource{s.Hop, s.Class})
		}
		doc.Modules = append(doc.Modules, x)
	}
	return doc
}

func depsAnswerOf(a deps.Answer) depsAnswer {
	out := depsAnswer{Ready: a.Ready, Troubles: []depsTrouble{}}
	for _, t := range a.Troubles {
		out.Troubles = append(out.Troubles, depsTrouble{t.Kind, redact.Clean(moduleText(t.Module)), cleanAll(t.Packages), t.Text, t.Fix})
	}
	return out
}

// moduleText is path@version, or a path alone, or "".
func moduleText(m module.Version) string {
	if m.Version == "" {
		return m.Path
	}
	return m.String()
}

func replacementText(m *deps.Module) string {
	return redact.Clean(moduleText(m.Replacement))
}

func cleanAll(texts []string) []string { return cleaner{}.all(texts) }

// A cleaner cleans a text once, however many modules it is the reason for.
type cleaner map[string]string

func (c cleaner) all(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		clean, had := c[t]
		if !had {
			clean = redact.Text(t)
			c[t] = clean
		}
		out[i] = clean
	}
	return out
}

// printDeps says it to a person: the answer, what it stops at, the modules.
func (a *app) printDeps(r *deps.Report, all bool, where map[module.Version]reach.Answer) {
	out := a.out
	out.text("", out.strong(redact.Clean(r.Project.Module))+"  "+out.dim("go "+redact.Clean(r.Project.Go))+"  "+a.readiness(r))
	for _, x := range []struct {
		what string
		deps.Answer
	}{{"go build ./...", r.Build}, {"go test ./...", r.Test}, {"go tool", r.Tools}} {
		switch {
		case x.Ready:
			out.text("  ", out.sign(toneGood, x.what+" works"))
		default:
			out.text("  ", out.sign(toneBad, x.what+" stops: "+x.Troubles[0].Text)+more(len(x.Troubles)-1))
		}
	}
	if !r.Toolchain.Cached {
		out.text("  ", out.sign(toneBad, "toolchain "+redact.Clean(r.Toolchain.Want)+" is not on this machine"))
	}
	rows := [][]string{{out.dim("MODULE"), out.dim("VERSION"), out.dim("KIND"), out.dim("CACHE"), out.dim("SUM"), out.dim("VERDICT")}}
	if where != nil {
		rows[0] = slices.Insert(rows[0], 5, out.dim("REACHABLE AT"))
	}
	shown, unknown, fixes := 0, 0, []string{}
	for i := range r.Modules {
		m := &r.Modules[i]
		if m.Unknown {
			unknown++
		}
		if !all && m.Verdict != deps.Missing && m.Verdict != deps.AtRisk {
			continue
		}
		shown++
		row := []string{redact.Clean(m.Path), redact.Clean(m.Version.Version), kindOf(m), cacheOf(m), sumOf(m), a.verdictOf(m)}
		if where != nil {
			row = slices.Insert(row, 5, sourcesOf(where[m.Actual()]))
		}
		rows = append(rows, row)
		if m.Fix != "" && !slices.Contains(fixes, m.Fix) {
			fixes = append(fixes, m.Fix)
		}
	}
	if shown > 0 {
		out.line("")
		out.table("", rows)
	}
	if rest := len(r.Modules) - shown; rest > 0 {
		text := count(int64(rest), "module", "modules") + " more: ready, replaced or vendored"
		if unknown > 0 {
			text += fmt.Sprintf("; of %d it is not known whether builds need them", unknown)
		}
		out.line(out.dim(text + " (list them with --all)"))
	}
	if len(fixes) > 0 && len(fixes) <= 3 {
		for _, fix := range fixes {
			out.line("  " + out.theme.Glyphs.Arrow + " " + out.strong(fix))
		}
	}
}

// readiness is the answer in words and figures.
func (a *app) readiness(r *deps.Report) string {
	s := r.Readiness()
	words, t := readinessWords(s)
	figures := fmt.Sprintf("  %d ready, %d at risk, %d missing", s.Ready, s.AtRisk, s.Missing)
	if s.Unknown > 0 {
		figures += fmt.Sprintf(", %d not known", s.Unknown)
	}
	return a.out.sign(t, a.out.strong(words)) + a.out.dim(figures)
}

// readinessWords says whether the project builds with no network.
func readinessWords(s deps.Readiness) (string, tone) {
	switch s.State {
	case deps.StateReady:
		return "builds offline", toneGood
	case deps.StateAtRisk:
		return "builds offline, and not everything else works", toneWarn
	case deps.StateNotReady:
		return "does not build offline", toneBad
	}
	return "not known", toneIdle
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

func kindOf(m *deps.Module) string {
	if m.Direct {
		return "direct"
	}
	return "indirect"
}

// cacheOf names the parts that the module cache holds.
func cacheOf(m *deps.Module) string {
	if m.Replacement.Path != "" && m.Replacement.Version == "" {
		return "local"
	}
	c := m.Cache
	if c.Info && c.Mod && c.Zip && c.Dir {
		return "all"
	}
	var parts []string
	for _, p := range []struct {
		has  bool
		name string
	}{{c.Info, "info"}, {c.Mod, "mod"}, {c.Zip, "zip"}, {c.Dir, "dir"}} {
		if p.has {
			parts = append(parts, p.name)
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, " ")
}

func sumOf(m *deps.Module) string {
	switch m.Sum {
	case deps.SumOK:
		return "yes"
	case deps.SumModOnly:
		return "mod"
	case deps.SumWrong:
		return "WRONG"
	case deps.SumNone:
		return "no"
	}
	return "-"
}

func (a *app) verdictOf(m *deps.Module) string {
	words := strings.ToUpper(strings.ReplaceAll(string(m.Verdict), "_", " "))
	t := toneGood
	switch {
	case m.Verdict == deps.Missing:
		t = toneBad
	case m.Verdict == deps.AtRisk:
		t = toneWarn
	case m.Unknown:
		words, t = "NOT KNOWN", toneIdle
	}
	why := strings.TrimPrefix(m.Why, redact.Clean(m.Actual().String())+": ")
	if why == "" {
		return a.out.sign(t, words)
	}
	return a.out.sign(t, words) + a.out.dim("  "+why)
}

func sourcesOf(w reach.Answer) string {
	var at []string
	for _, s := range w.Sources {
		if s.Class == probe.OK {
			at = append(at, s.Hop)
		}
	}
	switch {
	case len(at) > 0:
		return strings.Join(at, " ")
	case w.Why != "":
		return "not asked: " + w.Why
	}
	return "nowhere"
}

// printProof says what the go command said.
func (a *app) printProof(p *deps.Proof) {
	if p == nil {
		return
	}
	out := a.out
	how := "without a network (settings alone: this system gives no namespace)"
	if p.Sealed {
		how = "without a network"
	}
	for _, run := range p.Runs {
		t, words := toneGood, "worked"
		if !run.OK {
			t, words = toneBad, "failed"
		}
		out.text("", out.sign(t, "go "+run.Command[1]+" "+words+" "+how+", "+run.Took.Round(100*time.Millisecond).String()))
		if !run.OK {
			for _, line := range run.Output {
				out.text("    ", line)
			}
		}
	}
}
