package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
)

// TestRulesNameFlags: a rule about a flag that its command does not have would hold nothing.
func TestRulesNameFlags(t *testing.T) {
	for command, rules := range rulesOf {
		cmd := subcommand(command)
		if cmd == nil {
			t.Fatalf("there is no command %s", command)
		}
		for _, r := range append(globalRules, rules...) {
			for _, name := range strings.Fields(strings.Join([]string{r.Flag, r.Needs, r.Not, r.Only}, " ")) {
				if name != commandline.User && cmd.Flag(name) == nil {
					t.Errorf("%s has no flag --%s", command, name)
				}
			}
		}
	}
}

// TestWaysOfChoosingExist: the ways of choosing users that an error names are those that the command has.
func TestWaysOfChoosingExist(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	asks := map[string]string{
		"migrate": "", "verify": "", "rollback": "", "restore": "", "forget": "", "backup": "--to " + t.TempDir(),
		"thaw": "--requested --policy " + policyFile(t),
	}
	flag := regexp.MustCompile(`--([a-z-]+)`)
	for _, cmd := range newRoot(&app{}).Commands() {
		if !namesUsers(cmd) {
			continue // init, for one, would write a file
		}
		needs, must := asks[cmd.Name()]
		said := inCloud(t.Context(), t, server.URL, nil, append([]string{cmd.Name()}, strings.Fields(needs)...)...)
		if strings.Contains(said.stderr, "no users given") != must {
			t.Errorf("%s: %+v", cmd.Name(), said)
			continue
		}
		for _, found := range flag.FindAllStringSubmatch(said.stderr, -1) {
			if must && cmd.Flag(found[1]) == nil {
				t.Errorf("%s has no flag --%s: %s", cmd.Name(), found[1], said.stderr)
			}
		}
		for _, way := range []string{"all", "over", "users-file", "run", "since", "to-percent"} {
			if must && cmd.Flag(way) != nil && !strings.Contains(said.stderr, "--"+way) {
				t.Errorf("%s has --%s and does not say so: %s", cmd.Name(), way, said.stderr)
			}
		}
	}
}
