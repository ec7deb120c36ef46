package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// TestWrongDeployments runs the sample under settings with which no migrated user could be served. Nobody may
// be moved into such a deployment, and doctor and migrate name the setting. Commands that only look, or bring
// back, say so and go on.
func TestWrongDeployments(t *testing.T) {
	t.Parallel()
	wrong := []struct{ name, date, classes, says string }{
		{"rpc", "2024-04-02", "new_sqlite_classes", "compatibility_date to 2024-04-03"},
		{"sqlite", "2026-11-01", "new_classes", "new_sqlite_classes"},
	}
	for _, c := range effort.Some(t, "wrong deployments", wrong, 1) {
		t.Run(c.name, func(t *testing.T) {
			s, err := stack.Start(t.Context(), stack.Options{ConfigPath: deployment(t, c.date, c.classes)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
			})
			testscript.Run(t, testscript.Params{
				Files:               []string{filepath.Join("testdata", "wrongdeployment.txtar")},
				RequireExplicitExec: true,
				Cmds:                storyCommands,
				Setup: func(env *testscript.Env) error {
					env.Vars = append(
						append(env.Vars, s.Env()...),
						"SAYS="+c.says,
						"XDG_STATE_HOME="+filepath.Join(env.WorkDir, "state"),
					)
					return nil
				},
			})
		})
	}
}

// deployment is the sample's wrangler configuration with another date and another way to declare the class.
func deployment(t *testing.T, date, classes string) string {
	t.Helper()
	worker, err := filepath.Abs("../../worker")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(worker, "test-entry", "wrangler.jsonc"))
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	for old, changed := range map[string]string{
		`"stale.ts"`:           fmt.Sprintf("%q", filepath.Join(worker, "sample", "index.ts")),
		`"2026-11-01"`:         fmt.Sprintf("%q", date),
		`"new_sqlite_classes"`: fmt.Sprintf("%q", classes),
	} {
		if !strings.Contains(config, old) {
			t.Fatalf("the configuration holds no %s", old)
		}
		config = strings.Replace(config, old, changed, 1)
	}
	path := filepath.Join(t.TempDir(), "wrangler.jsonc")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBadDeploy: application code that throws in the Durable Objects is named as such: in a request, in their
// constructor and in blockConcurrencyWhile. Doctor finds it, too, although the object that hello asks may
// still answer. The object is not asked again and again, and there is a way out.
func TestBadDeploy(t *testing.T) {
	t.Parallel()
	config := deployment(t, "2026-11-01", "new_sqlite_classes")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "/sample/index.ts", "/test-entry/throws.ts", 1)
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := stack.Start(t.Context(), stack.Options{ConfigPath: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	commands := stackCommands(s)
	commands["deploy"] = func(ts *testscript.TestScript, _ bool, args []string) {
		answer, err := http.Post(s.URL+"/deploy/"+args[0]+"?user=alice&user=.dbmigrate%2Fprobe", "", nil)
		ts.Check(err)
		ts.Check(answer.Body.Close())
	}
	testscript.Run(t, testscript.Params{
		Files:               []string{filepath.Join("testdata", "baddeploy.txtar")},
		RequireExplicitExec: true,
		Cmds:                commands,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(
				append(env.Vars, s.Env()...),
				"XDG_STATE_HOME="+filepath.Join(env.WorkDir, "state"),
			)
			return nil
		},
	})
}
