// Command gpx shows what is wrong between this machine and its Go modules, says
// what the go command will do about it, and changes the settings in a way that
// can be taken back.
//
// This package is the composition root: it reads flags and the configuration,
// builds what the floors below offer (app.go), and prints. One file holds one
// command. What a command prints for people goes through [printer], what it
// prints for scripts is one JSON document, and every way to fail is a [failure]
// with an exit status.
package main

import (
	// First, and before anything that reaches Bubble Tea: see the package.
	"gpx/tui/noquery"

	"context"
	"errors"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker (Makefile); versionText falls back to what the
// go command stamped into the binary.
var version string

func main() {
	noquery.Restore()
	// net/http reports what a server sends unasked through the standard logger,
	// the server's bytes and all.
	log.SetOutput(io.Discard)
	os.Exit(run(os.Args[1:], processStreams()))
}

// run is the whole program but for the process around it.
func run(args []string, std streams) int {
	ending := []os.Signal{syscall.SIGTERM}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup, and what a shell runs in the background
			ending = append(ending, s)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()

	a := newApp(std)
	defer a.close()
	// The first ctrl+c asks politely, the second kills as usual. A terminal that is
	// closed sends SIGHUP more than once, and must not cut the cleaning up short.
	a.keepInterrupts = context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if child := childStatus(0); ctx.Err() != nil && err != nil && !errors.As(err, &child) {
		err = interrupted(err)
	}
	return a.finish(args, err)
}
