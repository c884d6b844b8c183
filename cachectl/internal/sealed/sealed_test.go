package sealed

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Whatever is cut off a sealed file, and wherever it is changed, it is none.
func TestWhatIsCutOrChangedIsNotRead(t *testing.T) {
	data := Bytes("kind", []byte("what it holds\n"))
	if body, err := Open("kind", data); err != nil || string(body) != "what it holds\n" {
		t.Fatalf("%q, %v", body, err)
	}
	for i := range data {
		if _, err := Open("kind", data[:i]); !errors.Is(err, ErrNotSealed) {
			t.Errorf("cut at %d: %v", i, err)
		}
		changed := slices.Clone(data)
		changed[i] ^= 1
		if _, err := Open("kind", changed); !errors.Is(err, ErrNotSealed) {
			t.Errorf("changed at %d: %v", i, err)
		}
	}
	if _, err := Open("other", data); !errors.Is(err, ErrNotSealed) {
		t.Errorf("as another kind: %v", err)
	}
}

// What a killed process left of such a file goes with the next one; what another
// process is writing stays.
func TestWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "verified")
	for name, age := range map[string]time.Duration{"verified.1.tmp": 2 * time.Hour, "verified.2.tmp": 0, "other.1.tmp": 2 * time.Hour} {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte("half of it"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int{"a": 1}
	if err := WriteJSON(file, "kind", want); err != nil {
		t.Fatal(err)
	}
	var got map[string]int
	if err := ReadJSON(file, "kind", &got); err != nil || got["a"] != 1 {
		t.Errorf("%v, %v", got, err)
	}
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"other.1.tmp", "verified", "verified.2.tmp"}; !slices.Equal(names, want) {
		t.Errorf("%q stands there, want %q", names, want)
	}
}
