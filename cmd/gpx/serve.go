package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"gpx/cachectl/relay"
	"gpx/cmd/gpx/internal/metrics"
	"gpx/envctl/bounded"
)

// A serveDocument is printed when the relay listens.
type serveDocument struct {
	GOPROXY string `json:"goproxy"`
}

// serveFlags are those of gpx serve.
type serveFlags struct {
	addr      string
	lan       bool
	private   bool
	tokenFile string
	verbose   bool
}

func serveCommand(a *app) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use: "serve", Short: "A GOPROXY on this machine that goes on while the proxies behind it fail",
		Long: `Serves the GOPROXY protocol on loopback, checksum database included: first what
the module cache has, then the hops of the chain, each with the deadlines that
the go command lacks. One that hangs costs half a second, wrong bytes are thrown
away, and nobody public is told of a private module. It goes on until ctrl+c, and
notices when the go settings or the project's go.sum change.

It prints the GOPROXY to use first. For one command there is "gpx run". The same
address answers /metrics for Prometheus, and /healthz.

With --lan other machines may use it. The URL that it prints holds a token, and
who has that gets every module in the module cache, and what the upstreams give
with this user's credentials. Private modules (GOPRIVATE, GONOPROXY) are not among
them without --lan-private. It is plain http: who can listen in can read the token.
On a machine with several users --token alone keeps the others out.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.lan && !cmd.Flags().Changed("addr") {
				f.addr = ":0"
			}
			return runServe(cmd.Context(), a, f)
		},
	}
	cmd.Flags().StringVar(&f.addr, "addr", "127.0.0.1:0", "listen on `HOST:PORT` of this machine; port 0 takes a free one")
	cmd.Flags().BoolVar(&f.lan, "lan", false, "let other machines ask, who know the token; :0 is the default of --addr then")
	cmd.Flags().BoolVar(&f.private, "lan-private", false, "with --lan: private modules too")
	cmd.Flags().StringVar(&f.tokenFile, "token", "", "take the token from `FILE` (with --lan one is made without it)")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "print a line for each request")
	return cmd
}

func runServe(ctx context.Context, a *app, f serveFlags) error {
	const op = "serve"
	if f.private && !f.lan {
		return usage(op, "--lan-private says what --lan gives, and there is no --lan")
	}
	token, err := a.tokenOf(f)
	if err != nil {
		return err
	}
	l, err := listenFor(ctx, f)
	if err != nil {
		return err
	}
	defer l.Close()
	defer rareGarbage()()
	var lines sync.Mutex
	say := func(line string) {
		lines.Lock()
		defer lines.Unlock()
		a.errs.line(line)
	}
	told := metrics.NewRelay(readVersion().Version)
	log := told.Observe
	if f.verbose && !a.flags.json {
		log = func(s relay.Served) { told.Observe(s); say(servedLine(s)) }
	}
	r, err := a.newRelay(ctx, l, relayNeeds{
		op: op, lan: f.lan, secret: f.private,
		Options: relay.Options{Token: token, Network: f.lan, Log: log, Metrics: told.Handler()},
	})
	if err != nil {
		return err
	}
	defer r.close()
	told.Follow(r.Stats)
	if f.lan {
		a.warnOfNetwork(l, f.private)
	}
	if a.flags.json {
		a.out.document(serveDocument{r.url()})
	} else {
		a.out.line("export GOPROXY='" + r.childChain() + "'")
	}
	if a.out.err != nil {
		return a.out.err
	}
	ctx, stop := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() { defer close(followed); r.follow(ctx, say) }()
	err = r.Serve(ctx, l)
	stop()
	<-followed
	if err != nil {
		return failed(op, l.Addr().String(), err)
	}
	if !a.flags.json {
		s := r.Stats()
		a.errs.line(a.errs.dim("gpx serve: " + count(s.Requests, "request", "requests") + ", " + size(s.Bytes)))
		for _, line := range relayNews(s) {
			a.errs.text("", "gpx serve: "+line)
		}
	}
	return nil
}

// listenFor opens the address, which is one of loopback unless the network may ask.
func listenFor(ctx context.Context, f serveFlags) (net.Listener, error) {
	const op = "serve"
	listen := relay.Listen
	if f.lan {
		listen = relay.ListenNetwork
	}
	l, err := listen(ctx, f.addr)
	switch {
	case errors.Is(err, relay.ErrNotLoopback):
		return nil, usage(op, "%v", err).hint("name a loopback address, as in --addr 127.0.0.1:3000; --lan lets other machines ask")
	case err != nil:
		return nil, failed(op, f.addr, err)
	}
	return l, nil
}

// warnOfNetwork says what other machines get. It goes to standard error, also with
// --json: who starts it must see it.
func (a *app) warnOfNetwork(l net.Listener, private bool) {
	left := "private modules (GOPRIVATE, GONOPROXY) are not given away"
	if private {
		left = "PRIVATE MODULES (GOPRIVATE, GONOPROXY) ARE AMONG THEM"
	}
	a.errs.text("", "gpx serve: "+a.errs.warn("other machines may ask at port "+portOf(l.Addr().String()))+
		": who has the token gets every module in the module cache, and what the upstreams give with your credentials; "+left)
}

// tokenForm is what a token may be: a path element that means itself, and long
// enough not to be guessed.
var tokenForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{16,200}$`) })

// tokenOf is the token that is asked for, "" for none.
func (a *app) tokenOf(f serveFlags) (string, error) {
	const op = "serve"
	if f.tokenFile == "" {
		if f.lan {
			return rand.Text(), nil
		}
		return "", nil
	}
	name, err := filepath.Abs(f.tokenFile)
	if err != nil {
		return "", failed(op, f.tokenFile, err)
	}
	data, err := bounded.ReadFile(name, 1<<10)
	if err != nil {
		return "", failed(op, f.tokenFile, err)
	}
	token := strings.TrimSpace(string(data))
	if !tokenForm().MatchString(token) { // which is not shown
		return "", usage(op, "%s holds no token", f.tokenFile).hint("16 to 200 letters, digits, - and _; make one with: head -c 24 /dev/urandom | base64 | tr +/ -_")
	}
	if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		a.errs.text("", "gpx serve: "+a.errs.warn("other users of this machine can read the token")+": chmod 600 "+f.tokenFile)
	}
	return token, nil
}

// servedLine is what --verbose says of a request.
func servedLine(s relay.Served) string {
	return fmt.Sprintf("%d %s %s  %s %s  %s", s.Status, s.Method, s.Path, size(s.Bytes), s.Took.Round(time.Millisecond), s.From)
}
