package scanlog

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Nothing in the file leads to a user who was taken out, and the others stay.
func TestForgetLeavesNoTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.sqlite")
	h, err := Open(t.Context(), path, Scope{Bucket: "b", Layout: "{user}"})
	if err != nil {
		t.Fatal(err)
	}
	scan := Scan{Run: "one", At: time.Unix(1_800_000_000, 0)}
	if err := h.Record(t.Context(), scan, SizesOf(map[string]int64{"alice-of-old": 5, "bob-of-now": 7})); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Forget(t.Context(), []string{"alice-of-old", "nobody"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte("alice-of-old")) || !bytes.Contains(content, []byte("bob-of-now")) {
		t.Errorf("alice is left, or bob is gone, in %d bytes", len(content))
	}
}
