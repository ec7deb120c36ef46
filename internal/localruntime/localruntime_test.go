package localruntime

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

// TestPagesNameWranglersNode: what is demanded is what the pinned wrangler wants, and the pages say it.
func TestPagesNameWranglersNode(t *testing.T) {
	wants := fmt.Sprintf("%d.%d", minNode[0], minNode[1])
	for page, says := range map[string]string{
		"worker/package-lock.json": `"node_modules/wrangler": {`,
		"README.md":                "Node.js " + wants + ": `make setup`",
		"CONTRIBUTING.md":          "Node.js " + wants + " that\nwrangler needs",
		"worker/package/README.md": "Node.js " + wants + " or later",
		"docs/rollout.md":          "Node.js " + wants + " or later",
	} {
		text, err := os.ReadFile(filepath.Join("../..", page))
		if err != nil {
			t.Fatal(err)
		}
		_, behind, found := strings.Cut(string(text), says)
		if !found {
			t.Errorf("%s does not say %q", page, says)
		}
		if strings.HasSuffix(page, ".json") {
			engines := regexp.MustCompile(`"node": ">=([\d.]+)\.0"`).FindStringSubmatch(behind)
			if len(engines) != 2 || engines[1] != wants {
				t.Errorf("wrangler wants %q, and package localruntime demands %s", engines, wants)
			}
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
		"\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1mYour Worker depends on the following Durable Objects\x1b[0m\n",
		"✘ [ERROR] service core:user:app: Uncaught TypeError\n", "Build failed with 1 error:\n",
		"✘ [ERROR] of another kind\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newReadyWatcher(nil)
			say(t, w, "[WARNING] of nothing\n"+said)
			<-w.failed // or every goroutine is blocked, and synctest says so
			if tail := w.tail(); strings.Contains(tail, "\x1b") {
				t.Errorf("the tail has colours: %q", tail)
			}
		})
	}
}

// TestReadyWatcherWaitsAfterAnError: many errors do not keep wrangler from becoming ready, which may take
// long on a busy machine.
func TestReadyWatcherWaitsAfterAnError(t *testing.T) {
	for name, lines := range map[string][]string{
		"an error that stops nothing": {"✘ [ERROR] A request to the Cloudflare API failed.\n", "", "", ""},
		"it says more":                {"✘ [ERROR] Build failed with 1 error:\n", "Reloading local server...\n", "Still at it\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newReadyWatcher(nil)
				for _, line := range lines {
					say(t, w, line)
					time.Sleep(9 * time.Second)
				}
				say(t, w, "Ready on http://127.0.0.1:44015\n")
				select {
				case <-w.ready:
				default:
					t.Error("wrangler was given up before it was ready")
				}
				time.Sleep(2 * time.Minute) // the alarm may go off
			})
		})
	}
}

func say(t *testing.T, w *readyWatcher, text string) {
	t.Helper()
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}
