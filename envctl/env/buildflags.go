package env

import "strconv"

// BuildRefusal is why no build goes ahead under these settings, and nothing else that
// loads packages, such as go list or go vet, a [*SettingError]; nil where it does. What
// [Env.Refusal] tells is taken to be none. "go mod download" and "go get" have none of
// these flags: modules can be downloaded (cmd/go/internal/work, AddBuildFlags and
// buildModeInit; modload, setDefaultBuildMod).
//
// Values that depend on the target, or on what is built, are not looked at.
func (e *Env) BuildRefusal() error {
	for _, w := range SplitFlags(e.Get("GOFLAGS")) {
		if err := refusedBuildValue(unquote(w)); err != nil {
			return err
		}
	}
	switch mode := e.Flag("mod"); {
	case mode == "" || mode == "readonly" || mode == "vendor":
	case e.inWorkspace():
		return refuse("GOFLAGS", "-mod may only be set to readonly or vendor when in workspace mode, but it is set to %q", mode)
	case mode != "mod":
		return refuse("GOFLAGS", "-mod=%s not supported (can be '', 'mod', 'readonly', or 'vendor')", mode)
	}
	if n, err := strconv.ParseInt(e.Flag("p"), 0, 0); err == nil && n <= 0 {
		return refuse("GOFLAGS", "-p must be a positive integer: %d", n)
	}
	return nil
}

// inWorkspace reports whether a go.work counts in the directory that was read for.
func (e *Env) inWorkspace() bool {
	work := e.Get("GOWORK")
	return work != "" && work != "off" && work != "auto"
}

// refusedBuildValue is what go build says of the value of a flag in GOFLAGS.
func refusedBuildValue(flag string) error {
	switch name, value, has := cutFlag(flag); name {
	case "a", "asan", "cover", "linkshared", "msan", "n", "race", "trimpath", "v", "work", "x":
		return refusedBool(name, value, has)
	case "asmflags", "buildmode", "compiler", "gccgoflags", "gcflags", "installsuffix", "ldflags", "mod", "pgo", "pkgdir", "tags", "toolexec":
		if !has {
			return needsArgument(name)
		}
	case "p":
		if !has {
			return needsArgument(name)
		}
		if _, err := strconv.ParseInt(value, 0, 0); err != nil {
			return refuse("GOFLAGS", "invalid value %q for flag -p (from %s): parse error", value, goflags())
		}
	}
	return nil
}
