// Package sumdb looks module versions up in a checksum database, as the go
// command does, and writes nothing: neither tiles nor the remembered tree head
// change, whatever is asked.
//
//	GOMODCACHE/cache/download/sumdb/NAME/lookup/M@V   a record, and the signed tree head that it came with
//	GOMODCACHE/cache/download/sumdb/NAME/tile/8/…     hashes that prove records and heads
//	$GOPATH/pkg/sumdb/NAME/latest                     the largest signed head that the go command has seen
//
// The client is golang.org/x/mod/sumdb's, the go command's own; what is here is
// where it reads (cmd/go/internal/modfetch/sumdb.go, dbClient), and which of
// three very different things a failed lookup means: that nobody could be asked
// ([ErrUnavailable]), that the database knows no such version ([ErrUnknown]), or
// that an answer does not prove itself ([ErrUntrusted]).
package sumdb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// What a failed lookup means; an [Error] is one of them.
var (
	// ErrUnavailable: what is on disk does not suffice, and nobody who was
	// asked could answer. It says nothing about the module.
	ErrUnavailable = errors.New("the checksum database cannot be asked")
	// ErrUnknown: the database was asked and has no record of the version.
	ErrUnknown = errors.New("the checksum database knows no such version")
	// ErrUntrusted: an answer has a signature, a hash or a history that is not
	// the database's, or is about something else. Somebody lies, or a file that
	// the go command keeps is damaged.
	ErrUntrusted = errors.New("the checksum database contradicts itself")
	// ErrSkipped: the module is one that the database is never asked about.
	ErrSkipped = errors.New("not looked up in the checksum database (GONOSUMDB or GOPRIVATE)")
	// ErrOff: GOSUMDB=off, so there is no database.
	ErrOff = errors.New("the checksum database is switched off (GOSUMDB=off)")
)

// An Error is a lookup that failed. [errors.Is] tells which of the errors of
// this package it is.
type Error struct {
	Module module.Version
	DB     string // the database's name
	Kind   error  // ErrUnavailable, ErrUnknown, ErrUntrusted or ErrSkipped
	Local  bool   // everything that was read lies on this machine
	Err    error  // what is behind it; may be nil
}

func (e *Error) Error() string {
	text := redact.Clean(e.Module.String()) + ": " + e.Kind.Error()
	if e.Err != nil {
		text += ": " + redact.Text(e.Err.Error())
	}
	if e.Local && e.Kind == ErrUntrusted {
		text += "; all of it was read from this machine: move GOMODCACHE/cache/download/sumdb/" + redact.Clean(e.DB) + " away and look it up again"
	}
	return text
}

// Unwrap makes the error one of its kind, and of what is behind it.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// Options say which database is asked, and where its answers are.
type Options struct {
	DB     chain.SumDB
	Cache  string // GOMODCACHE/cache/download/sumdb; "" for none
	Config string // $GOPATH/pkg/sumdb

	// Remote asks the database for a path that begins with /lookup/ or /tile/,
	// bounded in time and size. An error that wraps fs.ErrNotExist says that
	// the database answered and has no such file. Nil: nobody is asked.
	Remote func(ctx context.Context, path string) ([]byte, error)

	// Skip says which modules are never asked about. Nil: none.
	Skip func(path string) bool

	// Used is told every file that a successful lookup was proven with, once
	// each: its name below Cache ("NAME/lookup/…", "NAME/tile/…") and its
	// bytes. It is called by one goroutine at a time.
	Used func(name string, data []byte)

	// Fresh begins without a remembered tree head, as a machine that never
	// asked before.
	Fresh bool
	// Alone is content with a record that is proven in the tree head that it
	// came with, where the files are not at hand that compare this head with
	// the remembered one. The database's signature is checked, so it did say
	// so; that it tells everybody the same is not. The go command would fail.
	Alone bool
	// Head proves every record in this signed tree head, whatever head it came
	// with, and hands it to Used as if it had come with Head. Records proven in
	// one head need no tiles of others, so that a tree of files that holds
	// these answers a fresh client in any order. It implies Fresh.
	Head []byte
}

// Of is the database that the go command uses in e, read from disk alone. The
// caller may add a Remote.
func Of(e *env.Env) (Options, error) {
	db, err := e.SumDB()
	if err != nil {
		return Options{}, fmt.Errorf("checksum database: %w", err)
	}
	if db.Off {
		return Options{}, ErrOff
	}
	o := Options{DB: db, Skip: func(path string) bool { return !Verifies(e, path) }}
	if dir := e.Get("GOMODCACHE"); dir != "" {
		o.Cache = filepath.Join(dir, "cache", "download", "sumdb")
	}
	// cmd/go/internal/cfg: SumdbDir is below the first entry of GOPATH.
	if list := filepath.SplitList(e.Get("GOPATH")); len(list) > 0 {
		o.Config = filepath.Join(list[0], "pkg", "sumdb")
	}
	return o, nil
}

// Verifies reports whether the go command asks the checksum database about a
// module that no go.sum line vouches for (cmd/go/internal/modfetch, useSumDB).
// Toolchains are always verified, except out of a single file tree.
func Verifies(e *env.Env, path string) bool {
	proxy := e.Get("GOPROXY")
	if path == "golang.org/toolchain" && (!strings.HasPrefix(proxy, "file://") || strings.ContainsAny(proxy, ",|")) {
		return true
	}
	return e.Get("GOSUMDB") != "off" && !module.MatchPrefixPatterns(e.NoSumDB(), path)
}
