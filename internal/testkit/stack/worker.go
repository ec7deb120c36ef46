package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dbmigrate/dbmigrate/internal/localruntime"
)

func findToolchain(workerDir string) (localruntime.Tools, error) {
	if workerDir == "" {
		root, err := moduleRoot()
		if err != nil {
			return localruntime.Tools{}, err
		}
		workerDir = filepath.Join(root, "worker")
	}
	tools, err := localruntime.FindTools(workerDir, "run `make setup`")
	if err != nil {
		return tools, err
	}
	if err := NoteInputs(tools.Dir, "."); err != nil {
		return tools, fmt.Errorf("look at the Worker: %w", err)
	}
	return tools, nil
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
