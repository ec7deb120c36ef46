package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestExitCode(t *testing.T) {
	kind := func(k userdb.Kind) error { return fmt.Errorf("wrapped: %w", &userdb.Error{Op: "test", Kind: k}) }
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"nothing":        {nil, exitDone},
		"reported":       {fmt.Errorf("wrapped: %w", ended(exitDifferent)), exitDifferent},
		"reported done":  {ended(exitDone), exitDone},
		"usage":          {kind(userdb.Usage), exitUsage},
		"bad user":       {kind(userdb.BadUserID), exitUsage},
		"unauthorized":   {kind(userdb.Unauthorized), exitUsage},
		"unreachable":    {kind(userdb.Unreachable), exitUsage},
		"other protocol": {kind(userdb.ProtocolError), exitUsage},
		"unknown bucket": {kind(userdb.NotFound), exitUsage},
		"mismatch":       {kind(userdb.Mismatch), exitDifferent},
		"interrupted":    {kind(userdb.Interrupted), exitInterrupted},
		"cancelled":      {fmt.Errorf("get: %w", context.Canceled), exitInterrupted},
		"throttled":      {kind(userdb.Throttled), exitUsage},
		"internal":       {errors.New("disk full"), exitFailed},
	} {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
