package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLostResults: a script that reads what a command printed must not take a part for the whole.
func TestLostResults(t *testing.T) {
	server := httptest.NewServer(&largeFleet{users: 30, plain: true, calls: map[string]int{}})
	defer server.Close()
	for _, line := range []string{
		"scan", "scan --output json", "scan --output csv", "version", "version --json", "--help",
		"help migrate", "completion bash",
	} {
		deaf, err := os.Open(os.DevNull) // for reading: no write to it succeeds
		if err != nil {
			t.Fatal(err)
		}
		defer deaf.Close()
		cmd := exec.Command("dbmigrate", strings.Fields(line)...)
		cmd.Dir, cmd.Env = t.TempDir(), append(fleetEnv(t, server.URL), "DBMIGRATE_LAYOUT=databases/{user}.sqlite")
		var talk bytes.Buffer
		cmd.Stdout, cmd.Stderr = deaf, &talk
		err = cmd.Run()
		if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(talk.String(), "standard output could not be written") ||
			!strings.Contains(talk.String(), "bad file descriptor") {
			t.Errorf("%s: %v: %s", line, err, &talk)
		}
	}
}

// TestLostPage: a scan shows what it found, though its page could not be written, and is no success.
func TestLostPage(t *testing.T) {
	server := httptest.NewServer(&largeFleet{users: 30, plain: true, calls: map[string]int{}})
	defer server.Close()
	for file, exit := range map[string]int{"/dev/full": exitFailed, "/proc/page.html": exitUsage} {
		cmd := exec.Command("dbmigrate", "scan", "--report", file)
		cmd.Dir, cmd.Env = t.TempDir(), append(fleetEnv(t, server.URL), "DBMIGRATE_LAYOUT=databases/{user}.sqlite")
		var out, talk bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &talk
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != exit || strings.Count(out.String(), "user-") != map[int]int{exitFailed: 30}[exit] ||
			!strings.Contains(talk.String(), file) {
			t.Errorf("%s: %v: %s%s", file, err, &out, &talk)
		}
	}
}

// TestLostPageOfARun: the user's outcome stays what it is, and the command is no success.
func TestLostPageOfARun(t *testing.T) {
	header := append([]byte("SQLite format 3\x00"), make([]byte, 4080)...)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/alice/database.sqlite") {
			emptyCloud(w, r)
			return
		}
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
		http.ServeContent(w, r, "", time.Now(), bytes.NewReader(header))
	}))
	defer server.Close()
	for page, exit := range map[string]int{filepath.Join(t.TempDir(), "page.html"): exitDone, "/dev/full": exitFailed, "/proc/page.html": exitUsage} {
		said := inCloud(t.Context(), t, server.URL, nil, "rollback", "alice", "--report", page)
		if said.exit != exit || strings.Contains(said.stdout, "alice") != (exit != exitUsage) {
			t.Errorf("%s: exit %d, want %d\n%s%s", page, said.exit, exit, said.stdout, said.stderr)
		}
	}
}
