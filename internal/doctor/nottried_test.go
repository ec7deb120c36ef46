package doctor

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// What was not tried is neither ok nor a failure: it says why, and the last line counts it apart.
func TestNotTriedIsNotOK(t *testing.T) {
	server := httptest.NewServer(&cloud{atOnce: 1})
	defer server.Close()
	findings, err := Look(t.Context(), configOf(server.URL), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var tried []Finding // the stand-in is no Worker to be content with
	for _, f := range findings {
		if !f.failed() {
			tried = append(tried, f)
		}
	}
	var data, table, talk bytes.Buffer
	for _, c := range []struct {
		out    *bytes.Buffer
		format terminal.Format
	}{{&data, terminal.JSON}, {&table, terminal.Table}} {
		talk.Reset()
		if failed, err := Print(terminal.New(terminal.Options{Out: c.out, Err: &talk, Format: c.format}), tried); failed != 0 || err != nil {
			t.Errorf("%d failed, %v", failed, err)
		}
	}
	for _, check := range []string{"r2 read", "r2 lifecycle", "r2 locks", "migrated user"} {
		found := false
		for line := range strings.Lines(data.String()) {
			var f struct {
				Check, Detail string
				OK            *bool
			}
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				t.Fatal(err)
			}
			found = found || f.Check == check && f.OK == nil && f.Detail != ""
		}
		if !found || !strings.Contains(table.String(), check+" ") {
			t.Errorf("%s is not told as not tried:\n%s", check, &data)
		}
	}
	if strings.Contains(table.String(), "ok         not") || strings.Contains(talk.String(), "all") ||
		!strings.Contains(talk.String(), "checks are ok, 5 not tried") {
		t.Errorf("%s%s", &table, &talk)
	}
	for text, counts := range map[string][3]int{
		"all 3 checks are ok": {3, 0, 0}, "2 checks are ok, 1 not tried": {3, 0, 1},
		"1 of 3 checks failed": {3, 1, 0}, "1 of 3 checks failed, 1 not tried": {3, 1, 1},
	} {
		if got := summary(counts[0], counts[1], counts[2]); got != text {
			t.Errorf("%q, not %q", got, text)
		}
	}
}
