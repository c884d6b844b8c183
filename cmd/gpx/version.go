package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type versionDocument struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"` // the toolchain that built gpx
	Platform string `json:"platform"`
}

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of gpx", Args: noArguments, Annotations: quiet,
		RunE: func(*cobra.Command, []string) error {
			v := readVersion()
			if a.flags.json {
				a.out.document(v)
				return a.out.err
			}
			text := "gpx " + v.Version
			if v.Commit != "" {
				text += " (" + v.Commit + ")"
			}
			a.out.line(text + ", built with " + v.Go + " for " + v.Platform)
			return a.out.err
		},
	}
}

func readVersion() versionDocument {
	v := versionDocument{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		if v.Version == "" {
			v.Version = info.Main.Version
		}
		dirty := false
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value[:min(12, len(s.Value))]
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
		if dirty && v.Commit != "" {
			v.Commit += "+changes"
		}
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	return v
}
