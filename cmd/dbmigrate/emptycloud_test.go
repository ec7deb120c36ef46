package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/interrupt"
	"github.com/dbmigrate/dbmigrate/internal/scratch"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// emptyCloud is R2, the Cloudflare API and a Worker, with nobody in them.
func emptyCloud(w http.ResponseWriter, r *http.Request) {
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the client is gone
	}
	path := r.URL.Path
	switch {
	case strings.HasSuffix(path, "/hello"):
		answer(wire.Hello{
			Protocol: wire.Version,
			Worker:   "test",
			Limits:   wire.DefaultLimits,
			Split:    true,
			Object:   &wire.ObjectReport{Answers: true, Worker: "test"},
			NowMs:    time.Now().UnixMilli(),
		})
	case strings.Contains(path, wire.Prefix+"/users/"):
		answer(map[string]any{"phase": "EMPTY"})
	case strings.HasSuffix(path, "/bulk/get"):
		answer(map[string]any{"success": true, "result": map[string]any{"values": map[string]any{}}})
	case strings.HasSuffix(path, "/bulk/delete"):
		answer(map[string]any{
			"success": true, "errors": []any{}, "messages": []any{},
			"result": map[string]any{"successful_key_count": 1, "unsuccessful_keys": []string{}},
		})
	case strings.HasPrefix(path, "/api/"):
		answer(map[string]any{
			"success": true, "errors": []any{}, "messages": []any{}, "result": []any{},
			"result_info": map[string]any{"count": 0, "cursor": ""},
		})
	case r.Method == http.MethodGet && (r.URL.Query().Get("list-type") == "2" || r.URL.Query().Has("lifecycle")):
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, "<Result/>")
	case r.Method == http.MethodPut:
		w.Header().Set("ETag", `"e"`)
	default:
		w.WriteHeader(http.StatusNotFound)
		if r.Method != http.MethodHead {
			fmt.Fprint(w, "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>")
		}
	}
}

// spoken is what a command wrote, and how it ended.
type spoken struct {
	exit           int
	stdout, stderr string
}

// inCloud runs a command in this process, against a cloud at url.
func inCloud(ctx context.Context, t *testing.T, url string, change func(*app), args ...string) spoken {
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	environment := map[string]string{
		"CLOUDFLARE_API_TOKEN":    "api-token-secret",
		"CLOUDFLARE_ACCOUNT_ID":   "a",
		"AWS_ACCESS_KEY_ID":       "k",
		"AWS_SECRET_ACCESS_KEY":   "s3-secret",
		"DBMIGRATE_TOKEN":         "token-of-the-operator",
		"DBMIGRATE_WORKER_URL":    url,
		"DBMIGRATE_BUCKET":        "b",
		"DBMIGRATE_KV_NAMESPACE":  "n",
		"DBMIGRATE_LOCATION_HINT": "none",
		"AWS_ENDPOINT_URL_S3":     url,
		"CLOUDFLARE_API_BASE_URL": url + "/api",
		"XDG_STATE_HOME":          dir,
		"HOME":                    dir,
	}
	a := &app{
		stdin: open("stdin"), stdout: open("stdout"), stderr: open("stderr"),
		getenv:  func(name string) string { return environment[name] },
		traffic: fleet.NewTraffic(),
		scratch: scratch.In(dir),
		signals: &interrupt.Signals{Stop: ctx},
	}
	if change != nil {
		change(a)
	}
	a.out = a.output(formatAsked(args))
	code := a.execute(args)
	read := func(f *os.File) string {
		text, err := os.ReadFile(f.Name())
		if err != nil && filepath.IsAbs(f.Name()) {
			t.Fatal(err)
		}
		return string(text)
	}
	return spoken{code, read(a.stdout), read(a.stderr)}
}

// policyFile is a policy for split mode.
func policyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cold.toml")
	if err := os.WriteFile(path, []byte("[tables.entries]\nwhere = \"n < 0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nobodys are, for each command, the ways to name a user who does not exist, a run that nobody knows, or
// nobody at all. A command that chooses no users says why.
func nobodys(t *testing.T, policy string) map[string][]string {
	return map[string][]string{
		"scan":     {"scan", "scan --prefix x", "scan --policy " + policy + " nobody", "scan --policy " + policy + " --all"},
		"migrate":  {"migrate nobody", "migrate nobody --dry-run", "migrate --all", "migrate --over 1MB", "migrate --all --dry-run"},
		"verify":   {"verify nobody", "verify --all", "verify --all --prefix x"},
		"rollback": {"rollback nobody", "rollback nobody --dry-run", "rollback nobody --rehearse", "rollback --all", "rollback --since 1h", "rollback --run 20261126T040000Z-9f3c21aa", "rollback --run x --dry-run", "rollback --to-percent 5"},
		"thaw":     {"thaw nobody --requested --policy " + policy, "thaw --all --requested --policy " + policy},
		"gc":       {"gc nobody", "gc nobody --explain", "gc", "gc --prefix x", "gc nobody --confirm abcdef", "gc --unmark abcdef", "gc nobody --mark"},
		"status":   {"status nobody", "status", "status --all", "status --prefix x", "status --run x"},
		"history":  {"history nobody"},
		"backup":   {"backup nobody --to " + t.TempDir(), "backup --all --to " + t.TempDir()},
		"forget":   {"forget nobody --dry-run", "forget nobody --confirm delete_everything_of_nobody"},
		"restore":  {"restore --all --from " + t.TempDir()},
	}
}

// typed are the words of a command. A _ is a blank within a word.
func typed(way string) []string {
	words := strings.Fields(way)
	for i, word := range words {
		words[i] = strings.ReplaceAll(word, "_", " ")
	}
	return words
}

// TestForgetAgain: who was deleted before has a claim number left, and is no unknown user.
func TestForgetAgain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, wire.Prefix+"/users/alice/") {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"phase":"EMPTY","gen":4}`)
			return
		}
		emptyCloud(w, r)
	}))
	t.Cleanup(server.Close)
	for _, way := range []string{"forget alice --dry-run", "forget alice --confirm delete_everything_of_alice"} {
		if said := inCloud(t.Context(), t, server.URL, nil, typed(way)...); said.exit != exitDone {
			t.Errorf("%s: exit %d\n%s%s", way, said.exit, said.stdout, said.stderr)
		}
	}
}

// choosesNobody are the commands that are about no user.
var choosesNobody = []string{
	"init", "dev", "doctor", "runs", "version", "completion", "man", "help", "connection",
	"selftest", // which makes a user of its own
}

// TestNobodyIsNoSuccess: an unknown user, an unknown run and an empty selection end with 2, in every command.
func TestNobodyIsNoSuccess(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	table := nobodys(t, policyFile(t))
	for _, cmd := range newRoot(&app{}).Commands() {
		ways, told := table[cmd.Name()]
		if !told && !slices.Contains(choosesNobody, cmd.Name()) {
			t.Errorf("%s: the table does not say how it is about nobody", cmd.Name())
		}
		for _, way := range ways {
			t.Run(way, func(t *testing.T) {
				t.Parallel()
				said := inCloud(t.Context(), t, server.URL, nil, append(typed(way), "--output", "json")...)
				if said.exit != exitUsage || said.stderr == "" {
					t.Errorf("exit %d\n%s%s", said.exit, said.stdout, said.stderr)
				}
			})
		}
	}
}
