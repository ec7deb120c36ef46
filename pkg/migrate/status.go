package migrate

import (
	"context"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// State is where one user lives, as both sides and the flag say.
type State struct {
	User    userdb.UserID `json:"user"`
	Serves  Side          `json:"serves"`
	Phase   userdb.Phase  `json:"phase"`
	Gen     userdb.Claim  `json:"gen"`
	Lin     userdb.Claim  `json:"lin"`
	File    string        `json:"file"` // none, plain, stamped, fenced, tombstone, not-a-database
	Bytes   int64         `json:"bytes"`
	ETag    userdb.ETag   `json:"-"`
	Writes  int64         `json:"writesSince"` // application write transactions since the migration
	At      int64         `json:"migratedAt,omitempty"`
	Run     string        `json:"run,omitempty"`
	Thaws   int64         `json:"thaws,omitempty"` // rows that the application wants back in the file
	Problem string        `json:"problem,omitempty"`
	Next    string        `json:"next,omitempty"` // the command that ends the problem
}

// Side is who answers the application's requests.
type Side string

// The sides. Neither means that writes wait: a cutover is under way or was left open.
const (
	SideFile    Side = "file"
	SideStore   Side = "store"
	SideNeither Side = "neither"
	// SideSplit: the file answers for hot rows, the Durable Object for cold ones.
	SideSplit Side = "split"
)

// Status asks both sides of one user. It changes nothing.
func (e *Engine) Status(ctx context.Context, u userdb.UserID) (State, error) {
	st, err := e.Stores.Status(ctx, u)
	if err != nil {
		return State{}, err
	}
	file, err := e.look(ctx, u)
	if err != nil {
		return State{}, err
	}
	s := State{User: u, Phase: st.Phase, Gen: st.Gen, Lin: st.Lin, File: file.Word(), Bytes: file.Size, ETag: file.ETag}
	if r := st.Receipt; r != nil {
		s.At, s.Run, s.Writes = r.MigratedAt, r.Run, st.Writes-st.WritesAtActivation
	}
	if st.Phase.Split() {
		s.Thaws = st.Thaws
	}
	s.Serves, s.Problem, s.Next = judge(st, file)
	return s, nil
}

// judge applies the authority rule of docs/cutover.md.
func judge(st wire.Status, file userfile.Version) (serves Side, problem, next string) {
	switch {
	case file.Shown() > st.Gen:
		return SideNeither, "the file knows a newer claim than the Durable Object: a foreign mark, or the object was set back", "dbmigrate rollback --end-foreign-marks, by docs/runbook.md"
	case st.Phase.Split():
		return judgeSplit(st, file)
	case st.Phase == userdb.Active && file.FencedBy(st.Lin):
		return SideStore, "", ""
	case st.Phase == userdb.Active:
		return SideStore, "the fence is gone: something overwrote or deleted the file", "docs/runbook.md"
	case st.Phase == userdb.Sealed && file.FencedBy(st.Lin):
		return SideNeither, "a rollback was begun: reads go on, writes wait", "dbmigrate rollback or migrate"
	case file.Fenced():
		return SideNeither, "a migration was begun: reads go on, writes wait", "dbmigrate migrate or rollback"
	case st.Phase == userdb.Sealed:
		return SideFile, "a rollback is done but for its clean-up", "dbmigrate rollback"
	case st.Phase == userdb.Importing || st.Phase == userdb.Ready:
		return SideFile, "a migration was begun: the user is not disturbed", "dbmigrate migrate or rollback"
	}
	return SideFile, "", ""
}

// judgeSplit applies the rule of docs/split.md.
func judgeSplit(st wire.Status, file userfile.Version) (serves Side, problem, next string) {
	const splitOrBack = "dbmigrate migrate --mode split or rollback"
	switch {
	case file.Absent:
		return SideNeither, "the file of the hot rows is gone", "docs/runbook.md"
	case st.Phase == userdb.Splitting && file.Fenced():
		return SideNeither, "a migration was begun: reads go on, writes wait", splitOrBack
	case st.Phase == userdb.Splitting:
		return SideFile, "a split was begun: the user is not disturbed", splitOrBack
	case file.Fenced():
		return SideNeither, "a split or a merge was begun: reads go on, writes wait", splitOrBack
	case st.Phase == userdb.Merging && wholeArrived("", file, st) != nil, st.Phase == userdb.SplitReady && hotArrived("", file, st) != nil:
		return SideSplit, "the fence is gone: something overwrote the file", "docs/runbook.md"
	case st.Phase == userdb.Merging:
		return SideFile, "a merge is done but for its clean-up", "dbmigrate rollback"
	case st.Phase != userdb.Cold:
		return SideSplit, "a split or a merge was begun: writes of cold rows wait", splitOrBack
	}
	return SideSplit, "", ""
}
