//go:build !unix

package main

import (
	"os"
	"os/exec"
)

// passedOn are the signals that gpx must outlive; the console sends ctrl+c to the
// command by itself.
func passedOn() []os.Signal { return []os.Signal{os.Interrupt} }

func fromTerminal(os.Signal) bool { return true }

func exitStatusOf(e *exec.ExitError) int { return e.ExitCode() }
