package probe

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// A netrcLine is one login of a netrc file.
type netrcLine struct{ machine, login, password string }

// netrcPath is the file that NETRC names, or the one in the home directory.
func netrcPath(getenv func(string) string) (string, error) {
	if path := getenv("NETRC"); path != "" {
		return path, nil
	}
	home := getenv(homeVariable)
	if home == "" {
		return "", errors.New("no home directory: " + homeVariable + " is not set")
	}
	if legacy := filepath.Join(home, "_netrc"); runtime.GOOS == "windows" {
		if _, err := os.Stat(legacy); err == nil {
			return legacy, nil
		}
	}
	return filepath.Join(home, ".netrc"), nil
}

// parseNetrc reads what cmd/go/internal/auth reads of a netrc file: complete
// machine entries. "default" entries are not used, and macros are skipped.
func parseNetrc(data string) []netrcLine {
	var (
		lines   []netrcLine
		l       netrcLine
		inMacro bool
	)
	for line := range strings.SplitSeq(data, "\n") {
		if inMacro {
			inMacro = line != ""
			continue
		}
		f := strings.Fields(line)
		for ; len(f) >= 2; f = f[2:] {
			switch f[0] {
			case "machine":
				l = netrcLine{machine: f[1]}
			case "login":
				l.login = f[1]
			case "password":
				l.password = f[1]
			case "macdef":
				inMacro = true
			}
			if l.machine != "" && l.login != "" && l.password != "" {
				lines = append(lines, l)
				l = netrcLine{}
			}
		}
		if len(f) == 1 && f[0] == "default" {
			break
		}
	}
	return lines
}

// parseCredentials reads a GOAUTH command's output: blocks of URLs, an empty
// line, headers, an empty line.
func parseCredentials(data string) (map[string]http.Header, error) {
	found := map[string]http.Header{}
	lines := strings.Split(data, "\n")
	block := func() ([]string, error) {
		for i, line := range lines {
			if line == "" && i < len(lines)-1 {
				b := lines[:i]
				lines = lines[i+1:]
				return b, nil
			}
		}
		return nil, errors.New("invalid output: an empty line is missing")
	}
	for len(lines) > 1 || lines[0] != "" {
		urls, err := block()
		if err != nil {
			return nil, err
		}
		headers, err := block()
		if err != nil {
			return nil, err
		}
		h := http.Header{}
		for _, line := range headers {
			name, value, ok := strings.Cut(line, ": ")
			value = strings.TrimSpace(value)
			if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				return nil, errors.New("invalid output: a header line is malformed")
			}
			h.Add(name, value)
		}
		for _, raw := range urls {
			u, err := url.ParseRequestURI(raw)
			if err != nil {
				return nil, errors.New("invalid output: a URL line is malformed")
			}
			found[u.String()] = h.Clone()
		}
	}
	return found, nil
}

// parseGitCredential reads the output of `git credential fill`.
func parseGitCredential(data string) (prefix, name, password string) {
	u := new(url.URL)
	for line := range strings.Lines(data) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		switch key {
		case "protocol":
			u.Scheme = value
		case "host":
			u.Host = value
		case "path":
			u.Path = value
		case "username":
			name = value
		case "password":
			password = value
		case "url":
			if whole, err := url.ParseRequestURI(value); err == nil {
				u = whole
			}
		}
	}
	return u.String(), name, password
}

// splitQuoted splits a command line at blanks; a word may stand in single or
// double quotes, without escapes (cmd/internal/quoted).
func splitQuoted(s string) ([]string, error) {
	var words []string
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" {
			return words, nil
		}
		if q := s[0]; q == '\'' || q == '"' {
			end := strings.IndexByte(s[1:], q)
			if end < 0 {
				return nil, fmt.Errorf("unterminated %c quote", q)
			}
			words = append(words, s[1:1+end])
			s = s[2+end:]
			continue
		}
		end := strings.IndexAny(s, " \t\r\n")
		if end < 0 {
			end = len(s)
		}
		words = append(words, s[:end])
		s = s[end:]
	}
}
