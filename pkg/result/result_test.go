package result

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Where the operator or a deadline ended a step, the result says so, wherever it was noticed.
func TestEndsHaveTheirKind(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		kind userdb.Kind
	}{
		"nothing":                {nil, ""},
		"a step that was ended":  {context.Canceled, userdb.Interrupted},
		"a step out of time":     {fmt.Errorf("copy: %w", context.DeadlineExceeded), userdb.Interrupted},
		"with a kind of its own": {&userdb.Error{Kind: userdb.Unreachable, Err: context.Canceled}, userdb.Unreachable},
		"another failure":        {errors.New("no"), userdb.Internal},
	} {
		r := Result{User: "alice", Action: ActionBackup}
		if got := userdb.KindOf(r.End(0, c.err).Err()); got != c.kind {
			t.Errorf("%s: kind %q, want %q", name, got, c.kind)
		}
	}
}
