// Package htmlreport writes the pages of a scan and of a run: one HTML file each that needs no network, for
// colleagues who have no terminal at hand. Every text in it may come from a bucket, so html/template escapes
// all of them, and the page's own policy forbids scripts and any request.
package htmlreport

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"reflect"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/escape"
	"github.com/dbmigrate/dbmigrate/internal/wholefile"
)

// Page is the page of a scan. Empty parts are left out.
type Page struct {
	Bucket, When, Version string
	Recommendation        string
	Tiles                 []Tile
	Times                 Times
	Loads                 []Fact
	Cost, Benefit         []Fact
	Formula, Assumptions  string
	BlockedNote           string
	Reasons, Blocked      Table
	Threshold             string
	Sizes                 []Bar
	Growth                Growth
	Crossing, Moves       Table
}

// Run is the page of a run.
type Run struct {
	Title, Action, Run, State, Sentence string
	Alarm, Fine                         bool
	When, Who, Reason, Bucket           string
	Tiles                               []Tile
	Open                                Table
	OpenNote                            string
	Timeline                            []Columns
	WaveMarks                           bool
	Pauses                              []Bar
	PausesNote                          string
	Waves, Failures, Outcomes, Latency  Table
	LatencyNote                         string
	WayBack                             []Fact
	Command, Version                    string
}

// Tile is one number at the top.
type Tile struct {
	Label, Value, Note string
	Bad                bool
}

// Bar is one class of users.
type Bar struct {
	Label string
	Users int
	Size  string // beside the number
	Over  bool   // in the colour of what should move
	Line  string // of a line above the bar
}

// Text is the bar for readers who see no picture.
func (b Bar) Text() string { return fmt.Sprintf("%s: %d users", b.Label, b.Users) }

// Times are the times of requests, today and after the move.
type Times struct {
	Basis, Longest string
	Classes        []TimeClass
}

// TimeClass is that of users with files of about one size.
type TimeClass struct {
	Label, Users string
	Rows         []TimeRow
}

// TimeRow is one kind of request. Shares are of the longest bar, from 0 to 1.
type TimeRow struct {
	What, Today, After, Times string
	TodayShare, AfterShare    float64
}

// Columns is a picture of something over time. Its axis begins at 0.
type Columns struct {
	Title, Most, First, Last string
	Columns                  []Column
}

// Column is one stretch of time. Shares are of the highest column, from 0 to 1.
type Column struct {
	Share, Bad float64
	Text       string
	Line       bool // at its beginning
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

//go:embed *.html
var texts embed.FS

var pages = template.Must(template.New("pages").Funcs(template.FuncMap{
	"width": width, "percent": percent, "line": line, "area": area, "at": at, "y": top, "high": high,
}).ParseFS(texts, "*.html"))

// Write writes the page of a scan.
func Write(w io.Writer, p Page) error { return pages.ExecuteTemplate(w, "page.html", readable(p)) }

// WriteRun writes the page of a run.
func WriteRun(w io.Writer, r Run) error { return pages.ExecuteTemplate(w, "run.html", readable(r)) }

// readable escapes, in every text of a page, what html/template lets through, since HTML has no need to:
// control characters, and what turns the direction of writing.
func readable[T any](page T) T {
	return readableValue(reflect.ValueOf(page)).Interface().(T)
}

func readableValue(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(escape.Text(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(readableValue(v.Field(i)))
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = reflect.Append(out, readableValue(v.Index(i)))
		}
	default:
		out.Set(v)
	}
	return out
}

// WriteFile writes the page of a scan to a file, which is replaced as a whole or not at all.
func WriteFile(path string, p Page) error {
	return replace(path, func(w io.Writer) error { return Write(w, p) })
}

// WriteRunFile is WriteFile for the page of a run.
func WriteRunFile(path string, r Run) error {
	return replace(path, func(w io.Writer) error { return WriteRun(w, r) })
}

func replace(path string, write func(io.Writer) error) error {
	return wholefile.Write(path, 0o644, write)
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

// percent is a bar's width; one that is not nothing is seen.
func percent(share float64) string { return fmt.Sprintf("%.2f%%", max(0.4, min(100*share, 100))) }

// Columns are one wide each, in a picture 100 high, y downward.
func at(i int) string { return fmt.Sprintf("%d.08", i) }

func high(share float64) string { return fmt.Sprintf("%.2f", max(1, min(100*share, 100))) }

func top(share float64) string { return fmt.Sprintf("%.2f", 100-max(1, min(100*share, 100))) }
