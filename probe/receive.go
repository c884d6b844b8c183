package probe

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gpx/envctl/redact"
)

// detailRunes bounds what is shown of a body or an error: one line of a wide
// terminal.
const detailRunes = 200

// maxZip is the go command's own limit for a zip (modfetch/codehost.MaxZipFile).
const maxZip = 500 << 20

// maxHeaders bounds the headers of an answer. The go command takes net/http's
// 10 MiB; nobody sends a tenth of that in good faith.
const maxHeaders = 1 << 20

// receive reads a response and names its outcome. Like cmd/go/internal/web it
// reads the body of an error only when that is plain text.
func (x *exchange) receive(ctx context.Context, res *http.Response, t *tracker, limit int64) {
	t.enter(stBody)
	if res.TLS != nil {
		t.leaf(*res.TLS)
	}
	x.status = res.StatusCode
	media, params, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		x.retryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	}
	plain := media == "text/plain" && isUTF8(params["charset"])
	if res.StatusCode != http.StatusOK && !plain {
		x.finding = statusFinding(res.StatusCode)
		x.copy(t.now())
		return
	}
	body := &paced{r: res.Body}
	more, err := x.read(body, limit)
	x.copy(t.now())
	x.html, x.labelled = looksHTML(x.body), media == "text/html"
	switch {
	case err != nil && ctx.Err() != nil && limit > bodyMost && res.ContentLength > int64(len(x.body)) && body.moving():
		// A large file on a slow line. The go command has the patience.
		x.finding = finding{OK, LayerHTTP, "still arriving when the time was up: " + size(int64(len(x.body))) + " of " + size(res.ContentLength)}
		x.partial = true
	case err != nil:
		x.finding = classify(ctx, err, progress{stage: stBody, tunnel: true}, nil)
	case more && res.ContentLength < 0 && !x.html:
		x.finding = finding{TooLarge, LayerProtocol, "more than " + size(limit) + ", and no end in sight"}
	case more && !x.html:
		x.finding = finding{TooLarge, LayerProtocol, size(res.ContentLength) + " where at most " + size(limit) + " can be right"}
		x.size = res.ContentLength
	case res.StatusCode == http.StatusOK:
		x.finding = finding{OK, LayerHTTP, ""}
		x.whole = !more
	}
	cut := x.class == Truncated || x.class == Reset || x.class == EOF
	if res.StatusCode != http.StatusOK && (x.class == "" || x.class == OK || x.size > 0 || cut) {
		// A body that explains a status and breaks off does not change the status
		// (cmd/go/internal/web.Response.formatErrorDetail).
		x.finding = statusFinding(res.StatusCode)
		if line := firstLine(x.body); line != "" {
			x.detail += ": " + line
		}
	}
}

// bodyMost is the size above which a body may rightly take longer than one
// attempt.
const bodyMost = 64 << 10

// A paced reader knows when the last bytes came.
type paced struct {
	r    io.Reader
	last time.Time
	n    int64
}

func (p *paced) Read(data []byte) (int, error) {
	n, err := p.r.Read(data)
	if n > 0 {
		p.last = time.Now()
		p.n += int64(n)
	}
	return n, err
}

// moving reports that enough came, and lately.
func (p *paced) moving() bool { return p.n >= bodyMost && time.Since(p.last) < 500*time.Millisecond }

// read reads at most limit bytes and reports whether there was more.
func (x *exchange) read(r io.Reader, limit int64) (more bool, err error) {
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, limit+1))
	x.body = buf.Bytes()
	if n > limit {
		x.body = x.body[:limit]
		return true, nil
	}
	return false, err
}

// looksHTML reports whether a body begins like a web page. No file of the module
// proxy protocol begins with "<"; of the tiles of a checksum database, which are
// hashes, one in 256 does.
func looksHTML(body []byte) bool {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("<"))
}

func isUTF8(charset string) bool {
	switch strings.ToLower(charset) {
	case "", "utf-8", "us-ascii":
		return true
	}
	return false
}

// firstLine is the first line of a text that says something.
func firstLine(body []byte) string {
	for line := range strings.Lines(string(body[:min(len(body), 4096)])) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

// addSecret notes what must never be shown, also as a quotation of it would
// spell it.
func (x *exchange) addSecret(secrets ...string) {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		x.secrets = append(x.secrets, s)
		if q := strconv.Quote(s); q[1:len(q)-1] != s {
			x.secrets = append(x.secrets, q[1:len(q)-1])
		}
	}
}

// clean makes a detail fit to be shown. A server can echo what it was sent.
func (x *exchange) clean(detail string) string {
	scrub := func(text string) string {
		for _, s := range x.secrets {
			text = replaceSecret(text, s)
		}
		return text
	}
	// Cleaning can join what control characters kept apart, so scrub on both sides.
	return truncate(scrub(redact.Text(scrub(detail))), detailRunes)
}

// replaceSecret takes a secret out of text. One of up to three characters counts
// only where it stands alone: inside a word it says nothing.
func replaceSecret(text, secret string) string {
	const short = 3
	if len(secret) > short {
		return strings.ReplaceAll(text, secret, "xxxxx")
	}
	var b strings.Builder
	for {
		i := strings.Index(text, secret)
		if i < 0 || secret == "" {
			return b.String() + text
		}
		before, after := text[:i], text[i+len(secret):]
		b.WriteString(before)
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if isWord(last) || isWord(next) {
			b.WriteString(secret)
		} else {
			b.WriteString("xxxxx")
		}
		text = after
	}
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

func truncate(s string, runes int) string {
	if utf8.RuneCountInString(s) <= runes {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:runes-1])) + "…"
}

// userinfoSecrets are the forms in which a URL's credentials travel. A user name
// without a password is a token.
func userinfoSecrets(u *url.Userinfo) []string {
	if u == nil {
		return nil
	}
	name := u.Username()
	password, ok := u.Password()
	secrets := []string{u.String(), base64.StdEncoding.EncodeToString([]byte(name + ":" + password)), password, url.QueryEscape(password), url.PathEscape(password)}
	if !ok || password == "" {
		secrets = append(secrets, name)
	}
	return secrets
}

// headerSecrets are the secrets in the values of a header, basic credentials
// also decoded.
func headerSecrets(h http.Header) []string {
	var secrets []string
	for _, values := range h {
		for _, v := range values {
			secrets = append(secrets, v)
			scheme, token, ok := strings.Cut(v, " ")
			if !ok {
				continue
			}
			secrets = append(secrets, strings.TrimSpace(token))
			if !strings.EqualFold(scheme, "basic") {
				continue
			}
			if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token)); err == nil {
				name, password, _ := strings.Cut(string(raw), ":")
				secrets = append(secrets, userinfoSecrets(url.UserPassword(name, password))...)
			}
		}
	}
	return secrets
}
