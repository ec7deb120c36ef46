package htmlreport

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/dbmigrate/dbmigrate/internal/plain"
)

// Names of users and buckets add no element, no attribute and no control character to the page.
func TestHostileNames(t *testing.T) {
	tags := regexp.MustCompile(`<[^>]*>`)
	written := func(name string) string {
		p := full()
		table := Table{Heads: []string{"User"}, Rows: [][]string{{name}}}
		p.Bucket, p.Crossing, p.Moves, p.Blocked = name, table, table, table
		var b strings.Builder
		if err := Write(&b, p); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	want := tags.FindAllString(written("x"), -1)
	for _, name := range plain.Hostile() {
		text := written(name)
		if got := tags.FindAllString(text, -1); strings.Join(got, "") != strings.Join(want, "") {
			t.Errorf("%q changed the elements of the page", name)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%q left a control character in the page", name)
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
		Tiles:     []Tile{{hostile, hostile, hostile}},
		Threshold: "1.00 MB",
		Sizes: []Bar{
			{hostile, 1000, "5 MB", false, false},
			{"1 to 2 MB", 1, "1 MB", true, true},
			{"more", 0, "", true, false},
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
	for _, bad := range []string{"<script", "</td><script", "http://", "https://", "url(", "@import", "src=", "href="} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if tag := regexp.MustCompile(`<[^>]* on[a-z]+=`).FindString(b.String()); tag != "" {
		t.Errorf("a handler: %s", tag)
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
	for _, part := range []string{"Growth", "Cannot move", "Cost of", "Will cross", "largest first"} {
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
