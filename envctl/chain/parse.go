package chain

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"gpx/envctl/redact"
)

// errNoEntries is the go command's word for a list of blanks and separators.
var errNoEntries = errors.New("GOPROXY list is not the empty string, but contains no entries")

// Parse reads a GOPROXY value as the go command does when it uses it
// (cmd/go/internal/modfetch/proxy.go, proxyList) and fails where that fails,
// with the same message; credentials in it are redacted, and a likely slip is named.
//
// Blanks around entries, and empty entries, are read over. "direct" and "off"
// end the list; the text after their separator is kept in Ignored.
func Parse(value string) (Chain, error) {
	var c Chain
	rest := value
	for rest != "" {
		entry, sep := rest, Last
		if i := strings.IndexAny(rest, ",|"); i >= 0 {
			entry, sep, rest = rest[:i], Separator(rest[i:i+1]), rest[i+1:]
		} else {
			rest = ""
		}
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		h, err := ParseHop(entry)
		if err != nil {
			return Chain{}, err
		}
		h.Separator = sep
		c.Hops = append(c.Hops, h)
		if h.ends() {
			c.Ignored = rest
			break
		}
	}
	if len(c.Hops) == 0 {
		return Chain{}, errNoEntries
	}
	return c, nil
}

// ParseHop reads one entry of a GOPROXY value, without separators.
func ParseHop(entry string) (Hop, error) {
	entry = strings.TrimSpace(entry)
	switch entry {
	case "":
		return Hop{}, errors.New("empty GOPROXY entry")
	case "off":
		return Hop{URL: "off", Kind: Off}, nil
	case "direct":
		return Hop{URL: "direct", Kind: Direct}, nil
	}
	if strings.ContainsAny(entry, ",|") {
		return Hop{}, fmt.Errorf("one GOPROXY entry expected, not a list: %s", redact.URL(entry))
	}
	// A lone word is reserved for future meanings; what has ":/" in it, or is
	// an absolute path, must be a whole URL; the rest gets a scheme.
	if strings.ContainsAny(entry, ".:/") && !strings.Contains(entry, ":/") && !filepath.IsAbs(entry) && !path.IsAbs(entry) {
		entry = "https://" + entry
	}
	u, err := url.Parse(entry)
	if err != nil {
		err = parseError(err)
		if lacksSeparator(entry) {
			err = fmt.Errorf("%w%s", err, separatorHint)
		}
		return Hop{}, err
	}
	h := Hop{URL: entry, Kind: Proxy}
	switch u.Scheme {
	case "http", "https":
	case "file":
		if *u != (url.URL{Scheme: u.Scheme, Path: u.Path, RawPath: u.RawPath}) {
			return Hop{}, fmt.Errorf("invalid file:// proxy URL with non-path elements: %s", redacted(u))
		}
		h.Kind = File
	case "":
		return Hop{}, fmt.Errorf("invalid proxy URL missing scheme: %s", redacted(u))
	default:
		return Hop{}, fmt.Errorf("invalid proxy URL scheme (must be https, http, file): %s", redacted(u))
	}
	return h, nil
}

// separatorHint follows the go command's message: what redaction takes out of
// that is just what the user must see in "https://HOST:8080direct".
const separatorHint = ` (is a separator missing? entries are separated by "," or "|")`

// lacksSeparator reports whether an entry that is no URL looks like several
// entries.
func lacksSeparator(entry string) bool {
	return strings.Count(entry, "://") > 1 || strings.ContainsAny(entry, " \t;") ||
		strings.HasSuffix(entry, "direct") || strings.HasSuffix(entry, "off")
}

// redacted is u for a message. The go command prints url.URL.Redacted, which
// leaves a token in the place of a user name readable; here the whole userinfo
// goes.
func redacted(u *url.URL) string { return redact.URL(u.String()) }

// parseError is the error of url.Parse with the URL in it redacted: that error
// quotes its input, password included.
func parseError(err error) error {
	var ue *url.Error
	if !errors.As(err, &ue) {
		return errors.New(redact.Text(err.Error()))
	}
	return &url.Error{Op: ue.Op, URL: redact.URL(ue.URL), Err: errors.New(redact.Text(ue.Err.Error()))}
}

// New joins hops to a chain: the separators of all but the last are kept (a
// missing one is Comma, the stricter), the last one's goes.
func New(hops ...Hop) (Chain, error) {
	if len(hops) == 0 {
		return Chain{}, errNoEntries
	}
	var c Chain
	var joints []Separator
	for i, h := range hops {
		p, err := ParseHop(h.URL)
		if err != nil {
			return Chain{}, err
		}
		if p.ends() && i < len(hops)-1 {
			return Chain{}, fmt.Errorf("hop %d of %d is %q, which ends the chain: what follows would never be used", i+1, len(hops), p.URL)
		}
		c.Hops = append(c.Hops, p)
		if i < len(hops)-1 {
			joints = append(joints, h.Separator.orComma())
		}
	}
	return c.join(c.Hops, joints), nil
}

// ends reports whether the go command stops reading the list after h.
func (h Hop) ends() bool { return h.Kind == Direct || h.Kind == Off }

// Redacted is the hop's URL for display.
func (h Hop) Redacted() string { return redact.URL(h.URL) }

// String is the value that go env -w GOPROXY= is given. It may hold
// credentials.
func (c Chain) String() string {
	var b strings.Builder
	for _, h := range c.Hops {
		b.WriteString(h.URL)
		b.WriteString(string(h.Separator))
	}
	b.WriteString(c.Ignored)
	return b.String()
}

// Redacted is the chain for display.
func (c Chain) Redacted() string {
	var b strings.Builder
	for _, h := range c.Hops {
		b.WriteString(h.Redacted())
		b.WriteString(string(h.Separator))
	}
	b.WriteString(redact.Value("GOPROXY", c.Ignored))
	return b.String()
}
