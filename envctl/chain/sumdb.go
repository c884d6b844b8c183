package chain

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"gpx/envctl/redact"
)

// A SumDB is a GOSUMDB value that the go command would use.
type SumDB struct {
	Value string // as it was given
	Name  string // the database's name, a host with an optional path
	Key   string // its verifier key
	URL   string // where to dial; non-empty bypasses every proxy route
	Off   bool   // nothing is verified; the other fields but Value are empty
}

// knownKeys are the databases that can be named without a key
// (cmd/go/internal/modfetch/key.go).
var knownKeys = map[string]string{
	"sum.golang.org": "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
}

// aliases are whole values with another meaning.
var aliases = map[string]string{
	"sum.golang.google.cn": "sum.golang.org https://sum.golang.google.cn",
}

// ParseSumDB reads a GOSUMDB value as the go command does when it dials the
// database (cmd/go/internal/modfetch/sumdb.go, dbDial), with its messages.
// "off" is no error here: it is the value's meaning.
func ParseSumDB(value string) (SumDB, error) {
	db := SumDB{Value: value}
	text := value
	if a, ok := aliases[value]; ok {
		text = a
	}
	if text == "off" {
		db.Off = true
		return db, nil
	}
	key := strings.Fields(text)
	if len(key) == 0 {
		return SumDB{}, errors.New("missing GOSUMDB")
	}
	if k := knownKeys[key[0]]; k != "" {
		key[0] = k
	}
	if len(key) > 2 {
		return SumDB{}, errors.New("invalid GOSUMDB: too many fields")
	}
	v, err := note.NewVerifier(key[0])
	if err != nil {
		return SumDB{}, fmt.Errorf("invalid GOSUMDB: %s", redact.Text(err.Error()))
	}
	db.Name, db.Key = v.Name(), key[0]
	// A name that has more to it than a host and a path could send the client
	// somewhere else.
	direct, err := url.Parse("https://" + db.Name)
	if err != nil {
		// Here the go command dereferences a nil URL for its message and dies.
		return SumDB{}, fmt.Errorf("invalid sumdb name (must be host[/path]): %s", redact.Text(db.Name))
	}
	if strings.HasSuffix(db.Name, "/") || direct.RawPath != "" || direct.Host == "" ||
		*direct != (url.URL{Scheme: "https", Host: direct.Host, Path: direct.Path}) {
		return SumDB{}, fmt.Errorf("invalid sumdb name (must be host[/path]): %s", redact.Text(fmt.Sprintf("%s %+v", db.Name, *direct)))
	}
	if len(key) == 2 {
		if _, err := url.Parse(key[1]); err != nil {
			return SumDB{}, fmt.Errorf("invalid GOSUMDB URL: %v", parseError(err))
		}
		db.URL = key[1]
	}
	return db, nil
}

// Direct is where the client dials when no hop serves the database.
func (d SumDB) Direct() string { return "https://" + d.Name }
