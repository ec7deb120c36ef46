package main

import (
	"slices"
	"testing"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
)

// TestEmptyValuesAreRefused: no command takes an empty value for "not said", but of the flags where that is
// documented.
func TestEmptyValuesAreRefused(t *testing.T) {
	looked := 0
	for _, made := range newRoot(&app{}).Commands() {
		var names []string
		made.LocalFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		made.InheritedFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		for _, name := range names {
			cmd := subcommand(made.Name()) // its flags are not set yet
			if f := cmd.Flag(name); f.NoOptDefVal != "" || f.Value.Type() == "stringArray" {
				continue // a switch; a list: its parts are read one by one
			}
			looked++
			err := cmd.ParseFlags([]string{"--" + name + "="})
			if err == nil {
				err = commandline.RefuseEmpty(cmd.Flags(), mayBeEmpty)
			}
			if taken := slices.Contains(mayBeEmpty, name); (err == nil) != taken {
				t.Errorf("%s --%s=: %v", made.Name(), name, err)
			}
		}
	}
	if looked < 100 {
		t.Errorf("only %d flags were looked at", looked)
	}
}
