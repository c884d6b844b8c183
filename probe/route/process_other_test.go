//go:build !unix

package route

import "os/exec"

func ownGroup(*exec.Cmd) {}

// killGroup ends the command; its children end when their pipes break.
func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }
