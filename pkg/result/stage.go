package result

import (
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Event is one step of one user.
type Event struct {
	User  userdb.UserID
	Stage Stage
	// Bytes counts what this event moved, of the source file; zero for steps that move nothing.
	Bytes int64
	// Took is the duration of the step that just ended.
	Took time.Duration
}

// Stage names a step, for progress and for timing.
type Stage string

// The stages of migrate and rollback, in the order in which they happen.
const (
	StageStatus    Stage = "status"
	StageDownload  Stage = "download"
	StagePreflight Stage = "preflight"
	StageClaim     Stage = "claim"
	StageCopy      Stage = "copy" // read, encode, send, insert: they overlap
	StageFinish    Stage = "finish"
	StageDigest    Stage = "digest"
	StageBusy      Stage = "busy" // the application's writes were faster than a fence: it is announced to routers
	StageFence     Stage = "fence"
	StageOldPath   Stage = "old path" // waiting for requests that loaded before the fence
	StageActivate  Stage = "activate"
	StageExport    Stage = "export"
	StagePut       Stage = "put"
	StageRelease   Stage = "release"
	StageFlag      Stage = "flag"
)
