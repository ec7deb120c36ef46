// Package leaving removes dbmigrate from an application when all users have moved, as docs/after.md says.
package leaving

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

const page = "../../docs/after.md"

// TestThePageShowsTheApplication holds the page's code against the one that runs here.
func TestThePageShowsTheApplication(t *testing.T) {
	code, err := os.ReadFile("testdata/app.js")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```js\n"+string(code)+"```\n") {
		t.Error("docs/after.md does not show testdata/app.js")
	}
}

// TestAnApplicationLeaves moves users, lets them write, frees their files, and then builds the application
// without the router and the admin routes. It opens the same objects, and each has every acknowledged write.
func TestAnApplicationLeaves(t *testing.T) {
	state, scratch := t.TempDir(), t.TempDir()
	binary, err := harness.Build(t.Context(), "../..", scratch)
	if err != nil {
		t.Fatal(err)
	}
	users := []string{"reads", "writes", "was-back"}
	written := map[string]string{}
	withRouter(t, state, func(cloud *stack.Stack) {
		written = moveAndFree(t, cloud, binary, users)
	})
	withoutRouter(t, state, func(cloud *stack.Stack) {
		for _, user := range users {
			if got := ask(t, cloud, user, "SELECT n FROM entries ORDER BY n"); got != written[user] {
				t.Errorf("%s has %s, and %s was acknowledged", user, got, written[user])
			}
			noted := post(t, cloud, map[string]any{"user": user, "forget": true})
			if noted == "0" {
				t.Errorf("%s: dbmigrate had noted nothing", user)
			}
			ask(t, cloud, user, "INSERT INTO entries (n) VALUES (1000000)")
			want := strings.TrimSuffix(written[user], "]") + `,{"n":1000000}]`
			if got := ask(t, cloud, user, "SELECT n FROM entries ORDER BY n"); got != want {
				t.Errorf("%s, later: %s, not %s", user, got, want)
			}
		}
		ask(t, cloud, "born-later", harness.Schema)
		if got := ask(t, cloud, "born-later", "SELECT count(*) AS c FROM entries"); got != `[{"c":0}]` {
			t.Errorf("a new user has %s", got)
		}
	})
}

// moveAndFree follows the page up to the deployment, and returns what each user has.
func moveAndFree(t *testing.T, cloud *stack.Stack, binary string, users []string) map[string]string {
	image, err := harness.Image(harness.Schema)
	if err != nil {
		t.Fatal(err)
	}
	op, err := harness.NewOperator(cloud, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	run := func(args ...string) harness.Finished {
		f, err := op.Must(0, args...)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	var all []*harness.User
	for _, name := range users {
		u, err := harness.NewUser(cloud, name, image)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	run("migrate", "--all")
	for _, u := range all[1:] {
		if err := u.Write(); err != nil {
			t.Fatal(err)
		}
	}
	run("rollback", "was-back")
	run("migrate", "--all")
	run("verify", "--all")
	plan := run("gc", "--older-than", "0s")
	run("gc", "--older-than", "0s", "--confirm", plan.Summary.Plan)
	states, err := op.States(users...)
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for _, u := range all {
		if s := states[u.Name]; s.Serves != "object" || s.Problem != "" {
			t.Errorf("%s: %+v", u.Name, s)
		}
		rows, err := u.Query("read", "SELECT n FROM entries ORDER BY n")
		if err != nil {
			t.Fatal(err)
		}
		var objects []string
		for _, row := range rows {
			objects = append(objects, fmt.Sprintf(`{"n":%v}`, row[0]))
		}
		written[u.Name] = "[" + strings.Join(objects, ",") + "]"
	}
	return written
}

func withRouter(t *testing.T, state string, use func(*stack.Stack)) {
	with(t, stack.Options{PersistDir: state}, use)
}

func withoutRouter(t *testing.T, state string, use func(*stack.Stack)) {
	with(t, stack.Options{PersistDir: state, ConfigPath: filepath.Join("testdata", "wrangler.jsonc")}, use)
}

func with(t *testing.T, o stack.Options, use func(*stack.Stack)) {
	t.Helper()
	s, err := stack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	use(s)
}

func ask(t *testing.T, cloud *stack.Stack, user, sql string) string {
	t.Helper()
	return post(t, cloud, map[string]any{"user": user, "sql": sql})
}

func post(t *testing.T, cloud *stack.Stack, message map[string]any) string {
	t.Helper()
	body, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(cloud.URL, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v: %d %s, %v", message, answer.StatusCode, text, err)
	}
	return strings.TrimSpace(string(text))
}
