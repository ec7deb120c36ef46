package userfile

import (
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Side is who answers the application's requests.
type Side string

// The sides. None means that writes wait: a cutover is under way or was left open.
const (
	SideFile   Side = "file"
	SideObject Side = "object"
	SideNone   Side = "none"
	// SideSplit: the file answers for hot rows, the Durable Object for cold ones.
	SideSplit Side = "split"
	// SideUnknown is what commands say of a user who has no data anywhere, and might be served by any side.
	// Serves never says it.
	SideUnknown Side = "unknown"
)

// Situation is what the file and the Durable Object of a user say together.
type Situation int

// The situations, by docs/cutover.md, and from HotFileMissing on by docs/split.md.
const (
	AtFile            Situation = iota // the file serves, and nothing was begun
	ForeignMark                        // the file shows a claim that an object without rows never gave out
	ObjectSetBack                      // the same beside an object with rows
	Migrated                           // ACTIVE under the fence of its lineage
	FenceMissing                       // ACTIVE, and the file does not carry that fence
	MigrationBegun                     // IMPORTING or READY; the file serves
	MigrationFenced                    // the same behind a fence: writes wait
	RollbackBegun                      // SEALED under the fence: writes wait
	RollbackPut                        // SEALED, and the file is back in place
	HotFileMissing                     // split mode without a file
	SplitBegun                         // SPLITTING; the file serves
	SplitFenced                        // the same behind a fence: writes wait
	SplitNotPut                        // SPLIT_READY behind the fence: writes wait
	SplitPut                           // SPLIT_READY, and the file of the hot rows is in place
	MergeBegun                         // COLD_SEALED: writes of cold rows wait
	MergeFenced                        // the same behind a fence: writes wait
	MergeNotPut                        // MERGING behind the fence: writes wait
	HotFenced                          // COLD, but the hot rows are behind a fence: their writes wait
	PartsFenceMissing                  // no PUT of ours has taken the fence away
	MergePut                           // MERGING, and the whole file is in place
	Split                              // COLD: both sides serve
	FileMissing                        // Waits, without a file: requests get file-missing
	ExportAltered                      // SEALED, and the file holds other bytes than were sent
	HotAltered                         // the same of the hot rows of a split that was begun
	MergeAltered                       // the same of the whole file of a merge
	BeingDeleted                       // a deletion was begun, and nothing but it can go on
	BirthBegun                         // a new user's first write has claimed the object, and there is no file
	BirthFenced                        // the same behind its fence
	OtherFence                         // a fence that is not of the lineage which the object holds
	situations                         // how many there are
)

// Classify says in which situation a user is.
func Classify(file Version, st wire.Status) Situation {
	switch {
	case file.Shown() > st.Gen && HoldsNothing(st.Phase):
		return ForeignMark
	case file.Shown() > st.Gen:
		return ObjectSetBack
	case file.Deletion != "" && st.Phase != userdb.Active:
		return BeingDeleted
	case st.Birth && file.Absent:
		return BirthBegun
	case st.Birth && file.Fenced():
		return BirthFenced
	case file.Absent && Waits(st.Phase):
		return FileMissing
	case st.Phase.Split():
		return classifySplit(file, st)
	case st.Phase == userdb.Active && file.FencedBy(st.Lin):
		return Migrated
	case st.Phase == userdb.Active:
		return FenceMissing
	case st.Phase == userdb.Sealed && file.FencedBy(st.Lin):
		return RollbackBegun
	case st.Phase == userdb.Sealed && file.Fenced():
		return OtherFence
	case file.Fenced():
		return MigrationFenced
	case st.Phase == userdb.Sealed && userdb.HasOtherContent(file.Object):
		return ExportAltered
	case st.Phase == userdb.Sealed:
		return RollbackPut
	case st.Phase == userdb.Importing || st.Phase == userdb.Ready:
		return MigrationBegun
	}
	return AtFile
}

func classifySplit(file Version, st wire.Status) Situation {
	switch {
	case file.Absent:
		return HotFileMissing
	case st.Phase == userdb.Splitting && file.Fenced():
		return SplitFenced
	case st.Phase == userdb.Splitting:
		return SplitBegun
	case st.Phase == userdb.Cold && file.Fenced():
		return HotFenced
	case st.Phase == userdb.Cold:
		return Split
	case st.Phase == userdb.ColdSealed && file.Fenced():
		return MergeFenced
	case st.Phase == userdb.ColdSealed:
		return MergeBegun
	case file.Fenced() && !file.FencedBy(st.Lin):
		return OtherFence
	}
	return classifyPut(file, st)
}

// classifyPut is of the two phases in which a PUT that moves rows may be under way.
func classifyPut(file Version, st wire.Status) Situation {
	merges := st.Phase == userdb.Merging
	switch {
	case merges && file.Fenced():
		return MergeNotPut
	case file.Fenced():
		return SplitNotPut
	case merges && AlteredParts(file, st):
		return MergeAltered
	case AlteredParts(file, st):
		return HotAltered
	case merges && WholeArrived("", file, st) != nil, !merges && HotArrived("", file, st) != nil:
		return PartsFenceMissing
	case merges:
		return MergePut
	}
	return SplitPut
}

// Meaning is what a situation means for the user and for the operator.
type Meaning struct {
	Serves  Side
	Problem string // "": there is none
	Next    string // what ends the problem; USER stands for the user (For)
}

const (
	eitherWay      = "dbmigrate migrate USER, or dbmigrate rollback USER"
	splitOrBack    = "dbmigrate migrate --mode split --policy FILE USER, or dbmigrate rollback USER"
	runbook        = "docs/runbook.md"
	birthCutOff    = "a new user's first write is under way or was cut off: the user's next write ends that"
	migrationWaits = "writes wait, reads go on: a migration is under way or was cut off"
	partsWait      = "writes wait, reads go on: a split or a merge is under way or was cut off"
	coldWait       = "writes of cold rows wait: a split or a merge is under way or was cut off"
	otherBytes     = "the file holds other bytes than were sent, and the Durable Object keeps its rows"
	asWord         = "copy and check the file, then dbmigrate rollback USER, which says what is safe"
)

var meanings = [situations]Meaning{
	AtFile: {Serves: SideFile},
	ForeignMark: {SideNone, "a foreign mark: the file knows a newer claim than the Durable Object",
		"dbmigrate rollback --end-foreign-marks USER, by docs/runbook.md"},
	ObjectSetBack: {
		SideNone,
		"the file knows a newer claim than the Durable Object, which was set back",
		runbook,
	},
	Migrated:        {Serves: SideObject},
	FenceMissing:    {SideObject, "the fence is gone: something overwrote or deleted the file", runbook},
	MigrationBegun:  {SideFile, "a migration is under way or was cut off: the user is not disturbed", eitherWay},
	MigrationFenced: {SideNone, migrationWaits, eitherWay},
	RollbackBegun: {
		SideNone,
		"writes wait, reads go on: a rollback is under way or was cut off",
		"dbmigrate rollback USER, or dbmigrate migrate USER",
	},
	RollbackPut:       {SideFile, "rolled back; leftovers to clean up", "dbmigrate rollback USER"},
	HotFileMissing:    {SideNone, "the file of the hot rows is gone", runbook},
	SplitBegun:        {SideFile, "a split is under way or was cut off: the user is not disturbed", splitOrBack},
	SplitFenced:       {SideNone, migrationWaits, splitOrBack},
	SplitNotPut:       {SideNone, partsWait, splitOrBack},
	SplitPut:          {SideSplit, coldWait, splitOrBack},
	MergeBegun:        {SideSplit, coldWait, splitOrBack},
	MergeFenced:       {SideNone, partsWait, splitOrBack},
	MergeNotPut:       {SideNone, partsWait, splitOrBack},
	HotFenced:         {SideNone, partsWait, splitOrBack},
	PartsFenceMissing: {SideSplit, "the fence is gone: something overwrote the file", runbook},
	MergePut:          {SideFile, "merged; leftovers to clean up", "dbmigrate rollback USER"},
	Split:             {Serves: SideSplit},
	FileMissing: {
		SideNone,
		"the file is gone while a command is under way or was left open: requests fail",
		"dbmigrate rollback USER",
	},
	ExportAltered: {SideFile, otherBytes, asWord},
	HotAltered:    {SideSplit, otherBytes, asWord},
	MergeAltered:  {SideFile, otherBytes, asWord},
	BeingDeleted:  {SideNone, "the user is being deleted: requests fail", "dbmigrate forget USER"},
	BirthBegun:    {SideNone, birthCutOff, "dbmigrate rollback USER"},
	BirthFenced:   {SideNone, birthCutOff, eitherWay},
	OtherFence:    {SideNone, "the fence in the file is not the Durable Object's: writes wait", runbook},
}

// Meaning applies the authority rule of docs/cutover.md.
func (s Situation) Meaning() Meaning { return meanings[s] }

// For is what ends a problem, with commands that a person can copy for this user.
func For(u userdb.UserID, next string) string { return strings.ReplaceAll(next, "USER", u.Arg()) }

// Serves says who serves the user, what is wrong, and which command ends that (For).
func Serves(st wire.Status, file Version) (serves Side, problem, next string) {
	m := Classify(file, st).Meaning()
	return m.Serves, m.Problem, m.Next
}

// Waits says whether the router neither makes a file in this phase nor asks the Durable Object instead.
func Waits(phase userdb.Phase) bool {
	switch phase {
	case userdb.Importing, userdb.Ready, userdb.Sealed, userdb.Splitting:
		return true
	}
	return false
}

// HoldsNothing says whether the file alone has the user's rows in this phase.
func HoldsNothing(phase userdb.Phase) bool {
	switch phase {
	case userdb.Empty, userdb.Importing, userdb.Ready, userdb.Splitting:
		return true
	}
	return false
}
