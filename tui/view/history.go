package view

import (
	"context"

	"gpx/history"
	"gpx/history/incident"
)

// History are the services of the History view: what happened, and what it came
// to. What they return is clean.
type History struct {
	// Incidents lists what was recorded, newest first, without events.
	Incidents func(ctx context.Context) ([]incident.Incident, error)
	// Incident is one of them with its events.
	Incident func(ctx context.Context, id int64) (incident.Incident, error)
	// Recording is all that was seen around an incident.
	Recording func(ctx context.Context, id int64) (*incident.Recording, error)
	// SetNote writes what the user says about an incident; "" removes it.
	SetNote func(ctx context.Context, id int64, text string) error
	// Stats sums up how reliable the endpoints were, the least reliable one first.
	Stats func(ctx context.Context, o history.StatsOptions) ([]history.EndpointStats, error)
	// Backtest says how an incident would have gone with other settings, as the
	// lines of a table.
	Backtest func(ctx context.Context, id int64) ([]string, error)
	// Report writes a report to a file in the format that its ending names: .md,
	// .html or .json. It overwrites no file.
	Report func(ctx context.Context, id int64, path string) error
	// ExportIncident writes an incident as one file for a colleague; mask takes
	// out the names of hosts and modules that are not public. It overwrites no
	// file.
	ExportIncident func(ctx context.Context, id int64, path string, mask bool) error
	// ImportIncident takes in such a file and returns the number that the incident
	// has here.
	ImportIncident func(ctx context.Context, path string) (int64, error)
}
