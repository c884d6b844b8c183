//go:build !unix

package main

import "os"

// passedOn are the signals that gpx must outlive; the console sends ctrl+c to the
// command by itself.
func passedOn() []os.Signal { return []os.Signal{os.Interrupt} }

func fromTerminal(os.Signal) bool { return true }

func exitStatusOf(s *os.ProcessState) int { return s.ExitCode() }

func outlivePipes() {}
