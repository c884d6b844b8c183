package probe

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"os/exec"
	"regexp"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// gitEnv is the environment in which git is run: it may not ask, on a terminal or
// in a window, and speaks the language that classifyGit reads. Apart from that it
// is the user's, so that insteadOf rules, credential helpers and ssh keys work as
// they do under the go command (cmd/go/internal/modload/init.go).
func gitEnv(environ []string) []string {
	getenv := lookupIn(environ)
	set := map[string]string{
		"GIT_TERMINAL_PROMPT": "0",
		"GIT_ASKPASS":         "", // set and empty: no other askpass is looked for
		"SSH_ASKPASS":         "",
		"SSH_ASKPASS_REQUIRE": "never",
		"GCM_INTERACTIVE":     "never",
		"LC_ALL":              "C",
		"LANGUAGE":            "",
	}
	if getenv("GIT_SSH") == "" && getenv("GIT_SSH_COMMAND") == "" {
		set["GIT_SSH_COMMAND"] = "ssh -o ControlMaster=no -o BatchMode=yes"
	}
	env := make([]string, 0, len(environ)+len(set))
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if _, ok := set[envName(name)]; !ok {
			env = append(env, kv)
		}
	}
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env
}

// lsRemote asks a repository for its head, and for one tag where tag is not empty.
func (p *Prober) lsRemote(ctx context.Context, repo, tag string) (hasTag bool, f finding) {
	argv := []string{"git", "ls-remote", "-q", "--end-of-options", repo, "HEAD"}
	if tag != "" {
		argv = append(argv, "refs/tags/"+tag)
	}
	out, err := runProcess(ctx, process{
		dir: gitDir, env: gitEnv(p.environ), limit: int(p.cfg.BodyLimit), argv: argv,
	})
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return false, finding{ConfigInvalid, LayerConfig, "git is not installed: version control cannot be used"}
	case errors.Is(err, context.Canceled):
		return false, finding{ClassUnknown, LayerConfig, "the probe was given up"}
	case err != nil && ctx.Err() != nil:
		return false, finding{Timeout, LayerHTTP, "git ls-remote " + repo + ": no answer in time"}
	case err != nil:
		return false, classifyGit(string(out.stderr))
	}
	return strings.Contains(string(out.stdout), "\trefs/tags/"+tag), finding{OK, LayerContent, ""}
}

// gitDir is where git is started: nobody's repository, so that no local
// configuration applies.
const gitDir = "/"

// gitSays maps what git, curl and ssh print to classes. They have no other way to
// say it. The first match counts; text is compared in lower case.
var gitSays = []struct {
	text  string
	class Class
	layer Layer
}{
	{"could not resolve proxy", ForwardProxyDown, LayerDNS},
	{"from proxy after connect", ForwardProxyDown, LayerHTTP},
	{"could not resolve host", DNSNotFound, LayerDNS},
	{"name or service not known", DNSNotFound, LayerDNS},
	{"no address associated with hostname", DNSNotFound, LayerDNS},
	{"temporary failure in name resolution", DNSFailure, LayerDNS},
	{"connection refused", Refused, LayerTCP},
	{"network is unreachable", Unreachable, LayerTCP},
	{"no route to host", Unreachable, LayerTCP},
	{"connection timed out", ConnectTimeout, LayerTCP},
	{"operation timed out", ConnectTimeout, LayerTCP},
	{"failed to connect to", Refused, LayerTCP},
	{"couldn't connect to server", Refused, LayerTCP},
	{"certificate has expired", TLSExpired, LayerTLS},
	{"certificate is not yet valid", TLSExpired, LayerTLS},
	{"subject name", TLSHostname, LayerTLS},
	{"does not match target host name", TLSHostname, LayerTLS},
	{"ssl certificate problem", TLSUntrusted, LayerTLS},
	{"certificate verification failed", TLSUntrusted, LayerTLS},
	{"host key verification failed", TLSUntrusted, LayerTLS},
	{"gnutls_handshake", TLSHandshake, LayerTLS},
	{"ssl_connect", TLSHandshake, LayerTLS},
	{"ssl routines", TLSHandshake, LayerTLS},
	{"wrong version number", TLSHandshake, LayerTLS},
	{"connection reset", Reset, LayerHTTP},
	{"empty reply from server", EOF, LayerHTTP},
	{"authentication failed", AuthRequired, LayerHTTP},
	{"terminal prompts disabled", AuthRequired, LayerHTTP},
	{"could not read username", AuthRequired, LayerHTTP},
	{"could not read password", AuthRequired, LayerHTTP},
	{"permission denied (", AuthRequired, LayerHTTP},
	{"returned error: 401", AuthRequired, LayerHTTP},
	{"returned error: 403", Forbidden, LayerHTTP},
	{"returned error: 404", NotFound, LayerHTTP},
	{"returned error: 410", NotFound, LayerHTTP},
	{"returned error: 429", RateLimited, LayerHTTP},
	{"returned error: 4", ClientError, LayerHTTP},
	{"returned error: 5", ServerError, LayerHTTP},
	{"repository not found", NotFound, LayerHTTP},
	{"does not appear to be a git repository", ProtocolInvalid, LayerProtocol},
	{"does not exist", ProtocolInvalid, LayerProtocol},
	{"not found", NotFound, LayerHTTP},
	{"not valid: is this a git repository", ProtocolInvalid, LayerProtocol},
	{"hung up unexpectedly", EOF, LayerHTTP},
	{"early eof", Truncated, LayerHTTP},
	{"transport '", ConfigInvalid, LayerConfig},
}

// curlConnect is what newer versions of curl say of every failed connection,
// whatever the reason was.
var curlConnect = regexp.MustCompile(`Failed to connect to (\S+) port (\d+)`)

// classifyConnect finds out the reason that curl keeps to itself.
func (s *session) classifyConnect(ctx context.Context, f finding) finding {
	m := curlConnect.FindStringSubmatch(f.detail)
	if m == nil || f.class != Refused {
		return f
	}
	t := newTracker()
	conn, err := s.dial(httptrace.WithClientTrace(ctx, t.hooks()), "tcp", net.JoinHostPort(m[1], m[2]))
	if err == nil {
		conn.Close()
		return f
	}
	dialled := classify(ctx, err, t.now(), nil)
	return finding{dialled.class, dialled.layer, f.detail}
}

func classifyGit(stderr string) finding {
	low := strings.ToLower(stderr)
	detail := "git: " + gitLine(stderr)
	for _, s := range gitSays {
		if strings.Contains(low, s.text) {
			return finding{s.class, s.layer, detail}
		}
	}
	return finding{ProtocolInvalid, LayerProtocol, detail}
}

// gitLine is the line of git's errors that tells most.
func gitLine(stderr string) string {
	best := "git failed and said nothing"
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "fatal: ") || strings.HasPrefix(line, "ERROR: ") || strings.HasPrefix(line, "ssh: ") {
			return strings.TrimPrefix(line, "fatal: ")
		}
		if line != "" {
			best = line
		}
	}
	return best
}

// tagOf is the tag that a version of a module has in the repository at root, ""
// where the version is none that a tag names.
func tagOf(m module.Version, root string) string {
	v := strings.TrimSuffix(m.Version, "+incompatible")
	if !semver.IsValid(v) || module.IsPseudoVersion(v) || strings.HasPrefix(m.Path, "gopkg.in/") && semver.Build(v) != "" {
		return ""
	}
	path := m.Path
	if prefix, major, ok := module.SplitPathVersion(m.Path); ok && strings.HasPrefix(major, "/") {
		path = prefix
	}
	if dir := strings.Trim(strings.TrimPrefix(path, root), "/"); dir != "" && dir != path {
		return dir + "/" + v
	}
	return v
}
