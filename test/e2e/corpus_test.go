package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/test/corpus"
)

// refused are the corpus files that a Durable Object cannot hold, with what the reason has to name.
var refused = map[string]string{
	"android-files_master.db":   "fts4",
	"macos-knowledgec-10.13.db": "ZSTRUCTUREDMETADATA",
	"sqlite-vec-legacy.db":      "vec0",
	"wal-crashed.sqlite":        "wal|log",
}

// TestCorpus moves every real file into a Durable Object and back. The way back goes through gc, so that the
// file is rebuilt from the Durable Object and not merely unfenced. An independent program compares it with
// the original.
func TestCorpus(t *testing.T) {
	table := "| file | bytes | what became of it |\n|---|---|---|\n"
	defer func() { docpage.Publish(t, "corpus", table) }()
	for _, name := range effort.Some(t, "real files", corpus.Names(), 2) {
		t.Run(name, func(t *testing.T) {
			path := corpus.Copy(t, name)
			original, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			op, user := newOperator(t), userNamed(t)
			putFile(t, user, original)
			end := "moved, freed, rebuilt from the Durable Object: the same"
			if reason, blocked := refused[name]; blocked {
				end = "refused, untouched: " + strings.ReplaceAll(
					mustRefuse(t, op, user, original, reason),
					"|",
					"\\|",
				)
			} else {
				mustComeBack(t, op, user, path)
			}
			table += fmt.Sprintf("| %s | %d | %s |\n", name, len(original), end)
		})
	}
}

// mustRefuse returns the reason that the operator is told.
func mustRefuse(t *testing.T, op *harness.Operator, user string, original []byte, reason string) string {
	t.Helper()
	_, before := getFile(t, user)
	f := must(t, op, 1, "migrate", user)
	message := f.Accounts[user].Error.Message
	t.Logf("refused: %s", message)
	if !regexp.MustCompile("(?i)" + reason).MatchString(message) {
		t.Errorf("the reason does not name %s: %s", reason, message)
	}
	now, object := getFile(t, user)
	if !bytes.Equal(now, original) || !object.LastModified.Equal(before.LastModified) {
		t.Error("the file was touched")
	}
	for _, r := range op.Proxy.Seen() {
		if r.Name() == "KV PUT bulk" {
			t.Error("a flag was written")
		}
	}
	return strings.TrimPrefix(message, "preflight "+user+": ")
}

func mustComeBack(t *testing.T, op *harness.Operator, user, path string) {
	must(t, op, 0, "migrate", user)
	must(t, op, 0, "verify", user)
	must(t, op, 0, gcArgs(t, op, user)...)
	f := must(t, op, 0, "rollback", user)
	if f.Accounts[user].Outcome != "exported" {
		t.Fatalf("the file was %s, not built from the Durable Object", f.Accounts[user].Outcome)
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
