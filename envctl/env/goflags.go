package env

import (
	"strings"
)

// Flag is the value of a flag of the go command in GOFLAGS, "" when it is not
// there: of several, the last one counts. A flag without a value is "true"
// (cmd/go/internal/base, SetFromGOFLAGS).
func (e *Env) Flag(name string) string {
	value := ""
	for _, f := range SplitFlags(e.Get("GOFLAGS")) {
		if n, v, has := cutFlag(unquote(f)); n == name {
			if value = v; !has {
				value = "true"
			}
		}
	}
	return value
}

// SplitFlags cuts a GOFLAGS value into its words, quotes and all. A word that
// begins with a quote ends at the next one of its kind (cmd/internal/quoted,
// Split).
func SplitFlags(goflags string) []string {
	const blank = " \t\n\r"
	var words []string
	for {
		goflags = strings.TrimLeft(goflags, blank)
		if goflags == "" {
			return words
		}
		end := strings.IndexAny(goflags, blank)
		if quote := goflags[0]; quote == '\'' || quote == '"' {
			end = -1
			if i := strings.IndexByte(goflags[1:], quote); i >= 0 {
				end = i + 2
			}
		}
		if end < 0 {
			return append(words, goflags)
		}
		words = append(words, goflags[:end])
		goflags = goflags[end:]
	}
}

// cutFlag splits -name=value or --name=value; has is false of one without a value.
func cutFlag(flag string) (name, value string, has bool) {
	return strings.Cut(strings.TrimPrefix(strings.TrimPrefix(flag, "-"), "-"), "=")
}

// unquote takes the quotes around a word away.
func unquote(word string) string {
	if n := len(word); n >= 2 && (word[0] == '\'' || word[0] == '"') && word[n-1] == word[0] {
		return word[1 : n-1]
	}
	return word
}
