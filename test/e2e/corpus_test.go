package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/test/corpus"
)

// refused are the corpus files that a Durable Object cannot hold, with what the reason has to name.
var refused = map[string]string{
	"android-files_master.db":      "fts4",
	"gpkg-geometrycollection.gpkg": "ST_|function",
	"macos-knowledgec-10.13.db":    "ZSTRUCTUREDMETADATA",
	"sqlite-vec-legacy.db":         "vec0",
	"wal-crashed.sqlite":           "wal|log",
}

// TestCorpus moves every real file into a Durable Object and back. The way back goes through gc, so that the file is built anew from the
// Durable Object and not merely unfenced; an independent program compares it with the original.
func TestCorpus(t *testing.T) {
	for _, name := range corpus.Names() {
		t.Run(name, func(t *testing.T) {
			path := corpus.Copy(t, name)
			original, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			op, user := newOperator(t), userNamed(t)
			putFile(t, user, original)
			if reason, blocked := refused[name]; blocked {
				mustRefuse(t, op, user, original, reason)
			} else {
				mustComeBack(t, op, user, path)
			}
		})
	}
}

func mustRefuse(t *testing.T, op *operator, user string, original []byte, reason string) {
	_, before := getFile(t, user)
	f := op.must(1, "migrate", user)
	message := f.accounts[0].Error.Message
	t.Logf("refused: %s", message)
	if !regexp.MustCompile("(?i)" + reason).MatchString(message) {
		t.Errorf("the reason does not name %s: %s", reason, message)
	}
	now, object := getFile(t, user)
	if !bytes.Equal(now, original) || !object.LastModified.Equal(before.LastModified) {
		t.Error("the file was touched")
	}
	for _, r := range op.proxy.Seen() {
		if r.Name() == "KV PUT bulk" {
			t.Error("a flag was written")
		}
	}
}

func mustComeBack(t *testing.T, op *operator, user, path string) {
	op.must(0, "migrate", user)
	op.must(0, "verify", user)
	free(t, op, user)
	f := op.must(0, "rollback", user)
	if f.accounts[0].Outcome != "exported" {
		t.Fatalf("the file was %s, not built from the Durable Object", f.accounts[0].Outcome)
	}
	built, _ := getFile(t, user)
	back := filepath.Join(t.TempDir(), "back.sqlite")
	if err := os.WriteFile(back, built, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("python3", "../../scripts/dbdigest.py", path, back).CombinedOutput()
	t.Logf("dbdigest: %s", out)
	if err != nil {
		t.Errorf("the file that came back differs: %v", err)
	}
}

// free lets gc replace the user's file by a tombstone, the way an operator does it: the plan first, then its confirmation.
func free(t *testing.T, op *operator, user string) {
	t.Helper()
	plan := planOf(t, op.must(0, "gc", user, "--older-than", "0s"))
	op.must(0, "gc", user, "--older-than", "0s", "--confirm", plan)
}

// planOf reads the plan's name out of what gc printed.
func planOf(t *testing.T, gc finished) string {
	t.Helper()
	for line := range strings.Lines(gc.stdout) {
		var out struct {
			Summary struct {
				Plan string `json:"plan"`
			} `json:"summary"`
		}
		if json.Unmarshal([]byte(line), &out) == nil && out.Summary.Plan != "" {
			return out.Summary.Plan
		}
	}
	t.Fatalf("gc printed no plan: %s", gc.stdout)
	return ""
}
