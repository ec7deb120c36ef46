package history

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func put(t *testing.T, b *world.Bucket, key, text string) {
	t.Helper()
	_, err := b.Put(t.Context(), userdb.ObjectKey(key), strings.NewReader(text), int64(len(text)), userdb.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func runRecord(id, action string, at int64, lines ...string) string {
	begin := fmt.Sprintf(
		`{"begin":{"record":1,"run":%q,"action":%q,"at":%d,"bucket":"b","users":2,"reason":"OPS-7","who":{"name":"ann"}}}`,
		id, action, at,
	)
	return begin + "\n" + strings.Join(lines, "\n") + "\n"
}

func source(w *world.World) *Source {
	return &Source{
		Files:  w.Bucket,
		Layout: w.Layout,
		Place:  &record.Place{Files: w.Bucket, Bucket: "b", Now: time.Now},
		Newest: 10,
		Warn:   func(error) {},
	}
}

// TestStory: runs, receipts and copies of one user, and nobody else's, in the order of time.
func TestStory(t *testing.T) {
	w := world.New(t.TempDir())
	put(t, w.Bucket, ".dbmigrate/runs/run-1.jsonl", runRecord("1", "migrate", 1000,
		`{"begun":"alice"}`, `{"begun":"bob"}`,
		`{"user":"alice","action":"migrate","outcome":"migrated","bytes":7,"claim":3,"tookMs":40,"windowMs":9}`,
		`{"user":"bob","action":"migrate","outcome":"failed","error":{"kind":"blocked","message":"no"}}`,
		`{"end":{"at":2000,"summary":{"users":2,"outcomes":{},"exit":1}}}`))
	put(t, w.Bucket, ".dbmigrate/runs/run-2.jsonl", runRecord("2", "rollback", 3000,
		`{"begun":"alice"}`,
		`{"user":"alice","action":"rollback","outcome":"discarded","leftBehind":".dbmigrate/left-behind/alice/4.sqlite"}`))
	put(t, w.Bucket, ".dbmigrate/runs/run-3.jsonl", runRecord("3", "migrate", 4000, `{"begun":"alice"}`))
	put(t, w.Bucket, ".dbmigrate/receipts/alice/3.json",
		`{"user":"alice","claim":3,"run":"1","migratedAt":1500,"sourceBytes":7,"sourceSha256":"ab","digest":{"database":"d"}}`)
	put(t, w.Bucket, ".dbmigrate/left-behind/alice/4.sqlite", "left")
	put(t, w.Bucket, ".dbmigrate/overwritten/alice/e.sqlite", "over")
	put(t, w.Bucket, ".dbmigrate/left-behind/alice-b/4.sqlite", "other")
	put(t, w.Bucket, "alice/database.sqlite", "SQLite format 3\x00")
	story, err := Of(t.Context(), source(w), "alice")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Print(terminal.New(terminal.Options{Out: &out, Err: &out, Format: terminal.JSON}), story); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"kind":"run","at":1000,"run":"1","action":"migrate","state":"ended","by":"ann","reason":"OPS-7","outcome":"migrated"`,
		`"kind":"receipt","at":1500,"run":"1"`,
		`"outcome":"discarded","bytes":0,"key":".dbmigrate/left-behind/alice/4.sqlite"`,
		`"run":"3","action":"migrate","state":"running","by":"ann","reason":"OPS-7","outcome":"in-flight"`,
		`"key":".dbmigrate/overwritten/alice/e.sqlite","what":"overwritten"`,
		`"summary":{"copies":3,"receipts":1,"runs":3,"unread":0,"user":"alice"}`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing:\n%s", want, &out)
		}
	}
	for _, no := range []string{"bob", "alice-b"} {
		if strings.Contains(out.String(), no) {
			t.Errorf("it tells of %s:\n%s", no, &out)
		}
	}
	if first, last := story.Events[0], story.Events[len(story.Events)-1]; first.At > last.At {
		t.Errorf("%d comes before %d", first.At, last.At)
	}
}

// TestUnknownUser has no story.
func TestUnknownUser(t *testing.T) {
	story, err := Of(t.Context(), source(world.New(t.TempDir())), "nobody")
	if err != nil || story.Known() {
		t.Errorf("%+v, %v", story, err)
	}
}

// TestTableSaysHowLongWritesWaited, of a run in which they did.
func TestTableSaysHowLongWritesWaited(t *testing.T) {
	story := &Story{User: "alice", Events: []Event{
		{Kind: RunEvent, Action: "migrate", Outcome: "migrated", Run: "1", WindowMs: 290},
		{Kind: RunEvent, Action: "verify", Outcome: "equal", Run: "2"},
	}}
	var out bytes.Buffer
	if err := Print(terminal.New(terminal.Options{Out: &out, Err: &out, Format: terminal.Table}), story); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "WRITES WAITED") || strings.Count(text, "290ms") != 1 || strings.Contains(text, " 0s") {
		t.Errorf("%s", text)
	}
	var shown bytes.Buffer
	narrow := terminal.New(terminal.Options{
		Out: &shown, Err: &bytes.Buffer{}, OutTerminal: true, Width: func() int { return 80 }, Format: terminal.Table,
	})
	story.Events[0].Run, story.Events[0].By, story.Events[0].Via = "20261126T040000Z-9f3c21aa", "somebody@ci-runner-17", "github-actions"
	story.Events[0].Outcome, story.Events[0].Bytes = "left-behind", 123_456_789
	if err := Print(narrow, story); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(shown.String()) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("too wide for 80 columns: %q", line)
		}
	}
}
