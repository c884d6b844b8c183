package buildcache

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
)

// How much is read of an output to tell its kind: enough for the headers below,
// and for the last line of a test's output ("ok  \t<package>\t<time>\t…").
const (
	headSize = 64
	tailSize = 512
)

// testLog begins the list of files and variables that a test looked at
// (cmd/go/internal/test, testlogMagic).
var testLog = []byte("# test log\n")

// kindOf tells what an output holds from its first and its last bytes.
func kindOf(head, tail []byte) Kind {
	switch {
	case bytes.HasPrefix(head, []byte("!<arch>\n__.PKGDEF")):
		return Archive
	case isExecutable(head):
		return Executable
	case bytes.HasPrefix(head, testLog), endsTest(tail):
		return TestResult
	default:
		return Other
	}
}

// isExecutable knows programs of ELF, Mach-O and PE, and tells them from object
// files with the same magic.
func isExecutable(head []byte) bool {
	if len(head) < headSize {
		return false
	}
	little, big := binary.LittleEndian, binary.BigEndian
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		order := binary.ByteOrder(little)
		if head[5] == 2 { // EI_DATA is ELFDATA2MSB
			order = big
		}
		kind := order.Uint16(head[16:])
		return kind == 2 || kind == 3 // ET_EXEC, ET_DYN
	case little.Uint32(head) == 0xfeedface, little.Uint32(head) == 0xfeedfacf:
		return little.Uint32(head[12:]) == 2 // MH_EXECUTE
	case bytes.HasPrefix(head, []byte("MZ")):
		return true
	}
	return false
}

// endsTest applies the go command's own test of a cached test result
// (cmd/go/internal/test, tryCacheWithID): its last line begins with "ok".
func endsTest(tail []byte) bool {
	text, ended := bytes.CutSuffix(tail, []byte("\n"))
	last := text[bytes.LastIndexByte(text, '\n')+1:]
	return ended && bytes.HasPrefix(last, []byte("ok  \t"))
}

// readKind looks into an output, named below root.
func readKind(root *os.Root, name string, size int64) (Kind, error) {
	f, err := root.Open(name)
	if err != nil {
		return Other, err
	}
	defer f.Close()
	var buf [headSize + tailSize]byte
	head := buf[:min(size, headSize)]
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return Other, err
	}
	head = head[:n]
	if k := kindOf(head, nil); k != Other {
		return k, nil
	}
	tail := buf[headSize : headSize+min(size, tailSize)]
	n, err = f.ReadAt(tail, size-int64(len(tail)))
	if err != nil && err != io.EOF {
		return Other, err
	}
	return kindOf(head, tail[:n]), nil
}
