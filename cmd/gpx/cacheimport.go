package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"gpx/cachectl/bundle"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
)

func cacheImportCommand(a *app) *cobra.Command {
	var c consent
	var quick bool
	cmd := &cobra.Command{
		Use: "import IN", Short: "Take a bundle in: a folder, a .tar or a .tar.zst, every hash checked first",
		Long: `Adds to the module cache what it lacks of a bundle, or of any GOPROXY file tree.
Every hash is checked before a file becomes visible, and nothing that is there
is overwritten: versions of which the cache has other bytes are named and left
out. A bundle of a build cache goes into the build cache; gpx says beforehand
whether it will be of use here.

--quick compares zips with their SHA-256 in the bundle and leaves h1, for which
each has to be unpacked, to the go command: it hashes a zip when it first uses it,
and compares that with go.sum. Until then go mod verify misses the hash.

Exit status 3 means that the cache and the bundle disagree about a version.`,
		Args: arguments(1, 1, "a bundle"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCacheImport(cmd.Context(), a, args[0], quick, c)
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "leave h1 of the zips to the go command")
	c.addFlags(cmd)
	return cmd
}

// An importDocument says what an import did.
type importDocument struct {
	bundle.Result
	Present int `json:"present"` // versions that were there already
}

func runCacheImport(ctx context.Context, a *app, in string, quick bool, c consent) error {
	const op = "cache import"
	e, p, err := a.both(ctx)
	if err != nil {
		return failed(op, "", err)
	}
	if build, err := bundle.IsBuildCache(ctx, in); err != nil {
		return failed(op, in, err)
	} else if build {
		return importBuild(ctx, a, in, e, c)
	}
	if _, err := a.modCache(ctx, op, e); err != nil {
		return err
	}
	o, err := importOptions(in, e, p)
	if err != nil {
		return failed(op, "GOSUMDB", err)
	}
	o.LeaveSums = quick
	o.Report = func(p bundle.Progress) { a.progress(string(p.Phase) + " " + share(p.Done, p.Total)) }
	pre, err := bundle.PlanImport(ctx, o)
	a.progress("")
	if err != nil {
		return failed(op, in, err)
	}
	doc := importDocument{
		Result:  bundle.Result{Modules: len(pre.New), Bytes: pre.Bytes, Path: redact.Text(in), Unverifiable: nonNil(pre.Unverifiable), LeftOut: pre.Conflicts},
		Present: pre.Present,
	}
	if doc.LeftOut == nil {
		doc.LeftOut = []bundle.LeftOut{}
	}
	if err := a.carryOutProposal(ctx, op, proposal{Plan: pre.Plan, about: importAbout(pre), document: doc}, c); err != nil {
		return err
	}
	if len(pre.Conflicts) > 0 {
		return errBadNews
	}
	return nil
}

// importOptions are those of importing a bundle of modules.
func importOptions(in string, e *env.Env, p *project.Project) (bundle.ImportOptions, error) {
	db, err := e.SumDB()
	o := bundle.ImportOptions{In: in, Cache: e.Get("GOMODCACHE"), SumDB: db, NoSumDB: e.NoSumDB(), Config: sumDBConfig(e)}
	if p != nil {
		o.Sums = p.Sums
	}
	return o, err
}

// importAbout says what an import of modules would do.
func importAbout(pre *bundle.Preview) []string {
	about := []string{count(int64(len(pre.New)), "module version is", "module versions are") + " new, " + size(pre.Bytes) + "; " +
		count(int64(pre.Present), "is", "are") + " there already"}
	for _, l := range pre.Conflicts {
		about = append(about, "left out: "+l.Path+"@"+l.Version+": "+l.Why)
	}
	if n := len(pre.Unverifiable); n > 0 {
		about = append(about, count(int64(n), "version has", "versions have")+" no proof of the checksum database in it: go.sum has to know them")
	}
	return about
}

// sumDBConfig is where the go command remembers the newest signed tree head.
func sumDBConfig(e *env.Env) string {
	dirs := filepath.SplitList(e.Get("GOPATH"))
	if len(dirs) == 0 || dirs[0] == "" {
		return ""
	}
	return filepath.Join(dirs[0], "pkg", "sumdb")
}
