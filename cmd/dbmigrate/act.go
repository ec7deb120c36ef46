package main

import (
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

// The acts that change something without going through users.
const (
	actMark   = "gc-mark"
	actUnmark = "gc-unmark"
)

// leaveAct writes the audit line of such an act, once it is done. What cannot be written is a warning: the act is done.
func (a *app) leaveAct(e *migrate.Engine, action string, users int, bytes int64, summary any) {
	now := time.Now().UnixMilli()
	w := watch{warn: a.out.Warn}
	act := record.Act{Audit: record.ActVersion, Run: e.Run, State: record.ActEnded, Action: action, At: now, EndAt: now, Who: record.Operator(a.getenv), Reason: a.watch.flags.reason,
		Command: a.command, Version: e.Version, Bucket: e.Bucket, Users: users, Bytes: bytes, Summary: summary}
	if err := act.Write(context.Background(), w.stateDir(a.getenv), e.Files); err != nil {
		a.out.Warn("write the audit line: %v", err)
	}
}
