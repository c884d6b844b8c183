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

// missingToolchain reports whether the go command would have to download a
// toolchain, and which.
func missingToolchain(e *env.Env, p *project.Project) (name string, missing bool) {
	t := project.ChooseToolchain(e, p)
	name = t.Name
	if name == "" || !t.Download || !version.IsValid(name) {
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
