package terminal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/dbmigrate/dbmigrate/internal/escape"
	"github.com/dbmigrate/dbmigrate/internal/units"
)

// Column is one column of a Sheet.
type Column[T any] struct {
	Head  string // of the table
	Field string // of the CSV; the JSON field of the same content
	Right bool   // numbers stand on the right
	Keep  bool   // it stands beside the first column at every width
	Drawn bool   // a picture, for terminals that can show it; no head, and not in JSON and CSV

	Text  func(T) string // for people
	Data  func(T) string // for CSV; Text when nil
	Style func(T) Style  // Plain when nil
}

// Sheet writes records to stdout in the format that was asked for: JSON and CSV at once, a table at the end,
// when the widths are known. A table leaves out columns in which nothing stands, and fits the terminal. One
// that nobody reads to its end is written in blocks, so that memory does not grow with it; later ones may be
// wider. At a terminal a pager shows what is longer than the screen.
type Sheet[T any] struct {
	// Top is how many records are shown; 0: all.
	Top int

	out     *Output
	columns []Column[T]
	shown   int // records so far
	pager   io.WriteCloser
	back    func() // takes the screen back from the pager
	rows    [][]cell
	widths  []int // of a table, so far
	texts   []int // the same without heads
	headed  bool
}

// blockRows is how many rows of a table are kept at most.
const blockRows = 10_000

type cell struct {
	text  string
	style Style
}

// NewSheet begins a sheet.
func NewSheet[T any](out *Output, columns []Column[T]) *Sheet[T] {
	kept := slices.Clone(columns)
	kept = slices.DeleteFunc(kept, func(c Column[T]) bool { return c.Drawn && !out.DrawsOut() })
	return &Sheet[T]{out: out, columns: kept}
}

// Left is how many records are not shown.
func (s *Sheet[T]) Left() int {
	if s.Top == 0 {
		return 0
	}
	return max(0, s.shown-s.Top)
}

// Add writes or keeps one record. It is not safe for concurrent use. An error means that stdout is gone.
func (s *Sheet[T]) Add(record T) error {
	if s.shown++; s.Left() > 0 {
		return nil
	}
	switch s.out.Format {
	case JSON:
		return s.addJSON(record)
	case CSV:
		return s.addCSV(record)
	}
	row := make([]cell, len(s.columns))
	for i, c := range s.columns {
		row[i].text = escape.Text(c.Text(record))
		if c.Style != nil {
			row[i].style = c.Style(record)
		}
	}
	s.rows = append(s.rows, row)
	if len(s.rows) == blockRows {
		return s.writeRows()
	}
	return nil
}

func (s *Sheet[T]) writeRows() error {
	full := len(s.rows) == blockRows
	text := s.render()
	s.rows = s.rows[:0]
	if s.pager == nil && s.out.Pager != nil && (full || s.out.tallerThanScreen(text)) {
		s.startPager()
	}
	if s.pager != nil {
		_, err := s.pager.Write(text)
		return err
	}
	return s.out.write(s.out.Out, text)
}

func (s *Sheet[T]) startPager() {
	back := s.out.page()
	pager, err := s.out.Pager()
	if err != nil {
		back()
		s.out.Warn("show the list page by page: %v", err)
		return
	}
	s.pager, s.back = pager, back
}

// Note writes a line between the records, in JSON only.
func (s *Sheet[T]) Note(v any) error {
	if s.out.Format != JSON {
		return nil
	}
	return s.addJSON(v)
}

// End writes the table. In JSON the summary, unless nil, comes as the last line; a table's reader gets it as
// talk, from the caller.
func (s *Sheet[T]) End(summary any) error {
	err := s.end(summary)
	if s.pager != nil {
		err = errors.Join(err, s.pager.Close())
		s.back()
	}
	return err
}

func (s *Sheet[T]) end(summary any) error {
	switch {
	case s.out.Format == JSON && summary != nil:
		return s.addJSON(summary)
	case s.out.Format == CSV && !s.headed:
		return s.out.write(s.out.Out, s.header())
	case s.out.Format == Table && len(s.rows) > 0:
		return s.writeRows()
	}
	return nil
}

func (s *Sheet[T]) addJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	return s.out.write(s.out.Out, escape.JSON(b.Bytes()))
}

func (s *Sheet[T]) addCSV(record T) error {
	values := make([]string, len(s.columns))
	for i, c := range s.columns {
		values[i] = c.data(record)
	}
	var text []byte
	if !s.headed {
		text = s.header()
	}
	return s.out.write(s.out.Out, append(text, csvLine(values)...))
}

func (c Column[T]) data(record T) string {
	if c.Data != nil {
		return c.Data(record)
	}
	return c.Text(record)
}

func (s *Sheet[T]) header() []byte {
	s.headed = true
	names := make([]string, len(s.columns))
	for i, c := range s.columns {
		names[i] = c.Field
	}
	return csvLine(names)
}

// csvLine writes cells that are no formulas. Some spreadsheets part cells at semicolons, so these are quoted,
// too.
func csvLine(values []string) []byte {
	var b bytes.Buffer
	for i, value := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		value = escape.Cell(value)
		if strings.ContainsAny(value, "\",;'") || strings.HasPrefix(value, " ") {
			value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
		}
		b.WriteString(value)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// columnGap separates columns.
const columnGap = "  "

func (s *Sheet[T]) render() []byte {
	if s.widths == nil {
		s.widths, s.texts = make([]int, len(s.columns)), make([]int, len(s.columns))
	}
	widths := s.widths
	for _, row := range s.rows {
		for i, c := range row {
			s.texts[i] = max(s.texts[i], uniseg.StringWidth(c.text))
			widths[i] = max(widths[i], s.texts[i])
		}
	}
	for i, c := range s.columns {
		if widths[i] > 0 {
			widths[i] = max(widths[i], uniseg.StringWidth(c.Head))
		}
	}
	l := s.fitted(widths)
	var b bytes.Buffer
	if !s.headed {
		s.headed = true
		heads := make([]cell, len(s.columns))
		for i, c := range s.columns {
			heads[i] = cell{c.Head, Faint}
		}
		s.renderRow(&b, heads, &l)
	}
	for _, row := range s.rows {
		s.renderRow(&b, row, &l)
		s.renderBelow(&b, row, &l)
	}
	return b.Bytes()
}

// renderRow writes a row, in more lines than one where a text had to be broken.
func (s *Sheet[T]) renderRow(b *bytes.Buffer, row []cell, l *layout) {
	broken, lines := make([][]string, len(row)), 1
	for i, c := range row {
		if l.widths[i] > 0 {
			broken[i] = Wrap(c.text, l.widths[i])
			lines = max(lines, len(broken[i]))
		}
	}
	for n := range lines {
		last := -1
		part := func(i int) string {
			if n < len(broken[i]) {
				return broken[i][n]
			}
			return ""
		}
		for i := range row {
			if l.widths[i] > 0 && part(i) != "" {
				last = i
			}
		}
		gap := ""
		for i, c := range row[:last+1] {
			if l.widths[i] == 0 {
				continue
			}
			b.WriteString(gap)
			gap = columnGap
			s.renderCell(b, cell{part(i), c.style}, l.widths[i], s.columns[i].Right, i == last)
		}
		b.WriteByte('\n')
	}
}

func (s *Sheet[T]) renderCell(b *bytes.Buffer, c cell, width int, right, last bool) {
	pad := strings.Repeat(" ", max(0, width-uniseg.StringWidth(c.text)))
	text := s.out.outStyle(c.style).paint(c.text)
	switch {
	case right:
		b.WriteString(pad + text)
	case last:
		b.WriteString(text)
	default:
		b.WriteString(text + pad)
	}
}

// renderBelow writes the texts of a row that the terminal has no room for beside the others. Short ones share
// a line.
func (s *Sheet[T]) renderBelow(b *bytes.Buffer, row []cell, l *layout) {
	room, used := l.room-len(belowIndent), 0
	for i, c := range row {
		if !l.below[i] || c.text == "" {
			continue
		}
		name := strings.ToLower(s.columns[i].Head) + ": "
		width := uniseg.StringWidth(name + c.text)
		switch {
		case used > 0 && used+len(columnGap)+width <= room:
			b.WriteString(columnGap)
			used += len(columnGap) + width
		case used > 0:
			b.WriteString("\n")
			fallthrough
		default:
			b.WriteString(belowIndent)
			used = width
		}
		for n, line := range Wrap(name+c.text, room) {
			if n > 0 {
				b.WriteString("\n" + belowIndent)
				used = room // nothing stands behind what was broken
			}
			if rest, found := strings.CutPrefix(line, name); found && n == 0 {
				b.WriteString(s.out.outStyle(Faint).paint(name))
				line = rest
			}
			b.WriteString(s.out.outStyle(c.style).paint(line))
		}
	}
	if used > 0 {
		b.WriteString("\n")
	}
}

// OrNothing writes a number, and nothing for zero.
func OrNothing(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// SizeOrNothing writes a size, and nothing for one that nobody looked at.
func SizeOrNothing(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return units.FormatSize(bytes)
}
