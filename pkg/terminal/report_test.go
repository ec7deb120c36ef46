package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type record struct {
	User  string `json:"user"`
	Bytes int    `json:"bytes"`
	Note  string `json:"note,omitempty"`
}

var recordColumns = []Column[record]{
	{Head: "USER", Field: "user", Text: func(r record) string { return r.User }},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(r record) string { return fmt.Sprintf("%d B", r.Bytes) },
		Data:  func(r record) string { return fmt.Sprint(r.Bytes) },
	},
	{
		Head:  "NOTE",
		Field: "note",
		Text:  func(r record) string { return r.Note },
		Style: func(record) Style { return Bad },
	},
}

func sheetText(t *testing.T, o Options, records ...record) string {
	t.Helper()
	var out bytes.Buffer
	o.Out = &out
	s := NewSheet(New(o), recordColumns)
	for _, r := range records {
		if err := s.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.End(map[string]int{"users": len(records)}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSheet(t *testing.T) {
	alice, umlaut := record{"alice", 1200, ""}, record{"jürgen,\x1b[2J", 7, `"bad"`}
	for name, test := range map[string]struct {
		options Options
		records []record
		want    string
	}{
		"table":               {Options{Format: Table}, []record{alice, umlaut}, "USER              SIZE  NOTE\nalice           1200 B\njürgen,\\x1b[2J     7 B  \"bad\"\n"},
		"empty column":        {Options{Format: Table}, []record{alice}, "USER     SIZE\nalice  1200 B\n"},
		"no rows":             {Options{Format: Table}, nil, ""},
		"colour":              {Options{Format: Table, OutTerminal: true, Colour: true}, []record{{"a", 1, "x"}}, "\x1b[2mUSER\x1b[0m  \x1b[2mSIZE\x1b[0m  \x1b[2mNOTE\x1b[0m\na      1 B  \x1b[31mx\x1b[0m\n"},
		"NO_COLOR":            {Options{Format: Table, OutTerminal: true}, []record{{"a", 1, "x"}}, "USER  SIZE  NOTE\na      1 B  x\n"},
		"colour, not a tty":   {Options{Format: Table, Colour: true}, []record{{"a", 1, "x"}}, "USER  SIZE  NOTE\na      1 B  x\n"},
		"json":                {Options{Format: JSON}, []record{alice, {"<b>", 1, ""}}, "{\"user\":\"alice\",\"bytes\":1200}\n{\"user\":\"<b>\",\"bytes\":1}\n{\"users\":2}\n"},
		"csv":                 {Options{Format: CSV}, []record{alice, umlaut}, "user,bytes,note\nalice,1200,\n\"jürgen,\\x1b[2J\",7,\"\"\"bad\"\"\"\n"},
		"csv without records": {Options{Format: CSV}, nil, "user,bytes,note\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sheetText(t, test.options, test.records...); got != test.want {
				t.Errorf("got\n%q\nwant\n%q", got, test.want)
			}
		})
	}
}

func TestSheetTellsThatStdoutIsGone(t *testing.T) {
	for _, format := range []Format{JSON, CSV, Table} {
		s := NewSheet(New(Options{Out: brokenWriter{}, Format: format}), recordColumns)
		if err := errors.Join(s.Add(record{User: "a"}), s.End(nil)); err == nil {
			t.Errorf("%s: no error", format)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestError(t *testing.T) {
	err := fmt.Errorf(
		"run: %w",
		&userdb.Error{
			Op:    "use user id",
			Thing: `"a\nb"`,
			Kind:  userdb.BadUserID,
			Err:   errors.New("line\nbreak \xff\u009b"),
			Hint:  "name it",
		},
	)
	var text bytes.Buffer
	New(Options{Err: &text}).Error(err, 2)
	if want := `dbmigrate: run: use user id "a\nb": line\nbreak \xff\u009b (name it)` + "\n"; text.String() != want {
		t.Errorf("got  %q\nwant %q", text.String(), want)
	}
	text.Reset()
	New(Options{Err: &text, Format: JSON}).Error(err, 2)
	for _, want := range []string{`"kind":"bad-user-id"`, `"hint":"name it"`, `"exit":2}`} {
		if !strings.Contains(text.String(), want) || strings.Count(text.String(), "\n") != 1 {
			t.Errorf("%q is not in one line: %q", want, text.String())
		}
	}
}

func TestStepSummary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary.md")
	o := New(Options{Err: os.Stderr, StepSummary: path})
	var failures []Failure
	for i := range summaryFailures + 2 {
		failures = append(failures, Failure{User: fmt.Sprintf("u%d", i), Reason: "<script>|`x`\n@all"})
	}
	o.StepSummaryOf("dbmigrate migrate", []Count{{"users", "3"}}, failures)
	o.StepSummaryOf("dbmigrate gc", nil, nil)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### dbmigrate migrate\n", "| users | 3 |\n", "| u0 | &lt;script&gt;&#124;&#96;x&#96;&#92;n&#64;all |\n", "\n2 more are in the output.\n", "### dbmigrate gc\n"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if bytes.Contains(text, []byte("u100")) {
		t.Error("more failures than the limit")
	}
}

func TestStepSummaryCannotBeWritten(t *testing.T) {
	var text bytes.Buffer
	New(Options{Err: &text, StepSummary: t.TempDir()}).StepSummaryOf("x", nil, nil)
	if !strings.HasPrefix(text.String(), "write the job summary ") {
		t.Errorf("got %q", text.String())
	}
	New(Options{Err: brokenWriter{}}).StepSummaryOf("none", nil, nil)
}

// reader is a pager; its Close ends when the person has read.
type reader struct {
	io.Writer
	read func()
}

func (r *reader) Close() error {
	r.read()
	return nil
}

// TestNothingIsSaidOverAPager: while a person reads, nothing is waited for, however long that takes. The talk
// about silence goes on behind the list.
func TestNothingIsSaidOverAPager(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		var talk bytes.Buffer
		asked := make(chan struct{}, 1)
		out := New(Options{
			Out: io.Discard, Err: &talk, OutTerminal: true, ErrTerminal: terminal, Format: Table,
			Width: func() int { return 80 }, Height: func() int { return 3 },
		})
		stop := out.Break(Silence{Terminal: time.Millisecond, Log: time.Millisecond}, func() string {
			select {
			case asked <- struct{}{}:
			default:
			}
			return "R2"
		})
		looks := func() {
			for range 50 {
				<-asked
			}
		}
		said := func() string {
			out.mu.Lock()
			defer out.mu.Unlock()
			return talk.String()
		}
		looks()
		var over string
		out.Pager = func() (io.WriteCloser, error) {
			before := len(said())
			return &reader{io.Discard, func() {
				looks()
				over = said()[before:]
			}}, nil
		}
		sheet := NewSheet(out, []Column[int]{{Head: "N", Text: strconv.Itoa}})
		for i := range 9 {
			if err := sheet.Add(i); err != nil {
				t.Fatal(err)
			}
		}
		if err := sheet.End(nil); err != nil {
			t.Fatal(err)
		}
		behind := len(said())
		looks()
		stop()
		if over != "" || len(said()) == behind || !strings.Contains(talk.String(), "waiting for R2") {
			t.Errorf("terminal %v: over the list %.200q, behind it %d bytes", terminal, over, len(said())-behind)
		}
	}
}
