package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/probe"
)

// directFor bounds one version: a clone of a large repository takes its time.
const directFor = 2 * time.Minute

// Direct returns a way to fetch versions from their version control: by the go
// command, with a module cache of its own that goes when it is done. It verifies
// nothing there, since whoever takes the files does.
func Direct(e *env.Env) func(ctx context.Context, m module.Version, got func(f probe.File, file string) error) error {
	return func(ctx context.Context, m module.Version, got func(f probe.File, file string) error) error {
		dir, err := os.MkdirTemp("", "gpx-direct-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		ctx, cancel := context.WithTimeout(ctx, directFor)
		defer cancel()
		cmd := e.Command(ctx, dir, "mod", "download", "-json", m.String())
		cmd.Env = append(cmd.Env, "GOPROXY=direct", "GONOPROXY=none", "GOSUMDB=off", "GOWORK=off", "GOFLAGS=-modcacherw",
			"GOMODCACHE="+filepath.Join(dir, "mod"))
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		runErr := cmd.Run()
		var said struct{ Info, GoMod, Zip, Error string }
		if err := json.Unmarshal(out.Bytes(), &said); err != nil || said.Error != "" {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case said.Error != "":
				return errors.New(redact.Text(said.Error))
			case runErr == nil:
				runErr = err
			}
			return fmt.Errorf("go mod download: %w: %s", runErr, redact.Text(errs.String()))
		}
		for f, file := range map[probe.File]string{probe.Info: said.Info, probe.Mod: said.GoMod, probe.Zip: said.Zip} {
			if file == "" {
				continue
			}
			if err := got(f, file); err != nil {
				return err
			}
		}
		return nil
	}
}
