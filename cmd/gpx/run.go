package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpx/cachectl/relay"
	"gpx/probe/gotext"
)

func runCommand(a *app) *cobra.Command {
	noSums := false
	cmd := &cobra.Command{
		Use: "run [--no-sumdb] [--] COMMAND…", Short: "Run a command behind a relay, so that it builds while proxies fail",
		Long: `Runs a command with GOPROXY set to a relay of its own (see "gpx serve"), which
ends with it. Nothing else changes: the command has the terminal, gets the
signals, and its exit status is that of gpx run. In the end a line on standard
error says what was rescued, or why something could not be had. Where standard
error is no terminal, what the go command said last is explained too.

  gpx run go build ./...
  gpx run --no-sumdb -- go mod download`,
		Args: arguments(1, -1, "a command"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRun(cmd.Context(), a, args, noSums)
		},
	}
	cmd.Flags().BoolVar(&noSums, "no-sumdb", false, "GOSUMDB=off for this command: what go.sum does not know is not verified")
	cmd.Flags().SetInterspersed(false) // what follows COMMAND is the command's
	return cmd
}

// A childStatus is the exit status of the command that gpx ran, for it has said
// all there is to say.
type childStatus int

func (childStatus) Error() string { return "the command failed" }

// Statuses of shells for a command that cannot be run.
const (
	statusNotRunnable = 126
	statusNotFound    = 127
	statusSignal      = 128 // and the number of the signal that ended it
)

func runRun(ctx context.Context, a *app, args []string, noSums bool) error {
	const op = "run"
	l, err := relay.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return failed(op, "", err)
	}
	defer l.Close()
	defer rareGarbage()()
	r, err := a.newRelay(ctx, l, relayNeeds{op: op, noSums: noSums})
	if err != nil {
		return err
	}
	defer r.close()
	// A signal is for the command to decide about: the relay lasts as long as that.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- r.Serve(serving, l) }()
	vars := []string{"GOPROXY=" + r.childChain()}
	if noSums {
		vars = append(vars, "GOSUMDB=off")
		a.errs.text("", "gpx run: "+a.errs.warn("the checksum database is off for this command")+"; what go.sum does not know is not verified")
	}
	child, heard := a.overhear()
	status, err := a.runChild(args, r.e.With(vars...), child)
	stop()
	serveErr := <-served
	switch {
	case err != nil:
		return err
	case serveErr != nil:
		a.errs.text("", "gpx run: the relay ended early: "+serveErr.Error())
	}
	for _, line := range relayNews(r.Stats()) {
		a.errs.text("", "gpx run: "+line)
	}
	if status != 0 {
		for _, line := range explain(heard(), r.url()) {
			a.errs.text("", "gpx run: "+line)
		}
		return childStatus(status)
	}
	return nil
}

// explain says what the go command's words mean, but for those about the relay at
// url: they are the relay's own, which has said why.
func explain(output []byte, url string) []string {
	var lines []string
	for _, f := range gotext.Find(output) {
		switch {
		case f.Security:
			lines = append(lines, "SECURITY: "+f.Means+" "+f.Fix)
		case !strings.Contains(f.Line, url):
			lines = append(lines, f.Means+" "+f.Fix)
		}
	}
	return lines
}

// strayTime is how long gpx stays for processes that the command left behind, when
// they still have the stream that gpx passes on.
const strayTime = time.Second

// runChild runs a command in gpx's place: in the same process group, with the
// streams of std, and with the signals that gpx alone is sent.
func (a *app) runChild(args, environ []string, std streams) (status int, err error) {
	if a.keepInterrupts != nil {
		a.keepInterrupts()
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = std.in, std.out, std.err
	cmd.WaitDelay = strayTime
	outlivePipes()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedOn()...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		f := failed("run", args[0], err)
		f.status = statusNotRunnable
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			f.status = statusNotFound
		}
		return 0, f
	}
	ended := make(chan struct{})
	passing := make(chan struct{})
	go func() {
		defer close(passing)
		for {
			select {
			case s := <-signals:
				if !fromTerminal(s) { // that sends it to the whole group by itself
					cmd.Process.Signal(s)
				}
			case <-ended:
				return
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	<-passing
	if cmd.ProcessState == nil {
		return 0, failed("run", args[0], err)
	}
	// An error beside that is of a stream that nobody reads, or that somebody holds.
	return exitStatusOf(cmd.ProcessState), nil
}
