// Package env reads the effective go environment and says where each value
// comes from.
//
// Precedence, highest first (cmd/go/internal/cfg):
//
//	os environment > user file (go env GOENV) > $GOROOT/go.env > default
//
// and some values are derived from others (GONOPROXY and GONOSUMDB from
// GOPRIVATE). The package reads; it never changes anything.
package env

// Origin says where an effective value comes from.
type Origin string

// The origins, highest precedence first.
const (
	OS      Origin = "os"      // the process environment
	User    Origin = "user"    // the file that go env -w writes
	GOROOT  Origin = "goroot"  // $GOROOT/go.env
	Default Origin = "default" // built into the go command
	Derived Origin = "derived" // computed from another variable
)

// Words says where a value comes from, for people.
func (o Origin) Words() string {
	switch o {
	case OS:
		return "this shell's environment"
	case User:
		return "go env -w"
	case GOROOT:
		return "$GOROOT/go.env"
	case Default:
		return "the toolchain's default"
	default:
		return string(o)
	}
}

// A Setting is a value at one origin.
type Setting struct {
	Origin Origin `json:"origin"`
	Value  string `json:"value"`
}

// A Var is one variable of go env.
type Var struct {
	Name     string    `json:"name"`
	Value    string    `json:"value"`
	Origin   Origin    `json:"origin"`
	Shadowed []Setting `json:"shadowed"` // values that this one hides, highest precedence first
}
