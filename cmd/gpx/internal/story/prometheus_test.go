package story

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpx/probe/lab"
)

// The rules that gpx brings, as Prometheus' own tool reads them.
func TestPrometheusRules(t *testing.T) {
	needs(t, "promtool")
	t.Parallel()
	rules, err := filepath.Abs("../../../../docs/prometheus")
	must(t, err)
	environ := os.Environ()
	for _, args := range [][]string{{"check", "rules", "gpx.rules.yml", "gpx.alerts.yml"}, {"test", "rules", "gpx.test.yml"}} {
		if out, said, status := run(t, rules, environ, "promtool", args...); status != 0 {
			t.Errorf("promtool %s: %s%s", strings.Join(args, " "), out, said)
		}
	}
}

// What gpx watch and gpx serve tell is as Prometheus' own tool wants it, also when
// there is something to tell.
func TestPrometheusMetrics(t *testing.T) {
	needs(t, "promtool")
	t.Parallel()
	b := newBox(t, ",")
	b.primary.SetFault(lab.Status(502, ""))
	watch := b.starts(`metrics on (http://\S+)/metrics`, "watch", "--metrics", "127.0.0.1:0")
	serve := b.starts(`GOPROXY='(http://127[^'|,]+)`, "serve")
	download := append(b.environ, "GOPROXY="+serve, "GOMODCACHE="+t.TempDir(), "GOFLAGS=-modcacherw")
	if _, said, status := run(t, t.TempDir(), download, "go", "mod", "download", module); status != 0 {
		t.Fatalf("behind the relay: %s", said)
	}
	for _, c := range []struct{ url, says string }{
		{watch, `(?m)^gpx_incident_open 1`},
		{serve, `(?m)^gpx_relay_rescued_total [1-9]`},
	} {
		page := pageThatSays(t, c.url+"/metrics", c.says)
		cmd := exec.Command("promtool", "check", "metrics")
		cmd.Stdin = bytes.NewReader(page)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("promtool check metrics: %v\n%s\n%s", err, out, page)
		}
	}
}

// Prometheus itself scrapes gpx watch while a proxy dies, and raises the alarm.
func TestPrometheusSeesAnOutage(t *testing.T) {
	needs(t, "prometheus")
	t.Parallel()
	b := newBox(t, ",")
	dir := t.TempDir()
	often := filepath.Join(dir, "often.toml")
	must(t, os.WriteFile(often, []byte("[schedule]\nhop_every = \"1s\"\nother_every = \"1s\"\n"), 0o600))
	watch := b.starts(`metrics on http://(\S+)/metrics`, "watch", "--metrics", "127.0.0.1:0", "--config", often)
	rules, err := filepath.Abs("../../../../docs/prometheus")
	must(t, err)
	config := filepath.Join(dir, "prometheus.yml")
	must(t, os.WriteFile(config, []byte(fmt.Sprintf(`global: {scrape_interval: 250ms, evaluation_interval: 250ms}
rule_files: [%q, %q]
scrape_configs: [{job_name: gpx, static_configs: [{targets: [%q]}]}]
`, filepath.Join(rules, "gpx.rules.yml"), filepath.Join(rules, "gpx.alerts.yml"), watch)), 0o600))
	addr := freePort(t)
	p := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=error")
	var said bytes.Buffer
	p.Stderr = &said
	must(t, p.Start())
	t.Cleanup(func() {
		p.Process.Signal(syscall.SIGTERM)
		if err := p.Wait(); err != nil || t.Failed() {
			t.Logf("prometheus: %v\n%s", err, said.String())
		}
	})
	asked := func(query string) bool {
		res, err := http.Get("http://" + addr + "/api/v1/query?query=" + url.QueryEscape(query))
		if err != nil {
			return false
		}
		defer res.Body.Close()
		var answer struct{ Data struct{ Result []any } }
		return json.NewDecoder(res.Body).Decode(&answer) == nil && len(answer.Data.Result) > 0
	}
	see := func(query string) {
		t.Helper()
		if !eventually(patience, func() bool { return asked(query) }) {
			t.Fatalf("prometheus does not see %s", query)
		}
	}
	see(`gpx_verdict_state{state="ok"} == 1 and on(instance) gpx_chain_works == 1`)
	b.primary.SetFault(lab.Status(502, ""))
	see(`gpx_verdict_state{state="outage"} == 1 and on(instance) gpx_incident_open == 1`)
	see(`ALERTS{alertname="GpxChainBroken",alertstate="pending"}`)
	see(`ALERTS{alertname="GpxHopDown",alertstate="pending",endpoint="` + b.primary.URL() + `"}`)
	b.primary.SetFault(lab.OK())
	see(`gpx_verdict_state{state="ok"} == 1 and on(instance) gpx_endpoint_health{health="up",endpoint="` + b.primary.URL() + `"} == 1`)
}

// starts starts gpx in the box until the test ends, and returns what the first group
// of pattern matches in what it says.
func (b *box) starts(pattern string, args ...string) string {
	b.t.Helper()
	re := regexp.MustCompile(pattern)
	cmd := exec.Command(gpx, args...)
	cmd.Dir, cmd.Env = b.Project, b.environ
	out, in, err := os.Pipe()
	must(b.t, err)
	cmd.Stdout, cmd.Stderr = in, in
	must(b.t, cmd.Start())
	in.Close()
	found, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := re.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
	}()
	b.t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			b.t.Errorf("gpx %s: %v", strings.Join(args, " "), err)
		}
		<-ended
		out.Close()
	})
	select {
	case s := <-found:
		return s
	case <-time.After(patience):
		b.t.Fatalf("gpx %s does not say %s", strings.Join(args, " "), pattern)
	}
	return ""
}

// pageThatSays is what a page says once it says what it should.
func pageThatSays(t *testing.T, url, pattern string) (page []byte) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	if !eventually(patience, func() bool {
		res, err := http.Get(url)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		page, err = io.ReadAll(res.Body)
		return err == nil && re.Match(page)
	}) {
		t.Fatalf("%s does not say %s:\n%s", url, pattern, page)
	}
	return page
}
