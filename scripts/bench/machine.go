package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine describes what was measured on, without naming it.
func machine(ctx context.Context, w *world) (string, error) {
	memory := ""
	if content, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int64
		fmt.Sscanf(string(content), "MemTotal: %d kB", &kib)
		memory = fmt.Sprintf(", %d GB of memory", (kib<<10)/1e9)
	}
	sqlite, err := exec.CommandContext(ctx, "sqlite3", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask sqlite3 for its version: %w", err)
	}
	wrangler, err := packageVersion("worker/node_modules/wrangler/package.json")
	if err != nil {
		return "", err
	}
	workerd, err := packageVersion("worker/node_modules/wrangler/node_modules/workerd/package.json")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(
		"Measured %s on %d cores (%s)%s, %s, a local disk; Go %s, wrangler %s, workerd %s, the `sqlite3` shell %s%s.",
		time.Now().
			UTC().
			Format("2006-01-02"),
		runtime.NumCPU(),
		processor(),
		memory,
		runtime.GOOS,
		strings.TrimPrefix(runtime.Version(), "go"),
		wrangler,
		workerd,
		strings.Fields(string(sqlite))[0],
		load(),
	), nil
}

// load says how busy the machine is now, where that is known.
func load() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return "; load average when it began: " + strings.Join(strings.Fields(string(content))[:3], ", ")
}

func processor() string {
	content, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(content)) {
			if name, value, found := strings.Cut(line, ":"); found &&
				strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

func packageVersion(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var described struct {
		Version string `json:"version"`
	}
	return described.Version, json.Unmarshal(content, &described)
}
