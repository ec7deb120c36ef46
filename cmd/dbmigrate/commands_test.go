package main

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
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

// TestYes: every command takes --yes. It stands for the words of --confirm only where what is replaced is
// kept.
func TestYes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	refused := map[string]string{
		"forget":   "forget alice --yes",
		"gc":       "gc --yes",
		"rollback": "rollback alice --discard-writes --yes",
	}
	for _, cmd := range newRoot(&app{}).Commands() {
		if cmd.Flag("yes") == nil {
			t.Errorf("%s: there is no --yes", cmd.Name())
		}
		confirm := cmd.Flags().Lookup("confirm")
		if confirm == nil || strings.Contains(confirm.Usage, orYes) != (refused[cmd.Name()] != "") {
			continue
		}
		t.Errorf("%s: its help says %q, and the table of this test %q", cmd.Name(), confirm.Usage, refused[cmd.Name()])
	}
	for _, command := range refused {
		said := inCloud(t.Context(), t, server.URL, nil, strings.Fields(command)...)
		if said.exit != exitUsage || !strings.Contains(said.stderr, "--yes") || !strings.Contains(said.stderr, "--confirm") {
			t.Errorf("%s: %+v", command, said)
		}
	}
}

// noJSON are the commands that print something that is no data.
var noJSON = map[string]string{
	"completion": "a program of a shell",
	"man":        "a page",
	"help":       "a page",
	"connection": "a page of help",
	"dev":        "what the command behind -- prints",
	"init":       "a change of the Worker's code, for a person",
}

// TestJSON: with --json every command prints JSON lines and nothing else, on stdout and in its errors.
func TestJSON(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	policy := policyFile(t)
	table := nobodys(t, policy)
	for name, way := range asking(t, policy) {
		table[name] = append(table[name], way)
	}
	table["version"] = []string{"version", "version extra"}
	for _, cmd := range newRoot(&app{}).Commands() {
		if noJSON[cmd.Name()] != "" {
			continue
		}
		if len(table[cmd.Name()]) == 0 {
			t.Errorf("%s: the tables do not say how it is called", cmd.Name())
		}
		printed := 0
		for _, way := range table[cmd.Name()] {
			said := inCloud(t.Context(), t, server.URL, nil, append(strings.Fields(way), "--json")...)
			printed += len(said.stdout)
			for line := range strings.Lines(said.stdout) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%s prints %q", way, line)
				}
			}
			for line := range strings.Lines(said.stderr) {
				if strings.HasPrefix(line, "dbmigrate: ") {
					t.Errorf("%s says %q", way, line)
				}
				printed += strings.Count(line, `{"error":`)
			}
		}
		if printed == 0 {
			t.Errorf("%s printed nothing", cmd.Name())
		}
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

// endOfJSON ends a command in a text of JSON.
var endOfJSON = regexp.MustCompile(`"[},]`)

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
		command := endOfJSON.Split(match[1], 2)[0]
		commands = append(commands, strings.TrimSpace(command))
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
			!slices.Contains(append(commandline.FlagNames(cmd), "--help"), name) {
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
