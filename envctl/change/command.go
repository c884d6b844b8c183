package change

import (
	"strings"

	"gpx/envctl/redact"
)

// redactedNote ends a command that was redacted: pasted, it would set the
// wrong value.
const redactedNote = "  # redacted: does not run as shown, --show-secrets prints it whole"

// command appends a shell command and its raw form. Nothing is appended when
// there are no operands.
func (p *Plan) command(verb string, as []Assignment) {
	if len(as) == 0 {
		return
	}
	shown, raw, hidden := verb, verb, false
	for _, a := range as {
		if a.Unset {
			shown += " " + quote(redact.Clean(a.Name))
			raw += " " + quote(a.Name)
			continue
		}
		value := redact.Value(a.Name, a.Value)
		hidden = hidden || value != a.Value
		shown += " " + quote(redact.Clean(a.Name)+"="+value)
		raw += " " + quote(a.Name+"="+a.Value)
	}
	p.say(shown, raw, hidden)
}

// fileCommand appends a shell command on a file and its raw form.
func (p *Plan) fileCommand(verb, path string) {
	shown := redact.Clean(path)
	p.say(verb+" "+quote(shown), verb+" "+quote(path), shown != path)
}

// say appends a command as it is shown and as it runs.
func (p *Plan) say(shown, raw string, hidden bool) {
	if hidden {
		shown += redactedNote
	}
	p.Commands = append(p.Commands, shown)
	p.raw = append(p.raw, raw)
}

// instead says how to have the assignments in one shell, without a file.
func instead(as []Assignment) string {
	var p Plan
	p.command("unset", unsetOf(as))
	p.command("export", setOf(as))
	lines := strings.Join(p.Commands, "; ")
	return "change this shell only: " + strings.ReplaceAll(lines, redactedNote, "")
}

// quote makes s one word of a POSIX shell. What needs no quotes gets none.
func quote(s string) string {
	plain := s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%") == ""
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
