package advice

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestOf(t *testing.T) {
	one := Add(fs.ErrPermission, "make %s writable", "it")
	for _, tt := range []struct {
		name       string
		err        error
		text, next string
	}{
		{"none", fs.ErrPermission, "permission denied", ""},
		{"one", one, "permission denied; make it writable", "make it writable"},
		{"with a head", fmt.Errorf("user file: %w", one), "user file: permission denied; make it writable", "make it writable"},
		{"with more behind it", fmt.Errorf("%w; nothing was changed", one), "permission denied; make it writable; nothing was changed", "make it writable"},
		{"two", Add(one, "ask somebody"), "permission denied; make it writable; ask somebody", "make it writable"},
		{"beside another error", errors.Join(fs.ErrExist, one), "file already exists\npermission denied; make it writable", "make it writable"},
		{"as text alone", errors.New(one.Error()), "permission denied; make it writable", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.text {
				t.Errorf("text %q, want %q", got, tt.text)
			}
			if got := Of(tt.err); got != tt.next {
				t.Errorf("next %q, want %q", got, tt.next)
			}
		})
	}
	if !errors.Is(one, fs.ErrPermission) {
		t.Error("why is out of reach")
	}
	if got := Of(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
