package profiles

import (
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"strings"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
)

// wantedToolchain is the toolchain that the go command would run in p, "" for
// the installed one. download says that it would be downloaded where it is
// missing (cmd/go/internal/toolchain, Select).
func wantedToolchain(e *env.Env, p *project.Project) (name string, download bool) {
	setting := e.Get("GOTOOLCHAIN")
	first, mode, plus := strings.Cut(setting, "+")
	switch {
	case setting == "":
		return "", false
	case !plus && (first == "auto" || first == "path"):
		first, mode = "local", first
	}
	wanted := e.GoVersion
	if first != "local" {
		wanted = first
	}
	if (mode == "auto" || mode == "path") && p != nil && p.Toolchain != "default" {
		if version.Compare(p.Toolchain, wanted) > 0 {
			wanted = p.Toolchain
		}
		if line := "go" + p.Go; version.Compare(line, wanted) > 0 {
			wanted = line
			if version.Lang(line) == line && version.Compare(line, "go1.21") >= 0 {
				wanted += ".0" // the first release of a language version
			}
		}
	}
	if wanted == e.GoVersion {
		return "", false
	}
	return wanted, mode != "path"
}

// missingToolchain reports whether the go command would have to download a
// toolchain, and which.
func missingToolchain(e *env.Env, p *project.Project) (name string, missing bool) {
	name, download := wantedToolchain(e, p)
	if name == "" || !download || !version.IsValid(name) {
		return name, false
	}
	dir := filepath.Join(e.Get("GOMODCACHE"), "golang.org", fmt.Sprintf("toolchain@v0.0.1-%s.%s-%s", name, e.Get("GOHOSTOS"), e.Get("GOHOSTARCH")))
	if _, err := os.Stat(dir); err == nil {
		return name, false
	}
	for _, dir := range filepath.SplitList(e.OSEnv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, name+e.Get("GOEXE"))); err == nil && info.Mode().IsRegular() {
			return name, false
		}
	}
	return name, true
}

// unverifiedToolchain refuses what would run a program that nothing vouches
// for: with a single file: chain the go command does not look a toolchain up
// when checksums are off (cmd/go/internal/modfetch, useSumDB).
func unverifiedToolchain(name, instead string) error {
	return fmt.Errorf("with a single file: chain and checksums off, toolchain %s would be taken from that tree and run unverified; %s", redact.Clean(name), instead)
}

// singleFile is cmd/go's own test for the exception (modfetch, useSumDB).
func singleFile(goproxy string) bool {
	return strings.HasPrefix(goproxy, "file://") && !strings.ContainsAny(goproxy, ",|")
}
