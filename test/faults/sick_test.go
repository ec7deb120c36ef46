package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// TestOneSickObject: R2 answers for one object with an error, whatever is asked. Every fleet command ends
// with one failed line for that user, and is done with all others.
func TestOneSickObject(t *testing.T) {
	type sick struct {
		command, before, serves string // serves: the others, afterwards
		status                  int
	}
	var all []sick
	for _, status := range []int{400, 403, 501} {
		for _, c := range []sick{
			{command: "scan", before: "", serves: "file"},
			{command: "scan --deep", before: "", serves: "file"},
			{command: "scan --policy POLICY --all", before: "", serves: "file"},
			{command: "migrate --all", before: "", serves: "object"},
			{command: "migrate --all --writers conditional --longest-request 0s", before: "", serves: "object"},
			{command: "migrate USERS", before: "", serves: "object"},
			{command: "verify --all", before: "migrate", serves: "object"},
			{command: "verify USERS", before: "migrate", serves: "object"},
			{command: "status --all", before: "migrate", serves: "object"},
			{command: "status USERS", before: "migrate", serves: "object"},
			{command: "gc --older-than 0s", before: "migrate", serves: "object"},
			{command: "rollback --all --dry-run", before: "migrate", serves: "object"},
			{command: "rollback --all --rehearse", before: "migrate", serves: "object"},
			{command: "rollback --all", before: "migrate", serves: "file"},
			{command: "rollback --since 1h", before: "migrate", serves: "file"},
			{command: "rollback --run RUN", before: "migrate", serves: "file"},
			{command: "rollback USERS", before: "migrate", serves: "file"},
		} {
			c.status = status
			all = append(all, c)
		}
	}
	for _, c := range effort.Some(t, "commands beside a sick object", all, 3) {
		t.Run(strings.ReplaceAll(fmt.Sprintf("%d %s", c.status, c.command), " ", "_"), func(t *testing.T) {
			t.Parallel()
			team := newNamedTeam(t, 3)
			run := ""
			if c.before != "" {
				run = must(t, team.op, 0, append([]string{c.before}, team.names()...)...).Summary.Run
			}
			sick, prefix := team.users[1].Name, team.users[0].Name[:len(team.users[0].Name)-1]
			args := strings.Fields(
				strings.NewReplacer("USERS", strings.Join(team.names(), " "), "RUN", run, "POLICY", writePolicy(t)).
					Replace(c.command),
			)
			if !strings.Contains(c.command, "USERS") {
				args = append(args, "--prefix", prefix)
			}

			team.op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
				if strings.Contains(r.Path, "/"+sick+"/database.sqlite") {
					return answers(c.status)
				}
				return faultproxy.Fault{}
			})
			team.op.KVWindow = "0s"
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
				if s := now[u.Name].Serves; u.Name != sick && s != c.serves || s == "none" {
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

// writePolicy writes a split policy for the users' schema and returns its path.
func writePolicy(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cold.toml")
	if err := os.WriteFile(path, []byte("[tables.entries]\nwhere = \"n >= 0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
