package lint

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var reported = regexp.MustCompile(`--report (\S+)`)

// TestPagesAreLinked: a page that a job writes is kept, and its summary says where.
func TestPagesAreLinked(t *testing.T) {
	pages := 0
	for _, path := range matches(t, "../github/*.yml") {
		for name, steps := range jobsOf(t, path) {
			for _, step := range steps {
				for _, page := range reported.FindAllStringSubmatch(step.Run, -1) {
					pages++
					if !isLinked(steps, page[1]) {
						t.Errorf("%s: job %s writes %s, and its summary has no link to it", filepath.Base(path), name, page[1])
					}
				}
			}
		}
	}
	if pages < 3 {
		t.Errorf("only %d pages were found", pages)
	}
}

func isLinked(steps []step, page string) bool {
	kept := slices.IndexFunc(steps, func(s step) bool {
		paths := strings.Fields(fmt.Sprint(s.With["path"]))
		return s.ID == "kept" && strings.HasPrefix(s.Uses, "actions/upload-artifact@") && slices.Contains(paths, page)
	})
	return kept >= 0 && slices.ContainsFunc(steps[kept:], func(s step) bool {
		return strings.HasPrefix(s.If, "always()") && s.Env["ARTIFACT"] == "${{ steps.kept.outputs.artifact-url }}" &&
			strings.Contains(s.Run, page) && strings.Contains(s.Run, `($ARTIFACT)" >> "$GITHUB_STEP_SUMMARY"`)
	})
}

// TestRehearsalOfASmallFleet runs the step of the weekly rehearsal as GitHub does, with a command that ends
// as each case says. Where nobody of the hundredth has moved everybody is rehearsed, and no other error
// passes.
func TestRehearsalOfASmallFleet(t *testing.T) {
	const (
		nobody = `2 {"error":{"kind":"usage","message":"choose users: no user is selected (check the names)"},"exit":2}`
		down   = `2 {"error":{"kind":"unreachable","message":"list users: no answer"},"exit":2}`
	)
	for name, test := range map[string]struct {
		ends  []string // the exit code, and what is said, of one call after the other
		code  int
		calls string
	}{
		"somebody":                {[]string{"0 done"}, 0, "99|"},
		"somebody cannot return":  {[]string{"1 failed"}, 1, "99|"},
		"nobody of the hundredth": {[]string{nobody, "0 done"}, 0, "99|0|"},
		"one of few cannot":       {[]string{nobody, "1 failed"}, 1, "99|0|"},
		"nobody at all":           {[]string{nobody, nobody}, 0, "99|0|"},
		"R2 is down":              {[]string{down}, 2, "99|"},
		"R2 goes down":            {[]string{nobody, down}, 2, "99|0|"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			stub := "#!/bin/sh\nprintf '%s|' \"$3\" >> calls\nread -r code said < \"end$3\"\necho out\necho \"$said\" >&2\nexit \"$code\"\n"
			if err := os.WriteFile(filepath.Join(dir, "dbmigrate"), []byte(stub), 0o755); err != nil {
				t.Fatal(err)
			}
			for i, end := range test.ends {
				if err := os.WriteFile(filepath.Join(dir, []string{"end99", "end0"}[i]), []byte(end+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			run := exec.Command("bash", "-e", "-o", "pipefail", "-c", stepOf(t, "../github/dbmigrate-rehearse.yml", "--rehearse"))
			run.Dir, run.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
			out, _ := run.CombinedOutput()
			if code := run.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit code %d, want %d: %s", code, test.code, out)
			}
			if calls := string(read(t, filepath.Join(dir, "calls"))); calls != test.calls {
				t.Errorf("shares %q, want %q", calls, test.calls)
			}
		})
	}
}
