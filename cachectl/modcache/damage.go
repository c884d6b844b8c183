package modcache

import (
	"fmt"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/redact"
)

// A Damage is what is wrong with one part of a version.
type Damage string

// The damages. What each means stands in [Damage.Words].
//
// A zip without .info is no damage, nor is one without .mod that nobody asked
// for: the go command fetches only what it needs (of 292 zips that it had
// downloaded for ten projects, 126 had no .info and one no .mod).
const (
	ZipTruncated   Damage = "zip_truncated"
	ZipInvalid     Damage = "zip_invalid"
	ZipChanged     Damage = "zip_changed"
	ZipMissing     Damage = "zip_missing"
	ZipHashInvalid Damage = "ziphash_invalid"
	ZipHashChanged Damage = "ziphash_changed"
	ZipHashMissing Damage = "ziphash_missing"
	TreeChanged    Damage = "tree_changed"
	TreeExtra      Damage = "tree_extra"
	TreeMissing    Damage = "tree_missing"
	TreePartial    Damage = "tree_partial"
	TreeInvalid    Damage = "tree_invalid"
	ModChanged     Damage = "mod_changed"
	ModMissing     Damage = "mod_missing"
	InfoInvalid    Damage = "info_invalid"
	SumMismatch    Damage = "sum_mismatch"
	SumDBMismatch  Damage = "sumdb_mismatch"
	Unreadable     Damage = "unreadable"
)

// damages says of each what it means, in the order in which a version's are
// listed: what endangers the user first.
var damages = []struct {
	damage Damage
	words  string
}{
	{SumDBMismatch, "it is not what the checksum database has of it"},
	{SumMismatch, "it is not what go.sum has of it"},
	{ZipChanged, "the zip was changed after it was downloaded"},
	{ZipTruncated, "the zip is cut short"},
	{ZipInvalid, "the zip is none that the go command would unpack"},
	{ZipMissing, "the hash of the zip is there, and neither the zip nor the tree"},
	{ZipHashInvalid, ".ziphash holds no hash"},
	{ZipHashChanged, ".ziphash holds the hash of something else"},
	{ZipHashMissing, "there is no .ziphash, so the go command trusts neither zip nor tree"},
	{TreeInvalid, "where the tree should be is something else"},
	{TreePartial, "the tree was not unpacked to its end"},
	{TreeChanged, "files of the tree were changed"},
	{TreeMissing, "files of the tree are missing"},
	{TreeExtra, "the tree has files that are not in the zip"},
	{ModChanged, "the .mod file was changed"},
	{ModMissing, "there was a .mod file, and it is gone"},
	{InfoInvalid, "the .info file is none of this version"},
	{Unreadable, "a file cannot be read"},
}

// Words is what the damage means, in words.
func (d Damage) Words() string {
	if i := d.rank(); i < len(damages) {
		return damages[i].words
	}
	return string(d)
}

// rank is the damage's place in the list.
func (d Damage) rank() int {
	for i, row := range damages {
		if row.damage == d {
			return i
		}
	}
	return len(damages)
}

// A Bad is one damage of one version. All text in it is clean.
type Bad struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	What    Damage `json:"what"`
	Want    string `json:"want"` // a hash, or what should be there; "" where nobody knows
	Got     string `json:"got"`
	Detail  string `json:"detail"` // which files, how many, why
	// Mend is the one command that mends it, for a shell; Effect is what it
	// does, and what it needs.
	Mend   string `json:"mend"`
	Effect string `json:"effect"`

	module module.Version // as it is, for those who go on with it
}

// Module is the version, not cleaned for a screen.
func (b *Bad) Module() module.Version { return b.module }

// String is one line: what failed, on what, why, and what to do next.
func (b *Bad) String() string {
	s := b.Path + "@" + b.Version + ": " + b.What.Words()
	switch {
	case b.Want != "" && b.Got != "":
		s += fmt.Sprintf(" (%s, want %s)", b.Got, b.Want)
	case b.Want != "":
		s += fmt.Sprintf(" (want %s)", b.Want)
	case b.Got != "":
		s += fmt.Sprintf(" (%s)", b.Got)
	}
	if b.Detail != "" {
		s += ": " + b.Detail
	}
	if b.Mend == "" {
		return s + "; " + b.Effect
	}
	return s + "; mend it with: " + b.Mend
}

// someNames lists file names for a sentence, cleaned, at most five of n.
func someNames(names []string, n int) string {
	const most = 5
	var texts []string
	for _, name := range names[:min(len(names), most)] {
		texts = append(texts, redact.Clean(name))
	}
	if n > len(texts) {
		texts = append(texts, fmt.Sprintf("and %d more", n-len(texts)))
	}
	return strings.Join(texts, ", ")
}
