package doctor

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestMountedApart: createRouter and handleAdmin are told apart whether the router saves files. Where they
// differ nobody is moved.
func TestMountedApart(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		admin, router *bool
		refused       bool
	}{{&yes, &yes, false}, {&no, &no, false}, {&yes, &no, true}, {&no, &yes, true}, {&yes, nil, false}, {&no, nil, false}, {nil, nil, false}} {
		hello := wire.Hello{SavesFiles: c.admin, RouterSavesFiles: c.router}
		err := preconditions.SavesAgree(hello, "https://worker.example")
		findings := checkFileSaves(hello)
		if refused := userdb.KindOf(err) == userdb.Usage; refused != c.refused ||
			refused && (findings[0].OK || findings[0].Fix != preconditions.FixSaves) {
			t.Errorf("%+v: %v; doctor says %+v", c, err, findings)
		}
	}
}
