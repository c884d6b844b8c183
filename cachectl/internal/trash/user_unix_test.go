//go:build unix

package trash

import (
	"testing"

	"gpx/cachectl/internal/nobody"
)

// The go command makes what nobody may write to, and so a user removes it.
func TestAsAnotherUser(t *testing.T) { nobody.Tests(t, "") }
