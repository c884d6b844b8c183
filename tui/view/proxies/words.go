package proxies

import (
	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/monitor"
)

// severity orders rows by state, worst first.
func severity(h monitor.Health) int {
	switch h {
	case monitor.Down:
		return 0
	case monitor.Suspect:
		return 1
	case monitor.Slow:
		return 2
	case monitor.Up:
		return 4
	}
	return 3
}

// goSentence says what the go command will do at this hop and why.
func goSentence(a probe.Action, c probe.Class, sep chain.Separator) string {
	switch a {
	case probe.Serve:
		return "gets the module here."
	case probe.GoDirect:
		return "leaves the proxies here and asks version control (git and others)."
	case probe.GoOff:
		return "stops here: module lookup is disabled by off."
	case probe.Hang:
		return "waits here as long as it takes. No separator helps, only another chain."
	case probe.Next:
		if c == probe.NotFound || c == probe.MissingFile {
			return "asks the next hop: 404 and 410 pass both separators."
		}
		return `asks the next hop: "|" passes every error on.`
	case probe.Stop:
		switch sep {
		case chain.Comma:
			return `stops here, the build fails: "," passes only 404 and 410 on, and this is ` + c.Words() + "."
		case chain.Last:
			return "stops here, the build fails: nothing follows in the chain."
		}
		return "stops here, the build fails."
	}
	return "is not known before the first answer."
}

// decides reports whether the go command's walk along the chain ends at a.
func decides(a probe.Action) bool { return a != probe.Next }
