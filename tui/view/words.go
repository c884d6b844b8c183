package view

import (
	"regexp"
	"strings"

	"gpx/probe"
)

// rawName finds what may be the name of a class: words joined by underscores
// that stand alone, not as a part of a path, a variable or a file name.
var rawName = regexp.MustCompile(`(^|[\s(])([a-z]+(?:_[a-z]+)+)($|[\s),.;:])`)

// Words writes every name of a class in text as words: "connect timeout", "TLS
// untrusted". The names themselves are for JSON.
func Words(text string) string {
	if !strings.Contains(text, "_") {
		return text
	}
	return rawName.ReplaceAllStringFunc(text, func(found string) string {
		m := rawName.FindStringSubmatch(found)
		if c := probe.Class(m[2]); c.Info().Class == c {
			return m[1] + ClassWords(c) + m[3]
		}
		return found
	})
}

// ClassWords is a class as people say it.
func ClassWords(c probe.Class) string {
	if c == "" {
		c = probe.ClassUnknown
	}
	words := strings.Split(string(c), "_")
	for i, w := range words {
		switch w {
		case "dns", "tls", "eof":
			words[i] = strings.ToUpper(w)
		}
	}
	return strings.Join(words, " ")
}
