package record

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type actBucket struct {
	objects map[userdb.ObjectKey]string
	fail    error
}

func (b *actBucket) Put(
	_ context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	_ int64,
	_ userdb.PutOptions,
) (userdb.ETag, error) {
	if b.fail != nil {
		return "", b.fail
	}
	text, err := io.ReadAll(body)
	b.objects[key] = string(text)
	return "", err
}

func act(state string) *Act {
	return &Act{
		Audit:  ActVersion,
		Run:    "20261126T040000Z-1a2b3c4d",
		State:  state,
		Action: "rollback",
		At:     1_795_665_600_000,
		Who:    Who{Name: "ann"},
		Reason: "INC-7",
		Command: []string{
			"rollback",
			"--all",
		},
		Version: "v1",
		Bucket:  "b",
		Users:   3,
		Bytes:   9,
		Record:  ".dbmigrate/runs/run-x.jsonl",
	}
}

func TestAct(t *testing.T) {
	dir, files := filepath.Join(t.TempDir(), "state"), &actBucket{objects: map[userdb.ObjectKey]string{}}
	for _, state := range []string{ActBegun, ActEnded} {
		if err := act(state).Write(t.Context(), dir, files); err != nil {
			t.Fatal(err)
		}
	}
	const key = ".dbmigrate/audit/2026-11-26/20261126T040000Z-1a2b3c4d.json"
	var got Act
	if len(files.objects) != 1 || json.Unmarshal([]byte(files.objects[key]), &got) != nil ||
		got.State != ActEnded ||
		got.Reason != "INC-7" {
		t.Errorf("%v", files.objects)
	}
	text, err := os.ReadFile(filepath.Join(dir, logName))
	if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); err != nil || len(lines) != 2 ||
		!strings.Contains(lines[0], `"state":"begun"`) {
		t.Errorf("%q, %v", text, err)
	}
}

// The log and the object do not wait for each other.
func TestActOfWhichHalfIsWritten(t *testing.T) {
	dir := t.TempDir()
	if err := act(ActBegun).Write(t.Context(), dir, &actBucket{fail: errors.New("no permission")}); err == nil ||
		!strings.Contains(err.Error(), "no permission") {
		t.Errorf("%v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, logName)); !strings.Contains(string(text), "INC-7") {
		t.Errorf("no line: %q", text)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	files := &actBucket{objects: map[userdb.ObjectKey]string{}}
	if err := act(ActBegun).Write(t.Context(), file, files); err == nil || len(files.objects) != 1 {
		t.Errorf("%v, %d objects", err, len(files.objects))
	}
}

func TestCheckReason(t *testing.T) {
	for reason, ok := range map[string]bool{"": true, "INC-7: slow loads, größer": true, "two\nlines": false, "a\x1b[2J": false, "\xff": false, strings.Repeat("r", 1001): false, "c1 \u0085": false} {
		if err := CheckReason(reason); (err == nil) != ok ||
			err != nil && userdb.KindOf(err) != userdb.Usage {
			t.Errorf("%.20q: %v", reason, err)
		}
	}
}
