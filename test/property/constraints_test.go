package property

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/result"
)

// Rows that violate a CHECK or a foreign key arrive, and from then on the application cannot add another.
func TestConstraintsThatRowsViolateAreInForceAfterwards(t *testing.T) {
	path := filepath.Join(t.TempDir(), "violated.sqlite")
	makeMany(
		t,
		path,
		`CREATE TABLE parents(id INTEGER PRIMARY KEY); CREATE TABLE children(id INTEGER PRIMARY KEY, parent REFERENCES parents(id), age INTEGER CHECK (age >= 0));
		PRAGMA ignore_check_constraints = ON; INSERT INTO children VALUES(1, 99, 5), (2, NULL, -7)`,
	)
	u := newUser(t, "constraints")
	u.upload(path)
	u.must(u.migrate(), result.OutcomeMigrated)
	u.must(u.run(result.ActionVerify, u.engine.Verify), result.OutcomeEqual)
	if answer := u.ask("read", "SELECT id, parent, age FROM children ORDER BY id"); !strings.Contains(
		answer,
		`[[1,99,5],[2,null,-7]]`,
	) {
		t.Errorf("the rows are %s", answer)
	}
	for _, c := range []struct{ sql, want string }{
		{"INSERT INTO children VALUES(3, 98, 1)", "FOREIGN KEY constraint failed"},
		{"UPDATE children SET parent = 97 WHERE id = 2", "FOREIGN KEY constraint failed"},
		{"INSERT INTO children VALUES(3, NULL, -1)", "CHECK constraint failed"},
		{"UPDATE children SET age = -8 WHERE id = 2", "CHECK constraint failed"},
	} {
		if answer := u.ask("write", c.sql); !strings.Contains(answer, c.want) {
			t.Errorf("%s: %s, want %s", c.sql, answer, c.want)
		}
	}
	if answer := u.ask("read", "SELECT count(*) FROM children"); !strings.Contains(answer, `[[2]]`) {
		t.Errorf("there are %s children", answer)
	}
}

// ask sends a statement as the application's own users do.
func (u user) ask(mode, statement string) string {
	u.Helper()
	body, err := json.Marshal(
		map[string]any{"mode": mode, "statements": []any{map[string]string{"sql": statement}}},
	)
	if err != nil {
		u.Fatal(err)
	}
	request, err := http.NewRequestWithContext(
		u.Context(),
		http.MethodPost,
		cloud.URL+"/api/users/"+string(u.id)+"/query",
		bytes.NewReader(body),
	)
	if err != nil {
		u.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+cloud.AppToken)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		u.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		u.Fatal(err)
	}
	return string(answer)
}
