package record

import (
	"os/user"
	"strings"
	"testing"
)

func TestWho(t *testing.T) {
	current, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env            map[string]string
		name, via, job string
	}{
		"a person": {nil, current.Username, "", ""},
		"sudo":     {map[string]string{"SUDO_USER": "ann"}, "ann (sudo " + current.Username + ")", "", ""},
		"github": {map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ann", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"},
			"ann", "github-actions", "https://github.com/o/r/actions/runs/7"},
		"github, run again by another": {map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ann", "GITHUB_TRIGGERING_ACTOR": "bob"}, "bob", "github-actions", ""},
		"gitlab":                       {map[string]string{"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ann", "CI_JOB_URL": "https://g/j/1"}, "ann", "gitlab-ci", "https://g/j/1"},
		"buildkite":                    {map[string]string{"BUILDKITE": "true", "BUILDKITE_BUILD_CREATOR": "Ann", "BUILDKITE_UNBLOCKER": "Bob", "BUILDKITE_BUILD_URL": "https://b/1"}, "Bob", "buildkite", "https://b/1"},
		"a pod":                        {map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "POD_NAMESPACE": "prod", "HOSTNAME": "dbmigrate-3-x7"}, current.Username, "kubernetes", "prod/dbmigrate-3-x7"},
		"a runner in a pod":            {map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ann"}, "ann", "github-actions", ""},
		"control characters":           {map[string]string{"GITLAB_CI": "1", "GITLAB_USER_LOGIN": "a\x1b[31mn\nn\xff", "CI_JOB_URL": strings.Repeat("ä", 400)}, "a[31mnn", "gitlab-ci", strings.Repeat("ä", 250)},
	} {
		t.Run(name, func(t *testing.T) {
			got := Operator(func(name string) string { return test.env[name] })
			if got.Name != test.name || got.Via != test.via || got.Job != test.job {
				t.Errorf("%+v", got)
			}
		})
	}
}
