package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// TestOneSickObject: R2 answers for one object with an error, whatever is asked. Every fleet command ends with one failed line for that user, and is done
// with all others.
func TestOneSickObject(t *testing.T) {
	for _, status := range []int{400, 403, 501} {
		for _, c := range []struct {
			command, before, serves string // serves: the others, afterwards
		}{
			{"scan", "", "file"},
			{"scan --deep", "", "file"},
			{"scan --policy POLICY --all", "", "file"},
			{"migrate --all", "", "store"},
			{"migrate --all --writers conditional --kv-window 0s --longest-request 0s", "", "store"},
			{"migrate USERS", "", "store"},
			{"verify --all", "migrate", "store"},
			{"verify USERS", "migrate", "store"},
			{"status --deep", "migrate", "store"},
			{"status USERS", "migrate", "store"},
			{"gc --older-than 0s", "migrate", "store"},
			{"rollback --all --dry-run", "migrate", "store"},
			{"rollback --all --rehearse", "migrate", "store"},
			{"rollback --all", "migrate", "file"},
			{"rollback --since 1h", "migrate", "file"},
			{"rollback --run RUN", "migrate", "file"},
			{"rollback USERS", "migrate", "file"},
		} {
			t.Run(strings.ReplaceAll(fmt.Sprintf("%d %s", status, c.command), " ", "_"), func(t *testing.T) {
				t.Parallel()
				team := newNamedTeam(t, 3)
				run := ""
				if c.before != "" {
					run = must(t, team.op, 0, append([]string{c.before}, team.names()...)...).Summary.Run
				}
				sick, prefix := team.users[1].Name, team.users[0].Name[:len(team.users[0].Name)-1]
				args := strings.Fields(strings.NewReplacer("USERS", strings.Join(team.names(), " "), "RUN", run, "POLICY", writePolicy(t)).Replace(c.command))
				if !strings.Contains(c.command, "USERS") {
					args = append(args, "--prefix", prefix)
				}

				team.op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
					if strings.Contains(r.Path, "/"+sick+"/database.sqlite") {
						return answers(status)
					}
					return faultproxy.Fault{}
				})
				f := must(t, team.op, 1, args...)
				team.op.Proxy.Reset(nil)

				for _, u := range team.users {
					a, told := f.Accounts[u.Name]
					if !told || (a.Error != nil) != (u.Name == sick) {
						t.Errorf("%s: told %t, error %v", u.Name, told, a.Error)
					}
				}
				now, err := team.op.States(team.names()...)
				if err != nil {
					t.Fatal(err)
				}
				for _, u := range team.users {
					if s := now[u.Name].Serves; u.Name != sick && s != c.serves || s == "neither" {
						t.Errorf("%s is served by %s", u.Name, s)
					}
					mustBeServed(t, u)
				}
				if t.Failed() {
					t.Log(f)
				}
			})
		}
	}
}

// writePolicy writes a split policy for the users' schema and returns its path.
func writePolicy(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cold.toml")
	if err := os.WriteFile(path, []byte("[tables.entries]\nwhere = \"n >= 0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
