// Package shell lets a change reach the shell that gpx was started from.
//
// A process cannot change its parent's environment, so a variable that is
// exported there goes on hiding what gpx writes to the user file. With the hook
//
//	eval "$(gpx shell-init bash)"      # or zsh
//	gpx shell-init fish | source
//
// gpx is a shell function: it makes an empty private file (0600), names it to
// the program in GPX_SHELL_FILE, and sources it when the program has ended.
//
//	shell: gpx() ──▶ gpx (program) ──Handoff──▶ $GPX_SHELL_FILE
//	        ▲                                        │
//	        └──────────── sources and removes ◀──────┘
//
// The file may hold credentials; nothing but export and unset lines, quoted
// here, is ever written to it, and only for variables that the shell's
// environment shadowed.
package shell

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gpx/envctl/change"
	"gpx/envctl/redact"
)

// The variables by which hook and program know each other.
const (
	FileVar  = "GPX_SHELL_FILE" // path of the private file
	ShellVar = "GPX_SHELL"      // whose grammar it is sourced with
)

//go:embed hook
var hooks embed.FS

// shells lists the shells that have a hook.
var shells = []string{"bash", "zsh", "fish"}

// Init returns the hook: text that a shell evaluates at its start.
func Init(shell string) (string, error) {
	text, err := hooks.ReadFile("hook/gpx." + shell)
	if err != nil {
		return "", unknown(shell)
	}
	return string(text), nil
}

func unknown(shell string) error {
	return fmt.Errorf("no hook for shell %q; there is one for %s", redact.Clean(shell), strings.Join(shells, ", "))
}

// Export returns lines that make the assignments in that shell, each quoted so
// that any value arrives byte for byte. "sh" stands for any POSIX shell.
func Export(shell string, as []change.Assignment) (string, error) {
	var set, unset string
	var quote func(string) string
	switch shell {
	case "bash", "zsh", "sh":
		set, unset, quote = "export %s=%s\n", "unset %s\n", quotePOSIX
	case "fish":
		set, unset, quote = "set -gx %s %s\n", "set -e %s\n", quoteFish
	default:
		return "", unknown(shell)
	}
	var b strings.Builder
	for _, a := range as {
		switch {
		case !validName(a.Name):
			return "", fmt.Errorf("%q is not the name of a variable", redact.Clean(a.Name))
		case strings.Contains(a.Value, "\x00"):
			return "", fmt.Errorf("the value of %s holds a NUL, which no environment can", a.Name)
		case a.Unset:
			fmt.Fprintf(&b, unset, a.Name)
		default:
			fmt.Fprintf(&b, set, a.Name, quote(a.Value))
		}
	}
	return b.String(), nil
}

// validName reports whether every shell takes name as a variable's.
func validName(name string) bool {
	for i, r := range []byte(name) {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || '9' < r) {
			return false
		}
	}
	return name != ""
}

// quotePOSIX: between single quotes every byte stands for itself, and there is
// no escape for the quote but to end them.
func quotePOSIX(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// quoteFish: between single quotes fish takes \' and \\ as escapes.
func quoteFish(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// Active reports whether gpx runs behind the hook.
func Active() bool { return os.Getenv(FileVar) != "" && os.Getenv(ShellVar) != "" }

// Handoff gives the assignments to the calling shell when the hook is active,
// and does nothing otherwise. This process takes them over at once, so that
// what it reads from now on is what the shell will have: an undo in the same
// session hands the old value back.
func Handoff(as []change.Assignment) error {
	if len(as) == 0 || !Active() {
		return nil
	}
	path := os.Getenv(FileVar)
	lines, err := Export(os.Getenv(ShellVar), as)
	if err != nil {
		return fmt.Errorf("shell hook: %w", err)
	}
	if err := appendPrivate(path, lines); err != nil {
		return fmt.Errorf("shell hook: %w; the calling shell keeps its values", err)
	}
	for _, a := range as {
		if a.Unset {
			os.Unsetenv(a.Name)
		} else {
			os.Setenv(a.Name, a.Value)
		}
	}
	return nil
}

// filePrefix begins the name of every file that the hook makes.
const filePrefix = "gpx-shell."

// appendPrivate appends to the file that the hook made. It creates nothing,
// and refuses what the hook does not make, such as another private file (a
// netrc) or one that others could read: the lines may hold credentials.
func appendPrivate(path, lines string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(filepath.Base(path), filePrefix) || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return &fs.PathError{Op: "write", Path: redact.Clean(path), Err: errors.New("not a private file that the hook made")}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(info, opened) {
		err = &fs.PathError{Op: "write", Path: redact.Clean(path), Err: errors.New("it was replaced meanwhile")}
	}
	if err == nil {
		_, err = f.WriteString(lines)
	}
	return errors.Join(err, f.Close())
}
