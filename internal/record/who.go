package record

import (
	"cmp"
	"os"
	"os/user"
	"strings"
	"unicode"
)

// Who is written into run records and audit lines (docs/scripting.md).
type Who struct {
	// Name is the OS user, or who started the CI job.
	Name string `json:"name"`
	Host string `json:"host,omitempty"`
	// Via is github-actions, gitlab-ci, buildkite, circleci, jenkins, kubernetes; "" is a person's own shell,
	// or a machine that does not say.
	Via string `json:"via,omitempty"`
	// Job is the job's address, or namespace and name of a pod.
	Job string `json:"job,omitempty"`
}

// system is how one CI system tells about itself.
type system struct {
	via, mark string   // mark is set by that system alone
	names     []string // who started the job, the best first
	job       func(getenv func(string) string) string
}

func variable(name string) func(func(string) string) string {
	return func(getenv func(string) string) string { return getenv(name) }
}

func githubJob(getenv func(string) string) string {
	if getenv("GITHUB_RUN_ID") == "" {
		return ""
	}
	return cmp.Or(
		getenv("GITHUB_SERVER_URL"),
		"https://github.com",
	) + "/" + getenv(
		"GITHUB_REPOSITORY",
	) + "/actions/runs/" + getenv(
		"GITHUB_RUN_ID",
	)
}

// systems are looked at in order: a CI job may run in a pod, and the job tells more.
var systems = []system{
	{"github-actions", "GITHUB_ACTIONS", []string{"GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"}, githubJob},
	{"gitlab-ci", "GITLAB_CI", []string{"GITLAB_USER_LOGIN"}, variable("CI_JOB_URL")},
	{
		"buildkite",
		"BUILDKITE",
		[]string{"BUILDKITE_UNBLOCKER", "BUILDKITE_BUILD_CREATOR"},
		variable("BUILDKITE_BUILD_URL"),
	},
	{"circleci", "CIRCLECI", []string{"CIRCLE_USERNAME"}, variable("CIRCLE_BUILD_URL")},
	{"jenkins", "JENKINS_URL", []string{"BUILD_USER_ID"}, variable("BUILD_URL")},
	{"kubernetes", "KUBERNETES_SERVICE_HOST", nil, pod},
}

// namespaceFile is where Kubernetes tells a pod its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

func pod(getenv func(string) string) string {
	name := cmp.Or(getenv("POD_NAME"), getenv("HOSTNAME"))
	namespace := getenv("POD_NAMESPACE")
	if text, err := os.ReadFile(namespaceFile); err == nil && namespace == "" {
		namespace = strings.TrimSpace(string(text))
	}
	return strings.TrimPrefix(namespace+"/"+name, "/")
}

// Operator says who runs this command: a person at a machine, or a job of a CI system or cluster and who
// started it.
func Operator(getenv func(string) string) Who {
	host, _ := os.Hostname() // a machine without a name has none to tell
	w := Who{Name: osUser(getenv), Host: host}
	for _, s := range systems {
		if getenv(s.mark) == "" {
			continue
		}
		w.Via, w.Job = s.via, s.job(getenv)
		for i := len(s.names) - 1; i >= 0; i-- {
			w.Name = cmp.Or(getenv(s.names[i]), w.Name)
		}
		break
	}
	return Who{Name: clean(w.Name), Host: clean(w.Host), Via: w.Via, Job: clean(w.Job)}
}

// osUser names the person behind sudo, too: root says little.
func osUser(getenv func(string) string) string {
	name := cmp.Or(getenv("USER"), getenv("LOGNAME"))
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if by := getenv("SUDO_USER"); by != "" && by != name {
		name = by + " (sudo " + name + ")"
	}
	return cmp.Or(name, "unknown")
}

// maxWhoBytes bounds what an environment can put into a record.
const maxWhoBytes = 500

// clean keeps what an environment says to one line of text.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
	if len(s) > maxWhoBytes {
		s = strings.ToValidUTF8(s[:maxWhoBytes], "")
	}
	return s
}
