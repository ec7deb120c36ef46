package harness

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Schema is what every user's database needs: a table that takes the counted writes.
const Schema = `create table entries(id integer primary key autoincrement, n integer not null unique);`

// Image builds a database by statements and returns its file.
func Image(statements string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "dbmigrate-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "database.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	_, err = db.Exec(statements)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("build a database: %w", err)
	}
	return os.ReadFile(path)
}

// User is one user of the sample application. Its writes go through the router, past every proxy.
type User struct {
	Name   string
	Writes int    // acknowledged
	Side   string // who gave the last answer: file or store
	Grows  bool   // each write brings a migration of the schema along (worker/test-entry/calls.ts)

	// Begins lets the user begin in the Durable Object, if there is no file.
	Begins bool
	// DieAt is where the isolate dies that serves the user's requests, "" for none
	// (worker/test-entry/dying.ts).
	DieAt string
	// Calls are those of bindings that the last request made, where DieAt is not "".
	Calls []string
	// Tried, when set, is told of each request that Query sends.
	Tried func(Attempt)

	cloud *stack.Stack
}

// Attempt is one request of a user. Trip is what the Worker of test/faults says of its way.
type Attempt struct {
	Begun, Ended time.Time
	Status       int
	Trip         string
}

// NewUser gives the user a file, which needs the table of Schema, and writes once.
func NewUser(cloud *stack.Stack, name string, image []byte) (*User, error) {
	u := UserOf(cloud, name)
	bucket, err := Bucket(cloud)
	if err != nil {
		return nil, err
	}
	if _, err := bucket.Put(context.Background(), Key(name), bytes.NewReader(image), int64(len(image)), userdb.PutOptions{}); err != nil {
		return nil, err
	}
	return u, u.Write()
}

// UserOf is a user with a file that is somebody else's business.
func UserOf(cloud *stack.Stack, name string) *User { return &User{Name: name, cloud: cloud} }

// Bucket is a way to R2 beside every proxy.
func Bucket(cloud *stack.Stack) (*r2.Client, error) {
	return r2.New(
		r2.Config{
			Endpoint:        cloud.S3Endpoint,
			Bucket:          cloud.Bucket,
			AccessKeyID:     cloud.AccessKey,
			SecretAccessKey: cloud.SecretKey,
		},
	)
}

// Key is where a user's file lies.
func Key(user string) userdb.ObjectKey { return userdb.ObjectKey(user + "/database.sqlite") }

// patience is how long a write waits for a cutover that is under way.
const patience = 30 * time.Second

// Write makes one write, and repeats it while it is refused.
func (u *User) Write() error {
	if _, err := u.Query("write", "insert into entries(n) values (?)", u.Writes); err != nil {
		return err
	}
	u.Writes++
	return nil
}

// Check demands every acknowledged write, once. Reads have to work at every moment.
func (u *User) Check() error {
	rows, err := u.Query("read", "select count(*), count(distinct n), coalesce(max(n), -1) from entries")
	if err != nil {
		return err
	}
	want := fmt.Sprint([]any{float64(u.Writes), float64(u.Writes), float64(u.Writes - 1)})
	if got := fmt.Sprint(rows[0]); got != want {
		return fmt.Errorf("%s has entries %s, want %s (all, distinct, last)", u.Name, got, want)
	}
	return nil
}

// ErrNotSplit is what a query of cold rows ends with while there are none: the file has them all.
var ErrNotSplit = errors.New("the user is not split")

// Query sends a statement and returns its rows.
func (u *User) Query(mode, sql string, params ...any) ([][]any, error) {
	return u.QueryIn("hot", mode, sql, params...)
}

// QueryIn is Query for the rows of one side: hot or cold. Errors: ErrNotSplit.
func (u *User) QueryIn(scope, mode, sql string, params ...any) ([][]any, error) {
	statement := map[string]any{"sql": sql, "params": append([]any{}, params...)}
	body, err := json.Marshal(map[string]any{"mode": mode, "scope": scope, "statements": []any{statement}})
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(patience); ; {
		status, answer, err := u.post(body)
		if err != nil {
			return nil, err
		}
		if status == http.StatusOK {
			rows, side, err := parseAnswer(answer)
			u.Side = side
			return rows, err
		}
		if status == http.StatusConflict && bytes.Contains(answer, []byte(`"not-split"`)) {
			return nil, ErrNotSplit
		}
		if status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			return nil, fmt.Errorf("%s for %s: HTTP %d %s", sql, u.Name, status, answer)
		}
	}
}

// Try sends one write once. Errors say what was answered instead.
func (u *User) Try(sql string, params ...any) error {
	body, err := json.Marshal(
		map[string]any{"mode": "write", "statements": []any{map[string]any{"sql": sql, "params": params}}},
	)
	if err != nil {
		return err
	}
	status, answer, err := u.post(body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s for %s: HTTP %d %s", sql, u.Name, status, answer)
	}
	return err
}

func (u *User) post(body []byte) (int, []byte, error) {
	request, err := http.NewRequest(
		http.MethodPost,
		u.cloud.URL+"/api/users/"+u.Name+"/query",
		bytes.NewReader(body),
	)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+u.cloud.AppToken)
	request.Header.Set("Content-Type", "application/json")
	if u.Grows {
		request.Header.Set("Test-Grow-Schema", "yes")
	}
	if u.Begins {
		request.Header.Set("Test-New-Users", "store")
	}
	if u.DieAt != "" {
		request.Header.Set("Test-Die-At", u.DieAt)
	}
	begun := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if u.Tried != nil {
		u.Tried(Attempt{begun, time.Now(), response.StatusCode, response.Header.Get("Test-Trip")})
	}
	if u.DieAt != "" {
		u.Calls = strings.Split(response.Header.Get("Test-Calls"), ",")
	}
	return response.StatusCode, answer, err
}

func parseAnswer(answer []byte) (rows [][]any, side string, err error) {
	var out struct {
		Side    string `json:"side"`
		Results []struct {
			Rows [][]any `json:"rows"`
		} `json:"results"`
	}
	if err := json.Unmarshal(answer, &out); err != nil || len(out.Results) == 0 {
		return nil, "", fmt.Errorf("answer %s: %v", answer, err)
	}
	return out.Results[0].Rows, out.Side, nil
}
