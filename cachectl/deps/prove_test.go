package deps

import (
	"testing"

	"gpx/envctl/advice"
	"gpx/envctl/env"
)

func TestProveWithoutGo(t *testing.T) {
	_, err := Prove(t.Context(), Options{Env: &env.Env{}}, nil)
	if got := advice.Of(err); got != "install Go, or name it with PATH" {
		t.Errorf("%v: it advises %q", err, got)
	}
}
