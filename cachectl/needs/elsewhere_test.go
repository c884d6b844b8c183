package needs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWorksElsewhere(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "mod")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Mkdir(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(cache, link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		environ []string
		want    bool
	}{
		{"no environment", nil, false},
		{"the variable is not there, so a file decides", []string{"HOME=/home/me", "XGOMODCACHE=/other"}, false},
		{"empty is as good as not there", []string{"GOMODCACHE="}, false},
		{"this cache", []string{"HOME=/home/me", "GOMODCACHE=" + cache}, false},
		{"this cache by another way", []string{"GOMODCACHE=" + link}, false},
		{"this cache, spelled differently", []string{"GOMODCACHE=" + cache + "/"}, false},
		{"another", []string{"GOMODCACHE=/other/mod", "HOME=/home/me"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := worksElsewhere([]byte(strings.Join(test.environ, "\x00")+"\x00"), cache); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
