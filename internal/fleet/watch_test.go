package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// slowRecords is a bucket that takes its time for what dbmigrate writes down, and may refuse it.
type slowRecords struct {
	migrate.Files
	refuses bool

	mu   sync.Mutex
	acts []string
}

const recordTakes = 10 * time.Second

// List finds no other run.
func (r *slowRecords) List(context.Context, string, string, func([]userdb.Object, []string) error) error {
	return nil
}

func (s *slowRecords) Put(
	_ context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	_ int64,
	_ userdb.PutOptions,
) (userdb.ETag, error) {
	time.Sleep(recordTakes)
	if s.refuses {
		return "", errors.New("no")
	}
	var act record.Act
	if strings.HasPrefix(string(key), record.ActPrefix) && json.NewDecoder(body).Decode(&act) == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.acts = append(s.acts, act.State)
	}
	return "", nil
}

// TestRecordsDelayNobody: users are begun while the audit line and the record are on their way, and what
// could not be written is said.
func TestRecordsDelayNobody(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		state := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var warned []string
			files := &slowRecords{refuses: refuses}
			w := &Watch{
				Traffic: NewTraffic(),
				Getenv: func(name string) string {
					return map[string]string{"XDG_STATE_HOME": state}[name]
				},
				Warn: func(format string, args ...any) {
					mu.Lock()
					defer mu.Unlock()
					warned = append(warned, fmt.Sprintf(format, args...))
				},
			}
			begun := time.Now()
			e := &migrate.Engine{Files: files, Run: "20261126T040000Z-1a2b3c4d"}
			w.Begin(Begin{Engine: e, Action: result.ActionMigrate, At: begun, Users: 1, InFlight: func() int { return 0 }})
			w.User(result.Result{User: "alice", Action: result.ActionMigrate})
			if waited := time.Since(begun); waited > 0 {
				t.Errorf("the first user waits %v for records", waited)
			}
			w.End(&Summary{Action: result.ActionMigrate})
			if !refuses && strings.Join(files.acts, " ") != record.ActBegun+" "+record.ActEnded {
				t.Errorf("the audit lines are %q", files.acts)
			}
			if said := strings.Join(warned, "\n"); refuses != strings.Contains(said, "audit line") ||
				refuses != strings.Contains(said, "run record") {
				t.Errorf("it says %q", said)
			}
		})
	}
}

// A full disk under the records names the folder and what moves it. The run goes on.
func TestFullStateFolderHasAWayOut(t *testing.T) {
	said := ""
	w := &Watch{stateAt: "/state/dbmigrate", Warn: func(format string, args ...any) { said = fmt.Sprintf(format, args...) }}
	w.warnOfState("write the run record", &fs.PathError{Op: "write", Path: "/state/dbmigrate/runs/x", Err: syscall.ENOSPC})
	for _, want := range []string{"the disk is full", "free some space for /state/dbmigrate", "XDG_STATE_HOME", "the run goes on"} {
		if !strings.Contains(said, want) {
			t.Errorf("it lacks %q: %s", want, said)
		}
	}
	w.warnOfState("write the audit line", errors.New("another failure"))
	if strings.Contains(said, "XDG_STATE_HOME") {
		t.Errorf("a disk that is not full: %s", said)
	}
}

// A state folder that cannot be written does not cost the copy in R2: the record is kept elsewhere.
func TestRecordWithoutAStateFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	noFolder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(noFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	said := ""
	w := &Watch{stateAt: noFolder, Warn: func(format string, args ...any) { said += fmt.Sprintf(format, args...) }}
	w.beginRecord(record.Begin{Run: "20261126T040000Z-1a2b3c4d", Action: string(result.ActionVerify)})
	if w.record == nil || !strings.HasPrefix(w.record.Path(), os.TempDir()) {
		t.Fatalf("there is no record: %s", said)
	}
	if !strings.Contains(said, noFolder) {
		t.Errorf("nobody hears of it: %q", said)
	}
	w.keeper.End()
}

// Metrics on a full disk name the flag.
func TestFullDiskUnderTheMetrics(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/metrics/dbmigrate.prom", Err: syscall.ENOSPC}
	said := fullDisk(full, "/metrics", "give --metrics-file a path on a larger disk")
	if !strings.Contains(said, "free some space for /metrics, or give --metrics-file") {
		t.Errorf("it says %q", said)
	}
}
