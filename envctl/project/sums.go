package project

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// Sums are go.sum lines: hashes by module version. The version of a go.mod
// line ends in "/go.mod". Several hashes of one key are alternatives.
type Sums map[module.Version][]string

// Has reports whether there is a hash for m's zip.
func (s Sums) Has(m module.Version) bool { return len(s[m]) > 0 }

// HasGoMod reports whether there is a hash for m's go.mod.
func (s Sums) HasGoMod(m module.Version) bool { return s.Has(goMod(m)) }

func goMod(m module.Version) module.Version {
	return module.Version{Path: m.Path, Version: m.Version + "/go.mod"}
}

// emptyGoModHash is the hash of a go.mod without content, which old go
// commands wrote for modules that have none; the go command skips it.
const emptyGoModHash = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY="

// add reads the lines of a go.sum (cmd/go/internal/modfetch, readGoSum): three
// fields each, blank lines skipped. The go command stops at a line that has
// not three; here the others are kept, and the error names the lines.
func (s Sums) add(file string, data []byte) error {
	var bad []string
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 {
			bad = append(bad, fmt.Sprint(n))
			continue
		}
		if f[2] == emptyGoModHash {
			continue
		}
		m := module.Version{Path: f[0], Version: f[1]}
		if !slices.Contains(s[m], f[2]) {
			s[m] = append(s[m], f[2])
		}
	}
	if len(bad) == 0 {
		return nil
	}
	const most = 3
	more := ""
	if len(bad) > most {
		more = fmt.Sprintf(" and %d more", len(bad)-most)
		bad = bad[:most]
	}
	return errors.New(file + ":" + bad[0] + ": malformed go.sum: a line has module, version and hash; line " + strings.Join(bad, ", ") + more + " has not")
}
