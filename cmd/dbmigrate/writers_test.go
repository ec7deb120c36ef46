package main

import (
	"testing"

	"github.com/spf13/pflag"
)

// TestKVWindowIsNoChoice: how long KV may answer with an old flag is nothing that an operator can set. A
// fence that came too early would refuse writes of requests that do not know of it.
func TestKVWindowIsNoChoice(t *testing.T) {
	for _, cmd := range newRoot(&app{}).Commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				t.Errorf("%s has a flag that no help shows: --%s", cmd.Name(), f.Name)
			}
		})
	}
	getenv := func(string) string { return "1ms" }
	if window, err := durationIn(getenv, kvWindowVariable, kvWindow); err != nil || window.String() != "1ms" {
		t.Errorf("in a build for tests: %v, %v", window, err)
	}
	if window, err := durationIn(getenv, "", kvWindow); err != nil || window != kvWindow {
		t.Errorf("in a program: %v, %v", window, err)
	}
}
