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
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aymanbagabas/go-osc52/v2"
	tea "github.com/charmbracelet/bubbletea"

	_ "gpx/tui/noquery" // before Bubble Tea's own init; main calls its Restore
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
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
	Live Mode = ""     // this machine, now
	Demo Mode = "DEMO" // a lab outage; changes stay in the lab
)

// Config is everything that Run needs.
type Config struct {
	Source   Source
	Services Services
	Mode     Mode

	// Incident is the number of the incident whose replay the screen starts with; 0
	// starts with what is now.
	Incident int64
	Speed    float64 // of that replay; 0 is the usual one

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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.Input == nil {
		c.Input = os.Stdin
	}
	if c.Output == nil {
		c.Output = os.Stdout
	}
	if _, ok := c.Output.(*os.File); !ok { // files are safe for two writers, others are made so
		c.Output = &lockedWriter{w: c.Output}
	}
	m := newModel(ctx, c, NewTheme(c))
	m.osc = func(text string) { _, _ = osc52.New(text).WriteTo(c.Output) }
	if c.Source != nil {
		snaps, end := c.Source.Subscribe()
		defer end()
		m.snaps = snaps
	}
	options := []tea.ProgramOption{
		tea.WithInput(c.Input), tea.WithOutput(c.Output), tea.WithAltScreen(),
		// The renderer waits for its own tick before the first frame: 20.6 ms at
		// the default 60, 12 ms at 120.
		tea.WithFPS(120),
	}
	if !c.NoMouse {
		options = append(options, tea.WithMouseCellMotion())
	}
	_, err := tea.NewProgram(m, options...).Run()
	cancel()
	m.c.Wait(finish)
	switch {
	case m.fatal != nil:
		return m.fatal
	case errors.Is(err, tea.ErrInterrupted):
		return nil
	case err != nil:
		return fmt.Errorf("tui: %w", err)
	}
	return nil
}

// finish is how long Run waits for what still runs: a change that has begun to
// be applied is a rename and a journal entry, well below a second.
const finish = 3 * time.Second

// NewTheme chooses colours and glyphs from c and its environment, without
// asking the terminal.
func NewTheme(c Config) *theme.Theme {
	getenv := func(name string) string {
		for i := len(c.Environ) - 1; i >= 0; i-- {
			if v, ok := strings.CutPrefix(c.Environ[i], name+"="); ok {
				return v
			}
		}
		return ""
	}
	dark := c.Theme != "light"
	if c.Theme == "" {
		dark = theme.GuessDark(getenv("COLORFGBG"))
	}
	return theme.New(theme.Options{
		Dark:    dark,
		NoColor: c.NoColor || getenv("NO_COLOR") != "",
		// RUNEWIDTH_EASTASIAN makes every measurement count line-drawing
		// characters as two cells; ASCII is the same everywhere.
		ASCII:   c.ASCII || widget.Width("─") != 1,
		Profile: theme.ProfileFor(getenv),
	})
}

// lockedWriter lets the renderer and the clipboard sequence share a writer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// KeyTable returns every key of the screen as a Markdown table.
func KeyTable() string {
	return newModel(context.Background(), Config{}, theme.New(theme.Options{})).table.Markdown()
}
