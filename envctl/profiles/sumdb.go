package profiles

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
)

// publicDB is the database that the go command uses unless it is told
// otherwise (cmd/go/internal/cfg; distributions may change it in go.env).
const publicDB = "sum.golang.org"

// SumDBOptions say what is wanted of the checksum database.
type SumDBOptions struct {
	// Value is "on", "off", a value for GOSUMDB, or a URL where the public
	// database is to be dialled.
	Value   string
	For     time.Duration // off: for this long; 0 means until it is taken back
	Modules string        // on, off: only for modules that match these patterns (GONOSUMDB)
	Now     time.Time
}

// ErrInvalid: a value cannot mean what was asked for, on any machine.
var ErrInvalid = errors.New("invalid")

// An invalid error is ErrInvalid with words of its own.
type invalid struct{ error }

func (i invalid) Is(target error) bool { return target == ErrInvalid }
func (i invalid) Unwrap() error        { return i.error }

// SumDB plans to switch checksum verification. p may be nil.
func SumDB(ctx context.Context, e *env.Env, p *project.Project, o SumDBOptions) (*change.Plan, error) {
	plan, err := planSumDB(e, p, o)
	if err != nil {
		return nil, fmt.Errorf("sumdb %s: %w", redact.Text(o.Value), err)
	}
	return plan, ctx.Err()
}

func planSumDB(e *env.Env, p *project.Project, o SumDBOptions) (*change.Plan, error) {
	if o.For < 0 {
		return nil, errors.New("a period has to be positive; for example --for 1h")
	}
	if o.Value != "off" && o.For != 0 {
		return nil, errors.New("--for goes with off only")
	}
	var patterns []string
	if o.Modules != "" {
		var err error
		if patterns, err = parsePatterns(o.Modules); err != nil {
			return nil, err
		}
	}
	switch {
	case o.Value == "off" && patterns != nil:
		return sumDBSkip(e, p, o, patterns)
	case o.Value == "off":
		return sumDBOff(e, p, o)
	case o.Value == "on" && patterns != nil:
		return sumDBUnskip(e, patterns)
	case patterns != nil:
		return nil, errors.New("--modules goes with on and off only")
	case o.Value == "on":
		return sumDBOn(e)
	default:
		return sumDBValue(e, o.Value)
	}
}

// sumDBOff switches verification off for every module.
func sumDBOff(e *env.Env, p *project.Project, o SumDBOptions) (*change.Plan, error) {
	if err := refuseUnverified(e, p); err != nil {
		return nil, err
	}
	plan, err := change.PlanEnv(e, "checksums off"+forText(o.For), []change.Assignment{{Name: "GOSUMDB", Value: "off"}})
	if err != nil {
		return nil, err
	}
	limit(plan, o)
	return plan, nil
}

// sumDBSkip switches verification off for the modules that match patterns, on
// top of those that are skipped already (GOPRIVATE among them).
func sumDBSkip(e *env.Env, p *project.Project, o SumDBOptions, patterns []string) (*change.Plan, error) {
	if module.MatchPrefixPatterns(strings.Join(patterns, ","), "golang.org/toolchain") {
		if err := refuseUnverified(e, p); err != nil {
			return nil, err
		}
	}
	all := splitPatterns(e.NoSumDB())
	for _, pattern := range patterns {
		if !slices.Contains(all, pattern) {
			all = append(all, pattern)
		}
	}
	plan, err := change.PlanEnv(e, "checksums off for "+redact.Text(strings.Join(patterns, ","))+forText(o.For),
		[]change.Assignment{{Name: "GONOSUMDB", Value: strings.Join(all, ",")}})
	if err != nil {
		return nil, err
	}
	plan.Warn("checksums off for " + redact.Text(strings.Join(patterns, ", ")) + ": these modules are not verified by anyone when they are first downloaded")
	limit(plan, o)
	return plan, nil
}

// backOn is the command that ends what o switched off.
func backOn(o SumDBOptions) string {
	if o.Modules == "" {
		return "gpx sumdb on"
	}
	patterns := strings.Join(splitPatterns(redact.Text(o.Modules)), ",")
	return "gpx sumdb on --modules '" + strings.ReplaceAll(patterns, "'", `'\''`) + "'"
}

// limit gives a plan its end, and says when the end is noticed.
func limit(plan *change.Plan, o SumDBOptions) {
	if plan.Empty() {
		if o.For != 0 {
			plan.Warn("it is so already, and gpx records no end for what it did not begin; end it with: " + backOn(o))
		}
		return
	}
	if o.For == 0 {
		plan.Warn("it stays so until: " + backOn(o) + ", or gpx undo")
		return
	}
	end := o.Now.Add(o.For)
	plan.Expires = wire.At(end)
	plan.Warn("it ends at " + end.Local().Format("2006-01-02 15:04:05 MST") +
		", when gpx is running then, or at its next start or the next prompt of a shell with the hook; without one of these it goes on")
}

func forText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return " for " + strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

// refuseUnverified refuses to switch checksums off while a toolchain would
// come out of a single file tree.
func refuseUnverified(e *env.Env, p *project.Project) error {
	if !singleFile(e.Get("GOPROXY")) {
		return nil
	}
	if name, missing := missingToolchain(e, p); missing {
		return unverifiedToolchain(name, "set GOTOOLCHAIN=local first: go env -w GOTOOLCHAIN=local")
	}
	return nil
}

// sumDBOn takes an "off" away, wherever it stands. The default of this Go
// comes back, or the public database where that default is off too.
func sumDBOn(e *env.Env) (*change.Plan, error) {
	now, _ := e.Lookup("GOSUMDB")
	file, inFile := e.UserFileValues["GOSUMDB"]
	on := change.Assignment{Name: "GOSUMDB", Unset: true}
	db, err := chain.ParseSumDB(file)
	switch {
	case inFile && err == nil && !db.Off:
		on = change.Assignment{Name: "GOSUMDB", Value: file} // on in the file; only the OS environment can say off
	case now.Below() == "off":
		on = change.Assignment{Name: "GOSUMDB", Value: publicDB}
	}
	plan, err := change.PlanEnv(e, "checksums on", []change.Assignment{on})
	if err != nil {
		return nil, err
	}
	warnSkipped(plan, e)
	return plan, nil
}

// warnSkipped names what goes on unverified when checksums are on.
func warnSkipped(plan *change.Plan, e *env.Env) {
	if skipped := e.NoSumDB(); skipped != "" {
		plan.Warn("modules that match " + redact.Text(skipped) + " are still not verified (GONOSUMDB or GOPRIVATE)")
	}
}

// sumDBUnskip takes patterns out of GONOSUMDB.
func sumDBUnskip(e *env.Env, patterns []string) (*change.Plan, error) {
	now := splitPatterns(e.NoSumDB())
	rest := slices.DeleteFunc(slices.Clone(now), func(s string) bool { return slices.Contains(patterns, s) })
	plan, err := change.PlanEnv(e, "checksums on for "+redact.Text(strings.Join(patterns, ",")), []change.Assignment{skipping(e, rest)})
	if err != nil {
		return nil, err
	}
	for _, pattern := range patterns {
		if !slices.Contains(now, pattern) {
			plan.Warn(redact.Text(pattern) + " is none of the patterns in GONOSUMDB or GOPRIVATE, so there is nothing to take out")
		}
	}
	if len(rest) > 0 {
		plan.Warn("modules that match " + redact.Text(strings.Join(rest, ",")) + " are still not verified (GONOSUMDB or GOPRIVATE)")
	}
	return plan, nil
}

// skipping makes GONOSUMDB say patterns and nothing else.
func skipping(e *env.Env, patterns []string) change.Assignment {
	switch {
	case slices.Equal(patterns, splitPatterns(e.Get("GOPRIVATE"))):
		return change.Assignment{Name: "GONOSUMDB", Unset: true} // GOPRIVATE says the same
	case len(patterns) == 0:
		return change.Assignment{Name: "GONOSUMDB", Value: "none"} // empty would mean GOPRIVATE
	}
	return change.Assignment{Name: "GONOSUMDB", Value: strings.Join(patterns, ",")}
}

// sumDBValue uses another database, or the public one at another place.
func sumDBValue(e *env.Env, value string) (*change.Plan, error) {
	if strings.HasPrefix(value, "https://") || strings.HasPrefix(value, "http://") {
		value = publicDB + " " + value
	}
	db, err := chain.ParseSumDB(value)
	if err != nil {
		return nil, invalid{fmt.Errorf("%w; give on, off, a name such as %s, a verifier key, or a URL", err, publicDB)}
	}
	plan, err := change.PlanEnv(e, "checksum database "+redact.Text(db.Name), []change.Assignment{{Name: "GOSUMDB", Value: value}})
	if err != nil {
		return nil, err
	}
	if db.URL != "" {
		plan.Warn("a database with a URL is always dialled there: no proxy of the chain serves it, and it cannot be reached offline")
	}
	return plan, nil
}

// parsePatterns reads a comma-separated list as GOPRIVATE has it. The go
// command skips a malformed pattern silently; here it is refused.
func parsePatterns(list string) ([]string, error) {
	patterns := splitPatterns(list)
	if len(patterns) == 0 {
		return nil, invalid{errors.New("--modules holds no pattern; for example --modules '*.corp.example,example.com/x'")}
	}
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || strings.ContainsAny(p, " \t\r\n\v\x00") {
			return nil, invalid{fmt.Errorf("%q is not a pattern of module paths; for example *.corp.example", redact.Clean(p))}
		}
	}
	return patterns, nil
}

func splitPatterns(list string) []string {
	var patterns []string
	for p := range strings.SplitSeq(list, ",") {
		if p = strings.TrimSpace(p); p != "" {
			patterns = append(patterns, p)
		}
	}
	return patterns
}
