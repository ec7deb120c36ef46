package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// table is phase -> message -> next phase, or "refused".
type table map[string]map[string]string

// transitions derives the model's transition table and compares it with the file in the project, or writes
// the file.
func transitions(ctx context.Context, write bool) error {
	out, err := command(ctx, modelDir, "spin", "-T", "-B", "transitions.pml").CombinedOutput()
	if err != nil {
		return fmt.Errorf("spin transitions.pml: %w: %s", err, out)
	}
	derived, err := parseTransitions(string(out))
	if err != nil {
		return err
	}
	encoded, err := json.MarshalIndent(derived, "", "  ")
	if err != nil {
		return err
	}
	encoded = append(encoded, '\n')
	if write {
		return os.WriteFile(transitionsFile, encoded, 0o644)
	}
	kept, err := os.ReadFile(transitionsFile)
	if err != nil {
		return err
	}
	if !bytes.Equal(kept, encoded) {
		return fmt.Errorf(
			"%s is not the model's table: run scripts/model/run.sh -write, and change the code with it",
			transitionsFile,
		)
	}
	return nil
}

// parseTransitions reads lines of phase, message and next phase.
func parseTransitions(text string) (table, error) {
	t := table{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("read transitions: %q is not phase, message and next phase", line)
		}
		if t[fields[0]] == nil {
			t[fields[0]] = map[string]string{}
		}
		t[fields[0]][fields[1]] = fields[2]
	}
	return t, nil
}
