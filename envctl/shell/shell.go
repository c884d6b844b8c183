// Package shell lets a change reach the shell that gpx was started from.
package shell

import (
	"errors"

	"gpx/envctl/change"
)

// Init returns the text that a bash, zsh or fish evaluates at its start.
func Init(shell string) (string, error) { return "", errors.New("shell: not there yet") }

// Export returns lines that make the assignments in that shell.
func Export(shell string, as []change.Assignment) (string, error) {
	return "", errors.New("shell: not there yet")
}

// Handoff gives the assignments to the calling shell when its hook is active.
func Handoff(as []change.Assignment) error { return nil }
