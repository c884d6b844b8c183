// Package tui is gpx's screen.
//
//	╭ header: can I build? ───────────────────────────────╮
//	│ tabs                                                │
//	│ view: rows                                          │
//	│ view: the selected row in words                     │
//	│ message line                                        │
//	╰ footer: the keys that work here ────────────────────╯
//
// It reads snapshots from a [Source] and does everything else through
// [Services]; it opens no file, runs no command and asks no network. Every
// frame is exactly as wide and as high as the terminal.
package tui

import (
	"context"
	"errors"
	"io"
	"time"

	"gpx/tui/view"
)

// These types live in the package that the views share.
type (
	Services = view.Services
	Source   = view.Source
	Status   = view.Status
	Profile  = view.Profile
	Choice   = view.Choice
)

// A Mode says what kind of stream the source is.
type Mode string

// The modes.
const (
	Live   Mode = ""       // this machine, now
	Demo   Mode = "DEMO"   // a lab outage; changes stay in the lab
	Replay Mode = "REPLAY" // recorded; nothing can be changed
)

// Config is everything that Run needs.
type Config struct {
	Source   Source
	Services Services
	Mode     Mode

	GoVersion string // "go1.26.8"; "" until known
	Project   string // the project folder as the header shows it: "~/src/app"

	Theme   string // "dark" or "light"; "" means: look at COLORFGBG, else dark
	NoColor bool   // also set it when NO_COLOR is in the environment
	ASCII   bool   // nothing but ASCII in every frame
	NoMouse bool   // start with the mouse released
	Environ []string

	Now    func() time.Time // nil: time.Now
	Input  io.Reader        // nil: standard input
	Output io.Writer        // nil: standard output
}

// Run shows the screen until the user quits or ctx ends. Everything that it
// started has stopped when it returns.
func Run(ctx context.Context, c Config) error {
	return errors.New("tui: the screen is not there yet")
}

// KeyTable returns every key of the screen as a Markdown table.
func KeyTable() string { return "" }
