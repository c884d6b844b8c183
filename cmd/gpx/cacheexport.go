package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/cachectl/bundle"
	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
)

type exportFlags struct {
	out                      string
	projects                 []string
	all, build, sync, online bool
}

func cacheExportCommand(a *app) *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use: "export -o OUT [MODULE@VERSION…]", Short: "Write a bundle: a GOPROXY file tree with the checksum database inside",
		Long: `Writes module versions out of the module cache as a tree that any go command can
use as GOPROXY=file:///DIR, or behind any web server, with checksums on. OUT is
a folder, or a file that ends in .tar or .tar.zst. Without arguments it is all
that the project needs; --project names others, --all means the whole cache.

--sync adds to a folder only what it lacks, so that it can run from cron while
the folder is served. --build writes the build cache instead: it helps where the
go command, the settings and the folders are the same.

What the checksum database has not been asked about is listed: there the other
side's go.sum has to know it. --online asks the database for it now. Exit status
3 means that something was left out, because it is damaged or incomplete.`,
		Args: arguments(0, -1, "module versions"),
		RunE: func(cmd *cobra.Command, args []string) error { return runCacheExport(cmd.Context(), a, f, args) },
	}
	cmd.Flags().StringVarP(&f.out, "output", "o", "", "write to `OUT`: a folder, a .tar or a .tar.zst")
	cmd.Flags().StringArrayVar(&f.projects, "project", nil, "what the project in `DIR` needs; may be given several times")
	cmd.Flags().BoolVar(&f.all, "all", false, "all of the module cache")
	cmd.Flags().BoolVar(&f.build, "build", false, "the build cache instead")
	cmd.Flags().BoolVar(&f.sync, "sync", false, "add to the folder OUT what it lacks")
	cmd.Flags().BoolVar(&f.online, "online", false, "ask the checksum database for what is not cached of it")
	return cmd
}

// check refuses combinations that mean nothing.
func (f exportFlags) check(args []string) error {
	const op = "cache export"
	ways := 0
	for _, given := range []bool{len(f.projects) > 0, f.all, f.build, len(args) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case f.out == "":
		return usage(op, "where to? -o OUT is missing").hint("a folder, or a file that ends in .tar or .tar.zst")
	case ways > 1:
		return usage(op, "--project, --all, --build and module versions do not go together")
	case f.sync && f.build:
		return usage(op, "--sync is for trees of modules")
	case isForeign(f.out):
		return noBundle(f.out)
	case f.sync && isArchive(f.out):
		return usage(op, "--sync adds to a folder; an archive is written anew each time")
	}
	return nil
}

func isArchive(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.zst")
}

// foreign are the endings of archives that gpx does not write.
var foreign = []string{".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".zip", ".zst", ".gz"}

// isForeign reports whether a name asks for such an archive. It would become a
// folder of that name.
func isForeign(name string) bool {
	lower := strings.ToLower(name)
	return !isArchive(name) && slices.ContainsFunc(foreign, func(ending string) bool { return strings.HasSuffix(lower, ending) }) && !isFolder(name)
}

func noBundle(name string) *failure {
	return usage("cache export", "no bundle is a %s", filepath.Ext(name)).hint("name a folder, or a file that ends in .tar or .tar.zst")
}

func runCacheExport(ctx context.Context, a *app, f exportFlags, args []string) error {
	const op = "cache export"
	if err := f.check(args); err != nil {
		return err
	}
	if len(f.projects) > 0 {
		a.flags.project = f.projects[0]
		if err := a.checkFolders(op); err != nil {
			return err
		}
	}
	e, err := a.env(ctx)
	if err != nil {
		return failed(op, "", err)
	}
	if f.build {
		return exportBuild(ctx, a, f, e)
	}
	sel, err := a.selection(ctx, f, args, e)
	if err != nil {
		return err
	}
	o, err := a.exportOptions(sel, e)
	if err != nil {
		return failed(op, "GOSUMDB", err)
	}
	o.Out, o.Sync = f.out, f.sync
	o.Report = func(p bundle.Progress) { a.progress(string(p.Phase) + " " + share(p.Done, p.Total)) }
	sel.database = !o.SumDB.Off
	if f.online && sel.database {
		remote, end, err := a.sumRemote(ctx, e)
		if err != nil {
			return failed(op, "", err)
		}
		defer end()
		o.Remote = remote
	}
	res, err := bundle.Export(ctx, o)
	a.progress("")
	if err != nil {
		return failed(op, f.out, err)
	}
	return a.printExport(res, sel, f)
}

// exportOptions are those of exporting a selection, but for where to.
func (a *app) exportOptions(sel selection, e *env.Env) (bundle.ExportOptions, error) {
	db, err := e.SumDB()
	return bundle.ExportOptions{
		Cache: e.Get("GOMODCACHE"), Versions: sel.versions, Mods: sel.mods, SumDB: db, NoSumDB: e.NoSumDB(), Sums: sel.sums,
		Checked: a.stateFile("exported", e.Get("GOMODCACHE")), Created: sourceDate(a.now()),
	}, err
}

// A selection is what is to be exported.
type selection struct {
	versions []module.Version // nil for the whole cache
	mods     []module.Version // of which the .mod alone is needed, for the module graph
	sums     project.Sums
	database bool // there is a checksum database to ask

	// Of projects: what the cache does not have. A go.sum names many versions
	// that no build needs; what go.mod itself requires is essential.
	absent    []module.Version
	essential []module.Version
}

// selection finds out what is to be exported.
func (a *app) selection(ctx context.Context, f exportFlags, args []string, e *env.Env) (selection, error) {
	const op = "cache export"
	switch {
	case f.all:
		return selection{}, nil
	case len(args) > 0:
		var sel selection
		for _, arg := range args {
			m, err := exactVersion(op, arg)
			if err != nil {
				return sel, err
			}
			sel.versions = append(sel.versions, m)
		}
		return sel, nil
	}
	dirs := f.projects
	if len(dirs) == 0 {
		dirs = []string{a.dir()}
	}
	var projects []*project.Project
	for _, dir := range dirs {
		if !isFolder(dir) {
			return selection{}, usage(op, "--project %s is not a directory", dir)
		}
		abs, err := filepath.Abs(dir)
		if err != nil {
			return selection{}, failed(op, dir, err)
		}
		p, err := project.Find(abs, e)
		if errors.Is(err, project.ErrNone) {
			return selection{}, usage(op, "%s is in no Go project", dir).hint("name one with --project DIR, name module versions, or take --all")
		}
		if err != nil {
			return selection{}, failed(op, dir, err)
		}
		a.remember(ctx, p)
		projects = append(projects, p)
	}
	inv, err := a.scanModules(ctx, op, e)
	if err != nil {
		return selection{}, err
	}
	sel := a.needed(ctx, projects, inv, e)
	if missing := slices.Concat(sel.essential, sel.absent); len(sel.versions) == 0 && len(missing) > 0 {
		return sel, failed(op, missing[0].String(), errors.New(notCached)).hint("get what the project needs with: go mod download")
	}
	return sel, nil
}

// needed selects what projects need, as far as the cache has it.
func (a *app) needed(ctx context.Context, projects []*project.Project, inv *modcache.Inventory, e *env.Env) selection {
	sel := selection{versions: []module.Version{}, sums: project.Sums{}}
	var roots []string
	required := map[module.Version]bool{}
	for _, p := range projects {
		roots = append(roots, p.Root)
		for m, hashes := range p.Sums {
			sel.sums[m] = append(sel.sums[m], hashes...)
		}
		for _, r := range p.Requires {
			if by, ok := p.Replacement(r.Version); ok {
				required[by] = !r.Indirect
			} else if !r.Indirect {
				required[r.Version] = true
			}
		}
	}
	need, problems := needs.Of(ctx, roots, e)
	for _, p := range problems {
		a.notice(p.String())
	}
	a.printNotices()
	// A version with a tree builds here without its zip, and nowhere else: it is
	// asked for, so that the export says why it leaves it out.
	zip, held := map[module.Version]bool{}, map[module.Version]bool{}
	for _, v := range inv.Versions {
		zip[v.Version], held[v.Version] = v.Zip, v.State != modcache.ModOnly
	}
	for m := range need {
		if !zip[m] {
			sel.mods = append(sel.mods, module.Version{Path: m.Path, Version: strings.TrimSuffix(m.Version, "/go.mod")})
		}
		switch {
		case strings.HasSuffix(m.Version, "/go.mod"):
		case held[m]:
			sel.versions = append(sel.versions, m)
		case m.Path == "golang.org/toolchain": // it builds with the toolchain that is installed
		case required[m]:
			sel.essential = append(sel.essential, m)
		default:
			sel.absent = append(sel.absent, m)
		}
	}
	module.Sort(sel.versions)
	module.Sort(sel.essential)
	module.Sort(sel.absent)
	return sel
}

// exactVersion reads MODULE@VERSION.
func exactVersion(op, arg string) (module.Version, error) {
	path, version, _ := strings.Cut(arg, "@")
	if err := module.Check(path, version); err != nil {
		return module.Version{}, usage(op, "%v", err).hint("wanted is one version of a module, such as golang.org/x/text@v0.3.0")
	}
	return module.Version{Path: path, Version: version}, nil
}

// sourceDate is the time that a bundle carries: SOURCE_DATE_EPOCH where it is
// set, so that a bundle can be made again byte for byte.
func sourceDate(now time.Time) time.Time {
	if n, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(n, 0).UTC()
	}
	return now
}

func (a *app) printExport(res bundle.Result, sel selection, f exportFlags) error {
	res.Unverifiable, res.LeftOut = nonNil(res.Unverifiable), append([]bundle.LeftOut{}, res.LeftOut...)
	bad := len(res.LeftOut) > 0 || len(sel.essential) > 0
	for _, list := range [][]module.Version{sel.essential, sel.absent} {
		for _, m := range list {
			res.LeftOut = append(res.LeftOut, bundle.LeftOut{Path: redact.Clean(m.Path), Version: redact.Clean(m.Version), Why: notCached})
		}
	}
	if a.flags.json {
		a.out.document(res)
	} else {
		a.printExported(res, sel, f)
	}
	if a.out.err == nil && bad {
		return errBadNews
	}
	return a.out.err
}

const notCached = "it is not in the module cache"

func (a *app) printExported(res bundle.Result, sel selection, f exportFlags) {
	out := a.out
	out.text("", out.sign(toneGood, count(int64(res.Modules), "module version", "module versions")+", "+size(res.Bytes)+": "+redact.Text(res.Path)))
	for _, l := range res.LeftOut[:len(res.LeftOut)-len(sel.absent)] {
		out.text("  ", out.sign(toneWarn, "left out: "+l.Path+"@"+l.Version+": "+l.Why))
	}
	if n := len(sel.absent); n > 0 {
		out.text("  ", out.dim(count(int64(n), "version that go.sum names is", "versions that go.sum names are")+
			" not in the module cache; a project that builds with GOPROXY=off needs none of them"))
	}
	if n := len(res.Unverifiable); n > 0 {
		out.text("  ", out.sign(toneWarn, count(int64(n), "version", "versions")+" without a proof of the checksum database: the other side's go.sum has to know them"))
		printNames(out, res.Unverifiable)
		if !f.online && sel.database {
			out.text("  ", out.dim("--online asks the database for them"))
		}
	}
	if abs, err := filepath.Abs(f.out); err == nil && !isArchive(f.out) {
		out.text("  ", out.dim("use it with: GOPROXY=file://"+filepath.ToSlash(redact.Text(abs))))
	}
}

// printNames writes the first of a list of names.
func printNames(out *printer, names []string) {
	const most = 10
	for _, n := range names[:min(len(names), most)] {
		out.text("    ", n)
	}
	if more := len(names) - most; more > 0 {
		out.line(out.dim("    and " + count(int64(more), "more", "more") + "; all of them: --json"))
	}
}
