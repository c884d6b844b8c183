package buildcache

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseName(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for _, c := range []struct {
		name, shard, file string
		ok                bool
	}{
		{"an action", "0a", id + "-a", true},
		{"an output", "0a", id + "-d", true},
		{"another suffix", "0a", id + "-x", false},
		{"capital letters", "0a", strings.ToUpper(id) + "-a", false},
		{"another shard's", "0b", id + "-a", false},
		{"too short", "0a", id[1:] + "-a", false},
		{"no hexadecimal", "0a", "0a" + strings.Repeat("0g", 31) + "-a", false},
		{"nothing", "0a", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, kind, ok := ParseName(c.shard, c.file)
			if ok != c.ok {
				t.Fatalf("ok %v, want %v", ok, c.ok)
			}
			if ok && (got.String() != id || got.Shard() != c.shard || !strings.HasSuffix(c.file, "-"+string(kind))) {
				t.Errorf("read %v %c", got, kind)
			}
		})
	}
}

// entryLine is an action entry.
func entryLine(action, output ID, size, nano int64) string {
	return string(Entry{Action: action, Output: output, Size: size, Time: time.Unix(0, nano)}.Text())
}

func TestParseEntry(t *testing.T) {
	a, o := ID{1, 2}, ID{3, 4}
	good := entryLine(a, o, 123, 1_700_000_000_123_456_789)
	// DiskCache.putIndexEntry.
	if want := fmt.Sprintf("v1 %x %x %20d %20d\n", a[:], o[:], 123, 1_700_000_000_123_456_789); good != want {
		t.Fatalf("an entry is written as %q, want %q", good, want)
	}
	e, err := ParseEntry([]byte(good))
	if err != nil || e.Action != a || e.Output != o || e.Size != 123 || !e.Time.Equal(time.Unix(0, 1_700_000_000_123_456_789)) {
		t.Fatalf("read %+v, %v", e, err)
	}
	for name, bad := range map[string]string{
		"empty":             "",
		"cut short":         good[:100],
		"without its end":   good[:len(good)-1],
		"too long":          good + "\n",
		"another version":   "v2" + good[2:],
		"a broken ID":       strings.Replace(good, "v1 01", "v1 0x", 1),
		"capital letters":   strings.Replace(good, "v1 0102", "v1 0A02", 1),
		"a negative size":   strings.Replace(good, " 123 ", "-123 ", 1),
		"a size with a +":   strings.Replace(good, " 123 ", "+123 ", 1),
		"no size":           strings.Replace(good, "123 ", "    ", 1),
		"a size beyond all": entryLine(a, o, 0, 0)[:133] + strings.Repeat("9", 20) + entryLine(a, o, 0, 0)[153:],
		"blanks in a size":  strings.Replace(good, " 123 ", "1 23 ", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if bad == good {
				t.Fatal("the case changes nothing")
			}
			if e, err := ParseEntry([]byte(bad)); err == nil {
				t.Errorf("read %+v", e)
			}
		})
	}
}

// What is read is what the go command would write for it, byte for byte.
func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(entryLine(ID{1}, ID{2}, 3, 4)))
	f.Add([]byte(entryLine(ID{}, ID{}, 0, 0)))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEntry(data)
		if err != nil {
			return
		}
		again, err := ParseEntry(e.Text())
		if err != nil || again != e {
			t.Errorf("%q reads as %+v, which does not come back: %+v, %v", data, e, again, err)
		}
	})
}
