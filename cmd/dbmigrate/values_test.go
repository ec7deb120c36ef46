package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/record"
)

// offered are what a shell would offer.
func offered(t *testing.T, url string, change func(*app), words ...string) (values []string, directive string) {
	t.Helper()
	said := inCloud(t.Context(), t, url, change, append([]string{cobra.ShellCompRequestCmd}, words...)...)
	if said.exit != exitDone {
		t.Fatalf("%q: %+v", words, said)
	}
	lines := strings.Split(strings.TrimSpace(said.stdout), "\n")
	for _, line := range lines[:len(lines)-1] {
		value, _, _ := strings.Cut(line, "\t")
		values = append(values, value)
	}
	return values, lines[len(lines)-1]
}

// takesValue says whether a flag needs one.
func takesValue(f *pflag.Flag) bool { return f.NoOptDefVal == "" && f.Name != "help" }

// freeValues are the flags with a value that a person has to know: a number, a size, a time, a text.
var freeValues = []string{
	"worker-url", "bucket", "kv-namespace", "account-id", "layout", "r2-endpoint", "api-base-url", "api-budget",
	"over", "percent", "since", "to-percent", "concurrency", "max-failures", "max-duration", "give-up-after", "reason",
	"longest-request", "canary", "canary-pause", "waves", "gate-failures", "max-cost", "show", "confirm",
	"older-than", "hold", "unmark", "max-delete", "archive-prefix", "where", "limit", "top", "hellos", "watch",
	"consistent", "requests-per-day", "writes-share", "var", "deep", "recommend-over",
}

// TestEveryValueHasAnOffer: each flag with a value is in one of the lists that say what a shell
// offers for it. What is in a list exists.
func TestEveryValueHasAnOffer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	used := map[string]bool{}
	look := func(cmd *cobra.Command, f *pflag.Flag) {
		if !takesValue(f) {
			used[f.Name] = true
			return
		}
		one, file, free := valuesOf[f.Name] != nil, slices.Contains(filesOf, f.Name), slices.Contains(freeValues, f.Name)
		if special := cmd.Name() + " " + f.Name; valuesOf[special] != nil {
			used[special] = true
			used[f.Name] = true
			return
		}
		if !one && !file && !free || one && file || one && free || file && free {
			t.Errorf("%s --%s is in no list, or in several: offer %v, file %v, free %v", cmd.Name(), f.Name, one, file, free)
		}
		used[f.Name] = true
	}
	root := newRoot(&app{})
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { look(root, f) })
	for _, cmd := range root.Commands() {
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { look(cmd, f) })
		if namesUsers(cmd) != (cmd.ValidArgsFunction != nil) {
			t.Errorf("%s: users are not completed", cmd.Use)
		}
	}
	for name := range valuesOf {
		if !used[name] {
			t.Errorf("%s is in a list, and there is none", name)
		}
	}
	for _, name := range append(slices.Clone(filesOf), freeValues...) {
		if !used[name] {
			t.Errorf("--%s is in a list, and there is none", name)
		}
	}
}

// TestFixedValues: what a shell offers is what the command takes.
func TestFixedValues(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	for words, want := range map[string][]string{
		"scan --output ":                      {"table", "json", "csv"},
		"scan --output=js":                    {"json"},
		"migrate --mode ":                     {"full", "split"},
		"migrate --writers con":               {"conditional"},
		"migrate --shard ":                    {"auto"},
		"rollback --prefer ":                  {"hot", "cold"},
		"scan --policy ":                      {"init"},
		"migrate --location-hint apac":        {"apac", "apac-ne", "apac-se"},
		"migrate --r2-jurisdiction fed":       {"fedramp", "fedramp-high"},
		"completion ":                         {"bash", "zsh", "fish", "powershell"},
		"selftest --probes P9,":               {"P9,P10", "P9,P11"},
		"migrate --max-failures ":             nil,
		"migrate alice --mode split --mode s": {"split"},
	} {
		got, _ := offered(t, server.URL, nil, strings.Split(words, " ")...)
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) || want == nil && got != nil {
			t.Errorf("%s offers %q, want %q", words, got, want)
		}
	}
	for words, file := range map[string]bool{"migrate --policy ": true, "scan --policy ": true, "migrate --reason ": false, "migrate ": false} {
		if _, directive := offered(t, server.URL, nil, strings.Split(words, " ")...); (directive == ":0") != file {
			t.Errorf("%s: files are offered: %s", words, directive)
		}
	}
}

// TestEnvironmentsAndProfilesAreOffered as the project's files name them.
func TestEnvironmentsAndProfilesAreOffered(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"wrangler.toml":  "name = \"w\"\n[env.production]\n[env.preview]\n",
		"dbmigrate.toml": "[profile.live]\nbucket = \"b\"\n[profile.test]\nbucket = \"c\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for words, want := range map[string][]string{
		"scan --env pr":   {"preview", "production"},
		"scan --profile ": {"live", "test"},
	} {
		if got, _ := offered(t, "http://127.0.0.1:1", nil, strings.Split(words, " ")...); !slices.Equal(got, want) {
			t.Errorf("%s offers %q", words, got)
		}
	}
}

// TestRunsAreOffered: the newest first, those of other buckets not.
func TestRunsAreOffered(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	state := t.TempDir()
	for i, bucket := range []string{"b", "other", "b"} {
		w, err := record.Create(filepath.Join(state, "dbmigrate", "runs"), record.Begin{
			Record: record.Version, Run: fmt.Sprintf("2026112%dT040000Z-9f3c21aa", i), Action: "migrate", Bucket: bucket,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	change := func(a *app) {
		before := a.getenv
		a.getenv = func(name string) string {
			if name == "XDG_STATE_HOME" {
				return state
			}
			return before(name)
		}
	}
	want := []string{"20261122T040000Z-9f3c21aa", "20261120T040000Z-9f3c21aa"}
	for _, words := range []string{"status --run ", "rollback --run 2026", "runs --report "} {
		if got, _ := offered(t, server.URL, change, strings.Split(words, " ")...); !slices.Equal(got, want) {
			t.Errorf("%s offers %q", words, got)
		}
	}
}
