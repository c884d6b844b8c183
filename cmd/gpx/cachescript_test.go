package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdSameBytes compares a number in the JSON on stdout with the one in a file.
func cmdSameBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: samebytes PATH FILE")
	}
	cmdJSONField(ts, false, []string{args[0], strings.TrimSpace(ts.ReadFile(args[1]))})
}

// cmdOldCache makes a build cache of ten outputs that nobody has used for a
// hundred days, and one that was used just now.
func cmdOldCache(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: oldcache DIR")
	}
	for i := range 11 {
		output := fmt.Appendf(nil, "output %d\n%s", i, strings.Repeat("x", 10_000))
		out, act := sha256.Sum256(output), sha256.Sum256([]byte{byte(i)})
		entry := fmt.Appendf(nil, "v1 %x %x %20d %20d\n", act, out, len(output), time.Now().UnixNano())
		for name, data := range map[string][]byte{fmt.Sprintf("%x-d", out): output, fmt.Sprintf("%x-a", act): entry} {
			file := filepath.Join(ts.MkAbs(args[0]), name[:2], name)
			ts.Check(os.MkdirAll(filepath.Dir(file), 0o777))
			ts.Check(os.WriteFile(file, data, 0o666))
			if i > 0 {
				used := time.Now().Add(-100 * 24 * time.Hour)
				ts.Check(os.Chtimes(file, used, used))
			}
		}
	}
}
