package htmlreport

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/dbmigrate/dbmigrate/internal/escape"
)

// filled is a page that shows everything, with the same text in each of its fields.
func filled[P any](text string) P {
	var page P
	fill(reflect.ValueOf(&page).Elem(), text)
	return page
}

func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(3)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	}
}

// written are both pages with a text in each place where a text can be.
func written(t *testing.T, text string) map[string]string {
	t.Helper()
	var scan, run strings.Builder
	if err := errors.Join(Write(&scan, filled[Page](text)), WriteRun(&run, filled[Run](text))); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"scan": scan.String(), "run": run.String()}
}

// No text of a page adds an element, an attribute or a control character to it.
func TestHostileNames(t *testing.T) {
	tags := regexp.MustCompile(`<[^>]*>`)
	attributes := regexp.MustCompile(`(aria-label|data-head)="[^"]*"`)
	bare := func(page string) string {
		return attributes.ReplaceAllString(strings.Join(tags.FindAllString(page, -1), ""), `$1=""`)
	}
	want := written(t, "x")
	for _, name := range append(escape.Hostile(), hostile) {
		if name == "" {
			continue // shows less
		}
		for page, text := range written(t, name) {
			if bare(text) != bare(want[page]) {
				t.Errorf("%s: %q changed the elements of the page", page, name)
			}
			if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q left a control character in the page", page, name)
			}
		}
	}
}

const hostile = `</td><script>alert(1)</script>"' onload=x javascript:`

func full() Page {
	table := Table{Heads: []string{"User", "Size"}, Rows: [][]string{{hostile, "1 MB"}}, Left: 3}
	return Page{
		Bucket:    hostile,
		When:      "2026-11-26",
		Version:   hostile,
		Tiles:     []Tile{{hostile, hostile, hostile, true}},
		Threshold: "1.00 MB",
		Sizes: []Bar{
			{hostile, 1000, "5 MB", false, ""},
			{"1 to 2 MB", 1, "1 MB", true, "1.00 MB"},
			{"more", 0, "", true, ""},
		},
		Growth: Growth{
			hostile,
			"a",
			"b",
			"c",
			"d",
			[]Point{{0, 0}, {1, 1}},
		},
		Crossing:    table,
		Moves:       table,
		Blocked:     table,
		Cost:        []Fact{{hostile, hostile, hostile}},
		Formula:     "0.185 S",
		Assumptions: hostile,
	}
}

func TestNothingEscapesAndNothingIsAskedFor(t *testing.T) {
	var b strings.Builder
	if err := Write(&b, full()); err != nil {
		t.Fatal(err)
	}
	for page, text := range written(t, hostile) {
		for _, bad := range []string{"<script", "</td><script", "http://", "https://", "url(", "@import", "src=", "href="} {
			if strings.Contains(text, bad) {
				t.Errorf("the page of a %s holds %q", page, bad)
			}
		}
		bare := regexp.MustCompile(`="[^"]*"`).ReplaceAllString(text, "=x")
		if tag := regexp.MustCompile(`<[^>]* on[a-z]+=`).FindString(bare); tag != "" {
			t.Errorf("a handler: %s", tag)
		}
	}
	for _, want := range []string{"&lt;script&gt;", `width="0.60%"`, `width="100.00%"`, `width="0"`, "0.00,38.00 100.00,2.00", "3 more are", `class="line">1.00 MB`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestEmptyPartsAreLeftOut(t *testing.T) {
	var b strings.Builder
	if err := Write(&b, Page{Bucket: "users"}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Growth", "Who cannot move", "Cost and", "Will cross", "largest first", "How long a request"} {
		if strings.Contains(b.String(), part) {
			t.Errorf("an empty page shows %q", part)
		}
	}
}

// TestWriteFile: a page that cannot be put in place leaves the old one, and nothing beside it.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "scan.html")
	for range 2 {
		if err := WriteFile(path, full()); err != nil {
			t.Fatal(err)
		}
	}
	taken := filepath.Join(dir, "folder")
	if err := os.Mkdir(taken, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(taken, full()); err == nil {
		t.Error("a folder was replaced")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}
