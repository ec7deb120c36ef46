package localruntime

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// minNode is what wrangler 4.164 demands; an older one starts, warns and exits.
var minNode = [2]int{22, 12}

// Tools are what runs wrangler: absolute paths.
type Tools struct {
	Dir      string // the folder that wrangler runs in
	Node     string
	Wrangler string
}

// FindTools looks for wrangler as node does: in node_modules of dir, and then of each folder above. advice
// says how to get wrangler.
func FindTools(dir, advice string) (Tools, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Tools{}, fmt.Errorf("find wrangler in %s: %w", dir, err)
	}
	modules, err := modulesAbove(dir)
	if err != nil {
		return Tools{}, fmt.Errorf("%w (%s)", err, advice)
	}
	t := Tools{Dir: dir, Wrangler: filepath.Join(modules, wranglerScript)}
	t.Node, err = findNode(modules)
	return t, err
}

var wranglerScript = filepath.Join("wrangler", "bin", "wrangler.js")

// modulesAbove is the nearest node_modules that has wrangler.
func modulesAbove(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		modules := filepath.Join(at, "node_modules")
		if _, err := os.Stat(filepath.Join(modules, wranglerScript)); err == nil {
			return modules, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("find wrangler: there is none in node_modules of %s or above", dir)
		}
	}
}

// The project's own node is found before the system's.
const nodeAdvice = "install a newer Node.js, or run `npm install --save-dev node` in the project"

// findNode prefers the node that package-lock.json pins: the system's may be too old for wrangler.
func findNode(modules string) (string, error) {
	pinned := filepath.Join(modules, "node", "bin", "node")
	if _, err := os.Stat(pinned); err == nil {
		return pinned, nil
	}
	system, err := exec.LookPath("node")
	if err != nil {
		return "", fmt.Errorf("find node: %w (%s)", err, nodeAdvice)
	}
	out, err := exec.Command(system, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", system, err)
	}
	if !nodeIsRecent(string(out)) {
		return "", fmt.Errorf(
			"find node: %s is %s, wrangler needs %d.%d (%s)",
			system,
			strings.TrimSpace(string(out)),
			minNode[0],
			minNode[1],
			nodeAdvice,
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
