package terminal

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/escape"
)

// Failure is one user who could not be done, for a summary.
type Failure struct {
	User, Reason string
	Done         string // what was done all the same; "" for nothing
}

// summaryFailures is how many failures a step summary lists; GitHub cuts a summary at 1 MiB.
const summaryFailures = 100

// Count is one number of a summary.
type Count struct {
	Name  string
	Value string
}

// StepSummaryOf appends a Markdown table to the summary of a CI job, if there is one. A summary that cannot
// be written is a warning: the run itself is done.
func (o *Output) StepSummaryOf(title string, counts []Count, failures []Failure) {
	if o.StepSummary == "" {
		return
	}
	if err := appendFile(o.StepSummary, markdown(title, counts, failures)); err != nil {
		o.Warn("write the job summary %s: %v", o.StepSummary, err)
	}
}

// StepSummaryPage says in the summary of a CI job where a page is.
func (o *Output) StepSummaryPage(path string) {
	if o.StepSummary == "" {
		return
	}
	text := "The page: " + markdownCell(path) + ", among the job's artifacts.\n\n"
	if err := appendFile(o.StepSummary, text); err != nil {
		o.Warn("write the job summary %s: %v", o.StepSummary, err)
	}
}

func appendFile(path, text string) (err error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func markdown(title string, counts []Count, failures []Failure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n|  |  |\n|---|---|\n", title)
	for _, c := range counts {
		fmt.Fprintf(&b, "| %s | %s |\n", markdownCell(c.Name), markdownCell(c.Value))
	}
	if len(failures) > 0 {
		b.WriteString("\n| user | reason |\n|---|---|\n")
		for _, f := range failures[:min(len(failures), summaryFailures)] {
			fmt.Fprintf(&b, "| %s | %s |\n", markdownCell(f.User), markdownCell(f.Reason))
		}
		if rest := len(failures) - summaryFailures; rest > 0 {
			fmt.Fprintf(&b, "\n%d more are in the output.\n", rest)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// www begins what GitHub makes a link of without a scheme.
var www = regexp.MustCompile(`(?i)(www)\.`)

// markdownCell keeps text from being read as Markdown or HTML: names and messages are other people's.
func markdownCell(s string) string {
	var b strings.Builder
	for _, r := range escape.Text(s) {
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '|', '\\', '`', '*', '_', '[', ']', '!', '#', '~', '@', '$', ':':
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return www.ReplaceAllString(b.String(), "$1&#46;")
}
