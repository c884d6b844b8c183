package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"gpx/envctl/advice"
	"gpx/envctl/redact"
)

// advised says what to do about an error of the file system that an export out
// of the cache met, where that is not said yet.
func advised(err error, cache string) error {
	var p *fs.PathError
	switch {
	case advice.Of(err) != "":
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return advice.Add(err, "free some space, or name another place")
	case errors.Is(err, fs.ErrPermission) && errors.As(err, &p) && inside(cache, p.Path):
		return advice.Add(err, "make it readable, or export what can be read by naming it")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return advice.Add(err, "name a place that can be written to")
	}
	return err
}

// checkPlace fails where there is no folder for a file or a folder out.
func checkPlace(out string) error {
	dir := filepath.Dir(out)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("there is no folder %s", redact.Clean(dir))
	case err == nil && !info.IsDir(), errors.Is(err, syscall.ENOTDIR):
		err = fmt.Errorf("%s is no folder", redact.Clean(dir))
	default:
		return err
	}
	return advice.Add(err, "make it first, or name another place")
}
