package theme

// Glyphs are the signs of the screen, each one cell wide. None is an emoji,
// braille or of a width that depends on the terminal's language in the ASCII
// set.
type Glyphs struct {
	Good, Warn, Bad, Idle  string // before the words of states
	Live, Paused, Recorded string
	Play                   string
	Cursor                 string // the selected row
	Mark, Part             string // a row that is marked, one of which a part is
	Pending                string // a value that is not written yet
	Shadow                 string // a value that the OS environment hides
	Arrow                  string // old → new
	Ellipsis               string
	Dash                   string // no value
	Dot                    string // separates remarks
	Bullet                 string
	Lost                   string // a lost sample in a sparkline
	Spark                  []string
	Bar, Track             string // a horizontal bar
	H, V                   string // borders
	TL, TR, BL, BR, ML, MR string
	Up, Down               string
	Spinner                []string
	Caret                  string // the cursor of a text input
}

// Unicode is the ordinary set.
var Unicode = Glyphs{
	Good: "✓", Warn: "▲", Bad: "✗", Idle: "◌",
	Live: "●", Paused: "‖", Recorded: "◆", Play: "▸",
	Cursor: "›", Mark: "■", Part: "◧", Pending: "~", Shadow: "!", Arrow: "→", Ellipsis: "…", Dash: "–", Dot: "·", Bullet: "•", Lost: "!",
	Spark: []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	Bar:   "━", Track: "─",
	H: "─", V: "│", TL: "╭", TR: "╮", BL: "╰", BR: "╯", ML: "├", MR: "┤",
	Up: "↑", Down: "↓",
	Spinner: []string{"◐", "◓", "◑", "◒"},
	Caret:   "▏",
}

// ASCII is the set of --ascii.
var ASCII = Glyphs{
	Good: "+", Warn: "^", Bad: "x", Idle: "o",
	Live: "*", Paused: "=", Recorded: "#", Play: ">",
	Cursor: ">", Mark: "*", Part: ".", Pending: "~", Shadow: "!", Arrow: "->", Ellipsis: "~", Dash: "-", Dot: "-", Bullet: "-", Lost: "!",
	Spark: []string{"_", ".", ",", "-", "=", "+", "*", "#"},
	Bar:   "=", Track: "-",
	H: "-", V: "|", TL: "+", TR: "+", BL: "+", BR: "+", ML: "+", MR: "+",
	Up: "^", Down: "v",
	Spinner: []string{"|", "/", "-", "\\"},
	Caret:   "_",
}
