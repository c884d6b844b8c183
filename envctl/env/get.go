package env

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
)

// Get is the effective value of a variable, "" when it has none.
func (e *Env) Get(name string) string { v, _ := e.Lookup(name); return v.Value }

// Lookup finds a variable.
func (e *Env) Lookup(name string) (Var, bool) {
	i, ok := slices.BinarySearchFunc(e.Vars, name, func(v Var, name string) int { return strings.Compare(v.Name, name) })
	if !ok {
		return Var{Name: name, Shadowed: []Setting{}}, false
	}
	return e.Vars[i], true
}

// Below is the value that the variable has when neither the OS environment nor
// the user file sets it.
func (v Var) Below() string {
	if v.Origin != OS && v.Origin != User {
		return v.Value
	}
	for _, s := range v.Shadowed {
		if s.Origin != OS && s.Origin != User {
			return s.Value
		}
	}
	return ""
}

// Chain is the effective GOPROXY.
func (e *Env) Chain() (chain.Chain, error) { return chain.Parse(e.Get("GOPROXY")) }

// SumDB is the effective GOSUMDB.
func (e *Env) SumDB() (chain.SumDB, error) { return chain.ParseSumDB(e.Get("GOSUMDB")) }

// NoProxy is the effective GONOPROXY: the patterns of modules that go straight
// to version control.
func (e *Env) NoProxy() string { return e.Get("GONOPROXY") }

// NoSumDB is the effective GONOSUMDB: the patterns of modules that are not
// looked up in the checksum database.
func (e *Env) NoSumDB() string { return e.Get("GONOSUMDB") }

// decisive are the variables that decide how modules are downloaded and
// verified; the second list is of the OS environment alone.
var (
	decisive   = []string{"GO111MODULE", "GOAUTH", "GOFLAGS", "GOINSECURE", "GOMOD", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN", "GOVCS", "GOVERSION", "GOWORK"}
	decisiveOS = []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)

// Digest is a short, stable name of the values that decide how modules are
// downloaded and verified: equal digests, equal behaviour. It is made of
// redacted values, so that nobody can try passwords against it; two
// environments that differ in a password alone have one digest.
func (e *Env) Digest() string {
	h := sha256.New()
	put := func(name, value string) {
		io.WriteString(h, name+"="+redact.Value(name, value)+"\x00")
	}
	for _, n := range decisive {
		put(n, e.Get(n))
	}
	for _, n := range decisiveOS {
		put(n, e.OSEnv(n))
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
