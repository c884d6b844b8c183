package bounded

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestMakeRoom(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files int // each is newer than those before
		want  []string
	}{
		{"none", 0, nil},
		{"room for one more", 3, []string{"0", "1", "2"}},
		{"full", 4, []string{"1", "2", "3"}},
		{"fuller than it may be", 6, []string{"3", "4", "5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for i := range tt.files {
				name := filepath.Join(dir, fmt.Sprint(i))
				if err := os.WriteFile(name, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(name, time.Time{}, time.Unix(int64(1e9+i), 0)); err != nil {
					t.Fatal(err)
				}
			}
			MakeRoom(dir, 4)
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, d := range entries {
				left = append(left, d.Name())
			}
			if !slices.Equal(left, tt.want) {
				t.Errorf("%v are left, want %v", left, tt.want)
			}
		})
	}
	MakeRoom(filepath.Join(t.TempDir(), "none"), 4) // where nothing was kept yet
}
