package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
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
	for _, cmd := range newRoot(&app{}).Commands() {
		if cmd.Hidden || cmd.Name() == "help" {
			continue
		}
		fmt.Fprintf(&page, "\n## dbmigrate %s\n\n```\n%s\n```\n", cmd.Name(), helpOf(t, cmd.Name()))
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
