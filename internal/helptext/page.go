package helptext

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// The parts of a page that cobra has no place for are annotations of the command.
const (
	noteEffects = "effects"
	noteExits   = "exits"
)

// Command makes a command of its page, which is written as help prints it: the usage, a summary, the purpose,
// then sections. meanings are those of the exit codes.
func Command(page string, meanings map[int]string) *cobra.Command {
	page, codes, _ := strings.Cut(page, "\n\nExit codes: ")
	page, effects, _ := strings.Cut(page, "\n\nEffects:\n")
	page, examples, _ := strings.Cut(page, "\n\nExamples:\n")
	head, purpose, _ := strings.Cut(page, "\n\n")
	use, summary, _ := strings.Cut(head, "\n")
	return &cobra.Command{
		Use:     use,
		Short:   summary,
		Long:    strings.TrimRight(purpose, "\n"),
		Example: examples,
		Annotations: map[string]string{
			noteEffects: effects,
			noteExits:   exits(codes, meanings),
		},
	}
}

// exits lists the codes of a page. A line under them, such as "2: a check failed", has a meaning of the
// command's own.
func exits(codes string, meanings map[int]string) string {
	codes, own, _ := strings.Cut(codes, "\n")
	var lines []string
	for _, code := range strings.Fields(codes) {
		n, err := strconv.Atoi(code)
		if err != nil {
			panic(err) // the page is part of the program
		}
		meaning := meanings[n]
		for line := range strings.Lines(own) {
			if text, found := strings.CutPrefix(line, code+": "); found {
				meaning = strings.TrimSpace(text)
			}
		}
		lines = append(lines, fmt.Sprintf("  %3d  %s", n, meaning))
	}
	return strings.Join(lines, "\n")
}

// Effect is what a command says that it reads, changes, or how that is undone. Where a text has several lines
// it is the first.
func Effect(cmd *cobra.Command, name string) string {
	for line := range strings.Lines(cmd.Annotations[noteEffects]) {
		if text, found := strings.CutPrefix(line, "  "+name+":"); found {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// Effects are what a command reads and changes, and how that is undone.
func Effects(cmd *cobra.Command) string { return cmd.Annotations[noteEffects] }

// ExitCodes are a command's own.
func ExitCodes(cmd *cobra.Command) string { return cmd.Annotations[noteExits] }
