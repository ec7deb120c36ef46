package gcplan

import (
	"context"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// explainTotals is the summary of an explanation (docs/scripting.md).
type explainTotals struct {
	Action    string `json:"action"`
	DryRun    bool   `json:"dryRun"`
	Users     int    `json:"users"`
	Free      int    `json:"free"`
	FreeBytes int64  `json:"freeBytes"`
}

// Explain goes through the proofs of each named user.
func Explain(
	ctx context.Context,
	out *terminal.Output,
	e *migrate.Engine,
	named []userdb.UserID,
	opts gc.Options,
) error {
	sheet := terminal.NewSheet(out, proofColumns)
	totals := explainTotals{Action: string(result.ActionGC), DryRun: true, Users: len(named)}
	for _, u := range named {
		x, err := gc.Explain(ctx, e.Inspect(), u, opts.OlderThan)
		for _, proof := range x.Proofs {
			if err := sheet.Add(proof); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if x.Free {
			totals.Free++
			totals.FreeBytes += x.Bytes
		}
		out.Say("%s", verdict(u, x))
	}
	return sheet.End(map[string]any{"summary": totals})
}

func verdict(u userdb.UserID, x gc.Explanation) string {
	if !x.Free {
		return "gc: keeps the file of " + string(u) + ": not every proof holds"
	}
	return "gc: may free " + units.FormatSize(
		x.Bytes,
	) + " of " + string(
		u,
	) + " (" + dollarText(
		cost.R2Storage(x.Bytes),
	) + " a month)"
}

var proofColumns = []terminal.Column[gc.Proof]{
	{Head: "USER", Field: "user", Text: func(p gc.Proof) string { return string(p.User) }},
	{Head: "PROOF", Keep: true, Field: "proof", Text: func(p gc.Proof) string { return p.Proof }},
	{Head: "HOLDS", Keep: true, Field: "holds", Text: holdsText, Style: func(p gc.Proof) terminal.Style {
		if p.Holds {
			return terminal.Good
		}
		return terminal.Attention
	}},
	{Head: "DETAIL", Field: "detail", Text: func(p gc.Proof) string { return p.Detail }},
}

func holdsText(p gc.Proof) string {
	switch {
	case p.Holds:
		return "yes"
	case p.Needed:
		return "no"
	}
	return "no, and gc does without"
}
