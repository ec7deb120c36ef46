package stack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// minNode is what wrangler 4.164 demands; an older one starts, warns and exits.
var minNode = [2]int{22, 12}

// toolchain is what runs wrangler: absolute paths.
type toolchain struct {
	workerDir string
	node      string
	wrangler  string
}

func findToolchain(workerDir string) (toolchain, error) {
	if workerDir == "" {
		root, err := moduleRoot()
		if err != nil {
			return toolchain{}, err
		}
		workerDir = filepath.Join(root, "worker")
	}
	workerDir, err := filepath.Abs(workerDir)
	if err != nil {
		return toolchain{}, fmt.Errorf("find wrangler in %s: %w", workerDir, err)
	}
	t := toolchain{
		workerDir: workerDir,
		wrangler:  filepath.Join(workerDir, "node_modules", "wrangler", "bin", "wrangler.js"),
	}
	if _, err := os.Stat(t.wrangler); err != nil {
		return toolchain{}, fmt.Errorf("find wrangler: %w (run `make setup`)", err)
	}
	if err := NoteInputs(workerDir, "."); err != nil {
		return toolchain{}, fmt.Errorf("look at the Worker: %w", err)
	}
	t.node, err = findNode(workerDir)
	return t, err
}

// moduleRoot walks up to go.mod, so that tests of any package find worker/.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New(
				"find the module's root: no go.mod above the working folder (set Options.WorkerDir)",
			)
		}
		dir = parent
	}
}

// findNode prefers the node that package-lock.json pins: the system's may be too old for wrangler.
func findNode(workerDir string) (string, error) {
	pinned := filepath.Join(workerDir, "node_modules", "node", "bin", "node")
	if _, err := os.Stat(pinned); err == nil {
		return pinned, nil
	}
	system, err := exec.LookPath("node")
	if err != nil {
		return "", fmt.Errorf("find node: %w (run `make setup`)", err)
	}
	out, err := exec.Command(system, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", system, err)
	}
	if !nodeIsRecent(string(out)) {
		return "", fmt.Errorf(
			"find node: %s is %s, wrangler needs %d.%d (run `make setup`)",
			system,
			strings.TrimSpace(string(out)),
			minNode[0],
			minNode[1],
		)
	}
	return system, nil
}

// nodeIsRecent reads the output of `node --version`, like "v22.12.0".
func nodeIsRecent(version string) bool {
	parts := strings.Split(strings.TrimPrefix(strings.TrimSpace(version), "v"), ".")
	if len(parts) < 2 {
		return false
	}
	major, errMajor := strconv.Atoi(parts[0])
	minor, errMinor := strconv.Atoi(parts[1])
	if errMajor != nil || errMinor != nil {
		return false
	}
	return major > minNode[0] || (major == minNode[0] && minor >= minNode[1])
}

// wranglerEnv is this process's environment without the credentials and choices of a developer's real
// account, plus what keeps two wranglers on one machine apart (they find each other through the registry
// folder) and off the network.
func wranglerEnv(persistDir string) []string {
	var env []string
	for _, entry := range os.Environ() {
		if !hasAnyPrefix(entry, "CLOUDFLARE_", "CF_", "WRANGLER_", "AWS_") {
			env = append(env, entry)
		}
	}
	return append(env,
		"CI=1",
		"NO_COLOR=1",
		"WRANGLER_SEND_METRICS=false",
		"WRANGLER_HIDE_BANNER=true", // the banner is what looks for updates
		"WRANGLER_REGISTRY_PATH="+filepath.Join(persistDir, "registry"),
		"WRANGLER_LOG_PATH="+filepath.Join(persistDir, "logs"),
		"WRANGLER_CACHE_DIR="+filepath.Join(persistDir, "cache"),
		"CLOUDFLARE_CF_FETCH_ENABLED=false", // request.cf from a placeholder instead of the Internet
		// Its trace collector writes the spans of every request and statement to a database, on the thread
		// that serves them.
		"X_LOCAL_OBSERVABILITY=false",
	)
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}
