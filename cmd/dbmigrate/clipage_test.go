package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write docs/cli.md")

const cliPage = "../../docs/cli.md"

// TestCLIPage holds docs/cli.md to the commands: it is what `dbmigrate help COMMAND` prints.
func TestCLIPage(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	var page bytes.Buffer
	page.WriteString(
		"# Commands\n\nWhat `dbmigrate help COMMAND` prints, generated from the commands: `go test ./cmd/dbmigrate -run TestCLIPage -update`.\n",
	)
	for n, cmd := range pageCommands() {
		own, common := parts(helpOf(t, cmd.Name()))
		if n == 0 {
			fmt.Fprintf(&page, "\n## Every command takes these\n\n```\n%s\n```\n", common)
		}
		fmt.Fprintf(&page, "\n## %s\n\n```\n%s\n```\n", headingOf(cmd), own)
	}
	if *update {
		if err := os.WriteFile(cliPage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(cliPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != page.String() {
		t.Error("docs/cli.md is not what the commands say: go test ./cmd/dbmigrate -run TestCLIPage -update")
	}
}

// headingOf is what a person types. A topic is no command.
func headingOf(cmd *cobra.Command) string {
	if cmd.Name() == topicConnection {
		return "Help topic: " + cmd.Name()
	}
	return "dbmigrate " + cmd.Name()
}

func pageCommands() []*cobra.Command {
	return slices.DeleteFunc(newRoot(&app{}).Commands(), func(cmd *cobra.Command) bool {
		return cmd.Hidden || cmd.Name() == "help"
	})
}

// parts divides a command's help into what is its own and what every command's help says.
func parts(help string) (own, common string) {
	before, rest, found := strings.Cut(help, "\n\nGlobal options:\n")
	if !found {
		return help, ""
	}
	common, after, found := strings.Cut(rest, "\n\nExit codes:\n")
	if found {
		before += "\n\nExit codes:\n" + after
	}
	return before, "Global options:\n" + common
}

func helpOf(t *testing.T, name string) string {
	t.Helper()
	root := newRoot(&app{})
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs([]string{"help", name})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}
