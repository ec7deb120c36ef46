// Package htmlreport writes the page of a scan: one HTML file that needs no network, for colleagues who have
// no terminal at hand. Every text in it may come from a bucket, so html/template escapes all of them, and the
// page's own policy forbids scripts and any request.
package htmlreport

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/plain"
)

// Page is what the page shows. Empty parts are left out.
type Page struct {
	Bucket, When, Version string
	Tiles                 []Tile
	Threshold             string
	Sizes                 []Bar
	Growth                Growth
	Crossing, Moves       Table
	Blocked               Table
	Cost                  []Fact
	Formula, Assumptions  string
}

// Tile is one number at the top.
type Tile struct{ Label, Value, Note string }

// Bar is one class of sizes.
type Bar struct {
	Label string
	Users int
	Size  string // of all of them together
	Over  bool   // from the threshold on
	First bool   // the first one from the threshold on
}

// Growth is the size of the bucket over time.
type Growth struct {
	Sentence    string
	First, Last string // times
	Least, Most string // sizes
	Points      []Point
}

// Point is a place in the picture, both from 0 to 1.
type Point struct{ X, Y float64 }

// Table is a list of users. Left counts those that did not fit.
type Table struct {
	Heads []string
	Rows  [][]string
	Left  int
}

// Fact is a line of an account.
type Fact struct{ Name, Value, Note string }

//go:embed page.html
var text string

var page = template.Must(
	template.New("page").Funcs(template.FuncMap{"width": width, "line": line, "area": area}).Parse(text),
)

// Write writes the page.
func Write(w io.Writer, p Page) error { return page.Execute(w, p.readable()) }

// readable escapes what html/template lets through, since HTML has no need to: control characters, and what
// turns the direction of writing.
func (p Page) readable() Page {
	p.Bucket = plain.Text(p.Bucket)
	for _, t := range []*Table{&p.Crossing, &p.Moves, &p.Blocked} {
		rows := make([][]string, len(t.Rows))
		for i, row := range t.Rows {
			for _, cell := range row {
				rows[i] = append(rows[i], plain.Text(cell))
			}
		}
		t.Rows = rows
	}
	return p
}

// WriteFile writes the page to a file, which is replaced as a whole or not at all.
func WriteFile(path string, p Page) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".dbmigrate-report-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := Write(f, p); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// width is a bar's share of the longest one; a single user among many is still seen.
func width(bars []Bar, users int) string {
	most := 1
	for _, b := range bars {
		most = max(most, b.Users)
	}
	if users == 0 {
		return "0"
	}
	return fmt.Sprintf("%.2f%%", max(0.6, 100*float64(users)/float64(most)))
}

// The picture of growth is 100 wide and 40 high, y downward.
func line(points []Point) string {
	var b strings.Builder
	for _, p := range points {
		fmt.Fprintf(&b, "%.2f,%.2f ", 100*p.X, 38-36*p.Y)
	}
	return strings.TrimSpace(b.String())
}

func area(points []Point) string { return "0,40 " + line(points) + " 100,40" }
