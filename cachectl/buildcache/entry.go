package buildcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// An ID names an action or an output.
type ID [sha256.Size]byte

// String is the ID as it stands in file names.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Shard is the folder that the files of id are in.
func (id ID) Shard() string { return hex.EncodeToString(id[:1]) }

// ActionFile is the name of the action entry id in its shard.
func (id ID) ActionFile() string { return id.String() + "-a" }

// OutputFile is the name of the output id in its shard.
func (id ID) OutputFile() string { return id.String() + "-d" }

// ParseName reads the name of a file in a shard: the ID, and 'a' or 'd'. It
// accepts what the go command writes and nothing else: no capital letters, and
// no ID that belongs into another shard.
func ParseName(shard, name string) (id ID, kind byte, ok bool) {
	const idLen = 2 * sha256.Size
	if len(name) != idLen+2 || name[idLen] != '-' || name[:2] != shard {
		return ID{}, 0, false
	}
	kind = name[idLen+1]
	if kind != 'a' && kind != 'd' {
		return ID{}, 0, false
	}
	return id, kind, parseHex(&id, name[:idLen])
}

// parseHex reads an ID, without capital letters.
func parseHex[T string | []byte](id *ID, s T) bool {
	if len(s) != 2*len(id) {
		return false
	}
	for i := range len(s) {
		var v byte
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			v = c - '0'
		case 'a' <= c && c <= 'f':
			v = c - 'a' + 10
		default:
			return false
		}
		id[i/2] = id[i/2]<<4 | v
	}
	return true
}

// An Entry is what an action entry says: the action's output, and when it was
// put there.
type Entry struct {
	Action ID
	Output ID
	Size   int64 // of the output, bytes
	Time   time.Time
}

// EntrySize is the size of every action entry: "v1 <action> <output> <size>
// <unixnano>\n", both numbers in 20 columns.
const EntrySize = 2 + 1 + 64 + 1 + 64 + 1 + 20 + 1 + 20 + 1

// Text is the entry as the go command writes it (DiskCache.putIndexEntry).
func (e Entry) Text() []byte {
	return fmt.Appendf(nil, "v1 %s %s %20d %20d\n", e.Action, e.Output, e.Size, e.Time.UnixNano())
}

var errEntry = errors.New("not an action entry")

// ParseEntry reads an action entry as the go command does (DiskCache.get),
// except that it wants the numbers as the go command writes them.
func ParseEntry(data []byte) (Entry, error) {
	if len(data) != EntrySize || !bytes.HasPrefix(data, []byte("v1 ")) || data[EntrySize-1] != '\n' {
		return Entry{}, errEntry
	}
	var e Entry
	if data[67] != ' ' || data[132] != ' ' || data[153] != ' ' ||
		!parseHex(&e.Action, data[3:67]) || !parseHex(&e.Output, data[68:132]) {
		return Entry{}, errEntry
	}
	size, err := parseNumber(data[133:153])
	if err != nil {
		return Entry{}, err
	}
	nano, err := parseNumber(data[154:174])
	if err != nil {
		return Entry{}, err
	}
	e.Size, e.Time = size, time.Unix(0, nano)
	return e, nil
}

// parseNumber reads a number that is padded with blanks on the left.
func parseNumber(field []byte) (int64, error) {
	digits := bytes.TrimLeft(field, " ")
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, errEntry
		}
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return 0, errEntry
	}
	return n, nil
}
