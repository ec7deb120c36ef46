// Package lint checks the deployment examples with the parsers of those who will read them. It is a module of
// its own, so that dbmigrate's does not depend on Kubernetes.
package lint

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/rhysd/actionlint"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestWorkflows runs actionlint over the workflows as they lie in .github/workflows, where they call each
// other.
func TestWorkflows(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, ".github", "workflows")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, from := range matches(t, "../github/*.yml") {
		path := filepath.Join(dir, filepath.Base(from))
		if err := os.WriteFile(path, read(t, from), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	// What the machine happens to have installed must not decide: no shellcheck, no pyflakes.
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: root})
	if err != nil {
		t.Fatal(err)
	}
	project, err := actionlint.NewProject(root)
	if err != nil {
		t.Fatal(err)
	}
	faults, err := linter.LintFiles(paths, project)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// TestWorkflowsArePinned: what runs next to the secrets is what somebody has read. Tags can be moved.
func TestWorkflowsArePinned(t *testing.T) {
	uses := regexp.MustCompile(`uses: (\S+)`)
	pinned := regexp.MustCompile(`^\S+@[0-9a-f]{40}$`)
	found := 0
	for _, path := range matches(t, "../github/*.yml") {
		text := string(read(t, path))
		for _, action := range uses.FindAllStringSubmatch(text, -1) {
			if found++; !strings.HasPrefix(action[1], "./") && !pinned.MatchString(action[1]) {
				t.Errorf("%s uses %s, which is no commit", path, action[1])
			}
		}
		if strings.Contains(text, "@latest") {
			t.Errorf("%s installs whatever is the latest by then", path)
		}
	}
	if found < 10 {
		t.Errorf("only %d uses were found", found)
	}
}

// TestJob reads the Indexed Job as the API server would with strict validation, and checks what it leaves to
// the author.
func TestJob(t *testing.T) {
	var job batchv1.Job
	if err := yaml.UnmarshalStrict(read(t, "../kubernetes/migrate-job.yaml"), &job); err != nil {
		t.Fatal(err)
	}
	if job.APIVersion != "batch/v1" || job.Kind != "Job" ||
		*job.Spec.CompletionMode != batchv1.IndexedCompletion {
		t.Errorf("%s %s, %v", job.APIVersion, job.Kind, *job.Spec.CompletionMode)
	}
	pod := job.Spec.Template.Spec
	if pod.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("restartPolicy %s: a podFailurePolicy needs Never", pod.RestartPolicy)
	}
	container := pod.Containers[0]
	if got, want := valueOf(container.Env, "JOB_COMPLETIONS"), strconv.Itoa(int(*job.Spec.Completions)); got != want {
		t.Errorf("JOB_COMPLETIONS is %q and completions %s", got, want)
	}
	for _, rule := range job.Spec.PodFailurePolicy.Rules {
		if rule.OnExitCodes != nil && *rule.OnExitCodes.ContainerName != container.Name {
			t.Errorf("a rule is about container %q", *rule.OnExitCodes.ContainerName)
		}
		if rule.OnExitCodes != nil && slices.Contains(rule.OnExitCodes.Values, 2) && rule.Action != batchv1.PodFailurePolicyActionCount {
			t.Errorf("exit code 2 is a service that is down, too: %s ends the shard in an outage of a minute", rule.Action)
		}
	}
	// Kubernetes waits 10, 20 and 40 seconds.
	if tries := job.Spec.BackoffLimitPerIndex; tries == nil || *tries < 3 {
		t.Error("a shard is not tried for longer than a minute")
	}
}

func valueOf(env []corev1.EnvVar, name string) string {
	for _, v := range env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// TestDockerfile parses the Dockerfile as BuildKit does.
func TestDockerfile(t *testing.T) {
	parsed, err := parser.Parse(bytes.NewReader(read(t, "../../Dockerfile")))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 2 || stages[1].BaseName != "scratch" {
		t.Errorf("%d stages, the last from %s", len(stages), stages[len(stages)-1].BaseName)
	}
}

func matches(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	return paths
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestReleases reads the release configuration as goreleaser does, which refuses what it does not know.
func TestReleases(t *testing.T) {
	project, err := config.LoadReader(bytes.NewReader(read(t, "../../.goreleaser.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	if len(project.Builds) != 1 || len(project.SBOMs) != 1 || project.Checksum.NameTemplate == "" {
		t.Errorf(
			"%d builds, %d bills of materials, checksums in %q",
			len(project.Builds),
			len(project.SBOMs),
			project.Checksum.NameTemplate,
		)
	}
}
