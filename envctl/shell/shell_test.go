package shell

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gpx/envctl/change"
)

// program finds a shell, or skips.
func program(t testing.TB, shell string) string {
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skip(shell + " is not installed")
	}
	return path
}

// run lets a shell without start files read the script from a file.
func run(t testing.TB, shell, script string, environ ...string) string {
	t.Helper()
	path := program(t, shell)
	dir := t.TempDir()
	file := filepath.Join(dir, "script")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	args := map[string][]string{"bash": {"--norc", "--noprofile"}, "zsh": {"-f"}, "fish": {"--no-config"}}[shell]
	cmd := exec.Command(path, append(args, file)...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_DATA_HOME=" + dir, "LC_ALL=C.UTF-8"}, environ...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, errs.Bytes())
	}
	if errs.Len() > 0 {
		t.Errorf("%s complains: %s", shell, errs.Bytes())
	}
	return out.String()
}

var nasty = []string{
	"", "plain", "https://a.example|https://b.example,direct", "a b", " lead", "trail ", "'", "''", "'''", "a'b'", `\`, `\\`, `\'`, `'\''`,
	`"`, "$HOME", "${HOME}", "$(touch pwned)", "`touch pwned`", ";touch pwned", "&& touch pwned", "#c", "!!", "!x", "~", "*", "?", "[a]", "{a,b}", "(x)",
	"a\tb", "a\nb", "\n", "\r", "\x01\x1b[31mred\x7f", "-n", "--", "=x", "%d%s", "é", "日本語", "\u202e", "a\\\nb", "x\\", "%self", "=ls", "^", "<in", ">out", "$'x'", "\\x41", "\\n",
}

// alphabet favours what shells treat specially.
var alphabet = []rune("'\"\\$`!#&*?[]{}()<>|;~^=%@-+,.:/ \t\n\rabcXYZ019éß語\u202e\x01\x1b\x7f")

func randomValue(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(24) {
		b.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

func TestValuesArriveByteForByte(t *testing.T) {
	values := append([]string{}, nasty...)
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		values = append(values, randomValue(r))
	}
	var as []change.Assignment
	for i, v := range values {
		as = append(as, change.Assignment{Name: fmt.Sprintf("V%d", i), Value: v})
	}
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) { arrive(t, shell, as) })
	}
	t.Run("zsh with rc_quotes", func(t *testing.T) { arriveAfter(t, "zsh", "setopt rc_quotes\n", as) })
}

func arrive(t testing.TB, shell string, as []change.Assignment) {
	t.Helper()
	arriveAfter(t, shell, "", as)
}

// arriveAfter exports in a real shell and looks at the environment of a child.
func arriveAfter(t testing.TB, shell, before string, as []change.Assignment) {
	t.Helper()
	lines, err := Export(shell, as)
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, shell, before+lines+"command env -0\n")
	got := map[string]string{}
	for kv := range strings.SplitSeq(out, "\x00") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			got[k] = v
		}
	}
	for _, a := range as {
		if v, ok := got[a.Name]; !ok || v != a.Value {
			t.Errorf("%s: %q arrived as %q (there: %v)", shell, a.Value, v, ok)
		}
	}
}

func FuzzExport(f *testing.F) {
	for _, v := range nasty {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		as := []change.Assignment{{Name: "V", Value: value}}
		if strings.Contains(value, "\x00") {
			if _, err := Export("bash", as); err == nil {
				t.Error("a NUL was taken")
			}
			return
		}
		arrive(t, "bash", as)
	})
}

func TestUnset(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			lines, err := Export(shell, []change.Assignment{{Name: "GONE", Unset: true}})
			if err != nil {
				t.Fatal(err)
			}
			if out := run(t, shell, lines+"command env\n", "GONE=here"); strings.Contains(out, "GONE") {
				t.Error("it is still there")
			}
		})
	}
}

func TestExportRefuses(t *testing.T) {
	for _, name := range []string{"", "1A", "A B", "A;touch x", "A=B", "é", "A\n"} {
		for _, shell := range shells {
			if lines, err := Export(shell, []change.Assignment{{Name: name}}); err == nil {
				t.Errorf("%s: %q was taken: %q", shell, name, lines)
			}
		}
	}
	for _, f := range []func() (string, error){
		func() (string, error) { return Init("tcsh") },
		func() (string, error) { return Init("../hook/gpx.bash") },
		func() (string, error) { return Export("tcsh", nil) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), "bash, zsh, fish") {
			t.Errorf("error %v does not say which shells there are", err)
		}
	}
}

// fakeGpx puts a program named gpx on PATH that behaves as $FAKE says.
func fakeGpx(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	script := `#!/bin/sh
echo "$@" >>"$LOG"
case $1 in
use)
	ls -l "$GPX_SHELL_FILE" | cut -c1-10
	case $GPX_SHELL in
	fish) echo "set -gx GOPROXY 'new value'; set -e GONE" >>"$GPX_SHELL_FILE" ;;
	*) echo "export GOPROXY='new value'; unset GONE" >>"$GPX_SHELL_FILE" ;;
	esac
	exit 3 ;;
stay) exit 0 ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "gpx"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestHook(t *testing.T) {
	scripts := map[string]string{
		"bash": `
gpx use "two words" || echo "status $?"
command env | grep -E '^(GOPROXY|GONE)='
gpx stay; echo "status $?"
(exit 5) || __gpx_prompt || echo "prompt $?"
`,
		"fish": `
gpx use "two words"; echo "status $status"
command env | grep -E '^(GOPROXY|GONE)='
gpx stay; echo "status $status"
emit fish_prompt; echo "prompt 5"
`,
	}
	scripts["zsh"] = scripts["bash"]
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			dir, tmp := fakeGpx(t), t.TempDir()
			hook, err := Init(shell)
			if err != nil {
				t.Fatal(err)
			}
			strict := map[string]string{"bash": "set -eu -o pipefail\n", "zsh": "setopt err_exit no_unset\n"}[shell]
			out := run(t, shell, strict+hook+hook+scripts[shell],
				"PATH="+dir+":"+os.Getenv("PATH"), "TMPDIR="+tmp, "LOG="+filepath.Join(tmp, "log"), "GOPROXY=old", "GONE=x", "PROMPT_COMMAND=true")
			want := "-rw-------\nstatus 3\nGOPROXY=new value\nstatus 0\nprompt 5\n"
			if out != want {
				t.Errorf("got\n%s\nwant\n%s", out, want)
			}
			files, _ := filepath.Glob(filepath.Join(tmp, "gpx-shell.*"))
			if len(files) > 0 {
				t.Errorf("left behind: %v", files)
			}
			if log, _ := os.ReadFile(filepath.Join(tmp, "log")); string(log) != "use two words\nstay\n" {
				t.Errorf("gpx was run as %q", log)
			}
		})
	}
}

func TestPromptRunsGpxOnlyWhenAPeriodHasEnded(t *testing.T) {
	cases := []struct{ name, marker, want string }{
		{"no marker", "", ""},
		{"not yet", "99999999999\n", ""},
		{"over", "1000\n", "changes --expire --quiet\n"},
		{"nonsense", "$(touch pwned)\n", ""},
	}
	for _, shell := range shells {
		prompt := "__gpx_prompt\n"
		if shell == "fish" {
			prompt = "emit fish_prompt\n"
		}
		for _, c := range cases {
			t.Run(shell+" "+c.name, func(t *testing.T) {
				dir, state := fakeGpx(t), t.TempDir()
				if c.marker != "" {
					os.Mkdir(filepath.Join(state, "gpx"), 0o700)
					if err := os.WriteFile(filepath.Join(state, "gpx", change.ExpiryFile), []byte(c.marker), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				hook, _ := Init(shell)
				log := filepath.Join(state, "log")
				run(t, shell, hook+prompt+prompt+prompt, "PATH="+dir+":"+os.Getenv("PATH"), "XDG_STATE_HOME="+state, "LOG="+log)
				if got, _ := os.ReadFile(log); string(got) != c.want {
					t.Errorf("three prompts ran %q, want %q", got, c.want)
				}
			})
		}
	}
}

// An interrupted gpx leaves its file; the next prompt takes it over.
func TestPromptTakesWhatAnInterruptedGpxLeft(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			left := filepath.Join(t.TempDir(), "gpx-shell.left")
			lines, _ := Export(shell, []change.Assignment{{Name: "GOPROXY", Value: "new"}})
			if err := os.WriteFile(left, []byte(lines), 0o600); err != nil {
				t.Fatal(err)
			}
			hook, _ := Init(shell)
			set, prompt := "__gpx_file="+left, "__gpx_prompt"
			if shell == "fish" {
				set, prompt = "set -g __gpx_file "+left, "emit fish_prompt"
			}
			out := run(t, shell, hook+set+"\n"+prompt+"\ncommand env | grep ^GOPROXY\n")
			if out != "GOPROXY=new\n" {
				t.Errorf("got %q", out)
			}
			if _, err := os.Stat(left); err == nil {
				t.Error("the file is still there")
			}
		})
	}
}

// Interactive shells take comments and prompts differently.
func TestInteractive(t *testing.T) {
	for shell, args := range map[string][]string{"bash": {"--norc", "--noprofile", "-i"}, "zsh": {"-f", "-i"}} {
		t.Run(shell, func(t *testing.T) {
			path := program(t, shell)
			dir, tmp := fakeGpx(t), t.TempDir()
			hook := filepath.Join(tmp, "hook")
			text, _ := Init(shell)
			if err := os.WriteFile(hook, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(path, args...)
			cmd.Stdin = strings.NewReader("eval \"$(cat '" + hook + "')\"\ngpx use x >/dev/null\necho \"<$? $GOPROXY>\"\nexit\n")
			cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + tmp, "TMPDIR=" + tmp, "LOG=" + filepath.Join(tmp, "log"), "TERM=dumb", "PS1=", "GOPROXY=old"}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "<3 new value>") || strings.Contains(string(out), "not found") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestHandoff(t *testing.T) {
	as := []change.Assignment{{Name: "GPX_TEST_SET", Value: "it's"}, {Name: "GPX_TEST_GONE", Unset: true}}
	t.Setenv("GPX_TEST_SET", "old")
	t.Setenv("GPX_TEST_GONE", "old")

	t.Setenv(FileVar, "")
	if err := Handoff(as); err != nil || os.Getenv("GPX_TEST_SET") != "old" {
		t.Errorf("without the hook: %v, %q", err, os.Getenv("GPX_TEST_SET"))
	}

	netrc := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(netrc, []byte("machine a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(FileVar, netrc)
	t.Setenv(ShellVar, "bash")
	if err := Handoff(as); err == nil || os.Getenv("GPX_TEST_SET") != "old" {
		t.Errorf("a file that the hook did not make: %v", err)
	}
	if got, _ := os.ReadFile(netrc); string(got) != "machine a\n" {
		t.Errorf("it holds %q", got)
	}

	file := filepath.Join(t.TempDir(), filePrefix+"x")
	t.Setenv(FileVar, file)
	refused := map[string]func(){
		"missing file":       func() {},
		"readable by others": func() { os.WriteFile(file, nil, 0o644) },
		"symbolic link":      func() { os.Remove(file); os.Symlink(file+".x", file); os.WriteFile(file+".x", nil, 0o600) },
	}
	for _, name := range []string{"missing file", "readable by others", "symbolic link"} {
		refused[name]()
		if err := Handoff(as); err == nil || os.Getenv("GPX_TEST_SET") != "old" {
			t.Errorf("%s: %v, %q", name, err, os.Getenv("GPX_TEST_SET"))
		}
	}
	os.Remove(file)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Handoff(as); err != nil {
			t.Fatal(err)
		}
	}
	line := "export GPX_TEST_SET='it'\\''s'\nunset GPX_TEST_GONE\n"
	if got, _ := os.ReadFile(file); string(got) != line+line {
		t.Errorf("file holds %q", got)
	}
	if _, there := os.LookupEnv("GPX_TEST_GONE"); there || os.Getenv("GPX_TEST_SET") != "it's" {
		t.Error("this process did not take the values over")
	}
}
