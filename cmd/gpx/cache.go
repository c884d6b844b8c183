package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/modcache"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
)

func cacheCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "cache", Short: "Say what the module cache and the build cache hold",
		Long: `Says how large the module cache (GOMODCACHE) and the build cache (GOCACHE) are,
what is in them, and what the go command's next trim will take. The first look
counts every file; later ones look only at what has changed.

The commands below it list, verify, prune and move module versions.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			f := usage("cache", "there is no command %q below cache", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return f.hint("did you mean: gpx cache %s", strings.Join(near, ", gpx cache "))
			}
			return f.hint("see: gpx cache --help")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return runCache(cmd.Context(), a) },
	}
	cmd.AddCommand(cacheLsCommand(a), cachePruneCommand(a), cacheVerifyCommand(a), cacheAuditCommand(a),
		cacheExportCommand(a), cacheImportCommand(a))
	return cmd
}

type cacheDocument struct {
	ModCache   modCacheDocument   `json:"modcache"`
	BuildCache buildCacheDocument `json:"buildcache"`
}

type modCacheDocument struct {
	Dir      string         `json:"dir"`
	Bytes    int64          `json:"bytes"`
	Files    int64          `json:"files"`
	Modules  int            `json:"modules"`
	Versions int            `json:"versions"`
	States   map[string]int `json:"states"` // how many versions are in which
	Parts    []partDocument `json:"parts"`  // what is there beside versions
	Problems []string       `json:"problems"`
}

type partDocument struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Files int64  `json:"files"`
}

type buildCacheDocument struct {
	Dir      string           `json:"dir"`
	Bytes    int64            `json:"bytes"`
	Files    int64            `json:"files"`
	Entries  int64            `json:"entries"`
	ByKind   map[string]int64 `json:"by_kind"`
	ByAge    []ageDocument    `json:"by_age"`
	LastTrim wire.Time        `json:"last_trim"`
	NextTrim wire.Time        `json:"next_trim"`
	TrimTake int64            `json:"trim_take"`
	Note     string           `json:"note"` // why there is none, or what is odd about it
	Problems []string         `json:"problems"`
}

type ageDocument struct {
	OlderThan float64 `json:"older_than_h"`
	Bytes     int64   `json:"bytes"`
}

func runCache(ctx context.Context, a *app) error {
	e, p, err := a.both(ctx)
	if err != nil {
		return failed("cache", "", err)
	}
	a.remember(ctx, p)
	inv, err := a.scanModules(ctx, "cache", e)
	if err != nil {
		return err
	}
	build, err := a.scanBuild(ctx, "cache", e)
	if err != nil {
		return err
	}
	a.progress("")
	doc := cacheDocument{modCacheOf(inv), buildCacheOf(buildcache.Locate(e), build)}
	if a.flags.json {
		a.out.document(doc)
		return a.out.err
	}
	a.printModCache(doc.ModCache)
	a.out.line("")
	a.printBuildCache(doc.BuildCache)
	return a.out.err
}

// modCache opens the module cache, which every command here but the build
// cache's needs.
func (a *app) modCache(ctx context.Context, op string, e *env.Env) (*modcache.Cache, error) {
	dir := e.Get("GOMODCACHE")
	if dir == "" {
		return nil, failed(op, "GOMODCACHE", errors.New("is not set, and there is no home folder for a module cache to be in")).
			hint("set HOME, or: export GOMODCACHE=DIR")
	}
	a.finishCleaning(ctx)
	c, err := modcache.Open(dir)
	if err != nil {
		return nil, failed(op, "", err)
	}
	return c, nil
}

// scanModules reads the module cache, with progress.
func (a *app) scanModules(ctx context.Context, op string, e *env.Env) (*modcache.Inventory, error) {
	c, err := a.modCache(ctx, op, e)
	if err != nil {
		return nil, err
	}
	inv, err := c.Scan(ctx, modcache.ScanOptions{
		IndexFile: a.stateFile("modcache", e.Get("GOMODCACHE")),
		Report: func(p modcache.Progress) {
			a.progress(fmt.Sprintf("module cache: %s %s", p.Phase, share(p.Done, p.Total)))
		},
	})
	a.progress("")
	if err != nil {
		return nil, failed(op, "", err)
	}
	return inv, nil
}

// scanBuild reads the build cache, with progress; nil without one.
func (a *app) scanBuild(ctx context.Context, op string, e *env.Env) (*buildcache.Inventory, error) {
	at := buildcache.Locate(e)
	if at.Dir == "" {
		return nil, nil
	}
	c, err := buildcache.Open(at.Dir)
	if err != nil {
		return nil, failed(op, "", err)
	}
	inv, err := c.Scan(ctx, buildcache.ScanOptions{
		Kinds: true, Now: a.now,
		Report: func(p buildcache.Progress) {
			a.progress("build cache: " + share(int64(p.Done), int64(p.Total)))
		},
	})
	a.progress("")
	if err != nil {
		return nil, failed(op, "", err)
	}
	return inv, nil
}

// stateFile is a file of gpx's own about one cache: beside the history, one for
// each folder, so that two caches do not spoil each other's. Without a place for
// it there is none, and what it would have kept is found out anew.
func (a *app) stateFile(name, about string) string {
	dir := a.stateDir
	if dir == "" {
		var err error
		if dir, err = change.DefaultStateDir(); err != nil {
			return ""
		}
	}
	if real, err := filepath.EvalSymlinks(about); err == nil {
		about = real
	}
	sum := sha256.Sum256([]byte(about))
	return filepath.Join(dir, fmt.Sprintf("%s-%x", name, sum[:8]))
}

func modCacheOf(inv *modcache.Inventory) modCacheDocument {
	d := modCacheDocument{
		Dir: redact.Text(inv.Dir), Bytes: inv.Bytes, Files: inv.Files, Modules: inv.Modules(), Versions: len(inv.Versions),
		States: map[string]int{}, Parts: []partDocument{}, Problems: nonNil(inv.Problems),
	}
	for _, v := range inv.Versions {
		d.States[string(v.State)]++
	}
	for _, p := range inv.Parts {
		d.Parts = append(d.Parts, partDocument(p))
	}
	return d
}

func buildCacheOf(at buildcache.Location, inv *buildcache.Inventory) buildCacheDocument {
	d := buildCacheDocument{Dir: redact.Text(at.Dir), Note: at.Note, ByKind: map[string]int64{}, ByAge: []ageDocument{}, Problems: []string{}}
	if inv == nil {
		return d
	}
	d.Bytes, d.Files, d.Entries, d.Problems = inv.Bytes, inv.Files, inv.Entries, nonNil(inv.Problems)
	d.LastTrim, d.NextTrim, d.TrimTake = wire.At(inv.LastTrim), wire.At(inv.NextTrim), inv.TrimTake
	for k, n := range inv.ByKind {
		d.ByKind[string(k)] = n
	}
	for _, age := range inv.ByAge {
		d.ByAge = append(d.ByAge, ageDocument{age.OlderThan.Hours(), age.Bytes})
	}
	return d
}

// nonNil is a list that JSON does not print as null.
func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (a *app) printModCache(d modCacheDocument) {
	out := a.out
	out.text("", out.strong("module cache")+"  "+d.Dir)
	rows := [][]string{
		{out.dim("size"), size(d.Bytes) + " in " + count(d.Files, "file", "files")},
		{out.dim("versions"), count(int64(d.Versions), "version", "versions") + " of " + count(int64(d.Modules), "module", "modules")},
	}
	var parts []string
	for _, p := range d.Parts {
		if p.Bytes > 0 {
			parts = append(parts, p.Name+" "+size(p.Bytes))
		}
	}
	if len(parts) > 0 {
		rows = append(rows, []string{out.dim("beside them"), strings.Join(parts, ", ")})
	}
	for _, s := range []modcache.State{modcache.Partial, modcache.Damaged} {
		if n := d.States[string(s)]; n > 0 {
			rows = append(rows, []string{out.dim(string(s)), out.sign(toneWarn, count(int64(n), "version", "versions")) + out.dim("  see: gpx cache verify")})
		}
	}
	out.table("  ", rows)
	a.printProblems(d.Problems)
}

func (a *app) printBuildCache(d buildCacheDocument) {
	out := a.out
	out.text("", out.strong("build cache")+"  "+cmp.Or(d.Dir, "none"))
	if d.Note != "" {
		out.text("  ", out.sign(toneWarn, d.Note))
	}
	if d.Dir == "" {
		return
	}
	kinds := slices.SortedFunc(maps.Keys(d.ByKind), func(x, y string) int { return cmp.Compare(d.ByKind[y], d.ByKind[x]) })
	var byKind, byAge []string
	for _, k := range kinds {
		if d.ByKind[k] > 0 {
			byKind = append(byKind, strings.ReplaceAll(k, "_", " ")+" "+size(d.ByKind[k]))
		}
	}
	for _, age := range d.ByAge {
		if age.Bytes > 0 {
			byAge = append(byAge, hours(age.OlderThan)+" "+size(age.Bytes))
		}
	}
	rows := [][]string{{out.dim("size"), size(d.Bytes) + " in " + count(d.Entries, "entry", "entries")}}
	if len(byKind) > 0 {
		rows = append(rows, []string{out.dim("kinds"), strings.Join(byKind, ", ")})
	}
	if len(byAge) > 0 {
		rows = append(rows, []string{out.dim("not used for"), strings.Join(byAge, ", ")})
	}
	if !d.NextTrim.IsZero() && d.Entries > 0 {
		rows = append(rows, []string{out.dim("next trim"), until(a.now(), d.NextTrim.Time) + ", takes " + size(d.TrimTake)})
	}
	out.table("  ", rows)
	a.printProblems(d.Problems)
}

// printProblems lists what a scan could not read.
func (a *app) printProblems(problems []string) {
	for _, p := range problems {
		a.out.text("  ", a.out.sign(toneWarn, p))
	}
}

// hours is a number of hours in the unit that people would use.
func hours(h float64) string {
	if h >= 24 {
		return fmt.Sprintf("%gd", h/24)
	}
	return fmt.Sprintf("%gh", h)
}

// until says when something may happen at the earliest.
func until(now, t time.Time) string {
	d := t.Sub(now)
	if d <= 0 {
		return "with the next build"
	}
	return "with the first build in " + max(d.Round(time.Minute), time.Minute).String()
}
