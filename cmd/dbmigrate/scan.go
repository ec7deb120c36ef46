package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// noteFrom is the size from which a database is worth watching.
	noteFrom = 512 * units.KB
	// recommendFrom is the size from which moving is recommended, unless --threshold says otherwise.
	recommendFrom = units.MB
)

type scanOptions struct {
	threshold   sizeValue
	prefix      string
	deep        bool
	concurrency int
}

// The advice of a scan, promised in docs/scripting.md.
const (
	adviceNone     = "none"
	adviceNote     = "note"     // from noteFrom
	adviceMigrate  = "migrate"  // from the threshold
	adviceMigrated = "migrated" // the Durable Object serves
	adviceCheck    = "check"    // flag and file contradict each other: a command was cut off, or its flag is not written yet
)

// scanned is one line of a scan.
type scanned struct {
	User    userdb.UserID    `json:"user"`
	Key     userdb.ObjectKey `json:"key"`
	Bytes   int64            `json:"bytes"`
	ETag    userdb.ETag      `json:"etag"`
	Place   migrate.Place    `json:"place"`
	Flagged bool             `json:"flagged"`
	Advice  string           `json:"advice"`
	Reason  string           `json:"reason,omitempty"`
	Blocked []string         `json:"blocked,omitempty"`
}

func newScan(a *app) *cobra.Command {
	o := scanOptions{threshold: sizeValue{bytes: recommendFrom}}
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "List users by the size of their databases, and say who should move",
		Long: "List every user with a database in the bucket, the largest first, and say who should move: \"note\" from 512 KB,\n" +
			"\"migrate\" from 1 MB (--threshold). Users who are migrated already are shown as such.\n\n" +
			"Sizes are decimal, as Cloudflare's limits and prices are: 1 KB is 1,000 bytes and 1 MB is 1,000,000 bytes. Flags take\n" +
			"KiB (1,024 bytes), MiB and GiB, too.",
		Example: "  dbmigrate scan\n" +
			"  dbmigrate scan --threshold 5MB --prefix team-\n" +
			"  dbmigrate scan --output json | jq -r 'select(.advice==\"migrate\").user' > wave1.txt",
		Annotations: manual{
			reads:   "a listing of the bucket, a HEAD for each user, the flags; with --deep, the files",
			changes: "nothing",
			exits:   []int{exitDone, exitFailed, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.scan(cmd, &o) },
	}
	flags := cmd.Flags()
	flags.Var(&o.threshold, "threshold", "recommend moving from this size on")
	flags.StringVar(&o.prefix, "prefix", "", "only users whose id begins with this")
	flags.BoolVar(&o.deep, "deep", false, "read each file that is still in R2 and say what a Durable Object could not hold")
	flags.IntVar(&o.concurrency, "concurrency", defaultConcurrency, "how many files --deep reads at once")
	return cmd
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError("read arguments", fmt.Sprintf("%q", args[0]), cmd.CommandPath()+" takes none", "see "+cmd.CommandPath()+" --help")
}

func (a *app) scan(cmd *cobra.Command, o *scanOptions) error {
	if err := (&pace{concurrency: o.concurrency}).check(); err != nil {
		return err
	}
	e, _, err := a.connectReading(cmd.Flags().Changed("env"))
	if err != nil {
		return err
	}
	found, err := e.Scan(cmd.Context(), migrate.ScanOptions{Prefix: o.prefix})
	if err != nil {
		return err
	}
	lines := make([]scanned, len(found))
	for i, f := range found {
		lines[i] = advise(f, o.threshold.bytes)
	}
	if o.deep {
		if err := a.lookDeep(cmd.Context(), e, lines, o.concurrency); err != nil {
			return err
		}
	}
	return a.printScan(lines, o.threshold.bytes)
}

// advise says what a scan alone can tell about one user.
func advise(f migrate.Found, threshold int64) scanned {
	s := scanned{User: f.User, Key: f.Key, Bytes: f.Bytes, ETag: f.ETag, Place: f.Place, Flagged: f.Flagged, Advice: adviceNone}
	switch {
	case f.Place == migrate.PlaceUnnameable:
		s.Advice, s.Reason = adviceCheck, "its key holds what can be no user's id: move the object to another key first"
	case f.Place == migrate.PlaceMissing:
		s.Advice, s.Reason = adviceCheck, "a flag, but no file"
	case f.Place == migrate.PlaceStore && f.Flagged:
		s.Advice = adviceMigrated
	case f.Place == migrate.PlaceStore:
		s.Advice, s.Reason = adviceCheck, "the file is fenced, but there is no flag"
	case f.Flagged:
		s.Advice, s.Reason = adviceCheck, "a flag, but the file is not fenced"
	case f.Bytes >= threshold:
		s.Advice = adviceMigrate
	case f.Bytes >= noteFrom:
		s.Advice = adviceNote
	}
	return s
}

// lookDeep reads the files of users in R2 and notes what stands in their way.
func (a *app) lookDeep(ctx context.Context, e *migrate.Engine, lines []scanned, atOnce int) error {
	sizes := map[string]int64{}
	for _, l := range lines {
		if l.Place == migrate.PlaceR2 {
			sizes[string(l.User)] = l.Bytes
		}
	}
	progress := a.out.NewProgress("scan", sizes)
	defer progress.Close()
	return sideBySide(ctx, len(lines), atOnce, func(ctx context.Context, i int) error {
		if lines[i].Place != migrate.PlaceR2 {
			return nil
		}
		err := lines[i].look(ctx, e)
		progress.Finish(string(lines[i].User), len(lines[i].Blocked) == 0)
		return err
	})
}

func (s *scanned) look(ctx context.Context, e *migrate.Engine) error {
	found, err := e.Preflight(ctx, s.User)
	switch userdb.KindOf(err) {
	case "":
		err = found.Err()
	case userdb.NotSQLite, userdb.Damaged, userdb.Blocked, userdb.NotFound:
	default:
		return err
	}
	if err != nil {
		s.Blocked = []string{err.Error()}
	}
	return nil
}

// scanTotals is the summary of a scan (docs/scripting.md).
type scanTotals struct {
	Users        int   `json:"users"`
	Bytes        int64 `json:"bytes"`
	Threshold    int64 `json:"threshold"`
	Migrate      int   `json:"migrate"`
	MigrateBytes int64 `json:"migrateBytes"`
	Note         int   `json:"note"`
	Migrated     int   `json:"migrated"`
	Check        int   `json:"check"`
	Blocked      int   `json:"blocked"`
	Largest      int64 `json:"largestBytes"` // of those in R2
}

func (t *scanTotals) add(s scanned) {
	t.Users++
	t.Bytes += s.Bytes
	switch s.Advice {
	case adviceMigrate:
		t.Migrate++
		t.MigrateBytes += s.Bytes
	case adviceNote:
		t.Note++
	case adviceMigrated:
		t.Migrated++
	case adviceCheck:
		t.Check++
	}
	if len(s.Blocked) > 0 {
		t.Blocked++
	}
	if s.Place == migrate.PlaceR2 {
		t.Largest = max(t.Largest, s.Bytes)
	}
}

func (a *app) printScan(lines []scanned, threshold int64) error {
	sheet, totals := report.NewSheet(a.out, scanColumns), scanTotals{Threshold: threshold}
	for _, l := range lines {
		totals.add(l)
		if err := sheet.Add(l); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	a.out.Say("scan: %s with %s; %d to migrate (from %s: %s), %d noted (from %s), %d migrated already%s",
		plural(totals.Users, "user"), units.FormatSize(totals.Bytes), totals.Migrate, units.FormatSize(threshold), units.FormatSize(totals.MigrateBytes),
		totals.Note, units.FormatSize(noteFrom), totals.Migrated, totals.more())
	a.out.StepSummaryOf("dbmigrate scan", totals.counts(), nil)
	return nil
}

func (t *scanTotals) more() string {
	text := ""
	if t.Check > 0 {
		text += fmt.Sprintf(", %d to check (see `dbmigrate status`)", t.Check)
	}
	if t.Blocked > 0 {
		text += fmt.Sprintf(", %d blocked", t.Blocked)
	}
	return text
}

func (t *scanTotals) counts() []report.Count {
	return []report.Count{
		{Name: "users", Value: strconv.Itoa(t.Users)}, {Name: "size", Value: units.FormatSize(t.Bytes)},
		{Name: "to migrate, from " + units.FormatSize(t.Threshold), Value: fmt.Sprintf("%d (%s)", t.Migrate, units.FormatSize(t.MigrateBytes))},
		{Name: "noted, from " + units.FormatSize(noteFrom), Value: strconv.Itoa(t.Note)},
		{Name: "migrated", Value: strconv.Itoa(t.Migrated)}, {Name: "to check", Value: strconv.Itoa(t.Check)}, {Name: "blocked", Value: strconv.Itoa(t.Blocked)},
	}
}

var scanColumns = []report.Column[scanned]{
	{Head: "USER", Field: "user", Text: func(s scanned) string { return string(s.User) }},
	{Head: "SIZE", Field: "bytes", Right: true, Text: func(s scanned) string { return units.FormatSize(s.Bytes) }, Data: func(s scanned) string { return strconv.FormatInt(s.Bytes, 10) }},
	{Head: "PLACE", Field: "place", Text: func(s scanned) string { return string(s.Place) }},
	{Head: "ADVICE", Field: "advice", Text: adviceText, Data: func(s scanned) string { return s.Advice }, Style: adviceStyle},
	{Head: "REASON", Field: "reason", Text: func(s scanned) string { return s.Reason }},
	{Head: "BLOCKED", Field: "blocked", Text: blockedText, Style: func(scanned) report.Style { return report.Bad }},
}

func adviceText(s scanned) string {
	if s.Advice == adviceNone {
		return "-"
	}
	return s.Advice
}

func adviceStyle(s scanned) report.Style {
	switch s.Advice {
	case adviceMigrate, adviceCheck:
		return report.Attention
	case adviceMigrated:
		return report.Good
	case adviceNone:
		return report.Faint
	}
	return report.Plain
}

func blockedText(s scanned) string { return strings.Join(s.Blocked, "; ") }
