package fleet

import (
	"strconv"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// planned is what migrate would do to one user.
type planned struct {
	User  userdb.UserID    `json:"user"`
	Key   userdb.ObjectKey `json:"key"`
	Bytes int64            `json:"bytes"`
	Place inspect.Place    `json:"servedBy"`
	Plan  string           `json:"plan"`
}

// The plans, promised in docs/scripting.md.
const (
	planMigrate = "migrate"
	planCheck   = "check" // fenced: migrated, or a command was cut off; migrate ends it
	planFail    = "fail"  // no file
	planSkip    = "skip"  // in quarantine
)

func planOf(f inspect.Found, guard *Guard) planned {
	plan := map[inspect.Place]string{inspect.PlaceFile: planMigrate, inspect.PlaceObject: planCheck, inspect.PlaceSplit: planCheck, inspect.PlaceMissing: planFail, inspect.PlaceUnreadable: planFail}[f.Place]
	if guard.Reason(f) != "" {
		plan = planSkip
	}
	return planned{User: f.User, Key: f.Key, Bytes: f.Bytes, Place: f.Place, Plan: plan}
}

var planMeanings = map[string]string{
	planCheck: "already moved or half-moved; migrate will finish it if needed",
	planFail:  "there is no file",
	planSkip:  "this version of the file was refused before; see --retry-quarantined",
}

var planColumns = []terminal.Column[planned]{
	{Head: "USER", Field: "user", Text: func(p planned) string { return string(p.User) }},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(p planned) string { return units.FormatSize(p.Bytes) },
		Data:  func(p planned) string { return strconv.FormatInt(p.Bytes, 10) },
	},
	{Head: "SERVED BY", Field: "servedBy", Text: func(p planned) string { return string(p.Place) }},
	{Head: "PLAN", Keep: true, Field: "plan", Text: func(p planned) string { return p.Plan }},
	{Head: "MEANING", Field: "meaning", Text: meaningText},
}

func meaningText(p planned) string {
	if p.Place == inspect.PlaceUnreadable {
		return "the object cannot be read"
	}
	return planMeanings[p.Plan]
}

type planTotals struct {
	Action string `json:"action"`
	DryRun bool   `json:"dryRun"`
	Users  int    `json:"users"`
	Move   int    `json:"migrate"`
	Bytes  int64  `json:"bytes"`
}

// PrintPlan says what migrate would do to each user of the waves.
func PrintPlan(out *terminal.Output, waves []Wave, guard *Guard) error {
	var users []inspect.Found
	for _, w := range waves {
		users = append(users, w.Users...)
	}
	sheet := terminal.NewSheet(out, planColumns)
	totals := planTotals{Action: string(result.ActionMigrate), DryRun: true, Users: len(users)}
	for _, f := range users {
		p := planOf(f, guard)
		if p.Plan == planMigrate {
			totals.Move++
			totals.Bytes += p.Bytes
		}
		if err := sheet.Add(p); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	out.Say(
		"dry run: %s, %d to migrate with %s; nothing was changed",
		units.Plural(totals.Users, "user"),
		totals.Move,
		units.FormatSize(totals.Bytes),
	)
	return nil
}
