package route

import (
	"context"
	"errors"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
)

// Observe asks the hops what the prediction for m needs, and predicts. Without a
// version m's is taken from the project. p may be nil outside a project.
func Observe(ctx context.Context, pr *probe.Prober, e *env.Env, p *project.Project, m module.Version) (Route, error) {
	return Route{}, errors.New("route: not implemented")
}
