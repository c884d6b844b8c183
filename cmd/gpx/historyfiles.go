package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/history"
	"gpx/history/incident"
	"gpx/history/parcel"
	"gpx/history/report"
	"gpx/probe/catalog"
)

type incidentFileDocument struct {
	ID    int64  `json:"id"`
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// writeNew creates a file and has write fill it. A file that is there stays, and so
// does none of what could not be written whole.
func writeNew(path string, write func(io.Writer) error) (int64, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return 0, errors.New("it exists already; name another file")
	}
	if err != nil {
		return 0, err
	}
	err = write(f)
	size, serr := f.Seek(0, io.SeekEnd)
	if err = errors.Join(err, serr, f.Close()); err != nil {
		os.Remove(path)
		return 0, err
	}
	return size, nil
}

// exportIncident writes an incident as one file, without the names of hosts and of
// what is not public where mask is set.
func exportIncident(ctx context.Context, store *history.Store, e *env.Env, p *project.Project, id int64, path string, mask bool) (int64, error) {
	rec, err := store.Recording(ctx, id)
	if err != nil {
		return 0, err
	}
	if mask {
		rec = parcel.Mask(rec, func(path string) bool { return !public(e, p, path) })
	}
	return writeNew(path, func(w io.Writer) error { return parcel.Encode(w, rec) })
}

// public reports whether the world may read the path of a module.
func public(e *env.Env, p *project.Project, path string) bool {
	var own []string
	if p != nil {
		own = p.Modules
	}
	for _, patterns := range []string{e.NoProxy(), e.NoSumDB(), e.Get("GOPRIVATE")} {
		if module.MatchPrefixPatterns(patterns, path) {
			return false
		}
	}
	return catalog.Known(path, own)
}

// importIncident takes in such a file.
func importIncident(ctx context.Context, store *history.Store, path string) (int64, *incident.Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	rec, err := parcel.Decode(f)
	if err != nil {
		return 0, nil, err
	}
	id, err := store.AddRecording(ctx, rec)
	return id, rec, err
}

func historyExportCommand(a *app) *cobra.Command {
	var out string
	var mask bool
	cmd := &cobra.Command{
		Use: "export N -o FILE", Short: "Write one incident as one file, for a colleague",
		Long: `Writes what was seen, done and noted in an incident into one file, which gpx history
import takes in elsewhere. It holds no credentials. --mask also takes out the names of
hosts, the paths of modules that are not public, addresses and folders.`,
		Args: arguments(1, 1, "the number of an incident"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "history export"
			ctx := cmd.Context()
			if out == "" {
				return usage(op, "no name for the file").hint("give one with -o")
			}
			store, id, err := a.incident(ctx, op, args[0])
			if err != nil {
				return err
			}
			e, p, err := a.both(ctx)
			if err != nil {
				return failed(op, "", err)
			}
			size, err := exportIncident(ctx, store, e, p, id, out, mask)
			if err != nil {
				return failed(op, out, err)
			}
			return a.wroteIncident(incidentFileDocument{id, out, size})
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "write `FILE`")
	cmd.Flags().BoolVar(&mask, "mask", false, "take out the names of hosts and of what is not public")
	return cmd
}

func (a *app) wroteIncident(doc incidentFileDocument) error {
	if a.flags.json {
		a.out.document(doc)
	} else {
		a.out.line(a.out.sign(toneGood, fmt.Sprintf("incident %d: %s, %s", doc.ID, doc.Path, size(doc.Bytes))))
	}
	return a.out.err
}

func historyImportCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Take in an incident that gpx history export wrote", Args: arguments(1, 1, "a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "history import"
			ctx := cmd.Context()
			store, err := a.records(ctx, op)
			if err != nil {
				return err
			}
			id, rec, err := importIncident(ctx, store, args[0])
			if err != nil {
				return failed(op, args[0], err)
			}
			if a.flags.json {
				rec.Incident.ID = id
				a.out.document(rec.Incident)
			} else {
				a.out.line(a.out.sign(toneGood, fmt.Sprintf("it is incident %d here: %s", id, rec.Incident.Headline)))
			}
			return a.out.err
		},
	}
}

// reports are the formats of a report, by their names, which are the endings of
// their files too.
var reports = map[string]func(io.Writer, *incident.Recording, time.Time) error{
	"md": report.Markdown, "html": report.HTML, "json": report.JSON,
}

// reportFormat is what the name of a file asks for.
func reportFormat(path string) (string, error) {
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	if reports[format] == nil {
		return "", fmt.Errorf("a report is .md, .html or .json, not %q", filepath.Base(path))
	}
	return format, nil
}

// writeReport writes a report to a new file.
func writeReport(ctx context.Context, store *history.Store, id int64, path, format string, now time.Time) (int64, error) {
	rec, err := store.Recording(ctx, id)
	if err != nil {
		return 0, err
	}
	return writeNew(path, func(w io.Writer) error { return reports[format](w, rec, now) })
}

func historyReportCommand(a *app) *cobra.Command {
	var out, format string
	cmd := &cobra.Command{
		Use: "report N", Short: "Write what a post-mortem needs: Markdown, HTML or JSON",
		Long: `Writes times, causes, what was done, and the timeline of an incident. The HTML is one
file with its picture in it, and loads nothing. Without -o it is printed.`,
		Args: arguments(1, 1, "the number of an incident"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "history report"
			ctx := cmd.Context()
			var err error
			switch {
			case format == "" && out != "":
				if format, err = reportFormat(out); err != nil {
					return usage(op, "%v", err).hint("name the format with --format")
				}
			case format == "" && a.flags.json:
				format = "json"
			case format == "":
				format = "md"
			case reports[format] == nil:
				return usage(op, "--format %q is none of md, html, json", format)
			}
			store, id, err := a.incident(ctx, op, args[0])
			if err != nil {
				return err
			}
			if out == "" {
				rec, err := store.Recording(ctx, id)
				if err != nil {
					return failed(op, args[0], err)
				}
				var text strings.Builder
				if err := reports[format](&text, rec, a.now()); err != nil {
					return failed(op, args[0], err)
				}
				a.out.write(text.String())
				return a.out.err
			}
			size, err := writeReport(ctx, store, id, out, format, a.now())
			if err != nil {
				return failed(op, out, err)
			}
			return a.wroteIncident(incidentFileDocument{id, out, size})
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "`md`, html or json (default: by the ending of the file, else md)")
	cmd.Flags().StringVarP(&out, "output", "o", "", "write `FILE`")
	return cmd
}
