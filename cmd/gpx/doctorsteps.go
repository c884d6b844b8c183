package main

import (
	"fmt"
	goversion "go/version"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/monitor"
)

// settingSteps look at the go command and its variables.
func settingSteps(e *env.Env) []doctorStep {
	var steps []doctorStep
	add := func(name string, state stepState, detail, hint string) {
		steps = append(steps, doctorStep{name, state, detail, hint})
	}
	if e.Go == "" {
		add("go command", stepFail, "there is none on PATH", "install Go, or add its bin folder to PATH")
	} else {
		add("go command", stepOK, e.GoVersion+" ("+redact.Clean(e.Go)+")", "")
	}
	for _, p := range e.Problems {
		if e.Go == "" && strings.Contains(p, "PATH") {
			continue // said above
		}
		add("go settings", stepWarn, p, "")
	}
	if e.UserFileOff {
		add("go env -w", stepWarn, "GOENV=off: the user's file is neither read nor written", "unset GOENV")
	}

	v, _ := e.Lookup("GOPROXY")
	c, err := e.Chain()
	if err != nil {
		add("GOPROXY", stepFail, redact.Text(err.Error()), "gpx use CHAIN, or gpx use default")
	} else {
		add("GOPROXY", stepOK, c.Redacted()+" ("+originWords(string(v.Origin))+")", "")
		for _, h := range c.Hops {
			if entry, ok := catalog.Find(e, h.URL); ok && entry.Retired && h.Kind == chain.Proxy {
				add("GOPROXY", stepFail, h.Redacted()+": "+entry.Note, "gpx use default")
			}
		}
		if c.Ignored != "" {
			add("GOPROXY", stepWarn, "what follows the last hop is never read: "+redact.Text(c.Ignored), "")
		}
	}
	for _, name := range []string{"GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOFLAGS", "GOTOOLCHAIN"} {
		v, ok := e.Lookup(name)
		if !ok || v.Origin != env.OS {
			continue
		}
		for _, s := range v.Shadowed {
			if s.Origin == env.User {
				add(name, stepWarn, "the environment of this shell hides what go env -w wrote: "+redact.Value(name, s.Value), "unset "+name)
			}
		}
	}
	switch db, err := e.SumDB(); {
	case err != nil:
		add("GOSUMDB", stepFail, redact.Text(err.Error()), "gpx sumdb on")
	case db.Off:
		add("GOSUMDB", stepWarn, "off: what a proxy sends for the first time is believed", "gpx sumdb on")
	default:
		add("GOSUMDB", stepOK, redact.Value("GOSUMDB", db.Value), "")
	}
	return steps
}

// projectSteps look at go.mod, go.sum and the toolchain it asks for.
func projectSteps(e *env.Env, p *project.Project) []doctorStep {
	if p == nil {
		return []doctorStep{{"project", stepSkip, "this folder is in no module; proxies are asked for a neutral public one", ""}}
	}
	if p.Problem != nil {
		return []doctorStep{{"project", stepFail, redact.Text(p.Problem.Error()), "correct the file"}}
	}
	steps := []doctorStep{{"project", stepOK, fmt.Sprintf("%s, %d modules required", redact.Clean(p.Module), len(p.Requires)), ""}}
	want := "go" + p.Go
	if p.Toolchain != "" && p.Toolchain != "default" && goversion.Compare(p.Toolchain, want) > 0 {
		want = p.Toolchain
	}
	if e.GoVersion != "" && goversion.IsValid(want) && goversion.Compare(e.GoVersion, want) < 0 {
		switch mode, _, _ := strings.Cut(e.Get("GOTOOLCHAIN"), "+"); {
		case e.Get("GOTOOLCHAIN") == "local":
			steps = append(steps, doctorStep{"toolchain", stepFail,
				"the project wants " + want + ", this is " + e.GoVersion + ", and GOTOOLCHAIN=local keeps it from being fetched", "go env -u GOTOOLCHAIN, or install " + want})
		default:
			steps = append(steps, doctorStep{"toolchain", stepWarn,
				"the project wants " + want + ", this is " + e.GoVersion + ": the go command (GOTOOLCHAIN=" + redact.Clean(mode) + ") fetches it through GOPROXY unless it has done so before", ""})
		}
	}
	var missing []string
	for _, r := range p.Requires {
		if !p.Sums.HasGoMod(r.Version) && !p.Sums.Has(r.Version) && !replaced(p, r.Version) {
			missing = append(missing, r.Path)
		}
	}
	if len(missing) > 0 && !p.Vendored {
		steps = append(steps, doctorStep{"go.sum", stepWarn,
			fmt.Sprintf("%d of %d required modules have no line, such as %s", len(missing), len(p.Requires), redact.Clean(missing[0])), "go mod tidy"})
	}
	return steps
}

func replaced(p *project.Project, m module.Version) bool {
	for _, r := range p.Replaces {
		if r.Old.Path == m.Path && (r.Old.Version == "" || r.Old.Version == m.Version) {
			return true
		}
	}
	return false
}

// endpointSteps tell what the burst of probes saw: the forward proxy, the hops
// in their order, the checksum database.
func endpointSteps(s monitor.Snapshot) []doctorStep {
	var forward, hops, sumdb []doctorStep
	for _, ep := range s.Endpoints {
		switch {
		case ep.Kind == probe.KindForward:
			forward = append(forward, endpointStep("HTTPS_PROXY "+ep.URL, ep))
		case ep.Kind == probe.KindSumDB:
			st := endpointStep("checksum database", ep)
			if s.SumDB.Route != "" && st.State == stepOK {
				st.Detail = "by way of " + s.SumDB.Route
			}
			sumdb = append(sumdb, st)
		}
	}
	for _, h := range s.Chain.Hops {
		name := fmt.Sprintf("hop %d %s", h.N, h.URL)
		if ep := endpointOfHop(s, h.N); ep != nil {
			hops = append(hops, endpointStep(name, *ep))
		} else {
			hops = append(hops, doctorStep{name, stepSkip, "nothing to probe", ""})
		}
	}
	return append(append(forward, hops...), sumdb...)
}

func endpointStep(name string, ep monitor.EndpointStatus) doctorStep {
	st := doctorStep{Name: name, State: stepOK, Detail: string(ep.Class)}
	if ep.Class == probe.OK {
		st.Detail = "answers in " + milliseconds(ep.Phases.Total)
		return st
	}
	if ep.Detail != "" {
		st.Detail += ": " + ep.Detail
	}
	switch {
	case ep.Class == probe.ClassUnknown || ep.Class == "":
		st.State, st.Detail = stepWarn, "no answer yet"
	case ep.Class.Failed():
		st.State, st.Hint = stepFail, ep.Class.Info().Advice
	default:
		st.State, st.Detail = stepOK, ep.Class.Info().Meaning
	}
	return st
}

// keptPrivate reports whether a module path must not be shown to public proxies.
func keptPrivate(e *env.Env, path string) bool {
	return module.MatchPrefixPatterns(e.NoProxy(), path) || module.MatchPrefixPatterns(e.Get("GOPRIVATE"), path)
}
