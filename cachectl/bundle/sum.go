package bundle

import (
	"encoding/base64"
	"strings"
)

// isSum reports whether s is a hash of the form h1:BASE64 of 32 bytes
// (x/mod/sumdb/dirhash, Hash1).
func isSum(s string) bool {
	text, ok := strings.CutPrefix(s, "h1:")
	raw, err := base64.StdEncoding.DecodeString(text)
	return ok && err == nil && len(raw) == 32
}
