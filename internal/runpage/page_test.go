package runpage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/htmlreport"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// recorded writes the record of a run in waves: ten users moved, two failed, one may not write.
func recorded(t *testing.T, dir, action string) {
	t.Helper()
	at := time.Date(2026, 11, 29, 4, 0, 0, 0, time.UTC)
	w, err := record.Create(dir, record.Begin{
		Record: record.Version, Run: "r1", Action: action, At: at.UnixMilli(), Command: []string{action, "--over=1MB"},
		Who: record.Who{Name: "<b>ann</b>"}, Bucket: "users", Users: 13, Bytes: 13_000_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	user := func(i int, more string) {
		w.Begun(userdb.UserID(fmt.Sprint("u", i)))
		w.User(at.Add(time.Duration(i)*time.Second), rawJSON(fmt.Sprintf(`{"user":"u%d","action":%q,"bytes":1000000,"tookMs":900,%s}`, i, action, more)))
	}
	for i := range 10 {
		user(i, fmt.Sprintf(`"outcome":"migrated","windowMs":%d`, 20+i*30))
	}
	user(10, `"outcome":"failed","error":{"kind":"blocked","message":"cannot","hint":"h","reasons":[{"code":"virtual-table","detail":"a virtual table","fix":"drop it"}]}`)
	user(11, `"outcome":"failed","error":{"kind":"unreachable","message":"no answer","hint":"try again"}`)
	user(12, `"outcome":"failed","open":true,"error":{"kind":"unreachable","message":"no answer","hint":"try again"}`)
	w.Wave(map[string]any{"name": "canary", "users": 1, "gate": "passed", "at": at.Add(2 * time.Second).UnixMilli(), "tookMs": 2000})
	w.Wave(map[string]any{"name": "10%", "users": 12, "failed": 3, "gate": "stopped", "reason": "3 of 12 users failed", "rolledBack": 9})
	w.End(at.Add(14*time.Second), record.Summary{Users: 13, Outcomes: map[string]int{"migrated": 10, "failed": 3}, Failed: 3, Bytes: 10_000_000, TookMs: 14_000, Exit: 1})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// TestPage: what the record says of a run stands in its page, and what a router observed of its users.
func TestPage(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "requests.jsonl")
	lines := `{"kind":"request","user":"u1","mode":"write","side":"file","error":null,"bytesLoaded":1000000,"durationMs":40}
{"kind":"request","user":"u1","mode":"write","side":"store","error":null,"durationMs":2}
{"kind":"request","user":"somebody else","mode":"write","side":"store","error":null,"durationMs":2}
`
	if err := os.WriteFile(log, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for action, back := range map[string]string{"migrate": "dbmigrate rollback --run r1", "rollback": "dbmigrate migrate --users-file -"} {
		records := t.TempDir()
		recorded(t, records, action)
		path := filepath.Join(records, "run.html")
		page := Page{Place: &record.Place{Dir: records, Bucket: "users", Now: time.Now}, Run: "r1", Bucket: "users", Requests: log}
		if err := page.Write(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			action + " of 13 users", "ended, 3 failed", "10 migrated", "Users who cannot write", "u12", "virtual-table", "drop it",
			"a second (red: failed)", "Bytes of their files", "25ms to 50ms", "canary", "stopped", "9 users rolled back",
			"writes before: from the file", "writes after: in the Durable Object", "observed 2 requests", back, "&lt;b&gt;ann",
			"--over=1MB", "longest 290ms (u9)", "at most 1.0/s",
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the page of a %s lacks %q", action, want)
			}
		}
		page.Bucket = "another"
		if err := page.Write(t.Context(), path); userdb.KindOf(err) != userdb.Usage {
			t.Errorf("of another bucket: %v", err)
		}
	}
}

// TestPageOfAKilledRun: it says who was in flight, and has no summary.
func TestPageOfAKilledRun(t *testing.T) {
	dir := t.TempDir()
	w, err := record.Create(dir, record.Begin{Record: record.Version, Run: "r2", Action: "migrate", At: 1, Bucket: "users", Users: 2})
	if err != nil {
		t.Fatal(err)
	}
	w.Begun("flying")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	later := func() time.Time { return time.Now().Add(time.Hour) }
	path := filepath.Join(dir, "run.html")
	page := Page{Place: &record.Place{Dir: dir, Bucket: "users", Now: later}, Run: "r2", Bucket: "users"}
	if err := page.Write(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "no end seen") || !strings.Contains(string(text), "flying") {
		t.Errorf("%v: %.300s", err, text)
	}
}

// TestPageOfARunThatGoesOn: nothing is said of its end, and each command of the page runs as it stands there.
func TestPageOfARunThatGoesOn(t *testing.T) {
	for _, c := range []struct{ action, flag, next string }{
		{"migrate", "--all", "dbmigrate migrate stuck"}, {"rollback", "--all", "dbmigrate rollback stuck"},
		{"migrate", "--mode=split", "dbmigrate status stuck"}, {"restore", "--from=x", "dbmigrate status stuck"},
		{"thaw", "--policy=x", "dbmigrate status stuck"},
	} {
		s := newStory()
		s.add(record.UserLine{User: "stuck", Action: c.action, Outcome: "failed", Open: true})
		s.run = record.Run{
			Begin: record.Begin{Run: "r", Action: c.action, Command: []string{c.action, c.flag}, Users: 1},
			State: record.Running,
		}
		table, note := s.openTable()
		text := fmt.Sprint(s.sentence(), table.Rows, note, s.inFlight())
		if strings.Contains(text, "ended") || !strings.Contains(note, "goes on, or was killed less than") {
			t.Errorf("%s: %s", c.action, text)
		}
		if table.Rows[0][2] != c.next {
			t.Errorf("%s %s: %q, not %q", c.action, c.flag, table.Rows[0][2], c.next)
		}
	}
}

func TestCheckReport(t *testing.T) {
	dir := t.TempDir()
	for path, fine := range map[string]bool{"": true, dir + "/x.html": true, dir: false, dir + "/no/x.html": false} {
		if err := CheckReport(path); (err == nil) != fine {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestShortRunsHaveNoRate: two users in a second and a bit are not 1.7 users a second beside "at most 1.0/s".
func TestShortRunsHaveNoRate(t *testing.T) {
	for ms, want := range map[int64]bool{1_100: false, 14_000: true} {
		s := story{run: record.Run{Summary: record.Summary{TookMs: ms}}}
		told := slices.ContainsFunc(s.tiles(), func(tile htmlreport.Tile) bool { return tile.Label == "Rate" })
		if told != want {
			t.Errorf("a run of %d ms: a rate is told: %v", ms, told)
		}
	}
}
