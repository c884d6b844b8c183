// Package noquery keeps Bubble Tea v1 from asking the terminal for its colours
// while the program starts.
//
// Bubble Tea's init function asks lipgloss for the background, which writes a
// query to the terminal and waits up to five seconds for an answer that some
// terminals never give; even a command that draws nothing would pay for it.
// termenv asks nothing while CI is set, so this package sets it when it is
// unset, before Bubble Tea's init runs: the runtime initialises, again and
// again, the first package by import path whose imports are all initialised.
// This one waits for os alone; Bubble Tea also waits for os/exec, which itself
// waits for os and sorts behind gpx.
//
// The first line of main calls [Restore], so that no child process and nothing
// later sees the variable. A test with a pseudo-terminal keeps all this true.
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
