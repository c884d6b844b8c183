package history

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/envctl/change"
	"gpx/envctl/env"
)

// The child of the SIGKILL test is this test binary, started again with the
// home directory in this variable.
const childVar = "GPX_HISTORY_KILL_CHILD"

// environFor is the environment of a user whose home is dir.
func environFor(dir string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"),
		"XDG_STATE_HOME=" + filepath.Join(dir, "state"), "GOPATH=" + filepath.Join(dir, "gopath"),
		"TEST_TELEMETRY_DIR=" + filepath.Join(dir, "telemetry"),
	}
}

func changerFor(dir string, s *Store) (*change.Changer, *env.Env, error) {
	read := func(ctx context.Context) (*env.Env, error) {
		return env.Read(ctx, env.Options{Dir: dir, Environ: environFor(dir)})
	}
	e, err := read(context.Background())
	return change.New(change.Options{Journal: s.Journal(), StateDir: filepath.Join(dir, "state", "gpx"), Env: read, Actor: "test"}), e, err
}

// killChild switches to and fro until it is killed. The two plans are made
// once and applied again and again, so that nearly all its time is spent where
// a kill could tear something.
func killChild(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(dir, "state", "gpx", "history.db"), Options{})
	if err != nil || s.InMemory() {
		return fmt.Errorf("%v %s", err, s.Notice())
	}
	c, e, err := changerFor(dir, s)
	if err != nil {
		return err
	}
	if _, err := c.Recover(ctx); err != nil {
		return err
	}
	marker := filepath.Join(dir, "cache", "supported")
	there, err := switchPlan(e, marker)
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		p := *there
		p.ID, p.Applied = "", false
		if _, err := c.Apply(ctx, &p); err != nil {
			return err
		}
		back, err := c.PlanUndo(ctx, "", false)
		if err != nil {
			return err
		}
		if _, err := c.Apply(ctx, back); err != nil {
			return err
		}
		if first {
			fmt.Println("ready")
		}
	}
}

// switchPlan sets two variables and writes a marker file.
func switchPlan(e *env.Env, marker string) (*change.Plan, error) {
	p, err := change.PlanEnv(e, "switch", []change.Assignment{{Name: "GOPROXY", Value: "https://new.example|direct"}, {Name: "GOSUMDB", Value: "off"}})
	if err != nil {
		return nil, err
	}
	return p, p.PlanFile(marker, nil)
}

// SIGKILL at any instant leaves the user file old or new, and the next start
// puts the rest in order.
func TestKill(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed")
	}
	for _, old := range []string{"", "# mine\nGOPROXY=https://old.example\n\nGOFLAGS=-mod=mod"} {
		name := "file"
		if old == "" {
			name = "no file"
		}
		t.Run(name, func(t *testing.T) { killLoop(t, old, kills()/2) })
	}
}

func kills() int {
	switch os.Getenv("GPX_TEST_SCALE") {
	case "system":
		return 80
	case "soak":
		return 400
	}
	return 16
}

func killLoop(t *testing.T, old string, n int) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "telemetry"), 0o777))
	must(t, os.WriteFile(filepath.Join(dir, "telemetry", "mode"), []byte("off"), 0o666))
	file, marker := filepath.Join(dir, "config", "go", "env"), filepath.Join(dir, "cache", "supported")
	if old != "" {
		must(t, os.MkdirAll(filepath.Dir(file), 0o777))
		must(t, os.WriteFile(file, []byte(old), 0o644))
	}
	path := filepath.Join(dir, "state", "gpx", "history.db")
	fresh := fileText(t, file)
	changed := applied(t, dir, path, marker, file)
	inFlight := 0
	for i := range n {
		kill(t, dir)
		if got := fileText(t, file); got != fresh && got != changed {
			t.Fatalf("kill %d: the user file is torn: %q", i, got)
		}
		s := sound(t, path)
		c, e, err := changerFor(dir, s)
		must(t, err)
		found, err := c.Recover(t.Context())
		must(t, err)
		inFlight += len(found)
		got := fileText(t, file)
		if set := fileText(t, marker) != "absent"; set != (got == changed) {
			t.Fatalf("kill %d: marker %v, user file %q (%+v)", i, set, got, found)
		}
		if left, _ := filepath.Glob(file + ".gpx-*"); len(left) > 0 {
			t.Fatalf("kill %d: left behind %v", i, left)
		}
		if got == fresh {
			p, err := switchPlan(e, marker)
			must(t, err)
			_, err = c.Apply(t.Context(), p)
			must(t, err)
		}
		p, err := c.PlanUndo(t.Context(), "", false)
		must(t, err)
		_, err = c.Apply(t.Context(), p)
		must(t, err)
		if got := fileText(t, file); got != fresh {
			t.Fatalf("kill %d: undo left %q, want %q", i, got, fresh)
		}
		rs := list(t, s)
		if slices.ContainsFunc(rs, func(r change.Record) bool { return r.State == change.Begun }) {
			t.Fatalf("kill %d: still in flight: %+v", i, rs)
		}
		s.Close()
	}
	t.Logf("%d of %d kills met a change in flight", inFlight, n)
}

// applied is what the user file holds after the switch.
func applied(t *testing.T, dir, path, marker, file string) string {
	t.Helper()
	s := sound(t, path)
	defer s.Close()
	c, e, err := changerFor(dir, s)
	must(t, err)
	p, err := switchPlan(e, marker)
	must(t, err)
	_, err = c.Apply(t.Context(), p)
	must(t, err)
	text := fileText(t, file)
	p, err = c.PlanUndo(t.Context(), "", false)
	must(t, err)
	_, err = c.Apply(t.Context(), p)
	must(t, err)
	return text
}

// kill starts a child, waits until it works, and kills it at a random instant.
func kill(t *testing.T, dir string) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(environFor(dir), childVar+"="+dir)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		cmd.Wait()
		t.Fatalf("the child says %q: %s", line, errs.String())
	}
	// One switch and its undo take about 15 ms.
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
	<-timer.C
	must(t, cmd.Process.Kill())
	cmd.Wait()
	if errs.Len() > 0 {
		t.Fatalf("the child failed: %s", errs.String())
	}
}

func fileText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return "absent"
	}
	must(t, err)
	return string(data)
}
