package probe

import (
	"fmt"
	"strings"

	"golang.org/x/mod/module"
)

// canarySums are what the checksum database says of [Canary], for hosts that are
// checked without it.
var canarySums = map[File]string{
	Zip: "h1:wsuoTGHzEhffawBOhz5CYhcrV4IdKZbEyZjBMuTp12o=",
	Mod: "h1:RxMgew5VJxzue5/jJTE5uejpjVlOe/izrB70Jof72aM=",
}

// SumsOf reads the go.sum lines of one module version, by file (.mod and .zip).
// Of several lines for a file the first counts, as in cmd/go.
func SumsOf(m module.Version, lines []string) map[File]string {
	sums := map[File]string{}
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != m.Path || !strings.HasPrefix(f[2], "h1:") {
			continue
		}
		file := Zip
		switch f[1] {
		case m.Version:
		case m.Version + "/go.mod":
			file = Mod
		default:
			continue
		}
		if sums[file] == "" {
			sums[file] = f[2]
		}
	}
	return sums
}

// compareSum turns a .mod or .zip whose hash is known to be another into a
// mismatch.
func compareSum(r *Result, f File, known map[File]string) {
	want, ok := known[f]
	if !ok || r.Sum == "" || r.Sum == want {
		return
	}
	r.Class, r.Layer = ChecksumMismatch, LayerContent
	r.Detail = fmt.Sprintf("%s is %s, and should be %s", describe(f), r.Sum, want)
}
