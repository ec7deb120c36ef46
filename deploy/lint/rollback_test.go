package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestRollbackGoesOnBehindItsPlan runs the step of the button as GitHub does, with a command that only notes
// how it is called. A plan with gaps must keep nobody from going back.
func TestRollbackGoesOnBehindItsPlan(t *testing.T) {
	for name, test := range map[string]struct {
		who, value, onlyShow, plan string
		code                       int
		want                       string
	}{
		"a whole plan":          {"all", "", "false", "0", 0, "--all --dry-run|--all --reason r --report rollback.html --output json|"},
		"a plan with gaps":      {"since", "2h", "false", "1", 0, "--since 2h --dry-run|--since 2h --reason r --report rollback.html --output json|"},
		"only shown":            {"run", "r1", "true", "0", 0, "--run r1 --dry-run|"},
		"only shown, with gaps": {"run", "r1", "true", "1", 1, "--run r1 --dry-run|"},
		"a user with blanks in it": {"user", "a b", "false", "0", 0,
			"--users-file users.txt --dry-run|--users-file users.txt --reason r --report rollback.html --output json|"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			stub := "#!/bin/sh\nshift\nprintf '%s|' \"$*\" >> calls\ncase \"$*\" in *--dry-run) exit \"$PLAN\";; esac\n"
			if err := os.WriteFile(filepath.Join(dir, "dbmigrate"), []byte(stub), 0o755); err != nil {
				t.Fatal(err)
			}
			step := exec.Command("bash", "-e", "-o", "pipefail", "-c", stepOf(t, "../github/dbmigrate-rollback.yml", "dbmigrate rollback"))
			step.Dir = dir
			step.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "WHO=" + test.who, "VALUE=" + test.value,
				"ONLY_SHOW=" + test.onlyShow, "REASON=r", "PLAN=" + test.plan}
			out, _ := step.CombinedOutput()
			if code := step.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit code %d, want %d: %s", code, test.code, out)
			}
			if calls := string(read(t, filepath.Join(dir, "calls"))); calls != test.want {
				t.Errorf("called with %q, want %q", calls, test.want)
			}
		})
	}
}

// stepOf is the script of the step that calls the command.
func stepOf(t *testing.T, path, command string) string {
	t.Helper()
	for _, steps := range jobsOf(t, path) {
		for _, step := range steps {
			if strings.Contains(step.Run, command) {
				return step.Run
			}
		}
	}
	t.Fatalf("no step of %s runs %s", path, command)
	return ""
}

// step is one of a workflow's job.
type step struct {
	ID   string            `json:"id"`
	If   string            `json:"if"`
	Uses string            `json:"uses"`
	With map[string]any    `json:"with"`
	Env  map[string]string `json:"env"`
	Run  string            `json:"run"`
}

func jobsOf(t *testing.T, path string) map[string][]step {
	t.Helper()
	var workflow struct {
		Jobs map[string]struct {
			Steps []step `json:"steps"`
		} `json:"jobs"`
	}
	if err := yaml.Unmarshal(read(t, path), &workflow); err != nil {
		t.Fatal(err)
	}
	jobs := map[string][]step{}
	for name, job := range workflow.Jobs {
		jobs[name] = job.Steps
	}
	return jobs
}
