package userfile

import (
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

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

// Serves applies the authority rule of docs/cutover.md.
func Serves(st wire.Status, file Version) (serves Side, problem, next string) {
	switch {
	case file.Shown() > st.Gen:
		return foreignMark(st)
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
func judgeSplit(st wire.Status, file Version) (serves Side, problem, next string) {
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
	case st.Phase == userdb.Merging && WholeArrived("", file, st) != nil, st.Phase == userdb.SplitReady && HotArrived("", file, st) != nil:
		return SideSplit, "the fence is gone: something overwrote the file", "docs/runbook.md"
	case st.Phase == userdb.Merging:
		return SideFile, "a merge is done but for its clean-up", "dbmigrate rollback"
	case st.Phase != userdb.Cold:
		return SideSplit, "a split or a merge was begun: writes of cold rows wait", splitOrBack
	}
	return SideSplit, "", ""
}

func foreignMark(st wire.Status) (serves Side, problem, next string) {
	if HoldsNothing(st.Phase) {
		return SideNeither, "a foreign mark: the file knows a newer claim than the Durable Object", "dbmigrate rollback --end-foreign-marks, by docs/runbook.md"
	}
	return SideNeither, "the file knows a newer claim than the Durable Object, which was set back", "docs/runbook.md"
}

// HoldsNothing: in these phases the file alone has the user's rows.
func HoldsNothing(phase userdb.Phase) bool {
	switch phase {
	case userdb.Empty, userdb.Importing, userdb.Ready, userdb.Splitting:
		return true
	}
	return false
}
