package terminal

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/dbmigrate/dbmigrate/internal/escape"
)

type named struct {
	Name string `json:"name"`
}

var nameColumns = []Column[named]{
	{
		Head:  "NAME",
		Field: "name",
		Text:  func(n named) string { return n.Name },
	}, {Head: "AGAIN", Field: "again", Text: func(n named) string { return n.Name }},
}

// said is everything that a command can write about a name.
func said(t *testing.T, format Format, name string) (out, talk string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	o := New(Options{Out: &stdout, Err: &stderr, Format: format})
	sheet := NewSheet(o, nameColumns)
	if err := errors.Join(sheet.Add(named{name}), sheet.Note(named{name}), sheet.End(named{name})); err != nil {
		t.Fatal(err)
	}
	o.Say("say %s", name)
	o.Warn("warn %s", name)
	o.Error(errors.New(name), 1)
	return stdout.String(), stderr.String()
}

// Names that are escape sequences, formulas or markup are harmless in whatever a command writes.
func TestHostileNames(t *testing.T) {
	for _, name := range escape.Hostile() {
		for _, format := range Formats {
			out, talk := said(t, Format(format), name)
			for _, text := range []string{out, talk} {
				if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("%s: %q became %q", format, name, text)
				}
			}
			if got := strings.Count(talk, "\n"); got != 3 {
				t.Errorf("%s: %q made %d lines of talk", format, name, got)
			}
			switch Format(format) {
			case CSV:
				wantCSV(t, name, out)
			case JSON:
				wantJSON(t, name, out)
			}
		}
		wantMarkdown(t, name)
	}
}

func wantCSV(t *testing.T, name, out string) {
	t.Helper()
	for _, comma := range []rune{',', ';'} { // a spreadsheet may part cells at either
		r := csv.NewReader(strings.NewReader(out))
		r.Comma = comma
		rows, err := r.ReadAll()
		if err != nil && comma == ',' {
			t.Errorf("%q: %v in %q", name, err, out)
		}
		for _, row := range rows {
			for _, cell := range row {
				number, _, _ := strings.Cut(cell, ",")
				_, err := strconv.ParseFloat(number, 64)
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") && err != nil {
					t.Errorf("%q made the cell %q", name, cell)
				}
			}
		}
		if comma == ',' && (len(rows) != 2 || len(rows[1]) != 2) {
			t.Errorf("%q made the rows %q", name, rows)
		}
	}
}

func wantJSON(t *testing.T, name, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		var got named
		if err := json.Unmarshal([]byte(line), &got); err != nil ||
			got.Name != strings.ToValidUTF8(name, "\ufffd\ufffd") && got.Name != name {
			t.Errorf("%q became %q (%v)", name, line, err)
		}
	}
}

var (
	markup   = regexp.MustCompile("[<>`*_\\[\\]$@~!\\\\]|https?:|www\\.|:tada:")
	entities = regexp.MustCompile(`&(#\d+|lt|gt|amp);`)
)

func wantMarkdown(t *testing.T, name string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "summary.md")
	New(
		Options{Err: os.Stderr, StepSummary: path},
	).StepSummaryOf("dbmigrate migrate", []Count{{name, name}}, []Failure{{User: name, Reason: name}})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest := entities.ReplaceAllString(string(text), "")
	if found := markup.FindString(rest); found != "" {
		t.Errorf("%q leaves %q in %q", name, found, text)
	}
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 3 {
			t.Errorf("%q broke the table: %q", name, line)
		}
	}
	if strings.Count(rest, "\n") != 10 {
		t.Errorf("%q broke the page: %q", name, text)
	}
}
