package inspect

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Preview is what a rollback of one user would do, and what the application has written since the migration.
type Preview struct {
	User   userdb.UserID `json:"user"`
	Plan   Way           `json:"plan"`
	Bytes  int64         `json:"bytes"` // of the object in R2
	At     int64         `json:"migratedAt,omitempty"`
	Run    string        `json:"run,omitempty"`
	Writes int64         `json:"writes"` // the application's write transactions since
	Tables []TableChange `json:"tables,omitempty"`
	// Rows are the differences as lines, the kept file on the left and the Durable Object on the right;
	// bounded.
	Rows   []string `json:"rows,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// Way is how a user would go back.
type Way string

// The ways, promised in docs/scripting.md.
const (
	WayRestore Way = "restore" // the kept file, as nothing was written since
	WayExport  Way = "export"  // a file built from the Durable Object
	WayDiscard Way = "discard" // the kept file, although something was written since
	WayLift    Way = "lift"    // an unfinished migration is rolled back
	WayMerge   Way = "merge"   // a split user's cold rows go back into the file
	WayFinish  Way = "finish"  // an earlier rollback is ended: its file is in place
	WayNothing Way = "nothing"
)

// TableChange is a table that is not what was imported. Added, Removed and Changed count rows; they are nil
// where the rows were not compared, and lower bounds where AtLeast is set.
type TableChange struct {
	Name    string `json:"name"`
	Before  int64  `json:"rowsBefore"`
	Now     int64  `json:"rowsNow"`
	Added   *int64 `json:"added,omitempty"`
	Removed *int64 `json:"removed,omitempty"`
	Changed *int64 `json:"changed,omitempty"`
	AtLeast bool   `json:"atLeast,omitempty"`
}

// PreviewOptions say how closely to look.
type PreviewOptions struct {
	Discard bool // the rollback would put the kept file back whatever was written
	// Compare is up to how many differences the rows of each table are compared with the kept file, which has
	// to be downloaded; 0 compares digests only. Show is how many of them become Rows.
	Compare, Show int
}

// Preview looks at one user. It changes nothing, and the application goes on: what it finds may be old by the
// time a rollback seals the user.
func (e *Inspector) Preview(ctx context.Context, u userdb.UserID, opts PreviewOptions) (Preview, error) {
	p := Preview{User: u}
	st, file, err := e.Sides().Both(ctx, u)
	if err != nil {
		return p, err
	}
	if err := userfile.MaySeal(u, st, file); err != nil {
		return p, err
	}
	p.Bytes = file.Size
	if st.Receipt != nil {
		p.At, p.Run, p.Writes = st.Receipt.MigratedAt, st.Receipt.Run, st.Writes-st.WritesAtActivation
	}
	p.Plan = wayBack(st, file, opts.Discard)
	if p.Writes == 0 || p.Plan != WayExport && p.Plan != WayDiscard {
		return p, nil
	}
	return p, e.describeWrites(ctx, st, file, opts, &p)
}

func wayBack(st wire.Status, file userfile.Version, discard bool) Way {
	served := st.Phase == userdb.Active || st.Phase == userdb.Sealed
	switch {
	case userfile.Clean(st, file):
		return WayNothing
	case st.Phase == userdb.Merging && !file.FencedBy(st.Lin):
		return WayFinish
	case st.Phase.Split() && st.Phase != userdb.Splitting && !(st.Phase == userdb.SplitReady && file.FencedBy(st.Lin)):
		return WayMerge
	case !served:
		return WayLift
	case !file.Absent && !file.FencedBy(st.Lin):
		return WayFinish
	case file.What == userdb.SQLiteFile && st.Receipt != nil && st.Writes == st.WritesAtActivation:
		return WayRestore
	case discard:
		return WayDiscard
	}
	return WayExport
}

// describeWrites names the tables that changed, and compares their rows if that is asked for and the kept
// file is still there.
func (e *Inspector) describeWrites(
	ctx context.Context,
	st wire.Status,
	file userfile.Version,
	opts PreviewOptions,
	p *Preview,
) error {
	report, err := e.Stores.Digest(ctx, p.User)
	if err != nil {
		return err
	}
	p.Tables = tableChanges(st.Receipt.Digest, *report.Digest)
	if st.Receipt.Digest.Schema != report.Digest.Schema {
		p.Reason = "the schema changed"
	}
	if opts.Compare == 0 || len(p.Tables) == 0 {
		return nil
	}
	kept, err := e.Sides().KeptFile(ctx, p.User, file, st.Receipt)
	if err != nil {
		return err
	}
	defer kept.Remove()
	if kept == nil {
		p.Reason = result.AndReason(p.Reason, "rows cannot be compared: the kept file is gone")
		return nil
	}
	if err := e.compareTables(ctx, kept, opts, p); err != nil {
		p.Reason = result.AndReason(p.Reason, fmt.Sprintf("not every row was compared: %v", err))
	}
	return nil
}

// tableChanges lists the tables that no longer have the imported digest, those that are new or dropped among
// them.
func tableChanges(before, now wire.DatabaseDigest) []TableChange {
	var out []TableChange
	for _, t := range verify.ChangedTables(before, now) {
		out = append(out, TableChange{Name: t.Name, Before: t.Before.Rows, Now: t.Now.Rows})
	}
	return out
}

// compareTables bisects each changed table that both sides have.
func (e *Inspector) compareTables(
	ctx context.Context,
	kept *userfile.Copy,
	opts PreviewOptions,
	p *Preview,
) error {
	file, err := sqlitefile.Open(ctx, kept.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	tables := map[string]*sqlitefile.Table{}
	for i := range file.Tables() {
		tables[file.Tables()[i].Name] = &file.Tables()[i]
	}
	for i := range p.Tables {
		change := &p.Tables[i]
		t := tables[change.Name]
		if t == nil || change.Now == 0 {
			change.count(nil, false) // all of it was added, or removed
			continue
		}
		found, err := verify.Rows(
			ctx,
			verify.TableOf(t),
			verify.FileSide(file, t),
			verify.StoreSide(e.Stores, p.User),
			opts.Compare,
		)
		if err != nil {
			return err
		}
		change.count(found, len(found) >= opts.Compare)
		for _, d := range found[:min(len(found), opts.Show-len(p.Rows))] {
			p.Rows = append(p.Rows, d.String())
		}
	}
	return nil
}

// count turns differences into numbers of rows. A changed row shows up once for each cell.
func (c *TableChange) count(found []verify.RowDifference, atLeast bool) {
	added, removed, changed, last := int64(0), int64(0), int64(0), ""
	for _, d := range found {
		switch key := fmt.Sprint(d.Key); {
		case d.Kind == verify.Extra:
			added++
		case d.Kind == verify.Missing:
			removed++
		case key != last:
			changed++
			last = key
		}
	}
	if found == nil {
		added, removed = max(0, c.Now-c.Before), max(0, c.Before-c.Now)
	}
	c.Added, c.Removed, c.Changed, c.AtLeast = &added, &removed, &changed, atLeast
}
