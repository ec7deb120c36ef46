package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTutorial runs the commands of docs/tutorial.md in one shell and compares what they print with the page.
func TestTutorial(t *testing.T) {
	page, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	script, want := consoleBlocks(string(page))
	s, err := shared.start()
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	build := exec.CommandContext(
		t.Context(),
		"go",
		"build",
		"-o",
		filepath.Join(work, "bin", "dbmigrate"),
		".",
	)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	shell := exec.CommandContext(t.Context(), "bash", "-e", "-c", script)
	shell.Dir, shell.Env = work, append(os.Environ(), s.Env()...)
	got, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if got, want := steady(string(got)), steady(want); got != want {
		t.Errorf("the commands print\n%s\nthe page says\n%s", got, want)
	}
}

// consoleBlocks returns the commands of a page's console blocks, and the output that the page shows.
func consoleBlocks(page string) (script, output string) {
	inside := false
	for line := range strings.Lines(page) {
		switch command, isCommand := strings.CutPrefix(line, "$ "); {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```console"
		case inside && isCommand:
			script += command
		case inside:
			output += line
		}
	}
	return script, output
}

var (
	aRunID   = regexp.MustCompile(`\d{8}T\d{6}Z-[0-9a-f]{8}`)
	duration = regexp.MustCompile(`\b\d+(\.\d+)?(ms|s)\b`)
	spaces   = regexp.MustCompile(` +`)
	// anotherRun is said of the runs that the tests before killed on the same runtime.
	anotherRun = regexp.MustCompile(`(?m)^another run is active, .*\n`)
)

// steady takes out what differs from run to run: times, run ids, and with them the widths of columns.
func steady(text string) string {
	text = anotherRun.ReplaceAllString(text, "")
	text = duration.ReplaceAllString(aRunID.ReplaceAllString(text, "RUN"), "TIME")
	return spaces.ReplaceAllString(text, " ")
}
