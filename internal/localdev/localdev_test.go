package localdev

import (
	"strings"
	"testing"
)

func TestNodeIsRecent(t *testing.T) {
	for version, want := range map[string]bool{
		"v22.12.0\n": true, "v22.11.9": false, "v24.0.0": true, "v20.19.5": false, "": false, "node": false,
	} {
		if got := nodeIsRecent(version); got != want {
			t.Errorf("nodeIsRecent(%q) = %v", version, got)
		}
	}
}

func TestReadyWatcherFindsASplitLineOnce(t *testing.T) {
	var log strings.Builder
	w := newReadyWatcher(&log)
	for _, piece := range []string{"noise\nRea", "dy on http://127.0.0.1:44", "015\nReady on http://127.0.0.1:1\n", "end"} {
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if url := <-w.ready; url != "http://127.0.0.1:44015" {
		t.Errorf("url %q", url)
	}
	if len(w.ready) != 0 {
		t.Error("announced twice")
	}
	if !strings.HasSuffix(w.tail(), "\nend") || !strings.HasPrefix(log.String(), "noise\n") {
		t.Errorf("tail %q, log %q", w.tail(), log.String())
	}
}

// TestReadyWatcherSeesErrors: wrangler waits for an edit of the source then, and is never ready.
func TestReadyWatcherSeesErrors(t *testing.T) {
	for _, said := range []string{
		"\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1mYour Worker depends on Durable Objects\x1b[0m\n",
		"✘ [ERROR] service core:user:app: Uncaught TypeError\n", "Build failed with 1 error:\n",
	} {
		w := newReadyWatcher(nil)
		w.patience = 0
		if _, err := w.Write([]byte("[WARNING] of nothing\n" + said)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-w.failed:
		case <-t.Context().Done():
			t.Fatal("the test was ended")
		}
		if tail := w.tail(); strings.Contains(tail, "\x1b") {
			t.Errorf("the tail has colours: %q", tail)
		}
	}
}
