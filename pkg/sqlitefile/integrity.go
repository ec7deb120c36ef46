package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// maxIntegrityMessages is how many messages SQLite's integrity check gives at most.
const maxIntegrityMessages = 100

// integrityCache is more than reading rows needs: the check looks every row up in every index, and with 512
// KiB that took half as much processor time again on a file of 118 MB.
const integrityCache = "PRAGMA cache_size=-2048"

// CheckIntegrity runs SQLite's integrity check over the whole file: pages, tables, indexes, FTS5 and rtree.
// Foreign keys and CHECKs that rows violate are no damage. It has a connection of its own and may run while
// another goroutine uses the File. What is wrong comes as findings; an error means that the check could not
// be done.
func (f *File) CheckIntegrity(ctx context.Context) ([]Finding, error) {
	conn, err := capi.Open(f.path, capi.Immutable)
	if err != nil {
		return nil, fail("check integrity of", f.path, err)
	}
	defer conn.Close()
	conn.Limit(sqlite3.SQLITE_LIMIT_LENGTH, readLengthLimit)
	if err := conn.Exec(integrityCache); err != nil {
		return nil, fail("check integrity of", f.path, err)
	}
	list, cutOff, err := f.judgeFile(ctx, conn, maxIntegrityMessages)
	if err == nil && cutOff &&
		!slices.ContainsFunc(list, func(finding Finding) bool { return finding.Level != Warning }) {
		list, _, err = f.judgeFile(ctx, conn, math.MaxInt32) // what SQLite did not come to say may be damage
	}
	return list, fail("check integrity of", f.path, err)
}

// judgeFile ends after that many of SQLite's messages; cutOff says that it did.
func (f *File) judgeFile(
	ctx context.Context,
	conn *capi.Conn,
	most int,
) (list []Finding, cutOff bool, err error) {
	list, messages, err := checkIntegrity(ctx, conn, f.ownerOfPage, most)
	if err == nil && len(list) > 0 {
		stop := conn.Watch(ctx)
		list = f.computedElsewhere(conn, list)
		stop()
		err = ctx.Err()
	}
	return list, messages >= most, err
}

// ownerOfPage names the table or index with that root page, "" when there is none.
func (f *File) ownerOfPage(root int64) string {
	for i := range f.objects {
		if f.objects[i].root == root {
			return f.objects[i].Name
		}
	}
	return ""
}

func checkIntegrity(
	ctx context.Context,
	conn *capi.Conn,
	owner func(root int64) string,
	most int,
) (list []Finding, messages int, err error) {
	defer conn.Watch(ctx)()
	var merged findings
	sql := fmt.Sprintf("PRAGMA integrity_check(%d)", most)
	err = conn.Query(sql, nil, func(s *capi.Stmt) error {
		if message := s.Text(0); message != "ok" {
			messages++
			merged.add(judgeIntegrity(strings.TrimPrefix(message, "*** in database main ***\n"), owner))
		}
		return nil
	})
	switch {
	case err == nil:
		return merged.list, messages, nil
	case endsCheck(err):
		return nil, messages, err
	case capi.IsTooBig(err):
		merged.add(*tooCostly("", errTooLong.Error()))
		return merged.list, messages, nil
	}
	// The check itself fails where an index needs a collation or a function that is not there; the schema's
	// findings name that.
	if finding := storeLacks("", err); finding != nil {
		merged.add(*finding)
		return merged.list, messages, nil
	}
	if m := fts5Broken.FindStringSubmatch(capi.Message(err)); m != nil {
		merged.add(
			outOfStep(m[1], capi.Message(err)),
		) // the check ended there; once the index is rebuilt, it goes on
		return merged.list, messages, nil
	}
	merged.add(Finding{Level: Blocked, Reason: ReasonDamaged, Detail: capi.Message(err), WayOut: WayOutDamaged})
	return merged.list, messages, nil
}

// errTooLong is about values of the file, or such as its expressions make.
var errTooLong = fmt.Errorf("SQLite's check of it makes a value of more than %d bytes", readLengthLimit)

// What the integrity check says of values that are well stored but would not be accepted again (SQLite's vdbe
// program for integrity_check).
var (
	nullValue    = regexp.MustCompile(`(?s)^NULL value in (.*)\.([^.]*)$`)
	strictValue  = regexp.MustCompile(`(?s)^non-\S+ value in (.*)\.([^.]*)$`)
	changedValue = regexp.MustCompile(`(?s)^(?:NUMERIC|TEXT) value in (.*)\.([^.]*)$`)
	wrongIndex   = regexp.MustCompile(
		`(?s)^(?:row \d+ missing from|wrong # of entries in|non-unique entry in|row \d+ values differ from|rowid not at end-of-record for row \d+ of) index (.*)$`,
	)
	brokenTree = regexp.MustCompile(`^(?:Tree|On tree page) (\d+)\b`)
	fts5Broken = regexp.MustCompile(
		`(?s)^fts5: corruption (?:found reading blob -?\d+ from|on page \d+, segment \d+,|in) table "(.*)"$`,
	)
	fts5Unread = regexp.MustCompile(
		`(?s)^unable to validate the inverted index for FTS5 table main\.(.*): .*$`,
	)
	fts5Index = regexp.MustCompile(`(?s)^malformed inverted index for FTS5 table (?:main\.)?(.*)$`)
)

func judgeIntegrity(message string, owner func(root int64) string) Finding {
	for _, kind := range []struct {
		message *regexp.Regexp
		reason  Reason
		wayOut  string
	}{
		{nullValue, ReasonNotNull, wayOutNotNull},
		{strictValue, ReasonStrictType, wayOutStrict},
		{changedValue, ReasonValueChanges, wayOutChanges},
	} {
		if m := kind.message.FindStringSubmatch(message); m != nil {
			return Finding{
				Level:  Blocked,
				Reason: kind.reason,
				Object: m[1],
				Column: m[2],
				Detail: message,
				WayOut: kind.wayOut,
				Count:  1,
			}
		}
	}
	if m := fts5Index.FindStringSubmatch(message); m != nil {
		return outOfStep(m[1], message)
	}
	for _, broken := range []*regexp.Regexp{fts5Unread, fts5Broken} {
		if m := broken.FindStringSubmatch(message); m != nil {
			return outOfStep(m[1], message)
		}
	}
	first, _, _ := strings.Cut(message, "\n")
	finding := Finding{Level: Blocked, Reason: ReasonDamaged, Detail: first, WayOut: WayOutDamaged}
	if m := brokenTree.FindStringSubmatch(message); m != nil {
		root, _ := strconv.ParseInt(m[1], 10, 64) // 0 is no page
		finding.Object = owner(root)
	}
	if m := wrongIndex.FindStringSubmatch(message); m != nil {
		finding.Object, finding.WayOut = m[1], wayOutIndex
	}
	return finding
}

func outOfStep(table, detail string) Finding {
	quoted := sqltext.Quote(table)
	return Finding{
		Level:  Fixable,
		Reason: ReasonFTS5OutOfStep,
		Object: table,
		Detail: "the full-text index does not match its content: " + detail,
		WayOut: fmt.Sprintf("INSERT INTO %s(%s) VALUES('rebuild')", quoted, quoted),
	}
}

// CheckExternalIndexes compares the index of every FTS5 table over external content with that content, since
// a Durable Object's index is rebuilt from it. FTS5 offers the comparison only as an INSERT, so the file is
// opened for writing. For that, the versions in its header are put to 1 for the duration; nothing else in it
// changes.
func (f *File) CheckExternalIndexes(ctx context.Context) ([]Finding, error) {
	list, err := f.checkExternalIndexes(ctx)
	return list, fail("check FTS5 indexes of", f.path, err)
}

func (f *File) checkExternalIndexes(ctx context.Context) (list []Finding, err error) {
	names := f.externalIndexes()
	if len(names) == 0 {
		return nil, nil
	}
	restore, err := f.makeWritable()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	conn, err := capi.Open(f.path, capi.ReadWrite)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer conn.Watch(ctx)()
	conn.Limit(sqlite3.SQLITE_LIMIT_LENGTH, readLengthLimit)
	if err := conn.Exec("PRAGMA journal_mode=OFF"); err != nil {
		return nil, err
	}
	for _, name := range names {
		quoted := sqltext.Quote(name)
		err := conn.Exec("INSERT INTO " + quoted + "(" + quoted + ", rank) VALUES('integrity-check', 1)")
		if endsCheck(err) {
			return nil, err
		}
		if capi.IsTooBig(err) {
			list = append(list, *tooCostly(name, errTooLong.Error()))
			continue
		}
		if err != nil {
			list = append(list, outOfStep(name, err.Error()))
		}
	}
	return list, nil
}

func (f *File) externalIndexes() []string {
	var names []string
	for i := range f.virtual {
		if v := &f.virtual[i]; v.finding == nil && v.module == "fts5" && v.load == wire.LoadRebuild {
			names = append(names, v.name)
		}
	}
	return names
}
