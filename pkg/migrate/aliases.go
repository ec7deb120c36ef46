package migrate

import (
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Names that moved to pkg/result.
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
	StageOldPath       = result.StageOldPath
	StageActivate      = result.StageActivate
	StageExport        = result.StageExport
	StagePut           = result.StagePut
	StageRelease       = result.StageRelease
	StageFlag          = result.StageFlag
)

// Names that moved to pkg/userfile.
type (
	Scratch = userfile.Scratch
	Checks  = userfile.Checks
)

// ReceiptKey is userfile's.
func ReceiptKey(u userdb.UserID, claim userdb.Claim) userdb.ObjectKey {
	return userfile.ReceiptKey(u, claim)
}
