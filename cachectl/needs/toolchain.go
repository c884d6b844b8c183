package needs

import (
	"go/version"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/project"
)

// toolchainPath is the module that toolchains are downloaded as
// (cmd/go/internal/toolchain).
const toolchainPath = "golang.org/toolchain"

// toolchains collects the toolchains that the go and toolchain lines name, even
// where the installed one is newer: another shell may have an older one.
func (c *collector) toolchains(p *project.Project) {
	line := ""
	if p.Go != "" {
		line = "go" + p.Go
		if version.Lang(line) == line && version.Compare(line, "go1.21") >= 0 {
			line += ".0" // the first release of a language version
		}
	}
	for _, name := range []string{line, p.Toolchain} {
		// An older one is never asked for: the first go command that downloads
		// toolchains is go1.21 itself.
		if version.IsValid(name) && version.Compare(name, "go1.21") >= 0 {
			c.needs.Add(c.toolchain(name), p.Root)
		}
	}
}

// toolchain is the module version of a toolchain for this machine.
func (c *collector) toolchain(name string) module.Version {
	goos, goarch := runtime.GOOS, runtime.GOARCH
	if c.env != nil {
		if v := c.env.Get("GOHOSTOS"); v != "" {
			goos = v
		}
		if v := c.env.Get("GOHOSTARCH"); v != "" {
			goarch = v
		}
	}
	return module.Version{Path: toolchainPath, Version: "v0.0.1-" + name + "." + goos + "-" + goarch}
}

// settings collects what the settings themselves need: the toolchain that
// GOTOOLCHAIN names, and the one that the go command runs from.
func (c *collector) settings() {
	name, _, _ := strings.Cut(c.env.Get("GOTOOLCHAIN"), "+")
	if version.IsValid(name) {
		c.needs.Add(c.toolchain(name), "GOTOOLCHAIN")
	}
	if m, ok := TreeOf(c.env.Get("GOMODCACHE"), c.env.GOROOT); ok {
		c.needs.Add(m, "the go command")
	}
}

// TreeOf is the module version whose extracted tree, in the module cache at
// cache, holds path.
func TreeOf(cache, path string) (module.Version, bool) {
	rel, err := filepath.Rel(cache, path)
	if cache == "" || path == "" || err != nil || !filepath.IsLocal(rel) {
		return module.Version{}, false
	}
	rel = filepath.ToSlash(rel)
	if strings.HasPrefix(rel, "cache/") {
		return module.Version{}, false
	}
	at := strings.Index(rel, "@")
	if at < 0 {
		return module.Version{}, false
	}
	escaped, _, _ := strings.Cut(rel[at+1:], "/")
	m := module.Version{}
	if m.Path, err = module.UnescapePath(rel[:at]); err != nil {
		return m, false
	}
	m.Version, err = module.UnescapeVersion(escaped)
	return m, err == nil
}
