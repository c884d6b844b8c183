// Package noquery keeps Bubble Tea v1 from asking the terminal for its colours
// while the program starts.
//
// Bubble Tea's init function asks lipgloss for the background, which writes a
// query to the terminal and waits up to five seconds for an answer that some
// terminals never give; even a command that draws nothing would pay for it.
// termenv asks nothing when CI is set, so this package's init sets it when it
// is unset. Go initialises packages in the order of their imports, standard
// library first among those that are ready: this one imports nothing but os
// and must be imported by main before anything that reaches Bubble Tea (its
// import path sorts behind "gpx/cmd", so main imports it from a file of its
// own). The first line of main calls [Restore], so that no child process sees
// the variable.
package noquery

import "os"

const name = "CI"

var set = func() bool {
	if _, ok := os.LookupEnv(name); ok {
		return false
	}
	return os.Setenv(name, "1") == nil
}()

// Restore takes the variable away again if this package set it.
func Restore() {
	if set {
		set = false
		os.Unsetenv(name)
	}
}
