//go:build !windows

package probe

import "errors"

// hostPath is the path of a file URL with a host part.
func hostPath(host, path string) (string, error) {
	if host != "" && host != "localhost" {
		return "", errors.New("file URL that names another host")
	}
	return path, nil
}
