package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
)

// globalRules are those of the flags that every command has.
var globalRules = []commandline.Rule{{Flag: "quiet", Not: "verbose debug"}}

// rulesOf says by command which flags go together.
var rulesOf = map[string][]commandline.Rule{
	"init": {
		{Flag: "write", Needs: "worker"},
	},
	"scan": {
		{Flag: "policy", Only: "all users-file percent exclude shard prefix over concurrency top", Why: "it has nothing to do with a split"},
		{Flag: "all", Needs: "policy", Why: wholeBucket},
		{Flag: "users-file", Needs: "policy", Why: wholeBucket},
		{Flag: "percent", Needs: "policy", Why: wholeBucket},
		{Flag: "exclude", Needs: "policy", Why: wholeBucket},
		{Flag: "shard", Needs: "policy", Why: wholeBucket},
		{Flag: "over", Needs: "policy", Why: "--recommend-over says from which size on a scan recommends moving"},
		{Flag: "history", Not: "history-r2"},
		{Flag: "requests-per-day", Needs: "writes-share", Why: "a write costs several times what a read costs"},
		{Flag: "writes-share", Needs: "requests-per-day"},
	},
	"migrate": {
		{Flag: "canary", Needs: waysToDivide, Why: dividesChosen},
		{Flag: "waves", Needs: waysToDivide, Why: dividesChosen},
		{Flag: "canary-pause", Needs: "canary"},
		{Flag: "gate-failures", Needs: "canary waves", Why: "gates stand between waves"},
		{Flag: "rollback-on-gate", Needs: "canary waves", Why: "gates stand between waves"},
	},
	"rollback": {
		{Flag: "report", Not: "dry-run", Why: "the report is about what was done"},
		{Flag: "store-unreachable", Needs: "discard-writes", Why: "it leaves writes behind"},
		{Flag: "without-copy", Needs: "discard-writes", Why: "nothing else leaves writes behind"},
		{Flag: "confirm", Needs: "discard-writes end-foreign-marks", Why: "only these two ask for a confirmation"},
		{Flag: "prefer", Not: "discard-writes end-foreign-marks", Why: "--prefer is for a rollback that keeps every write"},
		{Flag: "end-foreign-marks", Not: "discard-writes dry-run rehearse",
			Why: "it moves nobody; dbmigrate status shows which users it concerns"},
		{Flag: "dry-run", Not: "rehearse", Why: "--dry-run only looks, and --rehearse works on a copy"},
		{Flag: "rehearse", Not: "discard-writes", Why: "a rehearsal tries the rollback that keeps every write"},
		{Flag: "show", Needs: "dry-run"},
	},
	"thaw": {
		{Flag: "where", Not: "requested"},
	},
	"backup": {
		{Flag: "waves", Needs: waysToDivide, Why: dividesChosen},
		{Flag: "gate-failures", Needs: "waves", Why: "gates stand between waves"},
	},
	"gc": {
		{Flag: "confirm", Not: "mark free-marked unmark explain"},
		{Flag: "mark", Not: "free-marked unmark explain"},
		{Flag: "free-marked", Not: "unmark explain " + planHas, Why: planSays},
		{Flag: "unmark", Not: "explain " + planHas, Why: planSays},
		{Flag: "explain", Needs: "USER users-file"},
		{Flag: "hold", Needs: "mark", Why: "the hold is part of the mark"},
	},
	"status": {
		{Flag: "run", Not: "USER all prefix"},
		{Flag: "all", Not: "USER"},
		{Flag: "prefix", Not: "USER"},
		{Flag: "try-merge", Needs: "USER run all"},
	},
	"runs": {
		{Flag: "to", Needs: "report"},
		{Flag: "requests", Needs: "report"},
	},
}

// Waves and canaries choose no users.
const (
	waysToDivide  = "USER all over users-file"
	dividesChosen = "it divides the users that were chosen"
)

// What a marked plan of gc says already.
const (
	planHas  = "USER older-than archive-prefix users-file prefix shard exclude"
	planSays = "a marked plan says which users, how old and where to archive"
)

// wholeBucket is why scan takes no selection but a policy's.
const wholeBucket = "a scan without a policy is of the whole bucket; --prefix narrows it"

// checkFlags refuses flags that do not go together, before anything is asked of anybody.
func checkFlags(cmd *cobra.Command, args []string) error {
	if err := commandline.Check(cmd, args, globalRules); err != nil {
		return err
	}
	return commandline.Check(cmd, args, rulesOf[cmd.Name()])
}
