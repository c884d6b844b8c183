// Package deps says whether a project builds with no network, and module by
// module why not.
//
//	go.mod go.work go.sum vendor/        what is asked for
//	      │
//	      ▼
//	requirements ─▶ module graph         .mod files, pruned as the go command prunes
//	      │
//	      ▼
//	packages of ./... ─▶ their imports ─▶ the module of each ─▶ its tree or zip
//	      │
//	      ▼
//	answers: go build ./..., go test ./..., go tool
//
// It reads files, runs nothing and asks nobody. The rules are those of
// cmd/go/internal/modload and modfetch under GOPROXY=off; where they are not
// obvious the comment names the function. Everything that would stop the go
// command is found, not only what it would print first.
package deps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
)

// A Kind says what is wrong.
type Kind string

// The kinds of trouble.
const (
	BadFile        Kind = "bad_file"          // go.mod, go.work or go.sum cannot be read or contradicts itself
	NoToolchain    Kind = "toolchain_missing" // the toolchain that is wanted is not on this machine
	TooNew         Kind = "toolchain_too_old" // a module wants a newer one
	NoMod          Kind = "mod_missing"       // the .mod file is not in the module cache
	NoZip          Kind = "zip_missing"       // neither the zip nor a whole tree is in the module cache
	Damaged        Kind = "damaged"           // what is in the module cache cannot be used
	NoSum          Kind = "sum_missing"       // go.sum has no line, and -mod=readonly adds none
	WrongSum       Kind = "sum_wrong"         // what is in the module cache is not what go.sum says
	Unverifiable   Kind = "sum_unverifiable"  // go.sum has no line, and the checksum database cannot be asked
	NoReplacement  Kind = "replacement"       // the directory of a replacement is not there
	NoPackage      Kind = "package_missing"   // no module that is required has the package
	Ambiguous      Kind = "package_ambiguous" // two have it
	NeedsUpdate    Kind = "go_mod_update"     // go.mod contradicts what the modules require
	BadVendor      Kind = "vendor"            // vendor/modules.txt does not fit go.mod
	NotVendored    Kind = "vendor_missing"    // the vendor directory lacks a package
	ImplicitDirect Kind = "requirement"       // a package is imported whose module go.mod does not require
)

// A Trouble is one thing that stops the go command.
type Trouble struct {
	Kind     Kind
	Module   module.Version // the one that lacks something; zero when it is no module's fault
	Packages []string       // import path of what is needed, and by whom, nearest first; may be empty
	Text     string         // one clean line
	Fix      string         // the command that mends it, "" when there is none
}

// Error is the text.
func (t *Trouble) Error() string { return t.Text }

// An Answer is what one way of building comes to without a network.
type Answer struct {
	Ready    bool
	Troubles []Trouble // each module's once for each kind; empty when Ready
}

// A Verdict says what a module means for a build without a network.
type Verdict string

// The verdicts.
const (
	Ready    Verdict = "ready"    // all that builds and tests need of it is here; or they need nothing, as far as is known
	AtRisk   Verdict = "at_risk"  // builds work, and something else would not; Why says what
	Missing  Verdict = "missing"  // builds or tests fail for the lack of it
	Replaced Verdict = "replaced" // it comes from a directory
	Vendored Verdict = "vendored" // it comes from the vendor directory
)

// A Sum says what go.sum knows of a module version.
type Sum string

// What go.sum may know.
const (
	SumOK      Sum = "ok"       // lines for the zip and for go.mod
	SumModOnly Sum = "mod"      // a line for go.mod alone
	SumNone    Sum = "none"     // no line
	SumWrong   Sum = "wrong"    // a line that what is cached contradicts
	SumNotUsed Sum = "not_used" // directories and vendored modules have none
)

// Parts are the files of a module version in the module cache.
type Parts struct {
	Info, Mod, Zip, Dir bool // Dir: a whole extracted tree
}

// A Module is one module of the project.
type Module struct {
	module.Version                // as it is required
	Replacement    module.Version // what takes its place; Version "" with a Path is a directory
	Direct         bool
	Private        bool // GOPRIVATE, GONOPROXY or GONOSUMDB matches it
	Needed         bool // a package of it is built or tested, or a tool
	Unknown        bool // not Needed as far as can be seen: what is missing may need it
	Cache          Parts
	Sum            Sum
	Verdict        Verdict
	Why            string   // one clean line
	Fix            string   // a command, "" when nothing is to be done
	By             []string // import path that needs it, and by whom, nearest first
	Troubles       []Trouble
	Older          []string // of a missing one: the versions that are in the module cache, oldest first
}

// Actual is the module version whose files count: the replacement, where there is
// one. Its Version is "" when that is a directory.
func (m *Module) Actual() module.Version {
	if m.Replacement.Path != "" {
		return m.Replacement
	}
	return m.Version
}

// A Toolchain is the one that the project is built with.
type Toolchain struct {
	Want   string // such as "go1.27.0"; the installed one's name where that is good enough
	Cached bool   // it is on this machine
}

// A State sums readiness up.
type State string

// The states.
const (
	StateReady    State = "ready"
	StateAtRisk   State = "at_risk"   // it builds, and something else is missing
	StateNotReady State = "not_ready" // go build fails
	StateUnknown  State = "unknown"
)

// Readiness is the answer in figures: modules by verdict.
type Readiness struct {
	State   State `json:"state"`
	Ready   int   `json:"ready"`
	Missing int   `json:"missing"`
	AtRisk  int   `json:"at_risk"`
	Unknown int   `json:"-"` // whether anything needs them cannot be read yet
}

// A Report is all that is known without a network.
type Report struct {
	Project   *project.Project
	Mode      string // -mod that is in force: readonly, vendor or mod
	Toolchain Toolchain
	Build     Answer // go build of all packages of the main modules
	Test      Answer // go test of them
	Tools     Answer // go tool, for the tool lines of go.mod
	Modules   []Module
	Packages  int // that were looked at, those of the standard library left out
	// Basis names all that a kept report stands on, this program included; "" when
	// it is not kept.
	Basis string
}

// Readiness counts.
func (r *Report) Readiness() Readiness {
	out := Readiness{State: StateReady}
	for i := range r.Modules {
		switch r.Modules[i].Verdict {
		case Missing:
			out.Missing++
		case AtRisk:
			out.AtRisk++
		default:
			if r.Modules[i].Unknown {
				out.Unknown++
			} else {
				out.Ready++
			}
		}
	}
	switch {
	case !r.Build.Ready:
		out.State = StateNotReady
	case !r.Test.Ready || !r.Tools.Ready || out.AtRisk > 0 || out.Missing > 0:
		out.State = StateAtRisk
	}
	return out
}

// Lacking lists what the module cache lacks: versions that are needed whole, and
// those of which the .mod alone is.
func (r *Report) Lacking() (whole, mods []module.Version) {
	add := func(list *[]module.Version, m module.Version) {
		if m.Version != "" && !slices.Contains(*list, m) {
			*list = append(*list, m)
		}
	}
	for _, t := range slices.Concat(r.Build.Troubles, r.Test.Troubles, r.Tools.Troubles) {
		switch t.Kind {
		case NoZip, NoToolchain:
			add(&whole, t.Module)
		case NoMod:
			add(&mods, t.Module)
		}
	}
	for i := range r.Modules {
		if m := &r.Modules[i]; m.Verdict == AtRisk && (!m.Cache.Zip || !m.Cache.Info) {
			add(&whole, m.Actual())
		}
	}
	mods = slices.DeleteFunc(mods, func(m module.Version) bool { return slices.Contains(whole, m) })
	return whole, mods
}

// NoSum lists the modules that builds or tests need and go.sum has no line for.
func (r *Report) NoSum() []module.Version {
	var out []module.Version
	for _, t := range slices.Concat(r.Build.Troubles, r.Test.Troubles) {
		if t.Kind == NoSum && !slices.Contains(out, t.Module) {
			out = append(out, t.Module)
		}
	}
	return out
}

// Options say what is looked at.
type Options struct {
	Env *env.Env
	// Project is what is looked at; nil is the one that Env's directory is in.
	Project *project.Project
	// Memo remembers the module cache from one Read to the next; nil reads
	// everything anew.
	Memo *Memo
	// MemoFile is where a Memo is opened and saved when one is needed and there is
	// no Memo; "" is nowhere.
	MemoFile string
	// Kept is a folder in which the report of a project is kept until something
	// that it stands on changes; "" is none.
	Kept string
	// Early is what was read of Kept before Env was known; nil is nothing.
	Early *Early
}

// Read looks at a project. It fails only when ctx ends, or there is no project:
// whatever is broken in one stands in the report.
func Read(ctx context.Context, o Options) (*Report, error) {
	if o.Env == nil {
		return nil, errors.New("deps: no environment")
	}
	l := newLoader(ctx, o)
	defer l.close()
	k, r, err := l.recall(o.Kept, o.Early)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return r, ctx.Err()
	}
	if k.file != "" {
		l.cache.ahead = k.ahead.byVersion()
	}
	save := l.openMemo(o)
	defer save()
	r = l.read()
	k.keep(l, r)
	return r, ctx.Err()
}

// openMemo opens what is remembered of the module cache; save keeps what was seen.
func (l *loader) openMemo(o Options) (save func()) {
	save = func() {}
	switch l.memo = o.Memo; {
	case l.memo != nil:
	case o.MemoFile == "":
		l.memo = &Memo{}
	default:
		l.memo = OpenMemo(o.MemoFile)
		save = func() { _ = l.memo.Save(o.MemoFile) } // else the next time takes longer, and that is all
	}
	l.memo.use(l.cache.dir)
	l.cache.memo = l.memo
	return save
}

// read looks at everything.
func (l *loader) read() *Report {
	r := &Report{Project: l.project}
	ahead := l.cache.ahead
	var looking sync.WaitGroup
	if ahead == nil {
		looking.Go(func() { got := l.lookAhead(); ahead = got.byVersion() }) // while the project's own files are read
	}
	fatal := l.open(r)
	if l.stopped = len(fatal) > 0; !l.stopped {
		l.roots()
	}
	looking.Wait()
	l.cache.ahead = ahead
	if l.stopped {
		no := Answer{Troubles: fatal}
		r.Build, r.Test, r.Tools = no, no, no
	} else {
		r.Build = l.answer(l.roots(), false)
		r.Test = l.answer(l.roots(), true)
		r.Tools = l.answer(l.tools(), false)
	}
	r.Mode = l.mode
	r.Modules = l.rows(r)
	r.Packages = l.pkgs.count()
	return r
}

// trouble makes a Trouble with a text of one clean line.
func trouble(k Kind, m module.Version, fix, format string, args ...any) *Trouble {
	return &Trouble{Kind: k, Module: m, Fix: redact.Clean(fix), Text: redact.Text(fmt.Sprintf(format, args...))}
}
