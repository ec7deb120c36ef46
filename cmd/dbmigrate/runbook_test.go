package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

const (
	runbookPage    = "../../docs/runbook.md"
	runbookStories = "testdata/runbook"
)

// TestRunbook runs every command of docs/runbook.md in the state that its section describes. Each section
// with commands has a story of its name in testdata/runbook, which makes the state and runs the section's
// commands word for word. To add a command to the page: add it there.
func TestRunbook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(runbookPage)
	if err != nil {
		t.Fatal(err)
	}
	sections := runbookSections(string(page))
	for _, complaint := range compareRunbook(sections, runbookCommands(t)) {
		t.Error(complaint)
	}
	if t.Failed() {
		return
	}
	// A runtime of its own: the page also speaks of everybody, and each story's user is alice.
	s := ownStack(t)
	told := slices.DeleteFunc(
		slices.Clone(sections),
		func(s runbookSection) bool { return len(s.commands) == 0 },
	)
	for _, section := range effort.Some(t, "sections of the runbook", told, 2) {
		t.Run(section.name, func(t *testing.T) { tellStory(t, s, section.story()) })
	}
}

// TestRunbookBeginsWithTheWayOut: who opens the page at night after a bad deploy reads no further.
func TestRunbookBeginsWithTheWayOut(t *testing.T) {
	page, err := os.ReadFile(runbookPage)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n\n")
	first, _, _ := strings.Cut(rest, "\n\n")
	if !strings.HasPrefix(first, "**Did a deploy just go out?**") || !strings.Contains(first, "**wrangler rollback**") {
		t.Errorf("the page does not begin with the way out of a bad deploy: %s", first)
	}
}

func tellStory(t *testing.T, s *stack.Stack, name string) {
	wrangler, err := localWrangler(t.TempDir(), s)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files:               []string{filepath.Join(runbookStories, name)},
		RequireExplicitExec: true,
		Cmds:                stackCommands(s),
		Setup: func(env *testscript.Env) error {
			env.Vars = append(
				append(env.Vars, s.Env()...),
				"XDG_STATE_HOME="+filepath.Join(env.WorkDir, ".state"),
			)
			env.Setenv("PATH", wrangler+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
	})
}

// localWrangler makes a folder with a wrangler that does to the local runtime what it is told to do to the
// remote one.
func localWrangler(dir string, s *stack.Stack) (string, error) {
	worker, err := filepath.Abs("../../worker")
	if err != nil {
		return "", err
	}
	script := fmt.Sprintf(`#!/bin/sh
for arg; do
  shift
  [ "$arg" = --remote ] || set -- "$@" "$arg"
done
export WRANGLER_SEND_METRICS=false
exec %[1]s/node_modules/node/bin/node %[1]s/node_modules/wrangler/bin/wrangler.js --config %[1]s/wrangler.jsonc "$@" --local --persist-to %[2]s
`, worker, s.PersistDir)
	return dir, os.WriteFile(filepath.Join(dir, "wrangler"), []byte(script), 0o755)
}

// runbookSection is a heading of the page and the commands below it, in their order.
type runbookSection struct {
	name     string
	commands []string
}

// story is the section's file: "Where is this user?" is told in where-is-this-user.txtar.
func (s runbookSection) story() string {
	words := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(s.name), "-")
	return strings.Trim(words, "-") + ".txtar"
}

// inlineCommand is a command within a sentence.
var inlineCommand = regexp.MustCompile("`((?:dbmigrate|wrangler) [^`]+)`")

// runbookSections finds the commands: each line of an indented block, and what is marked as code and begins
// like one.
func runbookSections(page string) []runbookSection {
	var all []runbookSection
	var current runbookSection
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "## "); ok {
			all, current = append(all, current), runbookSection{name: name}
			continue
		}
		if command, ok := strings.CutPrefix(line, "    "); ok {
			current.commands = append(current.commands, strings.TrimSpace(command))
			continue
		}
		for _, m := range inlineCommand.FindAllStringSubmatch(line, -1) {
			current.commands = append(current.commands, m[1])
		}
	}
	return append(all, current)
}

// runbookCommands are the commands that each story runs.
func runbookCommands(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(runbookStories, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		commands := []string{}
		for _, m := range regexp.MustCompile(`(?m)^(?:exits \d+|exec) (.+)$`).FindAllStringSubmatch(string(text), -1) {
			commands = append(commands, m[1])
		}
		told[filepath.Base(file)] = commands
	}
	return told
}

// compareRunbook says which commands of the page no story runs, and which story belongs to no section.
func compareRunbook(sections []runbookSection, told map[string][]string) (complaints []string) {
	homeless := map[string]bool{}
	for name := range told {
		homeless[name] = true
	}
	for _, section := range sections {
		delete(homeless, section.story())
		for _, command := range section.commands {
			runs := func(line string) bool { return unquoted(line) == unquoted(command) }
			if !slices.ContainsFunc(told[section.story()], runs) {
				complaints = append(
					complaints,
					fmt.Sprintf("section %q: no line of %s runs %q", section.name, section.story(), command),
				)
			}
		}
	}
	for name := range homeless {
		complaints = append(complaints, fmt.Sprintf("%s belongs to no section of the page", name))
	}
	return complaints
}

// unquoted forgets quotation marks: stories quote by other rules than shells. The page's ID is the run that
// the story has in $run.
func unquoted(command string) string {
	return strings.NewReplacer(`"`, "", `'`, "", "$run", "ID").Replace(command)
}

func TestCompareRunbook(t *testing.T) {
	page := "# Runbook\n\n## Is it \"gone\"?\n\nSay `dbmigrate status alice`, never `rm`:\n\n    dbmigrate rollback alice --confirm \"a b\"\n"
	sections := runbookSections(page)
	for _, c := range []struct {
		name string
		told map[string][]string
		want int
	}{
		{"all are run", map[string][]string{"is-it-gone.txtar": {"dbmigrate status alice", "dbmigrate rollback alice --confirm 'a b'"}}, 0},
		{"one is not", map[string][]string{"is-it-gone.txtar": {"dbmigrate status alice"}}, 1},
		{"no story", nil, 2},
		{"another section's", map[string][]string{"other.txtar": {"dbmigrate status alice", "dbmigrate rollback alice --confirm 'a b'"}}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := compareRunbook(sections, c.told); len(got) != c.want {
				t.Errorf("%d complaints, want %d: %v", len(got), c.want, got)
			}
		})
	}
}
