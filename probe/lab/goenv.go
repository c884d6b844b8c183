package lab

import (
	"os"
	"path/filepath"
)

// GoEnv returns a whole environment for a go command, or for gpx, that sees
// nothing of this machine but its programs: every folder is under dir, GOPROXY
// is the chain, the checksum database is the lab's, its certificates are
// trusted, git finds the lab's repositories and nothing else, and nobody asks a
// question. The variables of Go that are not in it come from the user file
// GOENV, which does not exist yet. What a caller appends overrides.
//
// On macOS the go command does not read SSL_CERT_FILE: use plain http there.
func (l *Lab) GoEnv(dir, chain string) []string {
	vars := sandboxVars(dir)
	vars["GOPROXY"] = chain
	vars["GOSUMDB"] = l.VerifierKey()
	vars["SSL_CERT_FILE"] = l.CAFile()
	if config, err := l.git(); err == nil {
		vars["GIT_CONFIG_GLOBAL"] = config
	}
	return environ(vars)
}

// git writes the lab's repositories once.
func (l *Lab) git() (config string, err error) {
	l.gitOnce.Do(func() {
		l.gitConfig, l.gitErr = l.WriteGit(filepath.Join(l.dir, "git"))
	})
	return l.gitConfig, l.gitErr
}

// sandboxVars are the variables that keep a go command inside a folder.
func sandboxVars(dir string) map[string]string {
	home := filepath.Join(dir, "home")
	vars := map[string]string{
		"HOME":            home,
		"USERPROFILE":     home,
		"XDG_CONFIG_HOME": filepath.Join(home, ".config"),
		"XDG_CACHE_HOME":  filepath.Join(home, ".cache"),
		"XDG_DATA_HOME":   filepath.Join(home, ".local", "share"),
		"XDG_STATE_HOME":  filepath.Join(home, ".local", "state"),
		"GOPATH":          filepath.Join(dir, "gopath"),
		"GOMODCACHE":      filepath.Join(dir, "gopath", "pkg", "mod"),
		"GOCACHE":         filepath.Join(dir, "gocache"),
		"GOENV":           filepath.Join(home, ".config", "go", "env"),
		"GOFLAGS":         "-modcacherw",
		"GOTOOLCHAIN":     "local",
		// The developer's own git settings, or a question on the terminal, would
		// make a run depend on the machine.
		"GIT_CONFIG_GLOBAL":   os.DevNull,
		"GIT_CONFIG_NOSYSTEM": "1",
		"GIT_TERMINAL_PROMPT": "0",
	}
	for _, name := range []string{"PATH", "TMPDIR", "TMP", "TEMP", "SYSTEMROOT", "COMSPEC", "TERM", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			vars[name] = v
		}
	}
	// The telemetry of the go command would start a process that outlives it
	// and writes under HOME while a test removes it.
	_ = writeFile(filepath.Join(vars["XDG_CONFIG_HOME"], "go", "telemetry", "mode"), []byte("off 2024-01-01"))
	return vars
}
