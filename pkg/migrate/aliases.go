package migrate

import (
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/quarantine"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Callers may say these names by the engine. New code says those of the packages that own them.
//
// Of pkg/result:
type (
	Result     = result.Result
	Action     = result.Action
	Outcome    = result.Outcome
	FlagChange = result.FlagChange
	Event      = result.Event
	Stage      = result.Stage
)

// The same.
const (
	ActionMigrate      = result.ActionMigrate
	ActionRollback     = result.ActionRollback
	ActionVerify       = result.ActionVerify
	ActionGC           = result.ActionGC
	ActionRehearse     = result.ActionRehearse
	ActionThaw         = result.ActionThaw
	OutcomeMigrated    = result.OutcomeMigrated
	OutcomeSplit       = result.OutcomeSplit
	OutcomeMerged      = result.OutcomeMerged
	OutcomeAlready     = result.OutcomeAlready
	OutcomeResumed     = result.OutcomeResumed
	OutcomeOverwritten = result.OutcomeOverwritten
	OutcomeRestored    = result.OutcomeRestored
	OutcomeExported    = result.OutcomeExported
	OutcomeDiscarded   = result.OutcomeDiscarded
	OutcomeLifted      = result.OutcomeLifted
	OutcomeNothing     = result.OutcomeNothing
	OutcomeToBeSealed  = result.OutcomeToBeSealed
	OutcomeRehearsed   = result.OutcomeRehearsed
	OutcomeEqual       = result.OutcomeEqual
	OutcomeWritten     = result.OutcomeWritten
	OutcomeDifferent   = result.OutcomeDifferent
	OutcomeInR2        = result.OutcomeInR2
	OutcomeFreed       = result.OutcomeFreed
	OutcomeKept        = result.OutcomeKept
	OutcomeQuarantined = result.OutcomeQuarantined
	OutcomeNotBegun    = result.OutcomeNotBegun
	OutcomeFailed      = result.OutcomeFailed
	StageStatus        = result.StageStatus
	StageDownload      = result.StageDownload
	StagePreflight     = result.StagePreflight
	StageClaim         = result.StageClaim
	StageCopy          = result.StageCopy
	StageFinish        = result.StageFinish
	StageDigest        = result.StageDigest
	StageFence         = result.StageFence
	StageBusy          = result.StageBusy
	StageOldPath       = result.StageOldPath
	StageActivate      = result.StageActivate
	StageExport        = result.StageExport
	StagePut           = result.StagePut
	StageRelease       = result.StageRelease
	StageFlag          = result.StageFlag
)

// Of pkg/userfile:
type (
	Scratch = userfile.Scratch
	Checks  = userfile.Checks
)

// ReceiptKey is userfile's.
func ReceiptKey(u userdb.UserID, claim userdb.Claim) userdb.ObjectKey {
	return userfile.ReceiptKey(u, claim)
}

// Of pkg/inspect, pkg/gc and pkg/quarantine:
type (
	Found          = inspect.Found
	Place          = inspect.Place
	ScanOptions    = inspect.ScanOptions
	FlaggedUser    = inspect.FlaggedUser
	State          = inspect.State
	Side           = userfile.Side
	Preview        = inspect.Preview
	PreviewOptions = inspect.PreviewOptions
	Way            = inspect.Way
	TableChange    = inspect.TableChange
	Sick           = inspect.Sick
	Proof          = inspect.Proof
	Explanation    = inspect.Explanation
	GCPlan         = gc.Plan
	GCItem         = gc.Item
	GCOptions      = gc.Options
	GCMark         = gc.Mark
	Quarantine     = quarantine.List
	Quarantined    = quarantine.Known
)

// The same.
const (
	PlaceR2         = inspect.PlaceR2
	PlaceStore      = inspect.PlaceStore
	PlaceSplit      = inspect.PlaceSplit
	PlaceMissing    = inspect.PlaceMissing
	PlaceUnnameable = inspect.PlaceUnnameable
	PlaceUnreadable = inspect.PlaceUnreadable
	WayRestore      = inspect.WayRestore
	WayExport       = inspect.WayExport
	WayDiscard      = inspect.WayDiscard
	WayLift         = inspect.WayLift
	WayMerge        = inspect.WayMerge
	WayFinish       = inspect.WayFinish
	WayNothing      = inspect.WayNothing
	SideFile        = userfile.SideFile
	SideStore       = userfile.SideStore
	SideNeither     = userfile.SideNeither
	SideSplit       = userfile.SideSplit
)

// SortLatestFirst is inspect's.
func SortLatestFirst(found []Found) { inspect.SortLatestFirst(found) }

// Skipped is quarantine's.
func Skipped(f Found, reason userdb.Kind) Result { return quarantine.Skipped(f, reason) }

// ArchiveKey is gc's.
func ArchiveKey(prefix string, u userdb.UserID, claim userdb.Claim) userdb.ObjectKey {
	return gc.ArchiveKey(prefix, u, claim)
}
