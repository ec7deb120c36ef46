package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// nightPage is a question at night. The screens of the commands that the runbook says are in testdata/oncall.
// The last one names what to do.
type nightPage struct {
	name, question string
	down           func(r *http.Request) int // the status that a service answers with instead; 0: it is up
	typed          []string
	right          string
}

func isWorker(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, wire.Prefix) }

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

func isR2(r *http.Request) bool { return !isWorker(r) && !isAPI(r) }

// refuses answers for a service with a status that no client tries again.
func refuses(service func(*http.Request) bool, status int) func(*http.Request) int {
	return func(r *http.Request) int {
		if service(r) {
			return status
		}
		return 0
	}
}

func up(*http.Request) int { return 0 }

var nightPages = []nightPage{
	{"unknown-user", "where is a user with a misspelt name?", up, []string{"status nobody", "history nobody"}, `check the name.*`},
	{"unknown-run", "take back a run, by an id that was copied wrong", up,
		[]string{"rollback --run 20000101T000000Z-00000000", "status --run 20000101T000000Z-00000000"}, "`dbmigrate runs` lists"},
	{"nobody", "a selection that is empty", up, []string{"verify --all --prefix x"}, `nobody.*|no user.*`},
	{"killed", "a run was killed -9: who was hit?", up, []string{"runs"}, "`dbmigrate status --run [0-9TZa-f-]+` asks where they are"},
	{"killed-r2-refuses", "a run was killed -9, and R2 refuses everything: who was hit?", refuses(isR2, http.StatusForbidden),
		[]string{"runs"}, "`dbmigrate status --run [0-9TZa-f-]+` asks where they are"},
	{"r2-refuses", "nothing moves: is it R2?", refuses(isR2, http.StatusForbidden), []string{"doctor"},
		`r2 +FAIL .*give the token`},
	{"kv-refuses", "nothing moves: is it the Cloudflare API?", refuses(isAPI, http.StatusForbidden), []string{"doctor"},
		`kv +FAIL .*give the API token`},
	{"worker-refuses", "nothing moves: is it the Worker?", refuses(isWorker, http.StatusUnauthorized), []string{"doctor"},
		`worker +FAIL .*(?i:token)`},
	{"bad-deploy", "a deploy went out, and users get errors", up, []string{"status alice"}, `application code.*wrangler rollback`},
	{"bad-deploy-doctor", "a deploy went out: what does the doctor say?", up, []string{"doctor"},
		`migrated user +FAIL .*application code.*wrangler rollback`},
}

// TestOnCallScreens: each question, the commands that the runbook says, their screens, and that the last one
// names the right next step. How long that took is logged.
func TestOnCallScreens(t *testing.T) {
	for _, p := range nightPages {
		t.Run(p.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if status := p.down(r); status != 0 {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(status)
					fmt.Fprint(w, `{"error":{"kind":"unauthorized","message":"the token is another one"}}`) // the Worker's words
					return
				}
				nightCloud(w, r)
			}))
			t.Cleanup(server.Close)
			state := killedRun(t)
			before, screen, last := time.Now(), "", ""
			for _, command := range p.typed {
				said := inCloud(t.Context(), t, server.URL, withState(state), strings.Fields(command)...)
				last = said.stdout + said.stderr
				screen += fmt.Sprintf("$ dbmigrate %s\n%s(exit %d)\n", command, screenText(last, server.URL), said.exit)
			}
			t.Logf("%s: %d commands, %v", p.question, len(p.typed), time.Since(before).Round(time.Millisecond))
			if !regexp.MustCompile(p.right).MatchString(last) {
				t.Errorf("the last screen does not name %q:\n%s", p.right, last)
			}
			compareScreen(t, p.name, screen)
		})
	}
}

// nightCloud has one migrated user, alice, and application code that throws in alice's object.
func nightCloud(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the client is gone
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/keys") && strings.HasPrefix(r.URL.Query().Get("prefix"), userdb.FlagPrefix):
		answer(http.StatusOK, map[string]any{
			"success": true, "errors": []any{}, "messages": []any{},
			"result":      []any{map[string]string{"name": userdb.FlagPrefix + "alice"}},
			"result_info": map[string]any{"count": 1, "cursor": ""},
		})
	case strings.Contains(r.URL.Path, "/users/alice/"):
		answer(http.StatusInternalServerError, map[string]any{"error": map[string]any{
			"kind": wire.KindApplicationThrew, "message": "Cannot read properties of undefined (reading 'plan')",
		}})
	default:
		emptyCloud(w, r)
	}
}

// killedRun is this machine's state with a run that was killed: one user is done, one was in flight.
func killedRun(t *testing.T) string {
	t.Helper()
	state := t.TempDir()
	w, err := record.Create(filepath.Join(state, "dbmigrate", "runs"), record.Begin{
		Record: record.Version, Run: "20261126T040000Z-9f3c21aa", Action: "migrate", Bucket: "b",
		At:      time.Now().Add(-2 * time.Hour).UnixMilli(),
		Command: []string{"migrate", "--all"}, Who: record.Who{Name: "somebody@laptop"}, Users: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []userdb.UserID{"alice", "bob"} {
		w.Begun(u)
	}
	w.User(time.Now(), record.UserLine{User: "alice", Action: "migrate", Outcome: "migrated"})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	hour := time.Now().Add(-time.Hour)
	if err := os.Chtimes(w.Path(), hour, hour); err != nil {
		t.Fatal(err)
	}
	return state
}

func withState(state string) func(*app) {
	return func(a *app) {
		before := a.getenv
		a.getenv = func(name string) string {
			if name == "XDG_STATE_HOME" {
				return state
			}
			return before(name)
		}
	}
}

var (
	shownTime   = regexp.MustCompile(`\b\d+(\.\d+)?(ms|s|m\d\ds|h\d\dm|h\d\dm\d\ds|d\d\dh)\b`)
	shownDate   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	shownWait   = regexp.MustCompile(`(?m)^(waiting for |still at work).*\n`)
	shownSpaces = regexp.MustCompile(`  +`)
)

// screenText is a screen without addresses and times.
func screenText(text, url string) string {
	text = strings.ReplaceAll(text, url, "ADDRESS")
	text = strings.ReplaceAll(text, strings.TrimPrefix(url, "http://"), "ADDRESS")
	text = shownDate.ReplaceAllString(text, "TIME")
	text = shownWait.ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, version(), "VERSION")
	return shownSpaces.ReplaceAllString(shownTime.ReplaceAllString(text, "SOME TIME"), "  ")
}

func compareScreen(t *testing.T, name, screen string) {
	t.Helper()
	path := filepath.Join("testdata", "oncall", name+".screen")
	if *update {
		if err := os.WriteFile(path, []byte(screen), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != screen {
		t.Errorf("another screen (go test ./cmd/dbmigrate -run TestOnCallScreens -update):\n%s\nand not\n%s", screen, want)
	}
}
