package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/tui/widget"
)

type cacheLsDocument struct {
	Items []cacheItem `json:"items"`
}

type cacheItem struct {
	Path      string    `json:"path"`
	Version   string    `json:"version"`
	ZipBytes  int64     `json:"zip_bytes"`
	DirBytes  int64     `json:"dir_bytes"`
	Bytes     int64     `json:"bytes"` // all that it occupies
	Files     int64     `json:"files"`
	FetchedAt wire.Time `json:"fetched_at"`
	State     string    `json:"state"`
}

// The orders of cache ls.
var itemOrders = map[string]func(x, y *modcache.Version) int{
	"size": func(x, y *modcache.Version) int { return cmp.Compare(y.Bytes(), x.Bytes()) },
	"age":  func(x, y *modcache.Version) int { return x.FetchedAt.Compare(y.FetchedAt) },
	"name": func(x, y *modcache.Version) int { return 0 }, // as the inventory has them
}

func cacheLsCommand(a *app) *cobra.Command {
	order := "size"
	cmd := &cobra.Command{
		Use: "ls [PATTERN…]", Short: "List the module versions in the module cache, the largest first",
		Long: `Lists module versions with what they occupy, when they were fetched, and their
state:

  whole        zip, hash and extracted tree
  unextracted  zip and hash; the go command extracts it when it needs it
  tree only    the tree without its zip: builds work, verifying and exporting do not
  mod only     the go.mod alone, for the module graph
  partial      a download or an extraction was cut short
  damaged      a part of it cannot be read, or is no such file

A PATTERN is a module path prefix as in GOPRIVATE (k8s.io, github.com/aws/*), or
one version: golang.org/x/text@v0.3.0.`,
		Args: arguments(0, -1, "patterns"),
		RunE: func(cmd *cobra.Command, args []string) error {
			compare, ok := itemOrders[order]
			if !ok {
				return usage("cache ls", "--sort %s: there is no such order", order).hint("size, name or age")
			}
			return runCacheLs(cmd.Context(), a, args, compare)
		},
	}
	cmd.Flags().StringVar(&order, "sort", order, "by size, name or age (the oldest first): `ORDER`")
	return cmd
}

func runCacheLs(ctx context.Context, a *app, patterns []string, compare func(x, y *modcache.Version) int) error {
	e, err := a.env(ctx)
	if err != nil {
		return failed("cache ls", "", err)
	}
	inv, err := a.scanModules(ctx, "cache ls", e)
	if err != nil {
		return err
	}
	var list []*modcache.Version
	for i := range inv.Versions {
		if v := &inv.Versions[i]; len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return matches(p, v.Version) }) {
			list = append(list, v)
		}
	}
	slices.SortStableFunc(list, compare)
	if a.flags.json {
		doc := cacheLsDocument{Items: []cacheItem{}}
		for _, v := range list {
			doc.Items = append(doc.Items, cacheItem{
				Path: redact.Clean(v.Path), Version: redact.Clean(v.Version.Version), ZipBytes: v.ZipBytes, DirBytes: v.DirBytes,
				Bytes: v.Bytes(), Files: v.Files, FetchedAt: wire.At(v.FetchedAt), State: string(v.State),
			})
		}
		a.out.document(doc)
		return a.out.err
	}
	a.printVersions(list)
	a.printProblems(inv.Problems)
	return a.out.err
}

// matches reports whether a module version is one that a pattern names.
func matches(pattern string, m module.Version) bool {
	path, version, one := strings.Cut(pattern, "@")
	if one {
		return m.Path == path && m.Version == version
	}
	return module.MatchPrefixPatterns(strings.TrimSuffix(pattern, "/..."), m.Path)
}

func (a *app) printVersions(list []*modcache.Version) {
	out := a.out
	if len(list) == 0 {
		out.line("no such module version is in the module cache")
		return
	}
	var bytes int64
	now, paths := a.now(), map[string]bool{}
	rows := [][]string{{out.dim(right("SIZE", 10)), out.dim(right("ZIP", 10)), out.dim(right("FETCHED", 8)), out.dim("STATE"), out.dim("MODULE")}}
	for _, v := range list {
		bytes += v.Bytes()
		paths[v.Path] = true
		rows = append(rows, []string{
			right(size(v.Bytes()), 10), right(size(v.ZipBytes), 10), right(widget.Ago(now, v.FetchedAt), 8), a.state(v.State),
			redact.Clean(v.Path) + out.dim("@"+redact.Clean(v.Version.Version)),
		})
	}
	out.table("", rows)
	out.line(out.dim(size(bytes) + " in " + count(int64(len(list)), "version", "versions") + " of " + count(int64(len(paths)), "module", "modules")))
}

// state is a version's state in words, with a sign where it wants attention.
func (a *app) state(s modcache.State) string {
	words := strings.ReplaceAll(string(s), "_", " ")
	switch s {
	case modcache.Whole:
		return a.out.sign(toneGood, words)
	case modcache.Partial:
		return a.out.sign(toneWarn, words)
	case modcache.Damaged:
		return a.out.sign(toneBad, words)
	default:
		return a.out.sign(toneIdle, words)
	}
}

// right puts text at the right of a column of that width.
func right(text string, width int) string {
	return strings.Repeat(" ", max(0, width-len(text))) + text
}
