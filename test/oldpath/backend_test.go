package oldpath

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// mustHave demands one write, from whichever side serves.
func (u *client) mustHave(t *testing.T, n int) {
	t.Helper()
	rows, err := u.Query("read", "select count(*) from entries where n = ?", n)
	if err != nil || fmt.Sprint(rows) != "[[1]]" {
		t.Errorf("%s: acknowledged write %d: %v, %v", u.Name, n, rows, err)
	}
}

// mustHoldAside demands that the overwritten file was copied to where the account says, with the write that
// it acknowledged.
func (u *client) mustHoldAside(t *testing.T, n int, stdout string) {
	t.Helper()
	_, rest, _ := strings.Cut(stdout, ".dbmigrate/")
	name, _, found := strings.Cut(rest, `"`)
	var content bytes.Buffer
	if _, err := u.b.files.Get(context.Background(), userdb.ObjectKey(".dbmigrate/"+name), "", &content); err != nil ||
		!found {
		t.Fatalf("the copy aside: %v\n%s", err, stdout)
	}
	path := filepath.Join(t.TempDir(), "aside.sqlite")
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var count int
	if err := db.QueryRow("select count(*) from entries where n = ?", n).Scan(&count); err != nil ||
		count != 1 {
		t.Errorf("the copy aside has the write %d times: %v", count, err)
	}
}
