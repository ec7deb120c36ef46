package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestShownCommandsExist holds every dbmigrate command that the pages and the deployment examples show
// against the program: the verb exists, and so does each flag. What the commands do is told by the stories; a
// command that was renamed is caught here.
func TestShownCommandsExist(t *testing.T) {
	shown := 0
	for _, path := range pagesWithCommands(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range shownCommands(filepath.Ext(path), string(text)) {
			shown++
			if fault := faultOf(command); fault != "" {
				t.Errorf("%s: %s: %s", path, command, fault)
			}
		}
	}
	if shown < 50 {
		t.Errorf("only %d commands were found: is the search broken?", shown)
	}
}

// TestHelpShowsCommandsThatExist is the same for what the program says of itself.
func TestHelpShowsCommandsThatExist(t *testing.T) {
	shown := 0
	for _, cmd := range newRoot(&app{}).Commands() {
		text := cmd.Long + "\n"
		for _, note := range cmd.Annotations {
			text += note + "\n"
		}
		for _, command := range append(shownCommands(".md", text), shownCommands("", cmd.Example)...) {
			shown++
			if fault := faultOf(command); fault != "" {
				t.Errorf("help of %s: %s: %s", cmd.Name(), command, fault)
			}
		}
	}
	if shown < 30 {
		t.Errorf("only %d commands were found: is the search broken?", shown)
	}
}

func pagesWithCommands(t *testing.T) []string {
	t.Helper()
	paths := []string{"../../README.md", "../../Dockerfile", "../../.goreleaser.yaml"}
	for _, root := range []string{"../../docs", "../../deploy"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			// The page of the commands is their help: TestHelpShowsCommandsThatExist looks at it.
			if slices.Contains([]string{".md", ".yml", ".yaml"}, filepath.Ext(path)) &&
				filepath.Base(path) != "cli.md" {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

var (
	inlineCode  = regexp.MustCompile("`[^`\n]+`")
	codeComment = regexp.MustCompile(`(^|\s)//.*`) // of TypeScript: prose
	// A command ends where the shell's next one begins, or a comment, a quote or the code itself ends.
	commandText = regexp.MustCompile("\\bdbmigrate ([a-z][^|;&>`\n)#]*)")
)

// proseInYAML is what a YAML file says about itself.
var proseInYAML = regexp.MustCompile(`(?m)#.*$|^name: .*$`)

// shownCommands finds commands in code: everywhere but in the prose of a YAML file, in the code of a Markdown
// page.
func shownCommands(ext, text string) []string {
	text = strings.ReplaceAll(text, "\\\n", " ")
	if ext == ".md" {
		text = codeOf(text)
	} else {
		text = proseInYAML.ReplaceAllString(text, "")
	}
	text = codeComment.ReplaceAllString(text, "$1")
	var commands []string
	for _, match := range commandText.FindAllStringSubmatch(text, -1) {
		commands = append(commands, strings.TrimSpace(match[1]))
	}
	return commands
}

func codeOf(page string) string {
	var code strings.Builder
	fenced := false
	for line := range strings.Lines(page) {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
		case fenced, strings.HasPrefix(line, "    "):
			code.WriteString(line)
		default:
			for _, span := range inlineCode.FindAllString(line, -1) {
				code.WriteString(strings.Trim(span, "`") + "\n")
			}
		}
	}
	return code.String()
}

// faultOf says what the program would not understand, or nothing. Words that are no flags are not looked at:
// pages use placeholders.
func faultOf(command string) string {
	command, behind, _ := strings.Cut(command, " -- ") // of dev
	if inner, ours := strings.CutPrefix(behind, "dbmigrate "); ours {
		if fault := faultOf(inner); fault != "" {
			return fault
		}
	}
	words := strings.Fields(command)
	cmd := subcommand(words[0])
	if cmd == nil {
		if strings.ContainsAny(words[0], ":.,") || words[0] == "tombstone" {
			return "" // the program's own output ("scan: 48 users"), and the first line of a tombstone
		}
		return "there is no such command"
	}
	for _, word := range words[1:] {
		name, _, _ := strings.Cut(strings.Trim(word, "[]\"'"), "=")
		if strings.HasPrefix(name, "--") && len(name) > 2 &&
			!slices.Contains(append(flagNames(cmd), "--help"), name) {
			return "there is no flag " + name
		}
	}
	return ""
}

func subcommand(name string) *cobra.Command {
	for _, c := range newRoot(&app{}).Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}
