package sqlitefile

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestOpenOfNothing(t *testing.T) {
	_, err := Open(context.Background(), filepath.Join(t.TempDir(), "absent"))
	wantKind(t, err, userdb.NotFound)
}

func TestInterrupted(t *testing.T) {
	f := openFile(t, makeApp(t, 1))
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("the operator had enough")
	cancel(why)
	for name, do := range map[string]func() error{
		"digest":    func() error { _, err := f.Digest(ctx); return err },
		"integrity": func() error { _, err := f.CheckIntegrity(ctx); return err },
	} {
		err := do()
		wantKind(t, err, userdb.Interrupted)
		if !errors.Is(err, why) {
			t.Errorf("%s: %v, want the cause", name, err)
		}
	}
}
