package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/bundle"
	"gpx/envctl/advice"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// Bundles of a build cache have the fields of the others, and their own.

type buildExportDocument struct {
	bundle.Result
	Outputs int `json:"outputs"`
	Entries int `json:"entries"`
	Damaged int `json:"damaged"` // outputs that were left out: damaged, or trimmed meanwhile
}

type buildImportDocument struct {
	importDocument
	Outputs    int               `json:"outputs"`
	Entries    int               `json:"entries"`
	Prediction bundle.Prediction `json:"prediction"`
}

func emptyResult(path string, bytes int64) bundle.Result {
	return bundle.Result{Path: redact.Text(path), Bytes: bytes, Unverifiable: []string{}, LeftOut: []bundle.LeftOut{}}
}

// exportBuild writes a bundle of the build cache.
func exportBuild(ctx context.Context, a *app, f exportFlags, e *env.Env) error {
	const op = "cache export"
	res, err := a.writeBuildBundle(ctx, e, f.out, func(p bundle.Progress) { a.progress(string(p.Phase) + " " + share(p.Done, p.Total)) })
	a.progress("")
	if err != nil {
		return failed(op, f.out, err)
	}
	if a.flags.json {
		a.out.document(buildExportDocument{emptyResult(res.Path, res.Bytes), res.Outputs, res.Entries, res.LeftOut})
		return a.out.err
	}
	out := a.out
	out.text("", out.sign(toneGood, count(int64(res.Entries), "entry", "entries")+" of the build cache, "+size(res.Bytes)+": "+redact.Text(res.Path)))
	if res.LeftOut > 0 {
		out.text("  ", out.sign(toneWarn, count(int64(res.LeftOut), "output", "outputs")+" left out: damaged, or trimmed meanwhile"))
	}
	out.text("  ", out.dim("it helps where Go version, platform, flags and folders are the same; gpx cache import says so beforehand"))
	return out.err
}

// writeBuildBundle writes the build cache to a file.
func (a *app) writeBuildBundle(ctx context.Context, e *env.Env, out string, report func(bundle.Progress)) (bundle.BuildResult, error) {
	roots, _ := a.knownRoots(ctx)
	at := buildcache.Locate(e)
	switch {
	case at.Dir == "":
		return bundle.BuildResult{}, at.Err
	case at.Program:
		return bundle.BuildResult{}, advice.Add(errors.New(at.Note), "unset GOCACHEPROG to export that folder")
	}
	return bundle.ExportBuildCache(ctx, bundle.BuildExportOptions{
		Cache: at.Dir, Out: out, Settings: bundle.BuildSettingsOf(e, roots), Created: sourceDate(a.now()), Report: report,
	})
}

// importBuild takes a bundle of a build cache in.
func importBuild(ctx context.Context, a *app, in string, e *env.Env, c consent) error {
	const op = "cache import"
	pre, err := a.planBuildImport(ctx, in, e, func(p bundle.Progress) { a.progress(string(p.Phase) + " " + share(p.Done, p.Total)) })
	a.progress("")
	if err != nil {
		return failed(op, in, err)
	}
	doc := buildImportDocument{
		importDocument: importDocument{Result: emptyResult(in, pre.Bytes), Present: pre.Present},
		Outputs:        pre.Outputs, Entries: pre.Entries, Prediction: pre.Prediction,
	}
	return a.carryOutProposal(ctx, op, proposal{Plan: pre.Plan, about: buildImportAbout(pre), document: doc}, c)
}

// planBuildImport plans to take a bundle of a build cache in.
func (a *app) planBuildImport(ctx context.Context, in string, e *env.Env, report func(bundle.Progress)) (*bundle.BuildPreview, error) {
	roots, _ := a.knownRoots(ctx)
	at := buildcache.Locate(e)
	if at.Dir == "" {
		return nil, at.Err
	}
	pre, err := bundle.PlanBuildImport(ctx, bundle.BuildImportOptions{In: in, Cache: at.Dir, Here: bundle.BuildSettingsOf(e, roots), Report: report})
	if err == nil && at.Note != "" {
		pre.Plan.Warn(at.Note)
	}
	return pre, err
}

// buildImportAbout says what an import into the build cache would do.
func buildImportAbout(pre *bundle.BuildPreview) []string {
	about := []string{count(int64(pre.Entries), "entry is", "entries are") + " new, " + size(pre.Bytes) + "; " + count(int64(pre.Present), "is", "are") + " there already"}
	about = append(about, predictionWords(pre.Prediction)...)
	if pre.Plan.Empty() { // else its warnings say so
		for _, r := range pre.Prediction.Reasons {
			about = append(about, fmt.Sprintf("%s: there %s, here %s; %s", r.Setting, cmp.Or(r.There, "none"), cmp.Or(r.Here, "none"), r.Means))
		}
	}
	return about
}

// predictionWords say whether builds will use a bundle.
func predictionWords(p bundle.Prediction) []string {
	words := map[bundle.Hit]string{
		bundle.Hits: "is taken from it", bundle.Partly: "is partly taken from it", bundle.Unknown: "may be taken from it, or compiled again", bundle.Misses: "is compiled again all the same",
	}
	return []string{
		"the standard library " + words[p.Std], "what is in the module cache " + words[p.Modules], "the project itself " + words[p.Project],
	}
}
