package terminal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

// TestTablesFit: whatever stands in a table, no line is wider than the terminal, and nothing is lost.
func TestTablesFit(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	words := []string{"a", "user", "日本語", "the Durable Object did not answer", strings.Repeat("x", 60), "", "two words", "é̂́"}
	for range 300 {
		width := 40 + random.IntN(120)
		var out bytes.Buffer
		columns := []Column[[]string]{
			{Head: "USER", Text: func(r []string) string { return r[0] }},
			{Drawn: true, Text: func(r []string) string { return Bar(0.5, 8) }},
			{Head: "SIZE", Right: true, Text: func(r []string) string { return r[1] }},
			{Head: "STATE", Text: func(r []string) string { return r[2] }},
			{Head: "REASON", Text: func(r []string) string { return r[3] }},
			{Head: "PROBLEM", Text: func(r []string) string { return r[4] }},
		}
		s := NewSheet(New(Options{Out: &out, Format: Table, OutTerminal: true, UTF8: true, Width: func() int { return width }}), columns)
		want := ""
		for range 1 + random.IntN(4) {
			pick := func() string { return words[random.IntN(len(words))] }
			row := []string{pick(), fmt.Sprint(random.IntN(1e6)), pick(), pick(), pick()}
			want += strings.Join(row, "")
			if err := s.Add(row); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.End(nil); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if w := uniseg.StringWidth(strings.TrimRight(line, "\n")); w >= width {
				t.Fatalf("%d columns in %d: %q", w, width, out.String())
			}
		}
		if letters(out.String()) < letters(want) {
			t.Fatalf("at %d something is lost: %q in\n%s", width, want, out.String())
		}
	}
}

// letters counts what is no blank and no picture.
func letters(s string) (n int) {
	for _, r := range s {
		if r != ' ' && r != '\n' && !strings.ContainsRune("▏▎▍▌▋▊▉█", r) {
			n++
		}
	}
	return n
}

// TestOnlyTerminalsAreFitted: a file and a pipe get whole lines, and no pictures.
func TestOnlyTerminalsAreFitted(t *testing.T) {
	columns := []Column[string]{{Head: "USER", Text: func(s string) string { return s }}, {Drawn: true, Text: func(string) string { return "█" }}}
	for _, o := range []Options{
		{Format: Table, Width: func() int { return 20 }, UTF8: true},
		{Format: CSV, Width: func() int { return 20 }, UTF8: true, OutTerminal: true},
	} {
		var out bytes.Buffer
		o.Out = &out
		s := NewSheet(New(o), columns)
		long := strings.Repeat("u", 100)
		if err := s.Add(long); err != nil {
			t.Fatal(err)
		}
		if err := s.End(nil); err != nil || !strings.Contains(out.String(), long) || strings.Contains(out.String(), "█") {
			t.Errorf("%s: %v, %q", o.Format, err, out.String())
		}
	}
}

func TestTop(t *testing.T) {
	var out bytes.Buffer
	s := NewSheet(New(Options{Out: &out, Format: JSON}), []Column[string]{{}})
	s.Top = 2
	for _, v := range []string{"a", "b", "c", "d"} {
		if err := s.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "\"a\"\n\"b\"\n" || s.Left() != 2 {
		t.Errorf("%q, %d left", out.String(), s.Left())
	}
}

func TestDrawings(t *testing.T) {
	for share, want := range map[float64]string{0: "", 0.0001: "▏", 0.5: "████", 1: "████████", 2: "████████", 0.56: "████▌"} {
		if got := Bar(share, 8); got != want {
			t.Errorf("bar of %v: %q, want %q", share, got, want)
		}
	}
	if got := Sparkline([]float64{9, 0, 1, 2, 4, 8}, 5); got != "▁▂▃▅█" {
		t.Errorf("got %q", got)
	}
	if got := Sparkline([]float64{0, 0}, 5); got != "▁▁" {
		t.Errorf("got %q", got)
	}
}

// TestTablesAreLaidOut: what a person looks for stays in the row, and the others share lines below. The last
// text is broken beside the row where that is enough.
func TestTablesAreLaidOut(t *testing.T) {
	field := func(i int) func([]string) string { return func(r []string) string { return r[i] } }
	user, served := Column[[]string]{Head: "USER", Text: field(0)}, Column[[]string]{Head: "SERVED BY", Keep: true, Text: field(1)}
	phase, file := Column[[]string]{Head: "PHASE", Text: field(2)}, Column[[]string]{Head: "FILE", Text: field(3)}
	writes := Column[[]string]{Head: "WRITES SINCE", Right: true, Text: field(4)}
	run, reason := Column[[]string]{Head: "RUN", Text: field(5)}, Column[[]string]{Head: "REASON", Text: field(6)}
	row := []string{"a-user-with-a-long-name", "Durable Object", "ACTIVE", "fenced", "1", "20261126T040000Z-9f3c21aa", strings.Repeat("why not ", 12)}
	for name, c := range map[string]struct {
		width   int
		columns []Column[[]string]
		want    string
	}{
		"below": {60, []Column[[]string]{user, served, phase, file, writes, run}, "" +
			"USER                     SERVED BY       PHASE   WRITES\n" +
			"                                                  SINCE\n" +
			"a-user-with-a-long-name  Durable Object  ACTIVE       1\n" +
			"    file: fenced  run: 20261126T040000Z-9f3c21aa\n"},
		"last": {90, []Column[[]string]{user, served, reason}, "" +
			"USER                     SERVED BY       REASON\n" +
			"a-user-with-a-long-name  Durable Object  " + strings.Repeat("why not ", 5) + "why not\n" +
			strings.Repeat(" ", 41) + strings.Repeat("why not ", 5) + "why not\n"},
	} {
		var out bytes.Buffer
		s := NewSheet(New(Options{Out: &out, Format: Table, OutTerminal: true, Width: func() int { return c.width }}), c.columns)
		if err := s.Add(row); err != nil {
			t.Fatal(err)
		}
		if err := s.End(nil); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("%s:\n%s\nand not\n%s", name, out.String(), c.want)
		}
	}
}

// TestTalkFits: lines of talk are broken at blanks, and a command to copy only where no line has room for it.
func TestTalkFits(t *testing.T) {
	const way = "`dbmigrate rollback --run 20261126T040000Z-9f3c21aa`"
	for room, want := range map[int][]string{
		0:   {"the way back for this run: " + way + ", or another"},
		100: {"the way back for this run: " + way + ", or another"},
		70:  {"the way back for this run:", way + ", or another"},
		40:  {"the way back for this run: `dbmigrate", "rollback --run", "20261126T040000Z-9f3c21aa`, or another"},
	} {
		if got := wrapTalk("the way back for this run: "+way+", or another", room); !slices.Equal(got, want) {
			t.Errorf("in %d columns: %q, want %q", room, got, want)
		}
	}
}
