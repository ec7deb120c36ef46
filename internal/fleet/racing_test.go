package fleet

import (
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestSaysWhoRaces: a user lost a race for the file, and is said to wait for a gap until the fence is in it.
func TestSaysWhoRaces(t *testing.T) {
	o := &run{
		Runner:   &Runner{},
		job:      Job{Action: result.ActionMigrate},
		inFlight: map[userdb.UserID]result.Stage{"ann": "", "ben": ""},
	}
	const waits = "1 for a gap between the application's writes"
	for _, step := range []struct {
		stage result.Stage
		want  bool
	}{
		{result.StageDigest, false},
		{result.StageBusy, true},
		{result.StageDownload, true},
		{result.StageFence, false},
	} {
		o.observe(result.Event{User: "ann", Stage: step.stage})
		if got := slices.Contains(o.live().Waiting, waits); got != step.want {
			t.Errorf("after %s: %q", step.stage, o.live().Waiting)
		}
	}
}
