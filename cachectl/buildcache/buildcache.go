// Package buildcache looks after a build cache (GOCACHE): what it holds, by age
// and by kind, what the go command's next trim will take, and what can be taken
// out of it beside running builds.
//
//	GOCACHE/
//	  00/ … ff/
//	    <id>-a   an action: "v1 <action> <output> <size> <unixnano>"
//	    <id>-d   an output, named by the SHA-256 of its bytes; an executable is a folder with one file
//	  trim.txt        when the go command last trimmed, Unix seconds
//	  testexpire.txt  test results older than this do not count, Unix nanoseconds
//	  fuzz/           corpora, which nothing can make again
//
// The rules are those of cmd/go/internal/cache (cache.go): a file's mtime is
// its last use, to within an hour.
package buildcache

import "time"

// A Kind is what an output holds, as far as its bytes tell.
type Kind string

// The kinds.
const (
	Archive    Kind = "archive"     // a compiled package
	Executable Kind = "executable"  // a linked program, for go run and go tool
	TestResult Kind = "test_result" // the log of a passed test
	Action     Kind = "action"      // the index entries
	Fuzz       Kind = "fuzz"        // corpora
	Other      Kind = "other"       // listings, vet facts, embedded files …
)

// An Age is what has not been used for some time.
type Age struct {
	OlderThan time.Duration
	Bytes     int64
}

// An Inventory is what a scan found. It is not changed once it was handed out.
type Inventory struct {
	Dir     string
	Bytes   int64 // of all regular files below Dir
	Files   int64
	Entries int64 // action entries
	ByKind  map[Kind]int64
	ByAge   []Age // 1 h, 1 d, 2 d, 5 d, 30 d
	At      time.Time

	LastTrim time.Time // zero: never
	NextTrim time.Time // the first instant at which a go command will trim
	TrimTake int64     // what that will take if nothing is used until then

	Problems []string
}
