package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
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
