package probe

import (
	"errors"
	"path/filepath"
	"strings"
)

// hostPath is the path of a file URL: file:///C:/dir, or file://host/share/dir.
func hostPath(host, path string) (string, error) {
	switch host {
	case "", "localhost":
	default:
		return `\\` + host + filepath.FromSlash(path), nil
	}
	if !strings.HasPrefix(path, "/") {
		return "", errors.New("file URL whose path is not absolute")
	}
	path = filepath.FromSlash(path)
	if vol := filepath.VolumeName(path[1:]); vol == "" || strings.HasPrefix(vol, `\\`) {
		return "", errors.New("file URL without a drive letter")
	}
	return path[1:], nil
}
